package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/include"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/proposer"
	"github.com/fairlead/fairlead/reconcile/trust"
	"github.com/fairlead/fairlead/spec"
)

// repository is a repository of specs that people review and that changes are proposed
// to: the config repo itself, or one that it includes.
type repository struct {
	site    *Site
	include *spec.Include // nil: the config repo itself
	options git.Options
	source  *git.Source
	gate    *trust.Gate            // nil: whoever only looks judges nothing
	forge   reconcile.Forge        // nil: it is on none that is known
	ref     atomic.Pointer[string] // that was read last

	// Of who proposes, from propose on; nil where nothing is, or can be.
	proposals reconcile.Proposals
	proposer  *proposer.Proposer
}

// name is that of the include; "" of the config repo itself.
func (r *repository) name() string {
	if r.include == nil {
		return ""
	}
	return r.include.Name
}

// reviewedOn says on which forge it is; nil: on none that is known.
func (r *repository) reviewedOn(forge reconcile.Forge) {
	if forge != nil {
		r.forge = redactedForge{forge, r.site.redact, r.base}
	}
}

// declares tells whether a model or pipeline of that name is the repository's.
func (r *repository) declares(cfg *spec.Config, name string) bool {
	of := cfg.IncludeOf(name)
	return of == nil && r.include == nil || of != nil && of.Name == r.name()
}

// commitOf is the commit of the repository that asked for a release; "" where it is not
// known, as when the model has come from another one.
func (r *repository) commitOf(release *journal.Release) string {
	switch include, commit, included := strings.Cut(release.Include, "@"); {
	case include != r.name():
		return ""
	case included:
		return commit
	default:
		return release.Commit
	}
}

// part is the repository's tree of a composition; nil where it is not in there, or the
// include of its name is another repository.
func (r *repository) part(cfg *spec.Config, composed spec.Tree) spec.Tree {
	if r.include == nil {
		return composed
	}
	if !slices.ContainsFunc(cfg.Includes, func(i *spec.Include) bool {
		return i.Name == r.include.Name && i.Repo == r.include.Repo && i.Path == r.include.Path
	}) {
		return nil
	}
	return include.Part(composed, r.include.Name)
}

// followed is the repository's tree of what is followed; nil before, and where it is not
// part of that.
func (r *repository) followed() spec.Tree {
	f := r.site.followed.Load()
	if f == nil {
		return nil
	}
	return r.part(f.cfg, f.tree)
}

// whole composes a tree of the repository with what is followed of all others.
func (r *repository) whole(part spec.Tree) spec.Tree {
	followed := r.site.followed.Load()
	switch {
	case followed == nil:
		return part
	case r.include == nil:
		return include.Over(part, followed.tree)
	default:
		return include.With(followed.tree, r.include.Name, part)
	}
}

// load reads a tree of the repository, with what is followed of all others beside it.
func (r *repository) load(ctx context.Context, part spec.Tree) (*spec.Config, error) {
	if r.include != nil { // else they are in there
		part = r.whole(part)
	}
	return r.site.Load(ctx, part)
}

// base is the branch that is followed, and proposed to: where none is named it is the one
// that HEAD of the repository names. "" before it was read.
func (r *repository) base() string {
	if r.options.Branch != "" {
		return r.options.Branch
	}
	if ref := r.ref.Load(); ref != nil {
		return strings.TrimPrefix(*ref, "refs/heads/")
	}
	if part := r.followed(); part != nil {
		return strings.TrimPrefix(part.Commit().Ref, "refs/heads/")
	}
	return ""
}

// propose opens what proposes changes of the repository, if anything can be proposed to
// it; after is the end of who did before.
func (r *repository) propose(log *slog.Logger, after <-chan struct{}) error {
	if r.fixed() != nil {
		return nil
	}
	s := r.site
	proposals, err := git.NewProposals(r.options, s.author())
	if err != nil {
		return err
	}
	r.proposals = redactedProposals{proposals, s.redact}
	editor := &editor{repo: r}
	r.proposer = proposer.New(proposer.Options{
		Environment: s.Config.Environment, Include: r.name(), Mine: r.owns, After: after, Proposals: r.proposals, Forge: r.forge, Journal: s.Journal, Commits: r.source,
		Input: r.wishing, Edit: editor.edit, Interval: s.Config.Interval, Log: log,
	})
	return nil
}

// owns tells whether a proposal of the journal is the repository's: by the model where
// that is declared, as its include may have another name by now.
func (r *repository) owns(p *journal.ProposalRecord) bool {
	if f := r.site.followed.Load(); f != nil && f.cfg.Model(p.Model) != nil {
		return r.declares(f.cfg, p.Model)
	}
	return p.Include == r.name()
}

// fixed says why nothing can be proposed to the repository.
func (r *repository) fixed() error {
	if r.include != nil && r.options.Ref != "" {
		return fmt.Errorf("include %q (%s) is fixed at commit %s, so a change there would not be followed; name a branch in its ref, or change it there and then the ref", r.include.Name, r.include.Pos, short(r.options.Ref))
	}
	return nil
}

// repo is the repository of an include; that of "" is the config repo itself. nil: it is
// not open, or no repository.
func (s *Site) repo(include string) *repository {
	if include == "" {
		return s.own
	}
	r, open := s.included.Load(include)
	if !open {
		return nil
	}
	return r.(*repository) //nolint:forcetypeassert // nothing else is in there
}

// repoOf is the repository that declares a model or pipeline of that name.
func (s *Site) repoOf(cfg *spec.Config, name string) *repository {
	if of := cfg.IncludeOf(name); of != nil {
		return s.repo(of.Name)
	}
	return s.own
}

// includedRepos are those that are open, by name.
func (s *Site) includedRepos() []*repository {
	var all []*repository
	s.included.Range(func(_, r any) bool {
		all = append(all, r.(*repository)) //nolint:forcetypeassert // nothing else is in there
		return true
	})
	slices.SortFunc(all, func(a, b *repository) int { return cmp.Compare(a.include.Name, b.include.Name) })
	return all
}

// closeIncluded ends what is done about an include that is none any more.
func (s *Site) closeIncluded(name string) {
	s.crews.stop(name)
	s.included.Delete(name)
}

// noted notes the branch that was read last: also of a commit that is refused then.
type noted struct {
	reconcile.Source
	repo *repository
}

// Latest implements reconcile.Source.
func (n *noted) Latest(ctx context.Context) (reconcile.Snapshot, error) {
	snapshot, err := n.Source.Latest(ctx)
	if err == nil {
		ref := snapshot.Tree.Commit().Ref
		n.repo.ref.Store(&ref)
	}
	return snapshot, err
}
