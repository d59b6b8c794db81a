// Package judge turns measurements of two revisions into verdicts.
//
// It is pure: [Compile] says which queries a check needs, [Read] makes a
// [Reading] of their results, and [Look] weighs a reading against the ones
// before it.
package judge
