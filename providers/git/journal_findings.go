package git

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// Finding is something about the journal itself that people have to know: nobody
// may have meant it.
type Finding struct {
	Kind FindingKind
	// Key tells it from others of its kind: ids of commits, or a path.
	Key  string
	Text string // for people
	// Over: what was found of this kind before is put right, or would be: the first time
	// after a start nobody knows any more what was.
	Over bool
}

// FindingKind is the kind of a Finding.
type FindingKind string

// The kinds of finding.
const (
	// FoundForged: the remote has entries that do not count, as nobody who may has signed
	// them. It is over when the remote has been put right.
	FoundForged FindingKind = "forged"
	// FoundLost: entries were removed or changed that were there, here or at the remote.
	FoundLost FindingKind = "lost"
	// FoundUnkept: the head of the journal cannot be written to where it is kept. It is over
	// when it is.
	FoundUnkept FindingKind = "unkept"
)

// found tells whoever asked for it, once.
func (j *Journal) found(f Finding) {
	if j.options.Found == nil {
		return
	}
	j.mu.Lock()
	now := f.Key
	if f.Over {
		now = ""
	}
	told, before := j.told[f.Kind]
	news := !before || told != now
	j.told[f.Kind] = now
	j.mu.Unlock()
	if news {
		j.options.Found(f)
	}
}

// foundForged tells of entries that do not count, if that is what the error is.
func (j *Journal) foundForged(err error) {
	if untrusted, is := errors.AsType[*untrustedError](err); is {
		j.note(err.Error())
		j.found(Finding{Kind: FoundForged, Key: untrusted.entry.String(), Text: untrusted.Error()})
	}
}

// lookAtDelivered finds out whether the remote, which is at tip now, still has what it had
// taken. ours are the commits that it is given next, oldest first. The caller has the turn.
func (j *Journal) lookAtDelivered(ctx context.Context, repo *repository, tip plumbing.Hash, ours []plumbing.Hash) error {
	delivered, err := refOf(repo, j.store.deliveredRef())
	if err != nil || delivered.IsZero() || delivered == tip {
		return nil // without the ref it is not known what the remote had
	}
	back := slices.Contains(ours, delivered)
	if !back {
		newest, err := repo.commit(tip)
		if err != nil {
			return err
		}
		leads, _, err := repo.isAncestor(ctx, delivered, newest)
		if err != nil || leads {
			return err
		}
	}
	what := fmt.Sprintf("is replaced by another one, with the head %s, which counts from now on", shortHash(tip))
	switch {
	case back && tip.IsZero():
		what = "was deleted; it is delivered again"
	case back:
		what = fmt.Sprintf("was set back to %s; what it lacks is delivered again", shortHash(tip))
	}
	text := fmt.Sprintf("the journal of %s had come to %s and %s; find out with fairlead audit verify whether it is whole, and who can write to it",
		j.delivery.Remote, shortHash(delivered), what)
	j.note(text)
	j.found(Finding{Kind: FoundLost, Key: delivered.String() + " " + tip.String(), Text: text})
	return nil
}
