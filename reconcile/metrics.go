package reconcile

import (
	"context"
	"errors"
	"time"
)

// Metrics answers PromQL: the embedded store, or a Prometheus elsewhere.
//
// All calls are safe for concurrent use and end in bounded time.
type Metrics interface {
	// Query evaluates an instant query as of at. An empty vector is no error: it
	// says that there is no data. The error wraps ErrMetricsUnavailable where
	// the store could not answer, and says what is wrong with the query
	// otherwise.
	Query(ctx context.Context, promql string, at time.Time) ([]Sample, error)
}

// Scraper is a Metrics that collects by itself: the embedded store.
type Scraper interface {
	// Scrape replaces the set of endpoints that are scraped. It returns at once.
	Scrape(targets []ScrapeTarget)
}

// ErrMetricsUnavailable: the store of metrics does not answer. It says nothing
// about any model.
var ErrMetricsUnavailable = errors.New("the metrics are not available")

// The jobs of scrape targets. What decides about a model is read from the gateway
// and the daemon only: a model that tells metrics of its own must not be able to
// write its own evidence.
const (
	JobGateway = "gateway"
	JobModel   = "model"
	JobDaemon  = "fairlead"
)

// MetricEnvironment is the label that the gateway's and the daemon's series have
// beside their job, so that one Prometheus can hold several environments.
const MetricEnvironment = "environment"

// ScrapeTarget is one endpoint that tells metrics.
type ScrapeTarget struct {
	Job      string // JobGateway, JobModel or JobDaemon
	Address  string // host:port
	Path     string
	Token    string            // sent as bearer token; "" for none. Secret.
	Labels   map[string]string // added to every series: model, revision, replica; or environment, instance
	Interval time.Duration
}

// Sample is one element of a vector.
type Sample struct {
	Labels    map[string]string
	Value     float64    // may be NaN
	Histogram *Histogram // set for a native histogram; Value is 0 then
}

// Histogram is a distribution: a native histogram of Prometheus, with its
// buckets spelled out.
type Histogram struct {
	Count, Sum float64
	Buckets    []Bucket // ascending, none of them empty, none overlaps another
}

// Bucket counts the values in (Lower, Upper].
type Bucket struct{ Lower, Upper, Count float64 }
