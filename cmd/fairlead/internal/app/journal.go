package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// lastDelivery bounds how long an end waits for the remote to get the entries
// that it lacks. What it has not got then, the next start delivers.
const lastDelivery = 5 * time.Second

// openJournal makes the journal of the environment and keeps delivering it: to
// the config repo, where there is one. A plain directory, and a worktree with
// whatever is not committed, have no place for it but --data.
func (s *Site) openJournal(log *slog.Logger) error {
	c := s.Config
	remote := c.Repo
	if s.Snapshots == nil || isPlainDirectory(c) {
		remote = ""
	}
	j, err := git.NewJournal(git.JournalOptions{
		Dir: filepath.Join(c.Data, "journal"), URL: remote, Auth: c.GitAuth, Branch: journal.Branch(c.Environment), Timeout: c.GitTimeout,
	})
	if err != nil {
		return err
	}
	s.Journal, s.deliver = j, j.Hint
	running, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { j.Run(running) })
	s.close = append(s.close, func() error {
		defer wg.Wait()
		defer stop()
		if j.Delivery().Pending == 0 {
			return nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), lastDelivery)
		defer cancel()
		if err := j.Deliver(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			log.Warn("the journal's remote lacks entries; the next start delivers them", "pending", j.Delivery().Pending, "error", err)
		}
		return nil
	})
	return nil
}

// forget removes the records of all models from the journal, after nothing of
// them is left: who applies the same specs again begins with first deployments.
// The next daemon delivers it. Without a journal there is nothing to forget.
func (s *Site) forget(ctx context.Context, actor string) error {
	j := s.Journal
	if j == nil {
		left, err := leftJournal(s.Config, false)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		j = left
	}
	records, err := j.Open(ctx)
	if err != nil {
		return fmt.Errorf("everything is taken down, but the journal still has the models: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(records)) {
		e := journal.Entry{
			At: time.Now(), Action: journal.ActionRemove, Model: name, Actor: cmp.Or(actor, journal.Daemon),
			Reason: "the environment was taken down",
		}
		if stable := records[name].Stable; stable != nil {
			e.From = stable.Revision
		}
		if err := j.Append(ctx, e); err != nil {
			return fmt.Errorf("everything is taken down, but the journal still has model %s: %w", name, err)
		}
	}
	return nil
}
