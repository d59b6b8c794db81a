// Package proposer carries out what package propose decides: it writes branches, keeps
// pull requests current, and journals what became of them.
//
// A [Proposer] looks at each key on its own, so that one that cannot be proposed, or a
// forge that is away, holds up no other. What is journaled comes before the pull request
// is opened or closed, and after the branch is pushed, which does no harm when it is
// done twice: a program that dies in between goes on where it was.
package proposer
