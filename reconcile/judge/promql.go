package judge

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// Query is one PromQL query of a check.
type Query struct {
	Name   string // what it measures, for messages
	PromQL string
}

// Compile returns the queries that a check needs.
//
// Presets ask for counters as they stand, by gateway, and never for rate() or
// increase(): those extrapolate to the edges of their window, and a test on
// counts needs the counts. A gateway that restarts counts from 0, so series of
// different gateways must not be added up before differences are taken.
func Compile(c spec.Check, v Vars) []Query {
	both, candidate := v.selector(reconcile.JobGateway, v.Candidate, v.Stable), v.selector(reconcile.JobGateway, v.Candidate)
	switch kindOf(c) {
	case ofErrors:
		return []Query{{"requests", `sum by (revision, instance, code) (fairlead_requests_total{` + both + `,code=~"2xx|3xx|4xx|5xx"})`}}
	case ofRate:
		return []Query{{"requests", `sum by (revision, instance) (fairlead_requests_total{` + both + `})`}}
	case ofQuantile:
		// An error may be quick to give. Were it counted, a candidate that fails
		// fast would look fast.
		// A request that its client gave up took at least as long as the client
		// waited. Were it left out, a candidate that hangs would look perfect.
		const series = `fairlead_request_duration_seconds{`
		return []Query{
			cumulative("latency", series+both+`,code=~"2xx|3xx|4xx"}`),
			v.ofLate("latency", series+both+`,code=~"2xx|3xx|4xx|client_gone"}`),
			cumulative("patience of clients", series+both+`,code="client_gone"}`),
		}
	case ofShift:
		name, series := "values of output "+v.Output, `fairlead_output_values{`+both+`,output=`+quote(v.Output)+`}`
		return []Query{cumulative(name, series), v.ofLate(name, series)}
	case ofAgreement:
		return []Query{{"compared answers", `sum by (revision, instance, result) (fairlead_shadow_compared_total{` + candidate + `})`}}
	case ofRestarts:
		return []Query{{"restarts", `sum by (revision, instance) (fairlead_replica_restarts_total{` + v.selector(reconcile.JobDaemon, v.Candidate) + `})`}}
	case ofQuery:
	}
	queries := []Query{{"the candidate's value", v.fill(c.Query)}}
	if relative(c) {
		v.Candidate = v.Stable
		queries = append(queries, Query{"stable's value", v.fill(c.Query)})
	}
	return queries
}

// cumulative asks for native histograms as they stand.
func cumulative(name, selector string) Query {
	return Query{name, `sum by (revision, instance) (` + selector + `)`}
}

// ofLate asks for native histograms over the window.
func (v Vars) ofLate(name, selector string) Query {
	return Query{name + " of late", `sum by (revision) (increase(` + selector + `[` + promDuration(v.Window) + `]))`}
}

// selector picks a model's series of the revisions that are not empty, as the job
// tells them: a model may tell series of any name.
func (v Vars) selector(job string, revisions ...string) string {
	var quoted []string
	for _, r := range revisions {
		if r != "" {
			quoted = append(quoted, regexp.QuoteMeta(r))
		}
	}
	source := `job=` + quote(job)
	if v.Environment != "" {
		source += `,` + reconcile.MetricEnvironment + `=` + quote(v.Environment)
	}
	return source + `,model=` + quote(v.Model) + `,revision=~` + quote(strings.Join(quoted, "|"))
}

// quote writes a PromQL string. Its escapes are those of Go.
func quote(s string) string { return strconv.Quote(s) }

var placeholder = regexp.MustCompile(`\$[A-Za-z_]\w*`)

// fill replaces the placeholders of a query. They stand inside of string
// literals, except $window, so values are escaped as in one.
func (v Vars) fill(query string) string {
	return placeholder.ReplaceAllStringFunc(query, func(name string) string {
		switch name {
		case "$model":
			return escape(v.Model)
		case "$stable":
			return escape(v.Stable)
		case "$candidate":
			return escape(v.Candidate)
		case "$window":
			return promDuration(v.Window)
		default:
			return name
		}
	})
}

func escape(s string) string {
	quoted := quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `'`, `\'`)
}

// promDuration writes a duration as PromQL does, at least 1 ms: it takes no
// fractions and no zero.
func promDuration(d time.Duration) string {
	ms := max(d.Milliseconds(), 1)
	if ms%1000 == 0 {
		return fmt.Sprintf("%ds", ms/1000)
	}
	return fmt.Sprintf("%dms", ms)
}
