// Package cli is the command line: one file per command. A command reads its
// flags, calls the code that does the work, and hands the value that comes back
// to package view. It prints nothing itself.
//
// Every flag of a command that touches an environment can also be given as
// FAIRLEAD_NAME in the environment, and in the file that --config names. A flag
// wins over the environment, and the environment over the file.
package cli
