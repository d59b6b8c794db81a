// Package controller is the loop that keeps an environment equal to Git.
//
// A [Controller] has one goroutine that decides, and several that only fetch or
// act and send what they found:
//
//	source   fetch ─▶ load ─▶ bind ──────────────┐
//	lister   one list of containers ─────────────┤
//	reporter the gateway's table and report ─────┼─▶ loop: observe, decide ─┬─▶ workers (engine)
//	workers  result of a command, fresh list ────┤                          └─▶ publisher (gateway)
//	clock    something falls due ────────────────┘
//
// All state belongs to the loop, so there is no lock and no order to get wrong.
// Hints, events and reports only make it look again; decisions follow from
// lists. Every model has its own key: while commands of one are under way, or
// while it waits out a back-off, the others go on.
//
// Nothing here remembers what was done. After a crash the next list shows it.
package controller
