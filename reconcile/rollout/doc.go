// Package rollout decides how one model gets from what runs to what Git wants.
//
// [Step] is a pure function of what was observed, of the record of decisions, and
// of the time. Each call returns either one transition of the record, to be
// journaled before anything follows from it, or what follows from the record as
// it is: commands for the engine, the model's entry for the routing table, the
// measurements that are due, and a status that says why. It is called again with
// every new observation, so nothing it returns has to be carried out, or carried
// out only once: a command that was lost is decided again.
//
// # The machine
//
// A record only ever moves along these arrows:
//
//	stateDiagram-v2
//	    [*] --> deploying: first deployment
//	    [*] --> stable: adopted as found
//	    deploying --> stable: ready
//	    stable --> preparing: Git wants another revision, and there is room
//	    preparing --> step: replicas ready, verified, warm
//	    step --> step: held long enough, checks passed, approved
//	    step --> promoting: last step passed, or a person said so
//	    preparing --> promoting: no steps
//	    promoting --> stable: at full size (promoted)
//	    preparing --> stable: fails, too late (rolled back, into the ledger)
//	    step --> stable: a check fails, too late (rolled back, into the ledger)
//	    step --> held: on_failure or on_deadline = hold, or stable cannot serve
//	    held --> stable: aborted
//	    held --> preparing: retried
//	    held --> promoting: promoted by a person
//	    preparing --> preparing: superseded by a newer revision
//	    step --> preparing: superseded by a newer revision
//	    preparing --> stable: stable is wanted again (aborted)
//	    step --> stable: stable is wanted again (aborted)
//	    stable --> stable: back to the previous release, while it is kept
//
// Pausing is a property of a rollout and no state of its own. A release in the
// ledger is not rolled out again until a person says retry; meanwhile the model
// is held: what Git wants was rejected, what was stable serves on.
//
// # What follows from a record
//
// Replicas of stable and of the candidate are launched and healed, the latter in
// proportion to its share. A replica takes requests once it is healthy for
// min_healthy, its contract is what the signature declares, and it is warm. While
// no replica of stable can serve, a release that can takes all requests, without
// being promoted for it. What belongs to no release that the record knows drains
// and goes:
//
//	out of the record ─▶ no share in the table in force ─▶ no request in flight ─▶ retired
//
// While the gateway does not answer, replicas are still launched and healed, but
// no weight moves, no deadline passes, and nothing that may take requests is
// retired.
//
// What changes in place (replicas, routes, health) never launches a revision,
// and what was altered by hand (a name, a limit, a missing network, a stopped or
// paused container) is put right on the container itself.
//
// # People
//
// [Order] judges what a person wants: promote, pause, resume, abort, retry, undo.
// It too only moves the record.
package rollout
