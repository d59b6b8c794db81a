package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// registryDaemon is an API over TCP with digits 1.0.0, which serves, and 1.1.0. A
// version that is made again gets these contents and metrics.
func registryDaemon(t *testing.T, again run.Node) (url string, orders *[]string) {
	t.Helper()
	orders = &[]string{}
	version := func(number, digest string) app.RegistryVersion {
		return app.RegistryVersion{At: spec.Pos{File: "versions/digits/" + number + ".hcl", Line: 1}, Version: spec.Version{
			Model: "digits", Version: number, Artifact: "oci://local/digits@" + digest, Content: "sha256:c", Run: "train-1", Pipeline: "train", Data: map[string]string{"digits": "sha256:d"},
			Metrics: map[string]float64{"accuracy": 0.98}, Tolerance: 0.001, Card: "card.md",
		}}
	}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }
	mux.HandleFunc("GET /api/v1/status", func(w http.ResponseWriter, _ *http.Request) { answer(w, app.DaemonStatus{}) })
	mux.HandleFunc("GET /api/v1/registry", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, app.Registry{
			FormatVersion: app.RegistryFormat, Environment: "prod", Models: []app.RegistryModel{{Name: "digits", Version: "1.1.0", Artifact: "sha256:b"}, {Name: "plain"}},
			Versions: []app.RegistryVersion{version("1.0.0", "sha256:a"), version("1.1.0", "sha256:b")}, Datasets: []app.RegistryDataset{{Name: "digits", Digest: "sha256:d", Pipelines: []string{"train"}}},
			Cards: map[string]string{"card.md": "# Digits\n"},
		})
	})
	mux.HandleFunc("GET /api/v1/live", func(w http.ResponseWriter, _ *http.Request) {
		stable := journal.Release{Revision: "r1", Version: "1.0.0", Inputs: reconcile.RevisionInputs{Artifact: "sha256:a"}}
		answer(w, app.Live{Records: map[string]journal.Record{"digits": {Stable: &stable}}})
	})
	mux.HandleFunc("GET /api/v1/history", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, app.History{Entries: []journal.Entry{{At: time.Now(), Action: journal.ActionApprove, Model: "digits", To: "r1", Actor: "bob", Reason: "fine"}}})
	})
	made := func() *run.Run {
		node := again
		node.ID, node.Step = "train", "train"
		r := &run.Run{
			FormatVersion: run.Format, ID: "train-2", Pipeline: "train", Reproduces: "digits@1.0.0", Phase: run.Done, Outcome: run.Succeeded, Created: time.Now(), Finished: time.Now(),
			Nodes: map[string]*run.Node{"train": &node},
			Definition: spec.Pipeline{
				Address: spec.Address{Kind: spec.KindPipeline, Name: "train"}, Name: "train", Steps: []*spec.Step{{Name: "train", Outputs: []string{"model"}}},
				Publish: &spec.Publish{Model: spec.Address{Kind: spec.KindModel, Name: "digits"}, Artifact: spec.Input{Kind: spec.InputStep, Name: "train", Output: "model"}},
			},
		}
		if node.Phase == run.NodeFailed {
			r.Outcome, r.Reason = run.Failed, "train: out of memory"
		}
		return r
	}
	mux.HandleFunc("POST /api/v1/versions/{id}/reproduction", func(w http.ResponseWriter, r *http.Request) {
		*orders = append(*orders, r.PathValue("id"))
		answer(w, app.RunTaken{FormatVersion: app.RunsFormat, Run: made()})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, orders
}

func TestModelsAreLookedAt(t *testing.T) {
	url, _ := registryDaemon(t, run.Node{})
	for args, want := range map[string]string{
		"list":                              "digits  1.0.0   1.1.0     1.1.0",
		"list --json":                       `"serves": "1.0.0"`,
		"versions digits":                   "1.1.0    -        train-1  declared",
		"versions model.digits --json":      `"format_version": "1.0"`,
		"versions plain":                    "Model plain has no version in the registry",
		"show digits":                       "digits@1.0.0  versions/digits/1.0.0.hcl:1", // the one that serves
		"show digits@1.1.0":                 "digits@1.1.0",
		"show digits@v1.1.0 --json":         `"version": "1.1.0"`,
		"diff digits@1.0.0 digits@1.1.0":    "digits@1.0.0 → digits@1.1.0",
		"diff digits digits@1.1.0 --json":   `"same_content": true`,
		"lineage digits":                    "approve by bob: fine",
		"lineage digits@1.1.0 --json":       `"artifact": "sha256:b"`,
		"lineage --dataset digits":          "version digits@1.1.0",
		"lineage --dataset sha256:d --json": `"dataset": "digits"`,
		"card digits@1.1.0":                 "# Digits\n\n## Facts of digits@1.1.0",
		"card digits --json":                `"text": "# Digits"`,
	} {
		code, out, errs := invoke(t, url, token, append([]string{"model"}, strings.Fields(args)...)...)
		if code != exitOK || !strings.Contains(out, want) {
			t.Errorf("%s: %d %s%s, want %s", args, code, out, errs, want)
		}
	}
}

func TestModelsSayWhatIsWrong(t *testing.T) {
	url, _ := registryDaemon(t, run.Node{})
	for args, want := range map[string]string{
		"model versions":                          "say which model is meant",
		"model versions digit":                    "did you mean digits?",
		"model versions X":                        "is not a model",
		"model show plain":                        "model plain has no version in the registry; a pipeline with publish proposes one",
		"model show digits@9.9.9":                 "fairlead model versions digits lists what there is",
		"model diff digits":                       "say which two versions are compared",
		"model diff digits digits@2.0.0":          "digits@2.0.0",
		"model lineage":                           "say what is followed",
		"model lineage digits --dataset x":        "follow one thing",
		"model lineage --dataset other":           `knows the data "other"`,
		"model lineage --container x --dataset y": "follow one thing",
		"model card digit":                        "did you mean digits?",
		"reproduce":                               "say which version is meant; for example: fairlead reproduce digits@1.2.0",
		"reproduce digits":                        "say which version of digits is meant: digits@VERSION",
		"reproduce digits@9.9.9":                  "the registry has no digits@9.9.9",
	} {
		code, out, errs := invoke(t, url, token, strings.Fields(args)...)
		if code != exitError || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %s%s, want %s", args, code, out, errs, want)
		}
	}
}

func TestAVersionIsMadeAgain(t *testing.T) {
	made := func(content string, accuracy float64) run.Node {
		return run.Node{Phase: run.NodeSucceeded, Attempt: 1, Outputs: map[string]reconcile.Content{"model": {Digest: content}}, Metrics: map[string]float64{"accuracy": accuracy}}
	}
	for name, tc := range map[string]struct {
		again run.Node
		code  int
		says  string
	}{
		"exact":  {made("sha256:c", 0.98), exitOK, "the files are the same, byte for byte"},
		"within": {made("sha256:x", 0.9805), exitOK, "every metric is within the tolerance of 0.001"},
		"apart":  {made("sha256:x", 0.9), exitError, "It does not agree"},
		"failed": {run.Node{Phase: run.NodeFailed}, exitError, "digits@1.0.0 could not be made again: run train-2 failed: train: out of memory"},
	} {
		url, orders := registryDaemon(t, tc.again)
		code, out, errs := invoke(t, url, token, "reproduce", "digits@1.0.0")
		if code != tc.code || !strings.Contains(out+errs, tc.says) || strings.Join(*orders, ",") != "digits@1.0.0" {
			t.Errorf("%s: %d %s%s %v", name, code, out, errs, *orders)
		}
		code, out, _ = invoke(t, url, token, "reproduce", "digits@1.0.0", "--json")
		var verdict struct {
			Format string `json:"format_version"`
			Agrees bool   `json:"agrees"`
		}
		if name == "failed" {
			continue
		}
		if err := json.Unmarshal([]byte(out), &verdict); code != tc.code || err != nil || verdict.Agrees != (tc.code == exitOK) || verdict.Format != app.RegistryFormat {
			t.Errorf("%s: %d %v %s", name, code, err, out)
		}
	}
}

func TestAContainerIsFoundByItsNameOrTheBeginOfItsID(t *testing.T) {
	containers := []reconcile.Container{
		{ID: "abc1", Name: "fairlead.prod.digits.r1.1", Kind: spec.KindModel}, {ID: "abd2", Name: "fairlead.prod.digits.r1.2", Kind: spec.KindModel}, {ID: "ff00", Name: "fairlead.prod.gateway", Kind: spec.KindGateway},
	}
	for id, want := range map[string]string{
		"abc": "abc1", "fairlead.prod.digits.r1.2": "abd2", "ab": "the ids of several containers begin with ab", "ff": "is no replica of a model, but a gateway", "x": "there is no container x",
	} {
		c, err := containerOf(containers, id)
		if err != nil && !strings.Contains(err.Error(), want) || err == nil && c.ID != want {
			t.Errorf("%s: %v %v, want %s", id, c, err, want)
		}
	}
}
