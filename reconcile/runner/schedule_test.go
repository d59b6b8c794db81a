package runner_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/reconcile/schedule"
	"github.com/fairlead/fairlead/spec"
)

// shelf is a Store in memory that keeps only what a schedule needs.
type shelf struct {
	run.Store
	mu      sync.Mutex
	runs    map[string]*run.Run
	results map[string]run.Result
	fired   map[string][]time.Time // times of the schedule for which runs ended, by pipeline
}

func (s *shelf) Save(_ context.Context, r *run.Run) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Phase == run.Done {
		delete(s.runs, r.ID)
		s.fired[r.Pipeline] = append(s.fired[r.Pipeline], r.Trigger.Scheduled.UTC())
		return nil
	}
	s.runs[r.ID] = r.Clone()
	return nil
}

func (s *shelf) Load(_ context.Context, id string) (*run.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[id]; r != nil {
		return r.Clone(), nil
	}
	return nil, run.ErrNoRun
}

func (s *shelf) List(context.Context, string) ([]run.Summary, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []run.Summary
	for _, r := range s.runs {
		all = append(all, r.Summary())
	}
	return all, nil
}

func (s *shelf) Result(_ context.Context, key string) (*run.Result, error) {
	return &run.Result{Key: key, Run: "old-1"}, nil
}

func (s *shelf) Forget(context.Context, time.Time) ([]run.Result, error) { return nil, nil }

// nothing is a store of artifacts that nobody needs.
type nothing struct{ reconcile.Artifacts }

func (nothing) Collect(context.Context, map[string]bool, time.Time) (int64, error) { return 0, nil }

var zones = []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"}

// scheduled are pipelines with schedules of all kinds.
func scheduled() *spec.Config {
	r := rand.New(rand.NewPCG(1, 2))
	cfg := &spec.Config{}
	for i := range pipelines {
		minute, hour := r.IntN(60), r.IntN(24)
		cron := []string{
			fmt.Sprintf("%d %d * * *", minute, hour), fmt.Sprintf("%d %d * * 1-5", minute, hour), fmt.Sprintf("%d %d 1,15 * *", minute, hour),
			fmt.Sprintf("%d */6 * * *", minute), fmt.Sprintf("%d %d * * 0", minute, hour), "@daily", "30 2 * * *",
		}[r.IntN(7)]
		missed := spec.MissedOnce
		if i%2 == 1 {
			missed = spec.MissedSkip
		}
		name := fmt.Sprintf("p%04d", i)
		cfg.Pipelines = append(cfg.Pipelines, &spec.Pipeline{
			Address: spec.Address{Kind: spec.KindPipeline, Name: name}, Name: name, Concurrency: spec.RunQueue,
			Schedule: &spec.Schedule{Cron: cron, Zone: zones[r.IntN(len(zones))], Missed: missed},
			Steps:    []*spec.Step{{Name: "work", Image: "steps:1"}},
		})
	}
	return cfg
}

// Thirty days with both changes of the clock nearby: every pipeline fires exactly when
// cron says. Then the daemon is down for three days, and each pipeline makes up for
// that as its policy says.
func TestSchedulesForThirtyDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The bubble begins at midnight UTC, 2000-01-01. The clocks of New York change on
		// April 2nd, those of Berlin and of Lord Howe on March 26th of that year.
		time.Sleep(time.Until(time.Date(2000, 3, 10, 0, 0, 30, 0, time.UTC)))
		begin := time.Now()
		cfg := scheduled()
		store := &shelf{runs: map[string]*run.Run{}, results: map[string]run.Result{}, fired: map[string][]time.Time{}}
		books := memory.NewJournal()
		if _, err := books.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		engine := memory.NewEngine()
		engine.AddTag("steps:1", "steps 1")
		live := func(d time.Duration) {
			runs := runner.New(runner.Options{
				Scope: scope, Runtime: engine.Runtime(scope), Artifacts: nothing{}, Store: store, Journal: books, Publisher: &proposals{},
				Interval: time.Hour, Log: slog.New(slog.DiscardHandler), KeepRuns: 1,
				KeepModels: func(context.Context, *spec.Config) (map[string]bool, error) { return nil, nil },
			})
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() { defer close(done); _ = runs.Serve(ctx) }()
			runs.Follow(&runner.Wanted{Config: cfg, Tree: spec.NewTree(spec.Commit{ID: strings.Repeat("ab", 20)}, nil)})
			time.Sleep(d)
			synctest.Wait()
			cancel()
			<-done
		}
		live(27 * 24 * time.Hour)
		down := time.Now()
		time.Sleep(3 * 24 * time.Hour)
		up := time.Now()
		live(2 * 24 * time.Hour)
		end := time.Now()

		fired := 0
		for _, p := range cfg.Pipelines {
			want := expected(t, p, begin, down, up, end)
			got := store.fired[p.Name]
			fired += len(got)
			if !slices.EqualFunc(got, want, time.Time.Equal) {
				t.Errorf("%s %s %s fired at %v, want %v", p.Schedule.Cron, p.Schedule.Zone, p.Schedule.Missed, got, want)
			}
		}
		t.Logf("%d runs of %d pipelines", fired, pipelines)
	})
}

// expected are the times by cron, those that were missed made up for by one run or by
// none.
func expected(t *testing.T, p *spec.Pipeline, begin, down, up, end time.Time) []time.Time {
	s, err := schedule.Parse(*p.Schedule, p.Name)
	if err != nil {
		t.Fatal(err)
	}
	var want []time.Time
	var newest time.Time // of those that came while it was down
	for at := s.Next(begin); !at.After(end); at = s.Next(at) {
		if at.Before(down) || at.After(up) {
			want = append(want, at.UTC())
			continue
		}
		newest = at
	}
	// Half a minute late is in time.
	if !newest.IsZero() && (p.Schedule.Missed == spec.MissedOnce || up.Sub(newest) < time.Minute) {
		want = append(want, newest.UTC())
	}
	slices.SortFunc(want, time.Time.Compare)
	return want
}
