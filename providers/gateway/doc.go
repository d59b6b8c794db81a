// Package gateway carries requests from one published port to the replicas of
// every model, and tells the daemon which replicas are healthy. It is the only
// part of Fairlead that stands in the way of traffic, so it is a process of its
// own that goes on when the daemon does not.
//
// [Server] is that process; [Client] is the daemon's side, the reconcile.Router.
//
//	requests ─▶ serve ─▶ match ─▶ exchange ─▶ pick ─▶ replica
//	                      ▲                     ▲        ▲
//	daemon ─▶ admin ─▶ compile ─▶ swap          └─ load, health ◀─ prober
//
// # Tables
//
// All that the gateway knows comes in one reconcile.Table, over the admin
// listener and with the admin token. A table is taken whole or refused whole. It
// is kept on disk before it is acknowledged, compiled to an immutable routing,
// and put in force by replacing one pointer: each request follows the routing
// that it began with. Replicas are shared by successive routings, so their
// connections, open requests and health survive a swap.
//
// A table that cannot be kept, because the disk is full, is put in force all the
// same, and the gateway says so in its answer, its reports and its metrics.
//
// # A request
//
// Routes of the request's host come first, then the protocol's own paths (/v2,
// /v2/health/live, /v2/health/ready, /v2/models), then routes of every host,
// among which each Open Inference model has /v2/models/NAME. The longest prefix
// wins, on whole segments of the decoded path.
//
// Among the revisions the request goes by weight, along a schedule that is exact
// after at most 100 requests; within the revision to the ready replica with the
// fewest open requests. If the connect fails, nothing was sent, and it goes to
// another replica; the first one is out until its next good probe. Anything that
// fails later is not repeated, since the model may have acted on it.
//
// # Drain
//
// A table closes a replica by draining it, by a weight of 0 for its revision, or
// by leaving it out. A closed replica never gets a request after a report of that
// table has shown its open requests at 0; replica.take and Server.putInForce
// explain why. So the daemon can remove a container without losing a request.
//
// The gateway drains itself in the same spirit: Run accepts no more, finishes
// open requests and websockets up to a deadline, then cuts off what is left.
//
// # Cost
//
// BenchmarkGatewayCPU measures CPU time per request of the whole process beside
// a bare httputil.ReverseProxy, Caddy and HAProxy in one run:
//
//	go test -run '^$' -bench GatewayCPU ./providers/gateway
//
// With bodies of 768 bytes, two weighted revisions and metrics on, six runs on
// two busy cores gave 0.54 to 0.74 of the bare proxy, which allocates 32 kB for
// each answer; 0.90 to 1.05 of the same proxy with a buffer pool; 0.64 to 0.70 of
// Caddy 2.6.2; and 1.5 to 2.7 of HAProxy 2.6.12. About half of the time is system
// calls and scheduling; the gateway's own code beside the proxy is below a tenth.
// A small body is sent with its header in one write, which pays for the rest.
package gateway
