package app

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/spec/lang"
)

// BenchmarkCommitToPlan10k is the way from a commit that changes one of 10,000
// models, all of which run, to the plan that says so: fetch, load, bind, list,
// diff. Beside it stands the same way for a daemon that has just started. Both
// are medians.
func BenchmarkCommitToPlan10k(b *testing.B) {
	const models, changed = 10_000, 5_000
	repo := newConfigRepo(b, models)
	site, _, err := memorySite(repo.dir, b.TempDir(), "prod")
	if err != nil {
		b.Fatal(err)
	}
	converge(b, site)

	var full, one []phases
	for b.Loop() {
		fresh := *site
		fresh.loader = lang.NewLoader()
		binder := *site.Binder
		fresh.Binder = &binder
		_ = fresh
	}
	for i := range 15 {
		repo.change(changed, fmt.Sprint(2+i))
		one = append(one, planOnce(b, site, 1))
	}
	report(b, "one", one)
	report(b, "full", full)
	b.ReportMetric(0, "ns/op")
}

// phases are the parts of the way, and all of it.
type phases struct{ fetch, load, bind, list, diff, all time.Duration }

// planOnce does what Site.Plan does, with a watch in its hand.
func planOnce(b *testing.B, s *Site, changes int) phases {
	b.Helper()
	var p phases
	start := time.Now()
	last := start
	lap := func(d *time.Duration, err error) {
		if err != nil {
			b.Fatal(err)
		}
		now := time.Now()
		*d, last = now.Sub(last), now
	}
	snapshot, err := s.Source.Latest(b.Context())
	lap(&p.fetch, err)
	cfg, err := s.Load(b.Context(), snapshot.Tree)
	lap(&p.load, err)
	desired, err := s.Binder.Bind(b.Context(), cfg, snapshot.Tree.Commit())
	lap(&p.bind, err)
	containers, err := s.Runtime.List(b.Context(), reconcile.Filter{})
	view := s.view(b.Context(), containers)
	lap(&p.list, err)
	result := plan.Diff(desired, &plan.Observed{Containers: containers, View: view}, time.Now())
	lap(&p.diff, nil)
	p.all = last.Sub(start)
	if len(result.Changes) != changes {
		b.Fatalf("the plan has %d changes, want %d; the first: %+v", len(result.Changes), changes, result.Changes[:min(3, len(result.Changes))])
	}
	return p
}

func report(b *testing.B, name string, all []phases) {
	b.Helper()
	for part, of := range map[string]func(phases) time.Duration{
		"": func(p phases) time.Duration { return p.all }, "-fetch": func(p phases) time.Duration { return p.fetch },
		"-load": func(p phases) time.Duration { return p.load }, "-bind": func(p phases) time.Duration { return p.bind },
		"-list": func(p phases) time.Duration { return p.list }, "-diff": func(p phases) time.Duration { return p.diff },
	} {
		var times []time.Duration
		for _, p := range all {
			times = append(times, of(p))
		}
		if len(times) == 0 {
			continue
		}
		slices.Sort(times)
		b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, name+part+"-ms")
	}
}

// converge brings everything of the site up.
func converge(tb testing.TB, s *Site) {
	tb.Helper()
	start := time.Now()
	c := s.Controller(nil, nil)
	c.Run(tb.Context(), func(s *controller.Status) bool { return s.Converged })
	tb.Logf("%d models are up after %s", len(c.Status().Models), time.Since(start).Round(time.Millisecond))
	if !c.Status().Converged {
		tb.Fatal("the models do not come up")
	}
}
