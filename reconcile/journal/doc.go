// Package journal is the memory of decisions: what serves, what is being
// introduced and how far it got, what was rejected and why.
//
// A [Record] is the state of one model; an [Entry] is one decision, with the
// record that it leads to. A [Journal] keeps entries in order, in Git: one commit
// per entry on the branch fairlead/journal/ENVIRONMENT of the config repo. An
// entry is durable before its effect begins, so that after a crash, or on another
// host, a rollout goes on where it was.
package journal
