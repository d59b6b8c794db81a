package trust

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// lost is the refusal of a commit whose history cannot be read from an accepted one
// on, if that one is gone; else the error itself.
func (w *walk) lost(ctx context.Context, from string, err error) error {
	if from == "" {
		return err
	}
	if _, gone := w.Commits.TreeAt(ctx, from); gone == nil || ctx.Err() != nil {
		return err
	}
	return &reconcile.Refusal{
		Rule:   "trust.rewind",
		Reason: fmt.Sprintf("%s, which was accepted, is not in the repository any more: %v", short(from), err),
		Remedy: "bring it back; if history was rewritten on purpose, set since in the operator's trust file to a full commit id of the new history",
	}
}

// raised tells whether the operator asks for more signatures than when a commit was
// accepted: then it says nothing about what led to it.
func (g *Gate) raised(accepted journal.RepoRecord) bool {
	if g.Root == nil || accepted.Accepted == "" {
		return false
	}
	then := spec.TrustMode(cmp.Or(accepted.Mode, string(spec.TrustOff)))
	return slices.Index(modes, g.Root.Mode) > slices.Index(modes, then)
}

// start is where the judgement begins: at the accepted commit; at the operator's
// `since` where that is the newer word, or where the operator's mode is stricter than
// the one that the accepted commit was judged by.
func (w *walk) start(ctx context.Context, accepted journal.RepoRecord) (position, error) {
	since, raised := "", w.raised(accepted)
	if w.Root != nil {
		since = w.Root.Since
	}
	told := since == "" || accepted.Rules != nil && accepted.Rules.Since == since
	if w.head.ID == "" || told && !raised {
		return w.at(ctx, accepted) // which descends from it, or it was not accepted
	}
	if err := w.sinceLeads(ctx, since); err != nil {
		return position{}, err
	}
	newer := false
	if !told {
		var err error
		if newer, err = w.newer(ctx, since, accepted); err != nil {
			return position{}, err
		}
	}
	switch {
	case newer:
		return w.at(ctx, journal.RepoRecord{Accepted: since})
	case !raised:
		return w.at(ctx, accepted)
	}
	r, err := w.Commits.Range(ctx, accepted.Accepted, w.head.ID)
	if err != nil {
		return position{}, w.lost(ctx, accepted.Accepted, err)
	}
	j := newJudge(Input{Head: w.head, Range: r})
	if j.history(); len(j.refusals) > 0 {
		return position{}, j.refusals[0]
	}
	return w.at(ctx, journal.RepoRecord{Accepted: since})
}

// sinceLeads refuses a head that does not come after the operator's `since`.
func (w *walk) sinceLeads(ctx context.Context, since string) error {
	if since == "" {
		return nil
	}
	r, err := w.Commits.Range(ctx, since, w.head.ID)
	if err == nil && r.Known && r.Descends {
		return nil
	}
	reason := "it does not descend from " + short(since) + ", which the operator's trust file names as since"
	if err != nil {
		reason += ": " + err.Error()
	}
	return &reconcile.Refusal{
		Rule: "trust.since", Reason: reason,
		Remedy: "correct since in the operator's trust file: a full commit id of the branch that is followed", Pos: w.Root.Pos,
	}
}

// newer tells whether the operator's `since` was set after the commit was accepted:
// it is no part of what leads to that one. Where the commit is gone, only another
// word than then is newer; else whoever can hide a commit could rewind to the seal.
func (w *walk) newer(ctx context.Context, since string, accepted journal.RepoRecord) (bool, error) {
	if accepted.Accepted == "" {
		return true, nil
	}
	r, err := w.Commits.Range(ctx, since, accepted.Accepted)
	if err == nil {
		return r.Known && !r.Descends, nil
	}
	if _, gone := w.Commits.TreeAt(ctx, accepted.Accepted); gone == nil || ctx.Err() != nil {
		return false, err
	}
	return accepted.Rules != nil, nil
}

// at is the position of an accepted commit. Where its tree does not load any more,
// the rules that the journal keeps count.
func (w *walk) at(ctx context.Context, accepted journal.RepoRecord) (position, error) {
	id := accepted.Accepted
	if id == "" {
		return position{config: &spec.Config{}}, nil
	}
	if base := w.based(position{}); base.id == id {
		return base, nil
	}
	pos := position{id: id, rules: id}
	tree, err := w.Commits.TreeAt(ctx, id)
	if err == nil {
		if pos.config, err = w.Load(ctx, tree); err == nil {
			pos.trust = pos.config.Trust
			return w.based(pos), nil
		}
	}
	pos.err = err
	switch {
	case ctx.Err() != nil:
		return pos, ctx.Err()
	case accepted.Rules != nil:
		pos.trust = accepted.Rules.Trust
		return pos, nil
	case tree != nil && !mayTrust(tree):
		return pos, nil
	}
	return pos, &reconcile.Refusal{
		Rule: "trust.rules", Commit: id,
		Reason: fmt.Sprintf("the rules of %s, which was accepted, cannot be read: %v", short(id), err),
		Remedy: "set since in the operator's trust file to a full commit id whose config is good",
	}
}

// based remembers the position of the accepted commit, and returns the newest.
func (g *Gate) based(pos position) position {
	g.mu.Lock()
	defer g.mu.Unlock()
	if pos.id != "" {
		g.base = pos
	}
	return g.base
}

// mayTrust tells whether a config that does not load could hold a trust block.
func mayTrust(tree spec.Tree) bool {
	for _, f := range tree.Files() {
		if ext := path.Ext(f.Path); ext != ".hcl" && ext != ".json" {
			continue
		}
		data, err := tree.Read(f.Path)
		if err != nil || bytes.Contains(data, []byte("trust")) || strings.HasSuffix(f.Path, ".json") && bytes.Contains(data, []byte(`\u`)) {
			return true
		}
	}
	return false
}
