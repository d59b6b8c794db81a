package git

import (
	"context"
	"errors"

	"github.com/go-git/go-git/v5/plumbing"
)

// FetchJournal brings the branch of a journal from its remote into the directory of the
// options, for VerifyJournal: all of it, and as it is. Whatever is wrong with it is not
// looked at here. Where the remote has no such branch, the repository is empty. The
// directory must not be there yet.
func FetchJournal(ctx context.Context, o JournalOptions) error {
	o.ReadOnly = true
	j, err := NewJournal(o)
	if err != nil {
		return err
	}
	if j.upstream == nil {
		return errors.New("fetch the journal: no repository is named")
	}
	for races := 1; ; races++ {
		if err = j.copyFrom(ctx); !errors.Is(err, errMoved) || races == maxRaces {
			return err
		}
	}
}

// copyFrom makes a store with what the remote has now.
func (j *Journal) copyFrom(ctx context.Context) (err error) {
	tip, err := j.askTip(ctx, j.options.Timeout)
	if err != nil {
		return err
	}
	fresh, err := j.store.createBeside()
	if err != nil {
		return err
	}
	if tip.IsZero() {
		return j.store.replaceBy(fresh)
	}
	defer func() {
		if err != nil {
			fresh.discard()
		}
	}()
	into := openClone(fresh.dir)
	defer into.close()
	if err := j.fetch(ctx, into, tip, nil); err != nil {
		return err
	}
	if err := fresh.setRef(fresh.branch, plumbing.ZeroHash, tip); err != nil {
		return err
	}
	return j.store.replaceBy(fresh)
}
