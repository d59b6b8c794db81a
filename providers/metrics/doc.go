// Package metrics answers PromQL. It holds both providers of the port
// reconcile.Metrics, and an HTTP API for dashboards.
//
//	Embedded   the default: scrapes, stores and evaluates inside the daemon
//	External   a Prometheus that the team has already, reached by URL
//
// The same query over the same series gives the same samples by either, because
// both evaluate with Prometheus' own engine: Embedded is made of its libraries
// (scrape, tsdb, promql). The suite in package providertest holds them to that,
// against a real Prometheus server where one is installed.
//
// # How a sample gets from a gateway to a check
//
//	gateway /metrics ──▶ scraper ──▶ ingest ──▶ TSDB (head, WAL, blocks) ──▶ engine ──▶ Query
//	                     pools.go    ingest.go  store.go                               vector.go
//
// The scraper asks for the protobuf format, the only one that carries native
// histograms: distributions whose buckets come from the data, at a resolution of
// a few percent. A query over them returns the buckets themselves, which is what
// the judge of a rollout tests; it never has to trust a quantile that somebody
// averaged before.
//
// # What is missing is not zero
//
// An empty vector means that no data was there. It is no error and no verdict. An
// error that wraps reconcile.ErrMetricsUnavailable means that nobody can know:
// the disk is full, the clock went back, Prometheus is away. Every other error
// says what is wrong with the query, which will be as wrong a second later.
//
// # What can go wrong on the host
//
//	killed at any moment     the WAL is replayed at the next start
//	the WAL is damaged       it is cut off where the damage begins
//	a block is damaged       it is removed
//	neither helps            the store is set aside as DIR.broken and begins
//	                         anew: a day of metrics is worth less than a daemon
//	the disk is full         queries fail and say so; what was scraped
//	                         meanwhile is lost; it goes on when there is room
//	the clock goes back      samples must be in order, so none can be taken until
//	                         it has caught up; after more than a minute the store
//	                         begins anew
//	two processes, one DIR   the second is refused
//
// Nothing in the store is a decision, so nothing in it is irreplaceable: a rollout
// that loses its evidence gathers new evidence.
//
// # Size
//
// Two thousand revisions with ten series each, scraped every five seconds, are the
// design's size. The TSDB is set up for that and not for millions of series:
// blocks of half an hour instead of two hours, because the series of a revision
// that is gone stay in memory until the block that saw them last is written, and
// because the WAL that a start must replay spans one block and a half; small
// buffers and few lock stripes, because the defaults alone cost more than all
// the rest. BenchmarkAtRest measures what a process needs.
package metrics
