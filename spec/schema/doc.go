// Package schema is the one table of what a person can write: every block,
// every argument, its type, its default, its words, its meaning.
//
// The table is plain data. Package spec/lang decodes and checks by it and takes
// its suggestions ("Did you mean ...?") from it, [JSON] is what
// `fairlead schema --json` prints for editors, and [Reference] is the page
// spec/REFERENCE.md. So a new argument is one edit here, plus the line in
// spec/lang that moves its value into the Go struct.
//
// [Root] returns the table. It is built anew on each call: there is no package
// state, and whoever asks may keep it.
package schema
