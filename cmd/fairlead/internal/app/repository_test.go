package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/proposer"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec"
)

// remote is a Source whose remote can be away.
type remote struct {
	reconcile.Source
	away atomic.Bool
}

func (r *remote) Latest(ctx context.Context) (reconcile.Snapshot, error) {
	if r.away.Load() {
		return reconcile.Snapshot{}, fmt.Errorf("%w: the remote is away", reconcile.ErrUnavailable)
	}
	return r.Source.Latest(ctx)
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for tick := time.NewTicker(10 * time.Millisecond); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it never came true that %s", what)
		}
	}
}

const (
	includeA = "include \"a\" {\n  repo = \"file://%s\"\n%s}\n"
	ownModel = "model \"own\" {\n  image = \"own:1\"\n}\n"
	aModel   = "model \"a_m\" {\n  image = \"m:1\"\n}\n"
)

// proposing is a site on which proposals and crews are open.
func proposing(t *testing.T, repo, data string) *Site {
	t.Helper()
	s, _, err := memorySite(repo, data, "default")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.openProposals(slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return s
}

// A daemon that starts while the remote is away goes on with what it followed last. As
// soon as the remote is back, it speaks about what is included as well.
func TestIncludesAreSpokenAboutAfterAStartWithoutTheRemote(t *testing.T) {
	root, data := textRepo(t, fmt.Sprintf(includeA, textRepo(t, aModel).dir, "")+ownModel), t.TempDir()
	for _, away := range []bool{false, true} {
		s := proposing(t, root.dir, data)
		s.Config.Interval = 50 * time.Millisecond
		s.Journal = newBooks(s.Journal, s)
		source := &remote{Source: s.Source}
		source.away.Store(away)
		s.Source = source
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		s.crews.begin(ctx, &wg, s, slog.New(slog.DiscardHandler))
		c := s.Controller(nil, nil)
		wg.Go(func() { c.Run(ctx, func(*controller.Status) bool { return false }) })
		await(t, "a commit is followed", func() bool { return s.followed.Load() != nil })
		source.away.Store(false)
		await(t, "both repositories are spoken about", func() bool { return len(s.crews.list()) == 2 })
		await(t, "the branch of the include is known", func() bool { return s.repo("a").base() != "" })
		await(t, "the commit is kept", func() bool {
			last, err := s.Snapshots.LastGood(t.Context())
			return err == nil && last.Tree != nil
		})
		cancel()
		wg.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What is known of an include is what the composition has open, whatever became of the
// commit of the root that brought, changed or removed it.
func TestAnIncludeIsOneRepositoryForAll(t *testing.T) {
	a := textRepo(t, "model \"wrong\" {\n  image = \"m:1\"\n}\n")
	root := textRepo(t, ownModel)
	s := proposing(t, root.dir, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	s.crews.begin(ctx, &wg, s, slog.New(slog.DiscardHandler))
	defer func() {
		cancel()
		wg.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	look := func() (*spec.Config, spec.Tree, error) {
		t.Helper()
		snapshot, err := s.Source.Latest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := s.loadNext(t.Context(), snapshot.Tree)
		return cfg, snapshot.Tree, err
	}
	follow := func() *runner.Wanted {
		t.Helper()
		cfg, tree, err := look()
		if err != nil {
			t.Fatal(err)
		}
		s.follow(cfg, tree)
		return &runner.Wanted{Config: cfg, Tree: tree}
	}
	before := follow()
	publisher := &publisher{s}

	root.text(ownModel + fmt.Sprintf(includeA, a.dir, ""))
	if _, _, err := look(); err == nil {
		t.Fatal("a name outside of the prefix loads")
	}
	s.follow(before.Config, before.Tree) // as after a start, where nothing newer loads
	a.text(aModel)
	wanted := follow()
	repo, tree, err := publisher.at(wanted, "a_m")
	if err != nil || repo != s.repo("a") || tree.Commit().ID != wanted.Tree.Commit().Includes["a"] {
		t.Fatalf("got %v, %v", repo, err)
	}

	root.text(ownModel + fmt.Sprintf(includeA, a.dir, "  prefix = \"b_\"\n")) // which a does not keep to
	if _, _, err := look(); err == nil {
		t.Fatal("another prefix loads")
	}
	again, _, err := publisher.at(wanted, "a_m")
	if err != nil || again == repo || len(s.crews.list()) != 2 {
		t.Errorf("after a change of the block: %v, %d crews", err, len(s.crews.list()))
	}
	await(t, "nothing is proposed by way of the old one", func() bool {
		_, err := repo.proposer.Offer(t.Context(), tree, nil)
		return errors.Is(err, proposer.ErrClosed)
	})

	root.text(ownModel)
	wanted = follow()
	if s.repo("a") != nil || len(s.crews.list()) != 1 || again.part(wanted.Config, wanted.Tree) != nil {
		t.Errorf("what is included no more is still open, with %d crews", len(s.crews.list()))
	}
}
