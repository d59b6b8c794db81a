// Package diag is how Fairlead tells a person what is wrong with a config repo,
// and where.
//
// A [Diagnostic] has a terse Summary that never holds user data and uses the
// same words each time, so that people can search for it, and a Detail that
// says what is wrong, why it matters and what to do. Subject is the exact range
// that is wrong; Context is the larger piece that makes it understandable.
//
// Functions that find mistakes return [Diagnostics] at every exit and go on
// after an error, so one run reports all of them. Only the edge of the program
// prints: [WriteText] for people, [Report] for machines. Both take [Sources],
// which gives the bytes of spec files for the snippet. Sources must never offer
// anything else: a snippet shows whole lines, and the lines of a file of
// variable values may hold a secret.
//
// The package knows nothing of HCL. Package spec/lang translates.
package diag
