package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// errMoved: a branch is not where it was thought to be.
var errMoved = errors.New("the branch has moved on")

const (
	maxBatch = 500 // entries of one push
	maxRaces = 5   // how often somebody else may be faster in one delivery

	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
)

// Run delivers until ctx ends: at once after an Append, later again where that
// fails. It is for a goroutine of its own. A journal without a remote needs none.
func (j *Journal) Run(ctx context.Context) {
	retry := firstRetry
	timer := time.NewTimer(0)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-j.wake:
		case <-timer.C:
		}
		// Divergence is told after the delivery, which has succeeded.
		err := j.Deliver(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, journal.ErrDiverged) {
			retry = firstRetry
			timer.Stop()
			continue
		}
		wait := retry/2 + rand.N(retry)
		if told, ok := errors.AsType[*reconcile.RetryError](err); ok {
			wait = max(time.Until(told.After), wait)
		}
		timer.Reset(wait)
		retry = min(2*retry, lastRetry)
		// What was appended meanwhile goes with the next attempt.
		select {
		case <-j.wake:
		default:
		}
	}
}

// Deliver gives the remote what it has not got. The result is also in Delivery.
func (j *Journal) Deliver(ctx context.Context) error {
	if j.upstream == nil {
		return nil
	}
	giveBack, err := take(ctx, j.delivering)
	if err != nil {
		return err
	}
	defer giveBack()
	err = j.deliver(ctx)
	j.settleHead(ctx) // entries that were made again are others than those it had
	j.attempted(err)
	j.foundForged(err)
	return err
}

// attempted notes how a conversation with the remote ended.
func (j *Journal) attempted(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.delivery.Error = ""
	if err != nil {
		j.delivery.Error = err.Error()
	}
}

// deliver pushes batches until nothing is left. Where the remote has something
// else than what it was known to have, it looks what that is, and goes on from
// there.
func (j *Journal) deliver(ctx context.Context) error {
	var diverged error
	for races := 0; races < maxRaces; {
		batch, known, err := j.batch(ctx)
		if err != nil {
			return err
		}
		if known == nil {
			races++
			err := j.ask(ctx)
			switch {
			case errors.Is(err, journal.ErrDiverged):
				diverged = err
			case err != nil && !errors.Is(err, errMoved):
				return err
			}
			continue
		}
		if len(batch) == 0 {
			return diverged
		}
		err = j.push(ctx, *known, batch)
		switch {
		case errors.Is(err, errMoved):
			j.forget(ctx)
		case err != nil:
			return err
		default:
			if err := j.delivered(ctx, batch); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("deliver the journal to %s: somebody else wrote to it %d times in a row; it is tried again", j.delivery.Remote, maxRaces)
}

// batch is what to push next, on top of what the remote is known to have.
func (j *Journal) batch(ctx context.Context) ([]plumbing.Hash, *plumbing.Hash, error) {
	giveBack, err := take(ctx, j.turn)
	if err != nil {
		return nil, nil, err
	}
	defer giveBack()
	if j.at == nil {
		return nil, nil, errors.New("the journal is not open")
	}
	return slices.Clone(j.queue[:min(len(j.queue), maxBatch)]), j.known, nil
}

// push gives the remote a batch of commits, and what comes with them.
func (j *Journal) push(ctx context.Context, known plumbing.Hash, batch []plumbing.Hash) error {
	ctx, cancel := context.WithTimeout(ctx, j.options.Timeout)
	defer cancel()
	return j.upstream.push(ctx, j.store, known, batch)
}

// delivered takes a batch off the queue.
func (j *Journal) delivered(ctx context.Context, batch []plumbing.Hash) error {
	giveBack, err := take(ctx, j.turn)
	if err != nil {
		return err
	}
	defer giveBack()
	last := batch[len(batch)-1]
	j.queue = slices.Clone(j.queue[len(batch):])
	j.remember(last)
	j.shown()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.delivery.Pushed = time.Now()
	delete(j.told, FoundLost) // it has all again
	return nil
}

// remember keeps what the remote has. Losing it costs one question to the remote,
// so that it cannot be written is no error. The caller has the turn.
func (j *Journal) remember(tip plumbing.Hash) {
	j.known = &tip
	if tip.IsZero() {
		return
	}
	if before, err := j.store.ref(j.store.deliveredRef()); err == nil && before != tip {
		_ = writeRef(j.store.dir, j.store.deliveredRef(), tip)
	}
}

// forget makes the next round ask the remote.
func (j *Journal) forget(ctx context.Context) {
	if giveBack, err := take(ctx, j.turn); err == nil {
		j.known = nil
		giveBack()
	}
}

// ask finds out what the remote has, fetches what is not here, and brings both
// together.
func (j *Journal) ask(ctx context.Context) error {
	tip, err := j.askTip(ctx, j.options.Timeout)
	if err != nil {
		return err
	}
	if err := j.have(ctx, tip); err != nil {
		return err
	}
	giveBack, err := take(ctx, j.turn)
	if err != nil {
		return err
	}
	defer giveBack()
	return j.meet(ctx, tip)
}

// have fetches a commit of the remote if it is not here. Nothing waits for it.
func (j *Journal) have(ctx context.Context, tip plumbing.Hash) error {
	if tip.IsZero() {
		return nil
	}
	var known []plumbing.Hash
	there := false
	err := j.store.view(func(repo *clone) error {
		there = repo.has(tip)
		known = repo.known(j.store.branch)
		return nil
	})
	if err != nil || there {
		return err
	}
	into := openClone(j.store.dir)
	defer into.close()
	return j.fetch(ctx, into, tip, known)
}

func (j *Journal) fetch(ctx context.Context, into *clone, tip plumbing.Hash, known []plumbing.Hash) error {
	ctx, cancel := context.WithTimeout(ctx, j.options.Timeout)
	defer cancel()
	return j.upstream.fetch(ctx, into, tip, known)
}

// meet brings the journal and the remote's branch together, without losing an
// entry of either: what one is ahead goes to the other, and where both have
// entries of their own, ours are made again on top of theirs. The caller has the
// turn, and the remote's commit is here or is fetched.
func (j *Journal) meet(ctx context.Context, tip plumbing.Hash) error {
	if err := j.have(ctx, tip); err != nil {
		return err
	}
	var ours, theirs []plumbing.Hash
	err := j.store.view(func(repo *clone) (err error) {
		if ours, theirs, err = j.apart(ctx, &repo.repository, tip); err != nil {
			return err
		}
		if err = j.vouched(ctx, &repo.repository, theirs); err != nil {
			return err
		}
		return j.lookAtDelivered(ctx, &repo.repository, tip, ours)
	})
	if err != nil {
		return err
	}
	j.found(Finding{Kind: FoundForged, Over: true, Text: fmt.Sprintf("every entry of the journal of %s counts again", j.delivery.Remote)})
	switch {
	case len(theirs) == 0:
		j.queue = ours
		j.remember(tip)
		j.shown()
		return nil
	case len(ours) == 0:
		return j.follow(ctx, tip, len(theirs))
	default:
		return j.replay(ctx, tip, ours, len(theirs))
	}
}

// apart lists the commits that only we have, and those that only the remote has,
// oldest first.
func (j *Journal) apart(ctx context.Context, repo *repository, tip plumbing.Hash) (ours, theirs []plumbing.Hash, err error) {
	if tip == j.at.commit {
		return nil, nil, nil
	}
	// The usual cases first, which need no more than what is new.
	if ours, found, err := upTo(ctx, repo, j.at.commit, tip); err != nil || found {
		return ours, nil, err
	}
	if theirs, found, err := upTo(ctx, repo, tip, j.at.commit); err != nil || found {
		return nil, theirs, err
	}
	all, err := ancestors(ctx, repo, tip)
	if err != nil {
		return nil, nil, err
	}
	mine, err := ancestors(ctx, repo, j.at.commit)
	if err != nil {
		return nil, nil, err
	}
	theirs, err = ancestry(ctx, repo, tip, func(id plumbing.Hash) bool { return mine[id] })
	if err != nil {
		return nil, nil, err
	}
	// What was delivered and is there no more, somebody has removed on purpose.
	if delivered, err := refOf(repo, j.store.deliveredRef()); err == nil && !delivered.IsZero() {
		all[delivered] = true
	}
	ours, err = ancestry(ctx, repo, j.at.commit, func(id plumbing.Hash) bool { return all[id] })
	return ours, theirs, err
}

// ancestors are a commit and all that lead to it.
func ancestors(ctx context.Context, repo *repository, tip plumbing.Hash) (map[plumbing.Hash]bool, error) {
	list, err := ancestry(ctx, repo, tip, func(plumbing.Hash) bool { return false })
	set := make(map[plumbing.Hash]bool, len(list))
	for _, id := range list {
		set[id] = true
	}
	return set, err
}

// upTo lists the commits from an ancestor, which is left out, up to a commit. A
// zero ancestor is one of everything.
func upTo(ctx context.Context, repo *repository, from, ancestor plumbing.Hash) (list []plumbing.Hash, found bool, err error) {
	found = ancestor.IsZero()
	list, err = ancestry(ctx, repo, from, func(id plumbing.Hash) bool {
		found = found || id == ancestor
		return id == ancestor
	})
	return list, found, err
}

// follow goes to the remote's commit, which has everything that we have.
func (j *Journal) follow(ctx context.Context, tip plumbing.Hash, ahead int) error {
	there, err := j.positionOf(tip)
	if err != nil {
		return err
	}
	before := j.at.commit
	if err := j.store.setRef(j.store.branch, before, tip); err != nil {
		return err
	}
	j.at, j.queue = &there, nil
	j.remember(tip)
	j.shown()
	j.publishHead(ctx)
	if !before.IsZero() {
		j.note(fmt.Sprintf("the journal of %s was %s ahead of the one on this host, which now has them", j.delivery.Remote, countEntries(ahead)))
	}
	return nil
}

func countEntries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// positionOf reads a commit of the remote, and refuses one that holds a record
// which cannot be used.
func (j *Journal) positionOf(tip plumbing.Hash) (position, error) {
	var there position
	err := j.store.view(func(repo *clone) (err error) {
		if there, err = positionAt(&repo.repository, tip); err != nil {
			return err
		}
		return j.explainContent(there.verify(&repo.repository))
	})
	return there, err
}

// replay makes our entries again on top of the remote's. Each brings the record
// of its model or pipeline as it was, so the later decision, ours, wins. Where
// theirs were about the same ones that is said: two daemons that decide about one
// model are a mistake of setup.
func (j *Journal) replay(ctx context.Context, tip plumbing.Hash, ours []plumbing.Hash, theirs int) error {
	there, err := j.positionOf(tip)
	if err != nil {
		return err
	}
	entries, fork, err := j.entriesOf(ctx, ours)
	if err != nil {
		return err
	}
	foreign := fork.changed(there)
	now := there
	var objects []plumbing.EncodedObject
	var queue []plumbing.Hash
	disputed := map[string]bool{}
	for _, e := range entries {
		next, made, err := now.next(e, j.options.Author, j.options.Branch)
		if err != nil {
			return err
		}
		if foreign[recordPath(e)] {
			disputed[e.Subject()] = true
		}
		now, objects, queue = next, append(objects, made...), append(queue, next.commit)
	}
	if err := j.store.add(ctx, objects); err != nil {
		return err
	}
	if err := j.store.setRef(j.store.branch, j.at.commit, now.commit); err != nil {
		return err
	}
	j.at, j.queue = &now, queue
	j.small++
	j.remember(tip)
	j.shown()
	j.publishHead(ctx)
	if len(disputed) == 0 {
		j.note(fmt.Sprintf("somebody else wrote %s to the journal of %s while %s of this host were on the way; both are kept", countEntries(theirs), j.delivery.Remote, countEntries(len(ours))))
		return nil
	}
	err = fmt.Errorf("%w: %s of %s are also about %s; what was decided on this host counts; only one fairlead may run for an environment",
		journal.ErrDiverged, countEntries(theirs), j.delivery.Remote, strings.Join(slices.Sorted(maps.Keys(disputed)), ", "))
	j.note(err.Error())
	return err
}

// entriesOf reads commits as entries with their records, and where they begin.
func (j *Journal) entriesOf(ctx context.Context, commits []plumbing.Hash) (entries []journal.Entry, fork position, err error) {
	err = j.store.view(func(repo *clone) error {
		for i, id := range commits {
			commit, err := repo.commit(id)
			if err != nil {
				return err
			}
			if i == 0 && len(commit.ParentHashes) > 0 {
				if fork, err = positionAt(&repo.repository, commit.ParentHashes[0]); err != nil {
					return err
				}
			}
			e, err := entryOf(&repo.repository, commit)
			if errors.Is(err, errUnreadable) {
				return err
			}
			if err != nil {
				j.note(fmt.Sprintf("commit %s of the journal is no decision and is left out: %s", shortHash(id), err))
				continue
			}
			entries = append(entries, e)
		}
		return ctx.Err()
	})
	return entries, fork, err
}

// entryOf reads a commit as an entry with its record.
func entryOf(repo *repository, commit *object.Commit) (journal.Entry, error) {
	e, err := journal.ParseMessage(commit.Message)
	if err != nil {
		return journal.Entry{}, err
	}
	if err := readRecord(repo, commit, &e); err != nil {
		return journal.Entry{}, err
	}
	return e, nil
}

// readRecord sets the record that an entry has led to.
func readRecord(repo *repository, commit *object.Commit, e *journal.Entry) error {
	root, err := treeEntries(repo, commit.TreeHash)
	if err != nil {
		return err
	}
	files, err := folder(repo, root, e.Folder())
	if err != nil {
		return err
	}
	i := entryNamed(files, journal.FileName(e.Subject()))
	if i < 0 {
		return nil
	}
	data, err := repo.read(plumbing.BlobObject, files[i].Hash, maxMetaObject)
	if err != nil {
		return err
	}
	if err := e.DecodeInto(data); err != nil {
		return &contentError{commit: commit.Hash, path: recordPath(*e), cause: err}
	}
	return nil
}
