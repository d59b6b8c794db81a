package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/propose"
	"github.com/fairlead/fairlead/reconcile/proposer"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/lang/edit"
)

// following is the revision that is followed.
type following struct {
	cfg  *spec.Config
	tree spec.Tree
}

// openProposals opens what proposes changes of the config repo; those that it includes
// follow when they are read. Nothing can be proposed where the specs are in no repository.
func (s *Site) openProposals(log *slog.Logger) error {
	if s.own == nil {
		return nil
	}
	s.updates = newUpdates(s.registries, log)
	return s.own.propose(log, nil)
}

// wishing is how things stand, for wishes about what the repository declares; nil before
// a revision is followed.
func (r *repository) wishing(ctx context.Context) (*propose.Input, spec.Tree, error) {
	s := r.site
	followed, c := s.followed.Load(), s.current.Load()
	if followed == nil || c == nil || c.Status().Models == nil {
		return nil, nil, nil
	}
	part := r.part(followed.cfg, followed.tree)
	if part == nil {
		return nil, nil, nil // it is included no more
	}
	s.wishes.Lock()
	defer s.wishes.Unlock()
	records, err := s.recent.records(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	own := *followed.cfg
	own.Models = slices.DeleteFunc(slices.Clone(own.Models), func(m *spec.Model) bool { return !r.declares(followed.cfg, m.Name) })
	in := &propose.Input{Environment: s.Config.Environment, Config: &own, Wanted: map[string]string{}, Records: records}
	for _, m := range c.Status().Models {
		if m.Revision != "" {
			in.Wanted[m.Name] = m.Revision
		}
	}
	in.Updates, in.Unknown = s.updates.found(&own), s.updates.unknown(&own)
	if len(own.Models) > 0 {
		in.Upstream = s.upstream(ctx, followed)
	}
	return in, part, nil
}

// recent keeps the newest records of the journal for as long as nothing is decided: to
// read those of a thousand models takes a while.
type recent struct {
	mu    sync.Mutex
	head  string
	known map[string]journal.Record
}

func (r *recent) records(ctx context.Context, s *Site) (map[string]journal.Record, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	head := s.journalHead()
	if head != "" && head == r.head {
		return r.known, nil
	}
	records, err := s.decided(ctx, time.Now())
	if err == nil {
		r.head, r.known = head, records
	}
	return records, err
}

// editor makes the changes of wishes to the files of a repository.
type editor struct{ repo *repository }

func (e *editor) edit(ctx context.Context, tree spec.Tree, w *propose.Wish) (map[string][]byte, error) {
	files, err := e.files(ctx, tree, w)
	if by, byHand := errors.AsType[*edit.ByHandError](err); byHand {
		return nil, fmt.Errorf("%w: %w", proposer.ErrByHand, by)
	}
	if err != nil {
		return nil, err
	}
	if _, err := e.repo.load(ctx, edited(tree, files)); err != nil {
		return nil, fmt.Errorf("the repo with %q in it would not load, so it is not proposed: %w", w.Title, err)
	}
	return files, nil
}

func (e *editor) files(ctx context.Context, tree spec.Tree, w *propose.Wish) (map[string][]byte, error) {
	if w.Edit.Approve != nil {
		return edit.WriteApproval(tree, *w.Edit.Approve)
	}
	model, err := e.model(ctx, tree, w.Model)
	if err != nil {
		return nil, err
	}
	files, err := edit.Apply(tree, changes(model, e.repo.site.Config.Environment, w.Edit.Set))
	if w.Edit.Back == nil {
		return files, err
	}
	if err == nil {
		back, err := e.model(ctx, edited(tree, files), w.Model)
		if err == nil && reconcile.Declares(back, w.Edit.Back.Inputs, w.Edit.Back.Image) {
			return files, nil
		}
	}
	return e.restore(ctx, tree, model, w.Edit.Back)
}

// restore gives the model's block the text that it had when the release was asked for.
// That is more than it takes to set what names a release, and says all of it.
func (e *editor) restore(ctx context.Context, tree spec.Tree, m *spec.Model, r *journal.Release) (map[string][]byte, error) {
	commit := e.repo.commitOf(r)
	if commit == "" {
		return nil, fmt.Errorf("%w: the release %s was made by no commit that is known; revert by hand what changed %s since", proposer.ErrByHand, r.Revision, m.Address)
	}
	then, err := e.repo.source.TreeAt(ctx, commit)
	if err != nil {
		return nil, err
	}
	files, err := edit.Restore(tree, then, m.Address, e.repo.site.Config.Environment)
	if err != nil {
		return nil, err
	}
	back, err := e.model(ctx, edited(tree, files), m.Name)
	if err != nil {
		return nil, err
	}
	if !reconcile.Declares(back, r.Inputs, r.Image) {
		return nil, fmt.Errorf("%w: %s is made of more than its own block, such as a variable that has changed since commit %s; revert that by hand", proposer.ErrByHand, m.Address, short(commit))
	}
	return files, nil
}

func (e *editor) model(ctx context.Context, tree spec.Tree, name string) (*spec.Model, error) {
	cfg, err := e.repo.load(ctx, tree)
	if err != nil {
		return nil, err
	}
	m := cfg.Model(name)
	if m == nil {
		return nil, fmt.Errorf("model %s is not declared any more", name)
	}
	return m, nil
}

func changes(m *spec.Model, environment string, set map[string]string) []edit.Change {
	var all []edit.Change
	for _, argument := range []string{"version", "image", "artifact"} {
		if value, wanted := set[argument]; wanted {
			all = append(all, edit.Change{Address: m.Address, Environment: environment, Argument: argument, Value: value})
		}
	}
	return all
}
