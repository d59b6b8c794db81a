package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/providers/download"
	"github.com/fairlead/fairlead/providers/oci"
	"github.com/fairlead/fairlead/providers/openlineage"
	"github.com/fairlead/fairlead/providers/runstore"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/propose"
	"github.com/fairlead/fairlead/reconcile/registry"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/lang/edit"
)

// openArtifacts opens the store of artifacts in the data directory.
func (s *Site) openArtifacts() (*oci.Store, error) {
	c := s.Config
	return oci.New(oci.Options{Dir: filepath.Join(c.Data, "artifacts"), DockerConfig: c.DockerConfig, Insecure: c.InsecureRegistries})
}

// openPipelines opens what runs the pipelines of the site. Begin does, once the
// journal is open.
func (s *Site) openPipelines(ctx context.Context, log *slog.Logger) error {
	c := s.Config
	store, err := runstore.New(c.Data)
	if err != nil {
		return err
	}
	lineage, err := s.openLineage(log)
	if err != nil {
		return err
	}
	publisher := &publisher{site: s}
	s.runnerOptions = &runner.Options{
		Scope: c.scope(), Runtime: s.Runtime, Artifacts: s.Artifacts, Store: store, Journal: s.Journal, Secrets: s.Binder.Secrets,
		SecretVersion: s.Binder.SecretVersion, Download: &download.Client{}, PublicDownload: &download.Client{Public: true}, Publisher: publisher, Lineage: lineage,
		LiveVersions: s.liveVersions, KeepModels: s.keepModels, Parallel: c.PipelineParallel, Interval: c.Interval, Log: log,
	}
	s.Runner = runner.New(*s.runnerOptions)
	return nil
}

func (s *Site) openLineage(log *slog.Logger) (run.Lineage, error) {
	c := s.Config
	if c.LineageURL == "" {
		return nil, nil
	}
	key := ""
	if c.LineageKeyFile != "" {
		data, err := os.ReadFile(c.LineageKeyFile)
		if err != nil {
			return nil, fmt.Errorf("read the key for %s: %w", c.LineageURL, err)
		}
		key = strings.TrimSpace(string(data))
	}
	client, err := openlineage.New(openlineage.Options{URL: c.LineageURL, Key: spec.NewSensitive(key), Repo: c.Repo, Log: log})
	if err != nil {
		return nil, err
	}
	s.close = append(s.close, client.Close)
	return client, nil
}

// liveVersions are the versions that take the traffic, by model; nil before models were
// looked at.
func (s *Site) liveVersions() map[string]string {
	models := s.models()
	if models == nil {
		return nil
	}
	live := map[string]string{}
	for _, m := range models {
		if m.Stable != nil {
			live[m.Name] = m.Stable.Version
		}
	}
	return live
}

// keepModels are the artifacts that models and the registry need.
func (s *Site) keepModels(ctx context.Context, cfg *spec.Config) (map[string]bool, error) {
	records, err := s.decided(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	return registry.Keep(cfg, records), nil
}

// publisher proposes versions by editing the files of the repo.
type publisher struct{ site *Site }

// errNowhere: the specs are not in a repository.
var errNowhere = errors.New("the specs are in a plain directory and not in a Git repository, so there is nowhere to propose a version; put them into one, or leave out publish")

// at is the repository that a version of a model belongs into, and its tree.
func (p *publisher) at(w *runner.Wanted, model string) (*repository, spec.Tree, error) {
	r := p.site.repoOf(w.Config, model)
	switch {
	case p.site.own == nil:
		return nil, nil, errNowhere
	case r == nil:
		return nil, nil, fmt.Errorf("the included repository that declares model %s is not open now: %w", model, reconcile.ErrUnavailable)
	case r.fixed() != nil:
		return nil, nil, r.fixed()
	}
	tree := r.part(w.Config, w.Tree)
	if tree == nil {
		return nil, nil, fmt.Errorf("include %q is not part of the commit that is followed", r.name())
	}
	return r, tree, nil
}

// Publish implements runner.Publisher.
func (p *publisher) Publish(ctx context.Context, w *runner.Wanted, v *spec.Version, message string) (reconcile.Proposed, error) {
	repo, tree, err := p.at(w, v.Model)
	if err != nil {
		return reconcile.Proposed{}, err
	}
	model := w.Config.Model(v.Model)
	change := func(argument, value string) edit.Change {
		return edit.Change{Address: model.Address, Environment: p.site.Config.Environment, Argument: argument, Value: value}
	}
	files, err := edit.Apply(tree, []edit.Change{change("version", v.Version), change("artifact", v.Artifact)})
	if err != nil {
		return reconcile.Proposed{}, err
	}
	maps.Copy(files, edit.WriteVersion(*v))
	if _, err := repo.load(ctx, edited(tree, files)); err != nil {
		return reconcile.Proposed{}, fmt.Errorf("the repo with %s in it would not load, so it is not proposed: %w", v.ID(), err)
	}
	title, body, _ := strings.Cut(message, "\n\n")
	return repo.proposer.Offer(ctx, tree, &propose.Wish{
		Key: p.key(w.Config, v), Kind: journal.ProposeRetrain, Model: v.Model, ID: v.ID(), Title: title, Body: body, Edit: propose.Edit{Files: files},
	})
}

// key is what the next version of a model is proposed under. Where several pipelines
// make one model, each has its own.
func (p *publisher) key(cfg *spec.Config, v *spec.Version) string {
	key := propose.Key(journal.ProposeRetrain, v.Model)
	for _, other := range cfg.Pipelines {
		if other.Publish != nil && other.Publish.Model.ServedName() == v.Model && other.Name != v.Pipeline {
			return key + "-" + v.Pipeline
		}
	}
	return key
}

// Tag implements runner.Publisher.
func (p *publisher) Tag(ctx context.Context, w *runner.Wanted, v *spec.Version, message string) error {
	repo, tree, err := p.at(w, v.Model)
	if err != nil {
		return err
	}
	return repo.proposals.Tag(ctx, registry.Tag("", v), tree.Commit().ID, message)
}

// edited is a tree with some files replaced.
func edited(tree spec.Tree, files map[string][]byte) spec.Tree {
	var contents []spec.Content
	for _, f := range tree.Files() {
		if _, replaced := files[f.Path]; replaced {
			continue
		}
		data, err := tree.Read(f.Path)
		if err != nil {
			continue // it was listed a moment ago, in the same immutable tree
		}
		contents = append(contents, spec.Content{File: f, Data: data})
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		data := files[path]
		contents = append(contents, spec.Content{File: spec.File{Path: path, Hash: fmt.Sprintf("edited %x", sha256.Sum256(data)), Size: int64(len(data))}, Data: data})
	}
	return spec.NewTree(spec.Commit{}, contents)
}
