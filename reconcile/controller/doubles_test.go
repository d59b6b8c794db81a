package controller_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// books is a journal in memory whose calls can be made to fail, or to wait.
type books struct {
	mu      sync.Mutex
	entries []journal.Entry
	opened  int
	fail    error         // of Append
	closed  error         // of Open
	gate    chan struct{} // an Append waits until it is closed; nil: none does
	// before and after are asked around the effect of an Append; nil: nobody is.
	before, after func() error
}

func (b *books) set(f func(*books)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b)
}

func (b *books) Open(context.Context) (map[string]journal.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened++
	if b.closed != nil {
		return nil, b.closed
	}
	return b.records(time.Time{}), nil
}

func (b *books) records(until time.Time) map[string]journal.Record {
	records := map[string]journal.Record{}
	for _, e := range b.entries {
		switch {
		case !until.IsZero() && e.At.After(until):
		case e.Record == nil:
			delete(records, e.Model)
		default:
			records[e.Model] = *e.Record
		}
	}
	return records
}

func (b *books) Append(ctx context.Context, e journal.Entry) error {
	b.mu.Lock()
	gate := b.gate
	b.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.fail
	}
	if b.before != nil {
		if err := b.before(); err != nil {
			return err
		}
	}
	b.entries = append(b.entries, e)
	if b.after != nil {
		return b.after()
	}
	return nil
}

func (b *books) History(_ context.Context, q journal.Query) ([]journal.Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := slices.DeleteFunc(slices.Clone(b.entries), func(e journal.Entry) bool { return q.Model != "" && e.Model != q.Model })
	slices.Reverse(found)
	return found, nil
}

func (b *books) At(_ context.Context, at time.Time) (map[string]journal.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.records(at), nil
}

func (b *books) Repos(context.Context) (map[string]journal.RepoRecord, error) { return nil, nil }

func (b *books) Proposals(context.Context) (map[string]journal.ProposalRecord, error) {
	return nil, nil
}

func (b *books) Pipelines(context.Context) (map[string]journal.PipelineRecord, error) {
	return nil, nil
}

func (b *books) Delivery() journal.Delivery { return journal.Delivery{} }

// actions are those that were journaled of a model, oldest first.
func (b *books) actions(model string) []journal.Action {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []journal.Action
	for _, e := range b.entries {
		if e.Model == model {
			all = append(all, e.Action)
		}
	}
	return all
}

// record is the newest of a model.
func (b *books) record(model string) journal.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.records(time.Time{})[model]
}

// answers is a store of metrics that gives the same answer to every question.
type answers struct {
	mu      sync.Mutex
	asked   []string
	samples []reconcile.Sample
	err     error
}

func (a *answers) set(f func(*answers)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(a)
}

func (a *answers) Query(_ context.Context, promql string, _ time.Time) ([]reconcile.Sample, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, promql)
	return a.samples, a.err
}

func (a *answers) questions() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.asked)
}

// aim remembers what should be scraped.
type aim struct {
	mu      sync.Mutex
	targets []reconcile.ScrapeTarget
	calls   int
}

func (a *aim) Scrape(targets []reconcile.ScrapeTarget) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.targets, a.calls = targets, a.calls+1
}

func (a *aim) now() []reconcile.ScrapeTarget {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.targets)
}

// talks is an Inspector that says what it is told to.
type talks struct {
	mu     sync.Mutex
	verify []error // one for each call; nil when there is none left
	warm   []error
	calls  map[string]int
	took   time.Duration // of a warm-up
}

func (s *talks) set(f func(*talks)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *talks) take(kind string, from *[]error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls == nil {
		s.calls = map[string]int{}
	}
	s.calls[kind]++
	if len(*from) == 0 {
		return nil
	}
	err := (*from)[0]
	*from = (*from)[1:]
	return err
}

func (s *talks) count(kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[kind]
}

func (s *talks) Verify(_ context.Context, _ string, _ *spec.Model) error {
	return s.take("verify", &s.verify)
}

func (s *talks) WarmUp(ctx context.Context, _ string, _ *spec.Model) error {
	s.mu.Lock()
	took := cmp.Or(s.took, time.Millisecond)
	s.mu.Unlock()
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.take("warm", &s.warm)
}

var errFull = errors.New("no space left on device")
