// Package controller is the loop that keeps an environment equal to Git.
//
// A [Controller] has one goroutine that decides, and several that only fetch or
// act and send what they found:
//
//	source    fetch ─▶ load ─▶ bind ──────────────┐
//	lister    one list of containers ─────────────┤                          ┌─▶ journal
//	reporter  the gateway's table and report ─────┤                          ├─▶ workers (engine)
//	workers   result of a command, fresh list ────┼─▶ loop: observe, decide ─┼─▶ publisher (gateway)
//	journal   an entry is durable, or is not ─────┤                          ├─▶ queries (metrics)
//	queries   a reading of a check ───────────────┤                          └─▶ talks (replicas)
//	talks     a replica verified, or warm ────────┤
//	fetches   an artifact is here, or cannot be had┤
//	people    an order ───────────────────────────┤
//	clock     something falls due ────────────────┘
//
// All state belongs to the loop, so there is no lock and no order to get wrong.
// Hints, events and reports only make it look again; decisions follow from
// lists. Every model has its own key: while commands of one are under way, or
// while it waits out a back-off, the others go on.
//
// # Decisions come first, effects after
//
// What package rollout decides about a model is a step from one record to the
// next, and that step is an entry of the journal:
//
//	Step ─▶ transition ─▶ Append ─▶ durable ─▶ record ─▶ Step ─▶ commands, table entry
//
// Until the entry is durable the model waits: no command of the decision is
// carried out, and the gateway routes as the record before it allows, with each
// replica where it is now. An entry that cannot be written is tried again, and
// nothing moves meanwhile. A person's order takes the same way and is answered
// when its entry is in the journal. So a daemon that is killed at any line finds
// in the journal what it had decided, and in the next list how far it got.
//
// Commands of one model may take long: a pull, a stop. A transition does not wait
// for them. A candidate that fails its checks loses the traffic while another of
// its replicas is still being created.
//
// Nothing else is remembered. What was measured and which replicas are warm is
// found out again; replicas that the gateway gives requests to when a daemon
// starts have been inspected by the one before.
package controller
