package app

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/plan"
)

// BenchmarkCommitToPlan10k is the way from a commit that changes one of 10,000
// models, all of which run, to the plan that says so: fetch, load, bind, and the
// diff with what was last observed. Beside it stands the same way in a daemon
// that has just started, which reads everything. Both are medians.
func BenchmarkCommitToPlan10k(b *testing.B) {
	const models, changed = 10_000, 5_000
	const changes, starts = 25, 5
	repo := newConfigRepo(b, models)
	site, _, err := memorySite(repo.dir, b.TempDir(), "prod")
	if err != nil {
		b.Fatal(err)
	}
	converge(b, site)
	containers, err := site.Runtime.List(b.Context(), reconcile.Filter{})
	if err != nil {
		b.Fatal(err)
	}
	observed := plan.Observed{Containers: containers, View: site.view(b.Context(), containers)}

	var one, full []phases
	for b.Loop() {
		for i := range changes {
			repo.change(changed, fmt.Sprint(2+i))
			one = append(one, commitToPlan(b, site, &observed))
		}
		for range starts {
			cold, _, err := memorySite(repo.dir, b.TempDir(), "prod")
			if err != nil {
				b.Fatal(err)
			}
			full = append(full, commitToPlan(b, cold, &observed))
		}
	}
	report(b, "one", one)
	report(b, "full", full)
	b.ReportMetric(0, "ns/op")
}

// phases are the parts of the way.
type phases struct{ fetch, load, bind, diff time.Duration }

// commitToPlan goes the way once. One model differs from what was observed.
func commitToPlan(b *testing.B, s *Site, observed *plan.Observed) phases {
	b.Helper()
	var p phases
	last := time.Now()
	lap := func(d *time.Duration, err error) {
		if err != nil {
			b.Fatal(err)
		}
		*d = time.Since(last)
		last = last.Add(*d)
	}
	snapshot, err := s.Source.Latest(b.Context())
	lap(&p.fetch, err)
	cfg, err := s.Load(b.Context(), snapshot.Tree)
	lap(&p.load, err)
	desired, err := s.Binder.Bind(b.Context(), cfg, snapshot.Tree.Commit())
	lap(&p.bind, err)
	result := plan.Diff(desired, observed, time.Now())
	lap(&p.diff, nil)
	if len(result.Changes) != 1 || result.Changes[0].Action != plan.Replace {
		b.Fatalf("the plan has %d changes, want the one of the commit; the first: %+v", len(result.Changes), result.Changes[:min(3, len(result.Changes))])
	}
	return p
}

// report gives the median of each part and of the whole.
func report(b *testing.B, name string, all []phases) {
	b.Helper()
	for part, of := range map[string]func(phases) time.Duration{
		"":       func(p phases) time.Duration { return p.fetch + p.load + p.bind + p.diff },
		"-fetch": func(p phases) time.Duration { return p.fetch },
		"-load":  func(p phases) time.Duration { return p.load },
		"-bind":  func(p phases) time.Duration { return p.bind },
		"-diff":  func(p phases) time.Duration { return p.diff },
	} {
		var times []time.Duration
		for _, p := range all {
			times = append(times, of(p))
		}
		b.ReportMetric(float64(median(times).Microseconds())/1000, name+part+"-ms")
	}
}

func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

// converge brings everything of the site up.
func converge(tb testing.TB, s *Site) {
	tb.Helper()
	start := time.Now()
	c := s.Controller(nil, nil)
	c.Run(tb.Context(), func(s *controller.Status) bool { return s.Converged })
	if !c.Status().Converged {
		tb.Fatal("the models do not come up")
	}
	tb.Logf("%d models are up after %s", len(c.Status().Models), time.Since(start).Round(time.Millisecond))
}
