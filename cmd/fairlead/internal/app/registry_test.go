package app

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec"
)

// cardTree is a commit with one file.
type cardTree struct{ path, text string }

func (c cardTree) Commit() spec.Commit { return spec.Commit{ID: strings.Repeat("8c1f2e0a", 5)} }

func (c cardTree) Files() []spec.File { return []spec.File{{Path: c.path}} }

func (c cardTree) Read(path string) ([]byte, error) {
	if path != c.path {
		return nil, http.ErrMissingFile
	}
	return []byte(c.text), nil
}

func TestTheRegistryIsToldOnceGitWasRead(t *testing.T) {
	a := idleDaemon(t, "")
	h := a.handler(false)
	if code, body, _ := call(t, h, http.MethodGet, "/api/v1/registry", ""); code != http.StatusServiceUnavailable || !strings.Contains(body, "error") {
		t.Errorf("before: %d %s", code, body)
	}
	reading := &spec.Step{Name: "split", Inputs: map[string]spec.Input{"data": {Kind: spec.InputDataset, Name: "digits"}}}
	cfg := &spec.Config{
		Environment: "prod",
		Models:      []*spec.Model{{Name: "digits", Version: "1.1.0", Artifact: &spec.Artifact{Digest: "sha256:a"}, Card: &spec.Card{Path: "own.md", Text: []byte("of the model")}}, {Name: "plain"}},
		Versions: []*spec.Version{
			{Model: "digits", Version: "1.0.0", Pos: spec.Pos{File: "a.hcl", Line: 3}, Artifact: "oci://local/digits@sha256:a", Card: "card.md"},
			{Model: "digits", Version: "1.1.0", Artifact: "oci://local/digits@sha256:b", Card: "gone.md"},
		},
		Datasets:  []*spec.Dataset{{Name: "digits", Digest: "sha256:d"}, {Name: "unused"}},
		Pipelines: []*spec.Pipeline{{Name: "test", Steps: []*spec.Step{reading}}, {Name: "train", Steps: []*spec.Step{reading, reading}}, {Name: "other", Steps: []*spec.Step{{Name: "x"}}}},
	}
	a.daemon.site.follow(cfg, cardTree{"card.md", "of the version"})
	code, body, _ := call(t, h, http.MethodGet, "/api/v1/registry", "")
	var r Registry
	if err := json.Unmarshal([]byte(body), &r); code != http.StatusOK || err != nil || r.FormatVersion != RegistryFormat {
		t.Fatalf("%d %s, %v", code, body, err)
	}
	if len(r.Cards) != 2 || r.Cards["card.md"] != "of the version" || r.Cards["own.md"] != "of the model" {
		t.Errorf("the cards are %v", r.Cards)
	}
	f := r.Facts(nil, nil)
	l, err := f.OfVersion("digits", "1.0.0")
	if err != nil || l.At != "a.hcl:3" || len(l.Places) != 1 || l.Places[0].Model != "digits" {
		t.Errorf("got %+v, %v", l, err)
	}
	if u, err := f.Uses("digits"); err != nil || strings.Join(u.Pipelines, ",") != "test,train" || u.Digest != "sha256:d" {
		t.Errorf("got %+v, %v", u, err)
	}
}
