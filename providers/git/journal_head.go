package git

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/fairlead/fairlead/reconcile/audit"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// counted is how many entries lead to a commit, itself included.
type counted struct {
	commit  plumbing.Hash
	entries int
}

// Tip is the full id of the newest entry, "" before Open and where nothing was decided
// yet. It waits for nothing.
func (j *Journal) Tip() string {
	if tip := j.tip.Load(); tip != nil {
		return *tip
	}
	return ""
}

// Sealed tells whether the newest entry is signed; false before Open. What is written on
// top of one without a key makes the journal look tampered with.
func (j *Journal) Sealed(ctx context.Context) (bool, error) {
	giveBack, err := take(ctx, j.turn)
	if err != nil {
		return false, fmt.Errorf("see whether the journal is signed: %w", err)
	}
	defer giveBack()
	return j.at != nil && j.at.sealed, nil
}

// Head is the newest entry, to be kept where whoever can write to the journal cannot:
// VerifyJournal compares it with what is there later. It is zero where nothing was
// decided yet. The first one after Open may have to read the whole journal to count its
// entries; nothing waits for that.
func (j *Journal) Head(ctx context.Context) (audit.Head, error) {
	head, err := j.findHead(ctx)
	if err != nil {
		return audit.Head{}, fmt.Errorf("find the head of the journal: %w", err)
	}
	return head, nil
}

func (j *Journal) findHead(ctx context.Context) (audit.Head, error) {
	giveBack, err := take(ctx, j.turn)
	if err != nil {
		return audit.Head{}, err
	}
	at, known := j.at, j.count
	giveBack()
	if at == nil {
		return audit.Head{}, journal.ErrClosed
	}
	number, err := j.recount(ctx, at.commit, known)
	if err != nil {
		return audit.Head{}, err
	}
	if giveBack, err = take(ctx, j.turn); err != nil {
		return audit.Head{}, err
	}
	defer giveBack()
	if j.count == known { // else somebody has counted further meanwhile
		j.count = number
	}
	return j.headAt(at, number), nil
}

// headAt is the head that the journal has at a position.
func (j *Journal) headAt(at *position, number counted) audit.Head {
	if at.commit.IsZero() {
		return audit.Head{}
	}
	return audit.Head{
		FormatVersion: audit.HeadFormat, Branch: j.options.Branch, Commit: at.commit.String(), Entries: number.entries, At: at.when.UTC().Truncate(time.Second),
	}
}

// recount counts from an entry back to where the number is known, or to the first.
func (j *Journal) recount(ctx context.Context, to plumbing.Hash, from counted) (counted, error) {
	if to == from.commit {
		return from, nil
	}
	n := 0
	err := j.store.view(func(repo *clone) error {
		n = 0
		return walkBack(ctx, &repo.repository, to, func(c *object.Commit) (bool, error) {
			if c.Hash == from.commit {
				n += from.entries
				return true, nil
			}
			n++
			return false, nil
		})
	})
	if err != nil {
		return counted{}, fmt.Errorf("count the entries of the journal: %w", err)
	}
	return counted{to, n}, nil
}

// lookAtHead compares the head that was written before a restart with where the journal
// is now, after it was opened. One that is not part of it any more is kept beside the new
// one. The caller has the turn.
func (j *Journal) lookAtHead(ctx context.Context) {
	j.count = counted{}
	if j.head == nil {
		return
	}
	before, err := j.head.read(ctx)
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
	j.head.setAside()
	text := fmt.Sprintf("%s; what the file said is kept in %s, for fairlead audit verify --head", err, j.head.lost())
	j.note(text)
	j.found(Finding{Kind: FoundLost, Key: "head " + cmp.Or(before.Commit, j.options.HeadFile), Text: text})
}

// publishHead has where the journal is written to the file for it, beside what goes on. The
// entry is safe by then, so what fails is only noted, and tried again with the next one. The
// caller has the turn.
func (j *Journal) publishHead(ctx context.Context) {
	if j.head == nil || j.at == nil || j.at.commit.IsZero() {
		return
	}
	number, err := j.recount(ctx, j.at.commit, j.count)
	if err != nil {
		j.headKept(err)
		return
	}
	j.count = number
	j.head.put(j.headAt(j.at, number))
}

// headKept tells whether the file has the newest head.
func (j *Journal) headKept(err error) {
	f := Finding{Kind: FoundUnkept, Key: j.options.HeadFile, Text: fmt.Sprintf("the head of the journal is kept in %s again", j.options.HeadFile), Over: true}
	if err != nil {
		var path *fs.PathError
		var link *os.LinkError
		switch { // their paths are those of temporary files, another one each time
		case errors.As(err, &path):
			err = path.Err
		case errors.As(err, &link):
			err = link.Err
		}
		f.Text, f.Over = fmt.Sprintf("the head of the journal is not kept in %s: %s; fairlead audit verify knows the one before only", j.options.HeadFile, err), false
		j.note(f.Text)
	}
	j.found(f)
}

// settleHead waits a moment for the file to have the newest head.
func (j *Journal) settleHead(ctx context.Context) {
	if j.head != nil {
		j.head.settle(ctx)
	}
}
