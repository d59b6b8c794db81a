package proposer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/propose"
)

// sight is what was seen of a key when it came to rest.
type sight struct {
	propose.Seen
	followed string    // commit that was followed then
	wish     string    // that was wanted then
	merges   bool      // whether it can be merged was found out
	err      error     // that stopped it
	remote   time.Time // when the remote was asked
}

// remotePause is for how long the forge is believed that a branch is there: GitLab keeps
// a merge request open whose branch is gone.
const remotePause = 10 * time.Minute

// round is one look at all keys.
type round struct {
	deep bool
	// away and cut say why the forge and the remote cannot be asked: one question that
	// hangs is enough.
	away, cut error
	// listed are the pull requests that are open, once they were asked for. touched are
	// those of them that were changed since.
	listed  map[int]reconcile.Pull
	touched map[int]bool
}

// failed is what went wrong with everything.
func (r *round) failed() error {
	if r.cut != nil {
		return r.cut
	}
	return r.away
}

// lost tells whether an error of the forge means that it cannot be asked now.
func (r *round) lost(err error) bool {
	if !errors.Is(err, reconcile.ErrUnavailable) {
		return false
	}
	if r.away == nil {
		r.away = err
	}
	return true
}

// known tells what was seen last, if that is all there is to know.
func (l *look) known() (s sight, ok bool) {
	s, ok = l.proposer.sights[l.key]
	return s, ok && !l.round.deep && s.followed == l.followed()
}

// see finds out how the proposal stands. What stands as it did is not asked for at the
// remote again: the forge tells the newest commit of the branch as well.
func (l *look) see(ctx context.Context) (sight, error) {
	o := &l.proposer.opts
	r := l.record()
	s := sight{Seen: propose.Seen{Forge: o.Forge != nil}, followed: l.followed(), wish: l.wanted()}
	if err := l.askForge(ctx, &r, &s); err != nil {
		return s, err
	}
	if before, same := l.same(&r, &s); same {
		before.Pull, before.Away = s.Pull, ""
		return before, nil
	}
	return s, l.askRemote(ctx, &r, &s)
}

// same is what was seen before, if the pull request says that nothing has changed since.
func (l *look) same(r *journal.ProposalRecord, s *sight) (sight, bool) {
	before, known := l.proposer.sights[l.key]
	ok := known && before.err == nil && before.followed == s.followed && before.wish == s.wish && before.Ours && time.Since(before.remote) < remotePause &&
		r.Open != nil && s.Pull != nil && s.Pull.State == reconcile.PullOpen && s.Pull.HeadSHA == r.Open.Commit && before.Tip == r.Open.Commit
	return before, ok
}

func (l *look) askForge(ctx context.Context, r *journal.ProposalRecord, s *sight) error {
	if l.proposer.opts.Forge == nil {
		return nil
	}
	number := propose.Left(*r)
	if r.Open != nil {
		number = r.Open.Pull
	}
	if number == 0 && r.Open == nil {
		return nil // there is no pull request to be asked for
	}
	pull, err := reconcile.Pull{}, l.round.away
	if err == nil {
		pull, err = l.pull(ctx, number)
	}
	switch {
	case err == nil:
		s.Pull = &pull
	case errors.Is(err, reconcile.ErrNoPull):
	case l.round.lost(err):
		s.Away = l.round.away.Error()
	default:
		return err
	}
	return nil
}

// pull is a pull request by its number; 0 is the newest of the branch of what is open.
func (l *look) pull(ctx context.Context, number int) (reconcile.Pull, error) {
	o, at := &l.proposer.opts, l.round
	if number == 0 { // the program may have died between opening it and writing it down
		return o.Forge.Latest(ctx, l.record().Open.Branch)
	}
	if at.touched[number] {
		return o.Forge.Pull(ctx, number)
	}
	if at.listed == nil {
		open, err := o.Forge.Pulls(ctx, reconcile.PullQuery{Base: o.Base})
		if err != nil {
			return reconcile.Pull{}, err
		}
		at.listed = map[int]reconcile.Pull{}
		for _, p := range open {
			at.listed[p.Number] = p
		}
	}
	if p, open := at.listed[number]; open {
		return p, nil
	}
	return o.Forge.Pull(ctx, number)
}

// touch says that a pull request has changed since the list of them was made.
func (r *round) touch(number int) {
	if r.touched == nil {
		r.touched = map[int]bool{}
	}
	r.touched[number] = true
}

func (l *look) askRemote(ctx context.Context, r *journal.ProposalRecord, s *sight) error {
	o := &l.proposer.opts
	branch, commit := propose.Branch(o.Environment, l.key), ""
	if r.Open != nil {
		branch, commit = r.Open.Branch, r.Open.Commit
	}
	at, err := o.Proposals.Look(ctx, branch, commit, s.followed)
	if err != nil {
		return l.remote(err)
	}
	s.remote = time.Now()
	s.Tip, s.Ours, s.Merged = at.Tip, at.Ours, at.Merged || l.registered(r)
	l.merges(ctx, r, s)
	return nil
}

// remote notes that an error of the remote is one of all keys.
func (l *look) remote(err error) error {
	if l.round.cut == nil && errors.Is(err, reconcile.ErrUnavailable) {
		l.round.cut = err
	}
	return err
}

// registered: the version that a retrain proposes is in the registry of the commit that
// is followed, however it came there.
func (l *look) registered(r *journal.ProposalRecord) bool {
	if r.Open == nil || r.Kind != journal.ProposeRetrain || l.config == nil {
		return false
	}
	for _, v := range l.config.Versions {
		if v.ID() == r.Open.Wish {
			return true
		}
	}
	return false
}

// merges finds out whether what is open can be merged into what is followed, once for
// each pair of commits.
func (l *look) merges(ctx context.Context, r *journal.ProposalRecord, s *sight) {
	if l.proposer.opts.Commits == nil || l.want.Wish == nil || r.Open == nil || s.Tip == "" || !s.Ours || s.Merged {
		return
	}
	before := l.proposer.sights[l.key]
	if before.merges && before.followed == s.followed && before.Tip == s.Tip {
		s.merges, s.Conflicts = true, before.Conflicts
		return
	}
	_, err := l.proposer.opts.Commits.Merge(ctx, s.followed, s.Tip)
	_, s.Conflicts = errors.AsType[*reconcile.MergeConflict](err)
	s.merges = err == nil || s.Conflicts
}

func (l *look) followed() string { return l.tree.Commit().ID }

// wanted is the wish as far as it is a reason to look again.
func (l *look) wanted() string {
	if l.want.Wish != nil {
		return l.want.Wish.ID
	}
	return fmt.Sprint("unknown: ", l.want.Unknown != "")
}
