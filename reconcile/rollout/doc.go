// Package rollout decides how one model gets from what runs to what Git wants.
//
// [Step] is a pure function of what was observed, of the little that is
// remembered, and of the time. It returns commands for the engine, the model's
// entry for the routing table, and a status that says why. It is called again
// with every new observation, so nothing it returns has to be carried out, or
// carried out only once: a command that was lost is decided again.
//
// A new revision replaces the one that serves in this order, which no crash can
// turn around, because each arrow waits for an observation:
//
//	launch all replicas beside the old ones
//	  ─▶ all ready (healthy for min_healthy, as the gateway sees it)
//	  ─▶ the gateway's table in force gives them all the weight
//	  ─▶ the old replicas have no request in flight
//	  ─▶ retire the old replicas
//
// While the gateway does not answer, replicas are still launched and started,
// but none that may take requests is retired.
//
// What changes in place (replicas, routes, health) never launches a revision,
// and what was altered by hand (a name, a limit, a missing network, a stopped or
// paused container) is put right on the container itself.
package rollout
