// Package proposer carries out what package propose decides: it writes branches, keeps
// pull requests current, and journals what became of them.
//
// A [Proposer] looks at each key on its own, so that one that cannot be proposed, or a
// forge that is away, holds up no other. With a decision it only takes a Glance, which
// trusts what was seen last; the forge and the remote are asked at each interval, and when a
// webhook says that something has changed there.
//
// What is journaled comes before the pull request is opened or closed, and after the
// branch is pushed, which does no harm when it is done twice: a program that dies in
// between goes on where it was.
package proposer
