package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/fairlead/fairlead/reconcile/audit"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// counted is how many entries lead to a commit, itself included.
type counted struct {
	commit  plumbing.Hash
	entries int // 0: not known
}

// after counts one more.
func (c counted) after(next plumbing.Hash) counted {
	if c.entries == 0 {
		return counted{}
	}
	return counted{next, c.entries + 1}
}

// Head is the newest entry, to be kept where whoever can write to the journal cannot:
// VerifyJournal compares it with what is there later. It is zero where nothing was
// decided yet.
func (j *Journal) Head(ctx context.Context) (audit.Head, error) {
	giveBack, err := take(ctx, j.turn)
	if err != nil {
		return audit.Head{}, fmt.Errorf("find the head of the journal: %w", err)
	}
	defer giveBack()
	if j.at == nil {
		return audit.Head{}, fmt.Errorf("find the head of the journal: %w", journal.ErrClosed)
	}
	return j.head(ctx)
}

// head is Head. Its caller has the turn.
func (j *Journal) head(ctx context.Context) (audit.Head, error) {
	if j.at.commit.IsZero() {
		return audit.Head{}, nil
	}
	if j.count.entries == 0 || j.count.commit != j.at.commit {
		if err := j.recount(ctx, j.count); err != nil {
			return audit.Head{}, fmt.Errorf("count the entries of the journal: %w", err)
		}
	}
	return audit.Head{
		FormatVersion: audit.HeadFormat, Branch: j.options.Branch, Commit: j.at.commit.String(), Entries: j.count.entries, At: j.at.when.UTC().Truncate(time.Second),
	}, nil
}

// recount counts from the newest entry back to where the number is known, or to the
// first.
func (j *Journal) recount(ctx context.Context, from counted) error {
	n := 0
	err := j.store.view(func(repo *clone) error {
		n = 0
		return walkBack(ctx, &repo.repository, j.at.commit, func(c *object.Commit) (bool, error) {
			if from.entries > 0 && c.Hash == from.commit {
				n += from.entries
				return true, nil
			}
			n++
			return false, nil
		})
	})
	if err == nil {
		j.count = counted{j.at.commit, n}
	}
	return err
}

// lookAtHead compares the head that was written before a restart with where the journal
// is now, after it was opened. One that is not part of it any more is kept beside the new
// one. The caller has the turn.
func (j *Journal) lookAtHead(ctx context.Context) {
	j.count = counted{}
	if j.options.HeadFile == "" || j.options.ReadOnly {
		return
	}
	before, err := readHead(j.options.HeadFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err == nil && before.Branch != j.options.Branch:
		err = fmt.Errorf("%s is the head of the branch %s", j.options.HeadFile, before.Branch)
	case err == nil:
		known := plumbing.NewHash(before.Commit)
		there := false
		err = j.store.view(func(repo *clone) error {
			there = false
			return walkBack(ctx, &repo.repository, j.at.commit, func(c *object.Commit) (bool, error) {
				there = c.Hash == known
				return there, nil
			})
		})
		if err == nil && there {
			j.count = counted{known, before.Entries}
			return
		}
		if err == nil {
			err = fmt.Errorf("the journal had come to %s, and that entry is not there now: it was lost before it was delivered, or somebody removed it", before)
		}
	}
	lost := j.options.HeadFile + ".lost"
	if renamed := os.Rename(j.options.HeadFile, lost); renamed != nil {
		err = errors.Join(err, renamed)
	}
	j.note(fmt.Sprintf("%s; what the file said is kept in %s, for fairlead audit verify --head", err, lost))
}

// readHead reads a file with a head.
func readHead(path string) (audit.Head, error) {
	text, err := readSmall(path)
	if err != nil {
		return audit.Head{}, err
	}
	return audit.ParseHead([]byte(text), path)
}

// publishHead writes where the journal is to the file for it. The entry is safe by
// then, so what fails is only noted, and tried again with the next one. The caller has the
// turn.
func (j *Journal) publishHead(ctx context.Context) {
	if j.options.HeadFile == "" || j.options.ReadOnly || j.at == nil || j.at.commit.IsZero() {
		return
	}
	head, err := j.head(ctx)
	if err == nil {
		err = writeHead(j.options.HeadFile, head)
	}
	if err != nil {
		j.note(fmt.Sprintf("the head of the journal is not kept in %s: %s; fairlead audit verify knows the one before only", j.options.HeadFile, err))
	}
}

// writeHead replaces the file: whole or not at all. That the newest one is durable does
// not matter, as an older one is a part of the journal, too.
func writeHead(path string, head audit.Head) (err error) {
	text, err := head.Encode()
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*.tmp")
	if err != nil {
		return explainDisk(err)
	}
	defer func() {
		if err != nil {
			_ = temp.Close()           // the error that counts is err
			_ = os.Remove(temp.Name()) // or it lies there, which does no harm
			err = explainDisk(err)
		}
	}()
	if _, err := temp.Write(text); err != nil {
		return err
	}
	if err := errors.Join(temp.Chmod(0o644), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
