package runner_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/lang"
)

// composed is a root with a pipeline and a secret, and the include b with the same.
func composed(t *testing.T) *runner.Wanted {
	t.Helper()
	repo := func(prefix string) string {
		return strings.ReplaceAll("secret \"P_token\" {\n  age = \"YWdl\"\n}\ndataset \"P_data\" {\n  source = \"d.csv\"\n}\nmodel \"P_m\" {\n  image = \"server:1\"\n  version = \"1.0.0\"\n}\n"+
			"pipeline \"P_p\" {\n  step \"split\" {\n    image = \"steps:1\"\n    env = { TOKEN = secret.P_token }\n    inputs = { data = dataset.P_data }\n    outputs = [\"test\", \"train\"]\n  }\n}\n", "P_", prefix)
	}
	mount := spec.IncludeDir + "b/"
	tree := spec.NewTree(spec.Commit{ID: strings.Repeat("ab", 20)}, []spec.Content{
		content("repo.hcl", repo("r_")+"include \"b\" {\n  repo = \"https://example.com/b.git\"\n}\n"), content("d.csv", "a\n1\n"),
		content(mount+"repo.hcl", repo("b_")), content(mount+"d.csv", "a\n2\n"),
	})
	cfg, diags := lang.NewLoader().Load(tree, lang.Options{})
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	return &runner.Wanted{Config: cfg, Tree: tree}
}

// The entry of a version holds the pipeline that made it, as text of the repository. That
// of an include may name nothing that the include could not have declared.
func TestADefinitionOfAnIncludeKeepsToThatInclude(t *testing.T) {
	s := newSite(t, digitsRepo)
	s.wanted = composed(t)
	s.up()
	own := func() *spec.Pipeline {
		return &spec.Pipeline{Name: "b_p", Address: spec.Address{Kind: spec.KindPipeline, Name: "b_p"}, Steps: []*spec.Step{{
			Name: "split", Image: "steps:1", Env: map[string]spec.StepValue{"TOKEN": {Secret: "b_token"}},
			Inputs: map[string]spec.Input{"data": {Kind: spec.InputDataset, Name: "b_data"}}, Outputs: []string{"test", "train"},
		}}}
	}
	reproduce := func(pipeline string, p *spec.Pipeline) (*run.Run, error) {
		t.Helper()
		definition, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		s.merge(&spec.Version{Model: "b_m", Version: "1.0.0", Pipeline: pipeline, Definition: string(definition)})
		return s.runner.Reproduce(t.Context(), runner.ReproduceOrder{Model: "b_m", Version: "1.0.0", Actor: "ann"})
	}
	for name, change := range map[string]func(*spec.Pipeline){
		"a secret of the root":           func(p *spec.Pipeline) { p.Steps[0].Env["TOKEN"] = spec.StepValue{Secret: "r_token"} },
		"a secret of the root in a file": func(p *spec.Pipeline) { p.Steps[0].Container.SecretFiles = map[string]string{"x": "r_token"} },
		"data of the root": func(p *spec.Pipeline) {
			p.Steps[0].Inputs["data"] = spec.Input{Kind: spec.InputDataset, Name: "r_data"}
		},
		"a run of the root's pipeline": func(p *spec.Pipeline) { p.Name = "r_p" },
		"a pipeline of another name":   func(p *spec.Pipeline) { p.Name = "b_other" },
		"privileges":                   func(p *spec.Pipeline) { p.Steps[0].Container.Privileged = true },
		"the host's network":           func(p *spec.Pipeline) { p.Steps[0].Container.HostNetwork = true },
		"a directory": func(p *spec.Pipeline) {
			p.Steps[0].Container.Mounts = []spec.Mount{{Type: spec.MountBind, Source: "/srv", Target: "/x"}}
		},
		"a mount of no kind": func(p *spec.Pipeline) { p.Steps[0].Container.Mounts = []spec.Mount{{Source: "/srv", Target: "/x"}} },
		"a device":           func(p *spec.Pipeline) { p.Steps[0].Container.Devices = []string{"/dev/fuse"} },
		"a capability":       func(p *spec.Pipeline) { p.Steps[0].Container.Capabilities = []string{"NET_ADMIN"} },
		"a model of the root": func(p *spec.Pipeline) {
			p.Publish = &spec.Publish{Model: spec.Address{Kind: spec.KindModel, Name: "r_m"}}
		},
	} {
		p := own()
		change(p)
		if r, err := reproduce("b_p", p); !errors.Is(err, runner.ErrRefused) {
			t.Errorf("%s: got %v, %v", name, r, err)
		}
	}
	if r, err := reproduce("r_p", own()); !errors.Is(err, runner.ErrRefused) {
		t.Errorf("the number of a run of the root: got %v, %v", r, err)
	}
	if got := s.startedNodes(); len(got) > 0 {
		t.Errorf("it started %v", got)
	}
	r, err := reproduce("b_p", own())
	if err != nil {
		t.Fatal(err)
	}
	if r := s.ended(r.ID); r.Outcome != run.Succeeded {
		t.Errorf("its own pipeline: %s %s", r.Outcome, r.Reason)
	}
}

// A run is of the commit of the repository that declares its pipeline, and the journal
// tells both that and what the root was.
func TestARunIsOfItsOwnRepositorysCommit(t *testing.T) {
	s := newSite(t, digitsRepo)
	s.wanted = composed(t)
	root, theirs := strings.Repeat("ab", 20), strings.Repeat("cd", 20)
	tree := s.wanted.Tree
	s.wanted.Tree = treeAt{tree, spec.Commit{ID: root, Includes: map[string]string{"b": theirs}}}
	s.up()
	for pipeline, want := range map[string]string{"r_p": root, "b_p": theirs} {
		r, err := s.runner.Start(t.Context(), runner.StartOrder{Pipeline: pipeline, Actor: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		if r := s.ended(r.ID); r.Commit != want {
			t.Errorf("%s ran at %s, want %s", pipeline, r.Commit, want)
		}
		entries, err := s.journal.History(t.Context(), journal.Query{Pipeline: pipeline})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Commit != root || e.DeclaredIn() != want {
				t.Errorf("%s of %s is of commit %s, %q", e.Action, pipeline, e.Commit, e.Include)
			}
		}
	}
}

// treeAt is a tree as that of another commit.
type treeAt struct {
	spec.Tree
	commit spec.Commit
}

func (t treeAt) Commit() spec.Commit { return t.commit }

// Whatever led to a run, it has the secrets of the repository that its pipeline is of.
func TestARunHasNoSecretOfAnotherRepository(t *testing.T) {
	for _, module := range []string{"", "b"} {
		s := newSite(t, digitsRepo)
		s.wanted = composed(t)
		cfg := *s.wanted.Config
		cfg.Secrets = maps.Clone(cfg.Secrets)
		for name, other := range map[string]string{"r_token": "b", "b_token": ""} {
			changed := *cfg.Secrets[name]
			changed.Module = other
			cfg.Secrets[name] = &changed
		}
		s.wanted.Config = &cfg
		s.up()
		pipeline := map[string]string{"": "r_p", "b": "b_p"}[module]
		r, err := s.runner.Start(t.Context(), runner.StartOrder{Pipeline: pipeline, Actor: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		if r := s.ended(r.ID); r.Outcome == run.Succeeded || !strings.Contains(r.Reason, "another repository") {
			t.Errorf("%s: %s %s", pipeline, r.Outcome, r.Reason)
		}
		if got := s.startedNodes(); len(got) > 0 {
			t.Errorf("it started %v", got)
		}
	}
}

// What an included repository says to fetch is not fetched by who reaches this host's own
// services.
func TestDataOfAnIncludeIsFetchedFromOutside(t *testing.T) {
	for pipeline, want := range map[string][2]int{"r_p": {1, 0}, "b_p": {0, 1}} {
		s, inside, outside := newSite(t, digitsRepo), &internal{}, &internal{}
		repo := func(prefix string) string {
			return strings.ReplaceAll("dataset \"P_data\" {\n  source = \"http://10.0.0.1/d.csv\"\n}\npipeline \"P_p\" {\n  step \"split\" {\n    image = \"steps:1\"\n    inputs = { data = dataset.P_data }\n    outputs = [\"test\"]\n  }\n}\n", "P_", prefix)
		}
		tree := spec.NewTree(spec.Commit{ID: strings.Repeat("ab", 20)}, []spec.Content{
			content("repo.hcl", repo("r_")+"include \"b\" {\n  repo = \"https://example.com/b.git\"\n}\n"), content(spec.IncludeDir+"b/repo.hcl", repo("b_")),
		})
		cfg, diags := lang.NewLoader().Load(tree, lang.Options{})
		if err := diags.Err(); err != nil {
			t.Fatal(err)
		}
		opts := runner.Options{
			Scope: scope, Runtime: s.engine.Runtime(scope), Artifacts: s.blobs, Store: s.store, Journal: s.journal, Secrets: secrets{s.secret},
			SecretVersion: func(name string, _ spec.Sensitive) string { return name },
			Download:      inside, PublicDownload: outside, Publisher: s.pushed, Parallel: 4, Interval: time.Second, Log: slog.New(slog.DiscardHandler),
		}
		i := slices.IndexFunc(cfg.Pipelines, func(p *spec.Pipeline) bool { return p.Name == pipeline })
		preview, err := runner.Preview(t.Context(), &opts, &runner.Wanted{Config: cfg, Tree: tree}, cfg.Pipelines[i], nil, nil)
		if err != nil || preview.Problem != "" {
			t.Fatalf("%v, %v", preview, err)
		}
		if got := [2]int{inside.asked, outside.asked}; got != want {
			t.Errorf("%s: who reaches the inside was asked %d times, who does not %d times; want %v", pipeline, got[0], got[1], want)
		}
	}
}
