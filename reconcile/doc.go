// Package reconcile makes what runs equal to what Git says, and keeps it so.
//
// One pass is three things that never mix:
//
//	observe   one list of the engine's containers, the gateway's report
//	decide    pure: package plan (what differs, and why) and package rollout
//	          (the next step of one model); time comes in as a value
//	act       idempotent engine and gateway calls, each safe to interrupt
//
// Package controller is the loop that drives them. It is level-triggered: events
// and file notifications only wake it; what it does follows from what it lists.
// Every model is reconciled on its own key with its own back-off, so one that
// fails never holds up another, and a newer commit overtakes a failing one.
//
// Models are served by package controller, and made by package runner: pipelines run
// as package run decides, are judged by package gate, and what passes is proposed to
// the config repo, whose versions package registry knows.
//
// Git is the record. Package trust judges whether a commit may be followed, and package
// include composes several repositories. Package review shows a plan where the change is
// reviewed; packages propose and proposer ask people to merge what Fairlead wants in Git;
// package notify tells them what happened; package journal keeps what was decided, and
// package audit proves that nothing of it was changed.
//
// This package holds what they all speak of: the [Target] that a model becomes
// when its image is pinned and its secrets are resolved, its content hash, the
// revision, and what a container is created from; and the ports through which the
// outside is reached: [Source], [Snapshots], [Runtime], [Router], [Secrets],
// [Store], [Artifacts], [Proposals], [Commits], [Signatures], [Forge], [Notifier]. Each port's contract is written at the interface, and package
// providers/providertest holds it as a test suite that every provider runs.
package reconcile
