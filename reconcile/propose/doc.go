// Package propose decides what Fairlead asks people to change in Git.
//
// A [Wish] is one change that follows from how things stand: [Wishes] makes them from
// the specs, the records of the journal and what registries and other environments
// hold. There are five kinds: revert, promote, retrain, pin and promotion. A wish has a
// key, under which at most one proposal is open, and an id: what it wants. Equal ids are
// the same wish, however often it is made.
//
// [Step] takes one key forward, at each call by one [Act]. It is pure: what became of
// the branch and of the pull request comes in as [Seen], and the caller carries the act
// out, journals the record and calls again.
//
//	stateDiagram-v2
//	    [*] --> open: a wish that is not in the ledger
//	    open --> open: another wish under the key, or the base moved on under it
//	    open --> merged: people merged it
//	    open --> rejected: people closed it, or deleted its branch
//	    open --> moot: the wish is no more
//	    moot --> [*]: its pull request is closed, its branch deleted
//
// Not known is not the same as not wanted: while a registry, an engine or another
// environment cannot be asked, a proposal stays as it is.
//
// What people have merged or rejected is never proposed again: a person who reverts
// what a proposal brought has the last word. A commit of somebody else on the branch of a
// proposal is never overwritten, and such a proposal is ended by people only.
//
// Peers loop here: Flux' image automation bumps again what was rolled back
// (fluxcd/flux2#4676), and so did argocd-image-updater#1249 and kargo#3016.
package propose
