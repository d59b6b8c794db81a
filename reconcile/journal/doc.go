// Package journal is the memory of decisions: what serves, what is being
// introduced and how far it got, what was rejected and why.
//
// A [Record] is the state of one model, a [PipelineRecord] that of one pipeline, a
// [RepoRecord] tells which commit of a config repo is followed and why, and a
// [ProposalRecord] what Fairlead would like to change in Git. An [Entry] is one decision,
// with the record that it leads to. A [Journal] keeps entries in order, in Git: one commit
// per entry on the branch fairlead/journal/ENVIRONMENT of the config repo. An
// entry is durable before its effect begins, so that after a crash, or on another
// host, a rollout goes on where it was.
//
// The tree of a commit holds the records, NAME.json in models, pipelines, repos and
// proposals, so a checkout of the branch shows how things stand, and `git show` what a
// decision changed. The message tells people what was decided and why, and programs in its trailers:
//
//	digits: roll back 4f2a90b1c2d3 to 9c1be1a2b3c4: errors 5.2 % of 412 requests
//
//	Fairlead-Action: rollback
//	Fairlead-Model: digits
//	Fairlead-From: 4f2a90b1c2d3
//	Fairlead-To: 9c1be1a2b3c4
//	Fairlead-Version: 1.0.0
//	Fairlead-Weight: 0
//	Fairlead-Commit: 5d41402abc4b2a76b9719d911017c592abababab
//	Fairlead-Actor: fairlead
//	Fairlead-At: 2026-03-03T14:00:03Z
//
// A decision about a pipeline has Fairlead-Pipeline and Fairlead-Run in place of
// Fairlead-Model and Fairlead-Weight: "train_digits: end train_digits-12, succeeded". One
// about a repo or a proposal has Fairlead-Repo or Fairlead-Proposal-Key.
//
// A signed entry also names its journal, Fairlead-Journal: fairlead/journal/ENVIRONMENT,
// so that its signature is good for no other.
//
// A reason that does not fit into the subject stands whole between the two. It
// may be anybody's text, and can neither forge a trailer nor steer a terminal.
package journal
