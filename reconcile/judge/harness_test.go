package judge

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

var (
	vars  = Vars{Model: "digits", Stable: "old", Candidate: "new", Window: time.Minute, Output: "digit", Share: 0.5}
	begin = time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC)
)

func limit(x float64) *float64 { return &x }

// world is a gateway as the store of metrics sees it: it counts up, and answers
// the queries of Compile.
type world struct {
	instance string
	codes    map[string]map[string]float64 // revision -> code
	results  map[string]map[string]float64 // revision -> result of comparison
	restarts map[string]float64
	values   map[string]*reconcile.Histogram
	givenUp  map[string]*reconcile.Histogram
}

func newWorld() *world {
	return &world{
		instance: "gateway:9090", codes: map[string]map[string]float64{"old": {}, "new": {}}, results: map[string]map[string]float64{"new": {}},
		restarts: map[string]float64{"new": 0}, values: map[string]*reconcile.Histogram{}, givenUp: map[string]*reconcile.Histogram{},
	}
}

// serve counts requests, some of them errors.
func (w *world) serve(revision string, requests, errors float64) {
	w.codes[revision]["2xx"] += requests - errors
	w.codes[revision]["5xx"] += errors
}

// observe counts values in buckets as fine as those of the gateway.
func (w *world) observe(revision string, values ...float64) { countInto(w.values, revision, values) }

// giveUp counts clients that waited so long and left.
func (w *world) giveUp(revision string, waited ...float64) { countInto(w.givenUp, revision, waited) }

func countInto(into map[string]*reconcile.Histogram, revision string, values []float64) {
	counts := map[reconcile.Bucket]float64{}
	for _, x := range values {
		counts[bucketOf(x)]++
	}
	h := into[revision]
	for b, n := range counts {
		b.Count = n
		h = merge(h, &reconcile.Histogram{Count: n, Buckets: []reconcile.Bucket{b}})
	}
	into[revision] = h
}

// bucketOf is the bucket of a native histogram of schema 5 that a value lies in.
func bucketOf(x float64) reconcile.Bucket {
	if x == 0 {
		return reconcile.Bucket{Lower: -1e-128, Upper: 1e-128, Count: 1}
	}
	i := math.Ceil(math.Log2(math.Abs(x))*32 - 1e-9)
	lower, upper := math.Exp2((i-1)/32), math.Exp2(i/32)
	if x < 0 {
		return reconcile.Bucket{Lower: -upper, Upper: -lower, Count: 1}
	}
	return reconcile.Bucket{Lower: lower, Upper: upper, Count: 1}
}

// results answers the queries of a preset.
func (w *world) read(c spec.Check, at time.Time) Reading {
	var samples, givenUp []reconcile.Sample
	add := func(revision string, value float64, extra ...string) {
		labels := map[string]string{"revision": revision, "instance": w.instance}
		if len(extra) == 2 {
			labels[extra[0]] = extra[1]
		}
		samples = append(samples, reconcile.Sample{Labels: labels, Value: value})
	}
	switch kindOf(c) {
	case ofErrors, ofRate:
		for revision, codes := range w.codes {
			for _, code := range []string{"2xx", "5xx"} {
				add(revision, codes[code], "code", code)
			}
		}
	case ofAgreement:
		for _, result := range []string{"agree", "differ", "failed"} {
			add("new", w.results["new"][result], "result", result)
		}
	case ofRestarts:
		add("new", w.restarts["new"])
	default:
		for _, revision := range []string{"old", "new"} {
			if h := w.values[revision]; h != nil {
				add(revision, 0)
				samples[len(samples)-1].Histogram = h
			}
			if h := w.givenUp[revision]; h != nil && kindOf(c) == ofQuantile {
				givenUp = append(givenUp, reconcile.Sample{Labels: map[string]string{"revision": revision, "instance": w.instance}, Histogram: h})
			}
		}
	}
	return Read(c, vars, at, [][]reconcile.Sample{samples, nil, givenUp})
}

// trial is a check under way in a world.
type trial struct {
	*world
	check    spec.Check
	alpha    float64
	evidence Evidence
	at       time.Time
}

func newTrial(c spec.Check) *trial {
	if c.Name == "" {
		c.Name = "check"
	}
	if c.MinSamples == 0 {
		c.MinSamples = 5
	}
	return &trial{world: newWorld(), check: c, alpha: Budget, at: begin}
}

func (t *trial) look() Verdict {
	return t.lookAt(t.read(t.check, t.at))
}

func (t *trial) lookAt(r Reading) Verdict {
	var v Verdict
	t.evidence, v = Look(t.check, vars, t.alpha, t.evidence, r)
	t.at = t.at.Add(time.Minute)
	return v
}

func expect(t *testing.T, v Verdict, want Outcome) {
	t.Helper()
	if v.Outcome != want {
		t.Errorf("the outcome is %s, want %s: %s", v.Outcome, want, v.Text)
	}
}

// spread is n values of an exact lognormal distribution: its quantiles.
func spread(n int, median, sigma float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		p := (float64(i) + 0.5) / float64(n)
		values[i] = median * math.Exp(sigma*math.Sqrt2*math.Erfinv(2*p-1))
	}
	return values
}

func shuffled[T any](values []T, step int) []T {
	// A fixed order that mixes: step has no common factor with the length.
	mixed := slices.Clone(values)
	for i := range values {
		mixed[i] = values[i*step%len(values)]
	}
	return mixed
}
