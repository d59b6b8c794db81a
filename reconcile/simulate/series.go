package simulate

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// Series is what many runs of one simulation showed, each with another seed.
type Series struct {
	Runs int   `json:"runs"`
	Ends []End `json:"ends"` // the most frequent first
	// Condemned are the runs in which the checks rejected the candidate. Where the
	// candidate is like stable these are false alarms; else it is how surely such a
	// candidate is caught.
	Condemned Rate `json:"condemned"`
	// Seconds, and requests, of one rollout.
	Duration Quantiles `json:"duration_seconds"`
	Exposed  Quantiles `json:"exposed"`
	Failed   Quantiles `json:"failed"`
}

// End is one way in which rollouts ended, and how many did.
type End struct {
	Outcome journal.RolloutOutcome `json:"outcome,omitempty"` // "" where Held is set, and after Limit
	Cause   journal.Cause          `json:"cause,omitempty"`
	Held    bool                   `json:"held,omitempty"`
	Runs    int                    `json:"runs"`
}

// Rate is a share with its 95 % interval, after Clopper and Pearson: it holds at
// any count, none and all among them.
type Rate struct {
	Count int     `json:"count"`
	Of    int     `json:"of"`
	Ratio float64 `json:"ratio"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Quantiles of a number over the runs.
type Quantiles struct {
	Median float64 `json:"median"`
	P95    float64 `json:"p95"`
}

// SeriesOptions say how many runs a series has.
type SeriesOptions struct {
	Runs int
	// Seed is that of the first run; the next one has the next.
	Seed uint64
	// OnRun is told, by one goroutine at a time, how many runs are done.
	OnRun func(done int)
}

// RunSeries runs a simulation many times, on all cores. The same options give
// the same series, whatever the cores.
func RunSeries(ctx context.Context, m *spec.Model, declared *spec.Simulation, o SeriesOptions) (Series, error) {
	results := make([]Result, o.Runs)
	errs := make([]error, o.Runs)
	next := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for range min(runtime.GOMAXPROCS(0), o.Runs) {
		wg.Go(func() {
			for i := range next {
				results[i], errs[i] = Run(m, declared, o.Seed+uint64(i))
				results[i].Journal = nil // of a hundred thousand runs it is much, and nobody asks for it
				mu.Lock()
				if done++; o.OnRun != nil {
					o.OnRun(done)
				}
				mu.Unlock()
			}
		})
	}
	for i := 0; i < o.Runs && ctx.Err() == nil; i++ {
		next <- i
	}
	close(next)
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return Series{}, err
	}
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return Series{}, errs[i]
	}
	return summarize(results), nil
}

// summarize counts and orders what the runs showed.
func summarize(results []Result) Series {
	s := Series{Runs: len(results)}
	condemned := 0
	var duration, exposed, failed []float64
	for _, r := range results {
		end := End{Outcome: r.Outcome, Cause: r.Cause, Held: r.Held}
		i := slices.IndexFunc(s.Ends, func(e End) bool { e.Runs = 0; return e == end })
		if i < 0 {
			i, s.Ends = len(s.Ends), append(s.Ends, end)
		}
		s.Ends[i].Runs++
		if r.Cause == journal.CauseFailed {
			condemned++
		}
		duration, exposed, failed = append(duration, r.Duration.Seconds()), append(exposed, r.Exposed), append(failed, r.Failed)
	}
	slices.SortStableFunc(s.Ends, func(a, b End) int {
		return cmp.Or(cmp.Compare(b.Runs, a.Runs), cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Cause, b.Cause))
	})
	s.Condemned = rateOf(condemned, len(results))
	s.Duration, s.Exposed, s.Failed = quantiles(duration), quantiles(exposed), quantiles(failed)
	return s
}

// rateOf is the share of k in n.
func rateOf(k, n int) Rate {
	r := Rate{Count: k, Of: n, High: 1}
	if n == 0 {
		return r
	}
	r.Ratio = float64(k) / float64(n)
	const tail = 0.025
	if k > 0 {
		r.Low = distuv.Beta{Alpha: float64(k), Beta: float64(n-k) + 1}.Quantile(tail)
	}
	if k < n {
		r.High = distuv.Beta{Alpha: float64(k) + 1, Beta: float64(n - k)}.Quantile(1 - tail)
	}
	return r
}

// quantiles takes values that occurred, none in between.
func quantiles(values []float64) Quantiles {
	if len(values) == 0 {
		return Quantiles{}
	}
	slices.Sort(values)
	at := func(share float64) float64 { return values[min(int(share*float64(len(values))), len(values)-1)] }
	return Quantiles{Median: at(0.5), P95: at(0.95)}
}

// Alike is the simulation with a candidate that behaves as stable does: whatever
// rejects it is a false alarm.
func Alike(declared *spec.Simulation) *spec.Simulation {
	same := *declared
	same.Candidate = same.Stable
	return &same
}
