package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// ReadJournal reads the journal of an environment from its repository, without a
// daemon, into a place of its own that close removes. Nothing is written to the
// repository.
func ReadJournal(ctx context.Context, c Config) (_ journal.Journal, done func() error, err error) {
	if isPlainDirectory(c) {
		return nil, nil, noRepository(c)
	}
	dir, err := os.MkdirTemp("", "fairlead-journal-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a place for the journal: %w", err)
	}
	stop := func() {}
	done = func() error { stop(); return os.RemoveAll(dir) }
	branch := journal.Branch(c.Environment)
	j, err := git.NewJournal(git.JournalOptions{
		Dir: filepath.Join(dir, "journal"), URL: c.Repo, Auth: c.GitAuth, Branch: branch, Timeout: c.GitTimeout, ReadOnly: true,
	})
	if err != nil {
		return nil, nil, errors.Join(err, done())
	}
	stop = j.Close
	records, err := j.Open(ctx)
	if err == nil {
		if problem := j.Delivery().Error; problem != "" {
			err = errors.New(problem)
		}
	}
	if err != nil {
		return nil, nil, errors.Join(err, done())
	}
	if len(records) == 0 {
		if entries, err := j.History(ctx, journal.Query{Limit: 1}); err != nil || len(entries) == 0 {
			return nil, nil, errors.Join(fmt.Errorf("%s has no branch %s: nothing was ever decided about environment %s there, or its name is another one (--environment)", c.Repo, branch, c.Environment), done())
		}
	}
	return j, done, nil
}

// PlaceOf names the repository that ReadJournal reads. A password in its URL is left out.
func PlaceOf(c Config) string { return redact(c.Repo) }

// LeftJournal is the journal that a daemon has left in its data directory. The
// error is fs.ErrNotExist where there is none.
func LeftJournal(c Config) (journal.Journal, error) {
	return leftJournal(c, git.JournalOptions{ReadOnly: true})
}

func leftJournal(c Config, o git.JournalOptions) (*git.Journal, error) {
	dir := filepath.Join(c.Data, "journal")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s: %w", dir, fs.ErrNotExist)
	}
	o.Dir, o.Branch = dir, journal.Branch(c.Environment)
	return git.NewJournal(o)
}

// decided is what the journal in the data directory says about the models, if
// there is one.
func (s *Site) decided(ctx context.Context, now time.Time) (map[string]journal.Record, error) {
	j := s.Journal
	if j == nil {
		left, err := LeftJournal(s.Config)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		j = left
	}
	return j.At(ctx, now)
}
