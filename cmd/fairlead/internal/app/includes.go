package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/providers/git/signature"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/include"
	"github.com/fairlead/fairlead/reconcile/notify"
	"github.com/fairlead/fairlead/reconcile/trust"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/lang"
)

// composeSource puts the repositories that the root includes beside it.
func (s *Site) composeSource(store reconcile.Store) {
	if s.own == nil {
		return
	}
	s.root = s.Source
	s.Source = include.New(include.Options{
		Root: s.Source,
		Includes: func(tree spec.Tree) ([]*spec.Include, error) {
			return s.includesOf(tree)
		},
		Open: func(ctx context.Context, i *spec.Include) (reconcile.Source, error) {
			return s.openInclude(ctx, store, i)
		},
		Closed: s.closeIncluded,
		Check: func(ctx context.Context, tree spec.Tree) error {
			_, err := s.loadNext(ctx, tree) // all that could keep the composition from being followed
			return err
		},
		Last: func(ctx context.Context) (spec.Tree, error) {
			last, err := s.Snapshots.LastGood(ctx)
			return last.Tree, err
		},
	})
}

// openInclude opens one included repository, behind the rules that it is judged by.
func (s *Site) openInclude(ctx context.Context, store reconcile.Store, i *spec.Include) (reconcile.Source, error) {
	options, err := s.includeOptions(ctx, i)
	if err != nil {
		return nil, err
	}
	source, err := git.New(options)
	if err != nil || store == nil {
		return source, err // who only looks sees what is there
	}
	loader := lang.NewLoader()
	load := func(_ context.Context, tree spec.Tree) (*spec.Config, error) {
		cfg, diags := loader.LoadModule(tree, i, s.Config.LangOptions())
		return cfg, diags.Err()
	}
	forge, err := s.forgeOfInclude(i)
	if err != nil {
		return nil, err
	}
	repo := &repository{site: s, include: i, options: options, source: source}
	repo.reviewedOn(forge)
	repo.gate = trust.New(trust.Options{
		Name: i.Name, Forge: repo.forge, Source: &noted{source, repo}, Commits: source, Signatures: &signature.Verifier{},
		Memory: &acceptance{store: store, site: s, name: i.Name, keep: true}, Root: i.Trust, Load: load,
		Path: i.Path, Branch: options.Branch, URL: redact(i.Repo), Dialect: dialectOf(s.Config.Forge.Kind),
	})
	before := s.crews.stop(i.Name)
	if s.Journal != nil { // else nobody proposes anything
		if err := repo.propose(s.log, before); err != nil {
			return nil, err
		}
	}
	s.included.Store(i.Name, repo)
	s.crews.start(repo)
	return &toldSource{Source: repo.gate, repo: repo}, nil
}

// forgeOfInclude is where an included repository is reviewed: on the same forge as the
// root, where it is there; else nowhere that is known.
func (s *Site) forgeOfInclude(i *spec.Include) (reconcile.Forge, error) {
	c := s.Config
	if s.own.forge == nil || !sameHost(i.Repo, c.Repo) {
		return nil, nil
	}
	_, repo, err := forgeOf(i.Repo)
	if err != nil {
		return nil, err
	}
	c.Repo, c.Forge.Repo = i.Repo, repo
	return openForge(c, s.log)
}

// toldSource tells people of a commit of an included repository that is refused. The
// composition only notes it: nothing else waits for it.
type toldSource struct {
	reconcile.Source
	repo *repository
	told string // the refusal that was told last
}

// Latest implements reconcile.Source. One look at an include is under way at a time.
func (t *toldSource) Latest(ctx context.Context) (reconcile.Snapshot, error) {
	snapshot, err := t.Source.Latest(ctx)
	refusal, refused := errors.AsType[*reconcile.Refusal](err)
	switch {
	case err == nil && t.told != "":
		t.told = ""
		t.tell(func(scene notify.Scene) reconcile.Message {
			return scene.Accepted(t.repo.name(), snapshot.Tree.Commit().ID, nil, time.Now())
		})
	case !refused:
	case t.told != refusal.Error():
		t.told = refusal.Error()
		t.repo.site.log.Error(t.told, "include", refusal.Repo)
		at := time.Now()
		t.tell(func(scene notify.Scene) reconcile.Message { return scene.Refused(refusal, nil, at) })
	}
	return snapshot, err
}

// tell sends a message that links to commits where the repository is.
func (t *toldSource) tell(words func(notify.Scene) reconcile.Message) {
	t.repo.site.tell(func(scene notify.Scene) (reconcile.Message, bool) {
		if scene.CommitURL = nil; t.repo.forge != nil {
			scene.CommitURL = t.repo.forge.CommitURL
		}
		return words(scene), true
	})
}

// includeOptions say how an included repository is read. What proves who this daemon is
// goes to the host of the root, and nowhere else.
func (s *Site) includeOptions(ctx context.Context, i *spec.Include) (git.Options, error) {
	c := s.Config
	o := git.Options{URL: i.Repo, Path: i.Path, DataDir: filepath.Join(c.Data, "includes", i.Name), OnRewrite: git.OnRewrite(c.OnRewrite), Timeout: c.GitTimeout}
	o.Branch = i.Ref
	if fullCommit(i.Ref) {
		o.Branch, o.Ref = "", i.Ref
	}
	if isLocal(i.Repo) && !isLocal(c.Repo) {
		return o, fmt.Errorf("%s is on this host; a repository elsewhere cannot include it", i.Repo)
	}
	o.Auth.CAFile = c.GitAuth.CAFile
	switch {
	case i.Token != "":
		token, err := s.secretOfRoot(ctx, i.Token)
		if err != nil {
			return o, err
		}
		o.Auth.Token = token
	case sameHost(i.Repo, c.Repo):
		o.Auth = c.GitAuth
	}
	return o, nil
}

func (s *Site) secretOfRoot(ctx context.Context, name string) (spec.Sensitive, error) {
	snapshot, err := s.root.Latest(ctx)
	if err != nil {
		return spec.Sensitive{}, err
	}
	cfg, err := s.loadRoot(ctx, snapshot.Tree)
	if err != nil {
		return spec.Sensitive{}, err
	}
	if cfg.Secrets[name] == nil {
		return spec.Sensitive{}, fmt.Errorf("secret.%s is not declared", name)
	}
	values, err := s.Binder.Secrets.Resolve(ctx, []*spec.Secret{cfg.Secrets[name]})
	return values[name], err
}

// includesOf reads the include blocks of a tree of the root. One without rules of its own
// is judged by those of the root: the block's rules are they, so that a change of theirs
// opens it anew.
func (s *Site) includesOf(tree spec.Tree) ([]*spec.Include, error) {
	list, diags := s.loader.Includes(tree, s.Config.LangOptions())
	if err := diags.Err(); err != nil || len(list) == 0 {
		return nil, err
	}
	cfg, err := s.loadRoot(context.Background(), tree)
	if err != nil {
		return nil, err
	}
	inherited := s.inherited(cfg.Trust)
	blocks := make([]*spec.Include, 0, len(list))
	for _, i := range list {
		block := *i
		if block.Trust == nil {
			block.Trust = inherited
		}
		blocks = append(blocks, &block)
	}
	return blocks, nil
}

// inherited are the rules of the root for what it includes: those of its own trust block,
// and the operator's as a floor. Where its history is sealed says nothing about another.
func (s *Site) inherited(own *spec.Trust) *spec.Trust {
	operator := s.operator
	switch {
	case own == nil && operator == nil:
		return nil
	case own == nil:
		own, operator = operator, nil
	}
	rules := *own
	rules.Since = ""
	if operator != nil {
		if strictness(operator.Mode) > strictness(rules.Mode) {
			rules.Mode = operator.Mode
		}
		rules.Reviews = slices.Concat(rules.Reviews, operator.Reviews)
		for _, g := range operator.Groups {
			if !slices.ContainsFunc(rules.Groups, func(own spec.Group) bool { return own.Name == g.Name }) {
				rules.Groups = append(slices.Clone(rules.Groups), g)
			}
		}
	}
	return &rules
}

// strictness orders the modes.
func strictness(m spec.TrustMode) int {
	return slices.Index([]spec.TrustMode{spec.TrustOff, spec.TrustHead, spec.TrustEvery}, m)
}

// followedIncludes notes which commits of included repositories are followed now.
func (s *Site) followedIncludes(ctx context.Context, commit spec.Commit) error {
	var errs []error
	for name, id := range commit.Includes {
		if r := s.repo(name); r != nil {
			errs = append(errs, r.gate.Followed(ctx, id))
		}
	}
	return errors.Join(errs...)
}

func fullCommit(ref string) bool {
	return len(ref) == 40 && strings.Trim(ref, "0123456789abcdef") == ""
}

func isLocal(repo string) bool {
	address, _, err := forgeOf(repo)
	return err != nil || address == "" || strings.HasPrefix(repo, "file://")
}

// sameHost compares scheme, host and port: a token for one is not meant for the other.
func sameHost(a, b string) bool {
	left, _, aerr := forgeOf(a)
	right, _, berr := forgeOf(b)
	l, lerr := url.Parse(a)
	r, rerr := url.Parse(b)
	bothURL := lerr == nil && rerr == nil && l.Scheme != "" && r.Scheme != ""
	return aerr == nil && berr == nil && left == right && (!bothURL || l.Scheme == r.Scheme)
}
