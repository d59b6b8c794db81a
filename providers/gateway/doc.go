// Package gateway carries requests from one published port to the replicas of
// every model, and tells the daemon which replicas are healthy. It is the only
// part of Fairlead that stands in the way of traffic, so it is a process of its
// own that goes on when the daemon does not.
//
// [Server] is that process; [Client] is the daemon's side, the reconcile.Router.
//
//	requests ─▶ serve ─▶ match ─▶ door ─▶ exchange ─▶ side, pick ─▶ replica
//	                      ▲        ▲         │           ▲            ▲
//	daemon ─▶ admin ─▶ compile ─▶ swap       │           └─ load, health, circuit ◀─ prober
//	                                         └─▶ watch ─▶ shadow, samples
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
// A route may ask who comes and how many (package edge). Who is turned away at
// the door, with 401 or 429, counts as nobody's error. The way by a model's name
// passes the doors of all its routes one after the other, since it leads to the
// same place: a caller needs what every one of them asks for, and counts against
// every limit. A model without routes has no doors.
//
// Among the revisions the request goes by weight, along a schedule that is exact
// after at most 100 requests; within the revision to the ready replica with the
// fewest open requests. Two things come before the weight: a request that matches
// is the candidate's, and a sticky caller belongs to a side that follows from its
// header or cookie alone (see lay). A side without a ready replica gives its
// requests to a revision that has one and a weight. A cold replica is probed and
// gets nothing, also not as a stand-in.
//
// # When a replica fails
//
// A failed connect has sent nothing, so the request goes to another replica; the
// first one is out until its next good probe. What fails after that, and before
// any byte of an answer, is repeated only where it may be: by its method or its
// Idempotency-Key, on a body that is still there, and within a budget of a tenth
// of the model's requests. The budget is about requests that reached a model, so
// a failed connect takes nothing from it. The revision is charged with the
// failure all the same: evidence must not depend on who stood in.
//
// A replica that fails five requests in a row, which its peers would answer, is
// ejected for a while that doubles each time, and then tried with one request. Of
// a revision's ready replicas never more than half are out. A failure that all of
// them show is the revision's, and a matter for the checks of its rollout.
//
// A route's fallback answers where no replica is ready, and where the model
// answers 5xx or is late and the body can be sent again. It has the route's time
// for itself. There is one hop.
//
// # Shadows and samples
//
// What a mirror copies is sent when the client has its answer, so a candidate
// that hangs costs stable nothing but the memory for two bodies. Everything about
// it is bounded, and what is too much is dropped and counted: see shadow.go. How
// answers are compared is told at comparison.compare. The values of declared
// outputs are counted from a sample of the answers: see sample.go.
//
// # Metrics
//
// On the admin listener, at /metrics, as text or protobuf. Native histograms have
// no text form, so whoever wants latencies at their full resolution asks for
// protobuf, as Prometheus does when native histograms are on.
//
//	fairlead_requests_total{model,revision,code}            code: 1xx to 5xx, client_gone; all from the start
//	fairlead_request_duration_seconds{model,revision,code}  native, buckets of 2.2 %, and a few classic ones
//	fairlead_output_values{model,revision,output}           native
//	fairlead_shadow_compared_total{model,revision,result}   agree, differ, failed
//	fairlead_shadow_distance{model,revision,output}         native
//	fairlead_shadow_dropped_total{model,revision,reason}    busy, too_large, no_replica, drained, encoding
//	fairlead_gateway_{retries,fallbacks,ejections}_total
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
// a bare httputil.ReverseProxy, Caddy, nginx and HAProxy in one run:
//
//	make bench-gateway
//
// With bodies of 768 bytes, two weighted revisions and metrics on, runs on two
// cores, idle and busy, gave 0.64 to 0.75 of the bare proxy, which allocates 32 kB
// for each answer; 0.95 to 1.02 of the same proxy with a buffer pool; 0.70 of
// Caddy 2.6.2; 1.3 to 2.2 of HAProxy 2.6.12; and 2.4 to 3.1 of nginx 1.22.1. About
// half of the time is system calls and scheduling; the gateway's own code beside
// the proxy is below a tenth, and counting a request takes 0.2 µs of it.
// A small body is sent with its header in one write, which pays for the rest.
//
// BenchmarkGatewayShadowHangs measures stable's latency while every request is
// copied to a candidate that never answers, as a multiple of the one without.
package gateway
