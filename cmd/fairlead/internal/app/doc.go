// Package app wires the program together: which provider stands behind which
// port, and in which order things start and stop.
//
// A [Config] is what the operator said, by flags, FAIRLEAD_ variables or a
// configuration file; package cli reads these. From it come a [Site], which is
// everything that commands that look at an environment share, and a [Daemon],
// which is `fairlead serve`.
package app
