// Package audit proves what the journal says: that nothing of it was changed, removed,
// put in another order or added, and who approved what runs.
//
// The journal is a chain of commits, each of which holds the id of the one before it, and
// is signed by the daemon. So whoever has no key cannot change an entry, and whoever has
// kept the newest id, a [Head], out of the journal's reach sees that the chain was cut off
// or replaced. [Rules] are the checks of one commit; package git walks over the branch
// and makes the [Report].
//
// [Rows] and [WhoApproved] put what the journal knows into the words of an auditor.
// Everything here is pure.
package audit
