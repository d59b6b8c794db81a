package trust_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/trust"
	"github.com/fairlead/fairlead/spec"
)

// backlog is a world in which one pull request of three is followed by many.
func backlog(t *testing.T, many int, first ...reconcile.Review) *world {
	t.Helper()
	w := begin(t, &spec.Trust{
		Mode: spec.TrustOff, Reviews: []spec.ReviewRule{{Name: "all", Approvals: 1, From: []string{"@acme/ops"}}},
	}, nil)
	w.teams["acme/ops"] = []string{"ann"}
	w.pull("carl", "", map[string]string{"models/a.hcl": "- 2"}, first...)
	for i := range many {
		w.pull("carl", "", map[string]string{"models/b.hcl": fmt.Sprint("- ", i)}, approved("ann"))
	}
	return w
}

// What is good is not asked for again while a commit before it waits.
func TestBacklogBehindOneThatWaits(t *testing.T) {
	w := backlog(t, 40)
	g := w.gate(nil)
	const waits, few = `trust.review "all" waiting`, 4
	if got := latest(t, g); got != waits {
		t.Fatal(got)
	}
	t.Logf("the first look took %d calls", w.calls)
	for range 10 {
		before := w.calls
		w.pass(time.Minute)
		if got := latest(t, g); got != waits || w.calls-before > few {
			t.Fatalf("got %q with %d calls", got, w.calls-before)
		}
		t.Logf("a further look took %d calls", w.calls-before)
	}
	before := w.calls
	w.pulls[1].reviews = []reconcile.Review{review("ann", func(r *reconcile.Review) { r.Commit = w.pulls[1].pull.HeadSHA })}
	w.pass(time.Minute)
	if follow(t, w, g); w.calls-before > few {
		t.Errorf("%d calls once it was approved", w.calls-before)
	}
	if len(w.record.Pulls) != 41 || len(w.record.Commits) != 82 {
		t.Errorf("the record has %d pull requests and %d commits", len(w.record.Pulls), len(w.record.Commits))
	}
}

// Squashes of a backlog are compared once.
func TestBacklogOfSquashes(t *testing.T) {
	w := backlog(t, 0)
	for i := range 10 {
		change := map[string]string{"models/b.hcl": fmt.Sprint("- ", i)}
		head := w.commit(draft{files: change, beside: true})
		w.merged("carl", head, w.commit(draft{files: change}), approved("ann"))
	}
	g := w.gate(nil)
	for range 3 {
		if got, want := latest(t, g), `trust.review "all" waiting`; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		w.pass(time.Minute)
	}
	if w.fetched != 10 {
		t.Errorf("%d refs were fetched for 10 squashes", w.fetched)
	}
}

// An approval that is taken back while its commit waits is noticed in time.
func TestBacklogIsNotBelievedForEver(t *testing.T) {
	w := backlog(t, 3)
	g := w.gate(nil)
	latest(t, g)
	w.pulls[3].reviews = append(w.pulls[3].reviews, later(w.pulls[3].reviews[0], reconcile.ReviewDismissed))
	w.pulls[1].reviews = []reconcile.Review{review("ann", func(r *reconcile.Review) { r.Commit = w.pulls[1].pull.HeadSHA })}
	w.pass(20 * time.Minute)
	if got, want := latest(t, g), `trust.review "all" waiting`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// short is a forge that answers only so many questions.
type short struct {
	forge
	left *int
}

func (s short) spent() error {
	if *s.left--; *s.left < 0 {
		return fmt.Errorf("the time is up: %w", context.DeadlineExceeded)
	}
	return nil
}

func (s short) Brought(ctx context.Context, id string) ([]reconcile.Pull, error) {
	if err := s.spent(); err != nil {
		return nil, err
	}
	return s.forge.Brought(ctx, id)
}

func (s short) Reviews(ctx context.Context, n int) ([]reconcile.Review, error) {
	if err := s.spent(); err != nil {
		return nil, err
	}
	return s.forge.Reviews(ctx, n)
}

// A forge that never answers all in one look is got through by many.
func TestBacklogOfASlowForge(t *testing.T) {
	w := backlog(t, 40, approved("ann"))
	left := 0
	g := trust.New(trust.Options{
		Source: w, Commits: w, Signatures: w, Forge: short{forge{world: w}, &left}, Memory: w, Load: w.load, Branch: "main", Now: w.clock,
	})
	for range 10 {
		left = 10
		w.pass(2 * time.Minute)
		if got := latest(t, g); got == "" {
			if len(w.pulls) != 41 || w.calls > 4*len(w.pulls) {
				t.Errorf("%d calls for %d pull requests", w.calls, len(w.pulls))
			}
			return
		}
	}
	t.Errorf("nothing came through with %d calls", w.calls)
}

// snagging is a history that hangs at one commit until it is told to stop.
type snagging struct {
	*world
	at string
}

func (s snagging) TreeAt(ctx context.Context, id string) (spec.Tree, error) {
	if id == s.at {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.world.TreeAt(ctx, id)
}

// What was found good when the time was up is not judged again.
func TestADeadlineLosesNoProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := backlog(t, 9, approved("ann"))
		line := branch(w, w.head) // newest first
		hung := &snagging{w, line[2]}
		g := trust.New(trust.Options{
			Source: w, Commits: hung, Signatures: w, Forge: forge{world: w}, Memory: w, Load: w.load, Branch: "main", Now: w.clock, Timeout: 200 * time.Millisecond,
		})
		if _, err := g.Latest(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		before := w.calls
		hung.at, w.parsed = "", nil
		if got := latest(t, g); got != "" {
			t.Fatalf("got %q", got)
		}
		if slices.Contains(w.parsed, line[len(line)-1]) || w.calls-before > 3*3+1 {
			t.Errorf("%d calls, and %v were read again", w.calls-before, w.parsed)
		}
		if err := g.Followed(t.Context(), w.head); err != nil || len(w.record.Pulls) != 10 || len(w.record.Commits) != 20 {
			t.Errorf("the record has %d pull requests and %d commits, %v", len(w.record.Pulls), len(w.record.Commits), err)
		}
	})
}

// A pull request that comes commit by commit holds up nothing that comes after it.
func TestPartsAreNotTheEnd(t *testing.T) {
	with := func(names ...string) map[string]string {
		rules := &spec.Trust{Mode: spec.TrustEvery, Reviews: []spec.ReviewRule{{Name: "all", Approvals: 1}}}
		for _, name := range names {
			rules.Signers = append(rules.Signers, person(name))
		}
		return map[string]string{"trust.hcl": encoded(t, rules)}
	}
	w := begin(t, nil, with("ann"))
	one := w.commit(draft{key: "ann", files: map[string]string{"models/a.hcl": "- 2"}})
	two := w.commit(draft{key: "ann", files: with("ann", "eve")})
	n := w.merged("carl", two, two, approved("bob"))
	w.brought[one] = []int{n}
	w.pulls[n].commits = []reconcile.PullCommit{{ID: one, Author: "carl"}, {ID: two, Author: "carl"}}
	w.pull("eve", "eve", map[string]string{"models/a.hcl": "- 3"}, approved("bob"))
	if got := latest(t, w.gate(nil)); got != "" {
		t.Errorf("got %q", got)
	}
}
