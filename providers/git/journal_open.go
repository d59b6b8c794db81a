package git

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// Open implements journal.Journal.
func (j *Journal) Open(ctx context.Context) (map[string]journal.Record, error) {
	doneDelivering, err := take(ctx, j.delivering)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	defer doneDelivering()
	giveBack, err := take(ctx, j.turn)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	defer giveBack()
	defer j.shown()
	j.joining.halt() // another store may take the place of this one
	j.at, j.queue, j.known = nil, nil, nil
	j.store.sweep()
	if err := j.load(ctx); err != nil {
		j.at = nil
		j.foundForged(err)
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	var records map[string]journal.Record
	err = j.store.view(func(repo *clone) (err error) {
		if records, err = j.at.records(&repo.repository); err != nil {
			return err
		}
		return j.at.verifyOthers(&repo.repository)
	})
	if err != nil {
		j.at = nil
		return nil, fmt.Errorf("open the journal: %w", j.explainContent(err))
	}
	j.small = j.store.fan // so that the next Append looks
	if j.options.ReadOnly && j.upstream != nil {
		j.tidy() // each fetch brought a pack, and nobody appends
	}
	j.settleHead(ctx) // what was decided before
	j.lookAtHead(ctx)
	j.publishHead(ctx)
	j.settleHead(ctx)
	j.Hint()
	return records, nil
}

// load finds out where the journal stands, here and at the remote.
func (j *Journal) load(ctx context.Context) error {
	here, damage := j.local()
	if damage == nil {
		damage = j.vouchedHere(ctx, here)
	}
	if damage != nil && !errors.Is(damage, errNoStore) && !errors.Is(damage, errUnreadable) {
		return damage
	}
	tip, away := plumbing.ZeroHash, error(nil)
	if j.upstream != nil {
		patience := j.options.Timeout
		if damage == nil {
			patience = min(patience, patienceAtStart)
		}
		tip, away = j.askTip(ctx, patience)
		j.attempted(away)
	}
	switch {
	case damage != nil && away != nil:
		return j.explainLost(damage, away)
	case errors.Is(damage, errUnreadable) && tip.IsZero():
		return j.explainDamage(damage)
	case damage != nil:
		if err := j.rebuildFrom(ctx, tip); err != nil {
			return err
		}
		if errors.Is(damage, errUnreadable) {
			text := fmt.Sprintf("the journal in %s was damaged (%s) and was fetched anew from %s; what had not been delivered is in %s only", j.options.Dir, damage, j.delivery.Remote, j.store.aside())
			j.note(text)
			j.found(Finding{Kind: FoundLost, Key: tip.String(), Text: text})
		}
		if here, damage = j.local(); damage != nil {
			return damage
		}
	}
	j.at = &here
	if j.upstream == nil {
		return nil
	}
	if away != nil {
		return j.enqueue(ctx)
	}
	err := j.meet(ctx, tip)
	if errors.Is(err, journal.ErrDiverged) {
		j.attempted(err) // told, and settled
		return nil
	}
	j.foundForged(err)
	if errors.Is(err, errUntrusted) || errors.Is(err, errMoved) { // what is here counts, as if the remote were away
		j.attempted(err)
		return j.enqueue(ctx)
	}
	return err
}

// patienceAtStart is how long a start waits for a remote that it can do without.
const patienceAtStart = 15 * time.Second

func (j *Journal) askTip(ctx context.Context, patience time.Duration) (plumbing.Hash, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return j.upstream.tip(ctx)
}

// local reads where the store stands.
func (j *Journal) local() (position, error) {
	head, err := j.store.head()
	if err != nil {
		return position{}, err
	}
	var p position
	err = j.store.view(func(repo *clone) (err error) {
		if p, err = positionAt(&repo.repository, head); err != nil {
			return err
		}
		err = p.verify(&repo.repository) // damage has to show before anything is built on it
		if _, content := errors.AsType[*contentError](err); content {
			err = nil // whole, and a newer commit may have mended it
		}
		return err
	})
	return p, err
}

// enqueue queues what the remote did not have when it was heard of last.
func (j *Journal) enqueue(ctx context.Context) error {
	delivered, err := j.store.ref(j.store.deliveredRef())
	if err != nil {
		delivered = plumbing.ZeroHash // only a count; the remote will tell
	}
	return j.store.view(func(repo *clone) (err error) {
		j.queue, err = ancestry(ctx, &repo.repository, j.at.commit, func(id plumbing.Hash) bool { return id == delivered })
		return err
	})
}

// rebuildFrom is rebuild, and again where somebody else writes to the remote meanwhile.
func (j *Journal) rebuildFrom(ctx context.Context, tip plumbing.Hash) error {
	for races := 1; ; races++ {
		err := j.rebuild(ctx, tip)
		if !errors.Is(err, errMoved) || races == maxRaces {
			return err
		}
		if tip, err = j.askTip(ctx, j.options.Timeout); err != nil {
			return err
		}
	}
}

// rebuild makes a new store with what the remote has.
func (j *Journal) rebuild(ctx context.Context, tip plumbing.Hash) error {
	fresh, err := j.store.createBeside()
	if err != nil {
		return err
	}
	if !tip.IsZero() {
		if err := j.fill(ctx, fresh, tip); err != nil {
			fresh.discard()
			return err
		}
	}
	return j.store.replaceBy(fresh)
}

// fill fetches the journal into an empty store, and reads all of its commits and
// the newest records before it counts.
func (j *Journal) fill(ctx context.Context, fresh *store, tip plumbing.Hash) error {
	into := openClone(fresh.dir)
	defer into.close()
	if err := j.fetch(ctx, into, tip, nil); err != nil {
		return err
	}
	err := fresh.view(func(repo *clone) error {
		there, err := positionAt(&repo.repository, tip)
		if err != nil {
			return err
		}
		if err := there.verify(&repo.repository); err != nil {
			return j.explainContent(err)
		}
		whole, err := ancestry(ctx, &repo.repository, tip, func(plumbing.Hash) bool { return false })
		if err != nil {
			return err
		}
		return j.vouched(ctx, &repo.repository, whole)
	})
	if err != nil {
		return fmt.Errorf("fetch the journal from %s: %w", j.delivery.Remote, err)
	}
	for _, ref := range []plumbing.ReferenceName{fresh.deliveredRef(), fresh.branch} {
		if err := fresh.setRef(ref, plumbing.ZeroHash, tip); err != nil {
			return err
		}
	}
	return nil
}

// explainDamage says what to do about a store that does not read.
func (j *Journal) explainDamage(err error) error {
	if j.upstream != nil {
		return fmt.Errorf("the journal in %s cannot be read: %w; stop fairlead and move the directory away: it is then fetched again from %s, as far as it was delivered", j.options.Dir, err, j.delivery.Remote)
	}
	return fmt.Errorf("the journal in %s cannot be read: %w; git fsck in it tells more; restore it from a backup, or move it away to begin with an empty one, which forgets what was rejected", j.options.Dir, err)
}

// explainLost says that neither copy can be had.
func (j *Journal) explainLost(damage, away error) error {
	if j.options.ReadOnly && errors.Is(damage, errNoStore) {
		return away
	}
	what := "there is no copy of the journal in " + j.options.Dir
	if errors.Is(damage, errUnreadable) {
		what = fmt.Sprintf("the copy of the journal in %s cannot be read (%s)", j.options.Dir, damage)
	}
	return fmt.Errorf("%s, and the remote does not give it: %w; nothing is decided without it, since it knows what was rejected", what, away)
}

// explainContent says what to do about a record that cannot be used.
func (j *Journal) explainContent(err error) error {
	content, ok := errors.AsType[*contentError](err)
	if !ok || errors.Is(err, journal.ErrNewer) {
		return err
	}
	where := j.options.Dir
	if j.upstream != nil {
		where = j.delivery.Remote
	}
	return fmt.Errorf("%w; somebody else wrote that: put %s right with a commit on the branch %s of %s", err, content.path, j.options.Branch, where)
}
