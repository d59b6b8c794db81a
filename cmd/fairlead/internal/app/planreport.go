package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/providers/statefile"
	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/review"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/lang"
)

// Plan compares the newest revision with what runs, and with the one that a daemon
// followed here last. It changes nothing. Where nothing was followed, no policy counts as
// newly broken. The error may be a *diag.ListError about the tree, and is one of the
// engine where there is no plan.
func (s *Site) Plan(ctx context.Context) (*review.Report, spec.Tree, error) {
	return s.plan(ctx, noneIsNew)
}

// unfollowed says how policies count that do not hold where no daemon followed anything.
type unfollowed string

const (
	noneIsNew  unfollowed = "no policy counts as newly broken"
	everyIsNew unfollowed = "every policy that does not hold counts as newly broken"
)

func (s *Site) plan(ctx context.Context, policies unfollowed) (*review.Report, spec.Tree, error) {
	snapshot, err := s.Source.Latest(ctx)
	if err != nil {
		return nil, nil, err
	}
	tree := snapshot.Tree
	r := &review.Report{FormatVersion: review.FormatVersion, Environment: s.Config.Environment, Head: tree.Commit().ID, Root: s.Config.Path}
	cfg, diags := s.loader.Load(tree, s.Config.LangOptions())
	r.Diagnostics = diag.Report(diags, lang.Sources(tree)).Diagnostics
	if err := diags.Err(); err != nil {
		return r, tree, err
	}
	r.Notes = append(r.Notes, strayIdentities(&s.Config, cfg)...)
	desired, err := s.Binder.Bind(ctx, cfg, tree.Commit())
	if err != nil {
		return r, tree, err
	}
	if r.Plan, err = s.Compare(ctx, desired); err != nil {
		return r, tree, err
	}
	if err := plan.Guard(r.Plan, desired, s.Config.Limits); err != nil {
		r.Error = err.Error()
	}
	if !slices.ContainsFunc(tree.Files(), func(f spec.File) bool {
		return strings.HasSuffix(f.Path, ".hcl") || strings.HasSuffix(f.Path, ".hcl.json")
	}) {
		r.Notes = append(r.Notes, "there is no .hcl or .hcl.json file here, so nothing is declared; if that is not meant, name the directory that holds the specs (--path in a repository)")
	}
	s.addDeclared(ctx, r, &runner.Wanted{Config: cfg, Tree: tree}, policies)
	return r, tree, nil
}

// PlanReport is Plan for who shows it like that of a pull request: specs that do not load
// are part of it, and so is an engine that does not answer. It is for checks, which must
// not pass for want of knowledge: where nothing was followed, every policy that does not
// hold counts as newly broken. The error says that there was nothing to plan.
func (s *Site) PlanReport(ctx context.Context) (*review.Report, error) {
	r, _, err := s.plan(ctx, everyIsNew)
	if r == nil {
		return nil, err
	}
	if _, told := errors.AsType[*diag.ListError](err); err != nil && !told {
		r.Error = err.Error()
	}
	return r, nil
}

// addDeclared adds what changes beside the models. Where no daemon followed anything here,
// that is not known.
func (s *Site) addDeclared(ctx context.Context, r *review.Report, wanted *runner.Wanted, policies unfollowed) {
	cfg := wanted.Config
	now := time.Now()
	results := gate.Check(cfg, now)
	r.Judged = len(results)
	old, err := s.lastFollowed(ctx)
	if err != nil {
		r.Policies = review.PoliciesOf(nil, results)
		if policies == noneIsNew {
			r.Policies = review.PoliciesOf(results, results)
		}
		if all := review.Counted(review.DeclaredOf(&spec.Config{}, cfg)); all != "" {
			r.Notes = append(r.Notes, fmt.Sprintf("which of %s change is not known, and %s: %v; plan with the --data of the daemon", all, policies, err))
		}
		return
	}
	r.Declared = review.DeclaredOf(old, cfg)
	r.Policies = review.PoliciesOf(gate.Check(old, now), results)
	if len(review.Touched(cfg, r.Declared)) == 0 {
		return
	}
	options, done, err := s.openPreviews()
	if err != nil {
		r.Notes = append(r.Notes, previewsUnknown(err))
		return
	}
	defer func() { _ = done() }() // a directory for temporary files keeps them at worst
	if options != nil {
		wanted.Reviewed = old
		previews(ctx, r, options, wanted, s.decidedVersions(ctx))
	}
}

// lastFollowed is what the daemon of this data directory followed last.
func (s *Site) lastFollowed(ctx context.Context) (*spec.Config, error) {
	last, err := statefile.NewSnapshots(filepath.Join(s.Config.Data, "last-good")).LastGood(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no commit that was followed", s.Config.Data)
	}
	if err != nil {
		return nil, err
	}
	cfg, err := s.Load(ctx, last.Tree)
	if err != nil {
		return nil, fmt.Errorf("the commit %s that was followed last does not load here: %w", last.Tree.Commit().Short(), err)
	}
	return cfg, nil
}
