package app

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/directory"
	"github.com/fairlead/fairlead/providers/oci"
	"github.com/fairlead/fairlead/providers/runstore"
	"github.com/fairlead/fairlead/providers/statefile"
	"github.com/fairlead/fairlead/reconcile/review"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

const training = `
model "digits" {
  version = "1.0.0"
  image   = "digits:1"
}
dataset "rows" {
  source = "rows.csv"
}
pipeline "train" {
  step "fit" {
    image   = "train:1"
    inputs  = { data = dataset.rows }
    outputs = ["model"]
    metrics = "metrics.json"
  }
  gate "good" {
    require = step.fit.metrics.accuracy >= 0.95
  }
  publish {
    model    = model.digits
    artifact = step.fit.model
    version  = patch
  }
}
policy "owned" {
  for     = model
  require = length(model.owners) > 0
  level   = advisory
}
`

// desk is a directory of specs that somebody works on, beside the data of a daemon.
type desk struct {
	t           *testing.T
	specs, data string
	site        *Site
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, specs: t.TempDir(), data: t.TempDir()}
	site, engine, err := memorySite(t.TempDir(), d.data, "default")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = site.Close() })
	for _, image := range []string{"digits:1", "train:1"} {
		engine.AddTag(image, image)
	}
	d.site = site
	if site.Source, err = directory.New(directory.Options{Dir: d.specs}); err != nil {
		t.Fatal(err)
	}
	d.write("a.hcl", training)
	d.write("rows.csv", "a\n1\n")
	return d
}

func (d *desk) write(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.specs, name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) plan() *review.Report {
	d.t.Helper()
	r, _, err := d.site.Plan(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

// files are all below the data directory.
func (d *desk) files() (all []string) {
	d.t.Helper()
	err := filepath.WalkDir(d.data, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

func changesOf(r *review.Report) string {
	var all []string
	for i := range r.Declared {
		all = append(all, r.Declared[i].Address.String()+" "+string(r.Declared[i].Change))
	}
	return strings.Join(all, ", ")
}

func TestAPlanByHandSaysWhatChangesBesideTheModels(t *testing.T) {
	d := newDesk(t)
	r := d.plan()
	if len(r.Declared) != 0 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "which of 1 pipeline, 1 dataset and 1 policy change is not known, and no policy counts as newly broken: "+d.data+" holds no commit that was followed") {
		t.Errorf("where nothing was followed: %+v, %q", r.Declared, r.Notes)
	}
	if r.Judged != 1 || len(r.Policies) != 1 || r.Policies[0].New || r.Plan.Summary.Create != 2 {
		t.Errorf("policies %+v of %d, plan %+v", r.Policies, r.Judged, r.Plan.Summary)
	}

	snapshot, err := d.site.Source.Latest(t.Context())
	if err == nil {
		err = statefile.NewSnapshots(filepath.Join(d.data, "last-good")).Keep(t.Context(), snapshot)
	}
	if err != nil {
		t.Fatal(err)
	}
	if r = d.plan(); len(r.Declared) != 0 || len(r.Notes) != 0 || len(r.Policies) != 1 || r.Policies[0].New {
		t.Errorf("nothing differs from what is followed: %+v, %q, policies %+v", r.Declared, r.Notes, r.Policies)
	}
	d.write("a.hcl", "# moved down\n"+strings.Replace(training, "0.95", "0.5", 1))
	d.write("rows.csv", "a\n2\n")
	if r = d.plan(); changesOf(r) != "pipeline.train changed, dataset.rows changed" || len(r.Pipelines) != 0 || len(r.Notes) != 0 {
		t.Errorf("got %s, runs %+v, notes %q", changesOf(r), r.Pipelines, r.Notes)
	}
}

func TestAPolicyThatWasBrokenBeforeFailsNoPlanByHand(t *testing.T) {
	d := newDesk(t)
	d.write("a.hcl", strings.Replace(training, "level   = advisory", "", 1)) // so it is hard
	if r := d.plan(); len(r.Policies) != 1 || r.Policies[0].New || r.Failed() {
		t.Errorf("where nothing was followed: %+v, failed %v", r.Policies, r.Failed())
	}
	check, err := d.site.PlanReport(t.Context())
	if err != nil || len(check.Policies) != 1 || !check.Policies[0].New || !check.Failed() || !strings.Contains(check.Notes[0], "and every policy that does not hold counts as newly broken") {
		t.Errorf("a check passes for want of knowledge: %+v, %v", check, err)
	}

	snapshot, err := d.site.Source.Latest(t.Context())
	if err == nil {
		err = statefile.NewSnapshots(filepath.Join(d.data, "last-good")).Keep(t.Context(), snapshot)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, plan := range []func() (*review.Report, error){
		func() (*review.Report, error) { return d.plan(), nil },
		func() (*review.Report, error) { return d.site.PlanReport(t.Context()) },
	} {
		if r, err := plan(); err != nil || len(r.Policies) != 1 || r.Policies[0].New || r.Failed() {
			t.Errorf("it was broken before: %+v, %v", r, err)
		}
	}
}

// A plan by hand is cheap: what costs something is done where it is asked for.
func TestAPlanByHandFetchesNothingUnasked(t *testing.T) {
	d := newDesk(t)
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = io.WriteString(w, "a\n1\n")
	}))
	t.Cleanup(server.Close)
	specs := strings.Replace(training, `"rows.csv"`, `"`+server.URL+`/rows.csv"`, 1)
	d.write("a.hcl", specs)
	snapshot, err := d.site.Source.Latest(t.Context())
	if err == nil {
		err = statefile.NewSnapshots(filepath.Join(d.data, "last-good")).Keep(t.Context(), snapshot)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.keepRun(t.Context(), snapshot.Tree)
	if r := d.plan(); changesOf(r) != "" || len(r.Notes) != 0 {
		t.Errorf("nothing changes: %s, notes %q", changesOf(r), r.Notes)
	}
	d.write("a.hcl", strings.Replace(specs, "0.95", "0.5", 1))
	t.Setenv("TMPDIR", filepath.Join(d.data, "none")) // nothing can be made there
	r := d.plan()
	if changesOf(r) != "pipeline.train changed" || len(r.Pipelines) != 0 || !slices.Equal(r.Notes, []string{"what a run would take from the cache is shown with --preview, which fetches its data"}) {
		t.Errorf("got %s, runs %+v, notes %q", changesOf(r), r.Pipelines, r.Notes)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the data was asked for %d times", n)
	}
	t.Setenv("TMPDIR", t.TempDir())
	d.site.Config.Previews = true
	if r = d.plan(); len(r.Pipelines) != 1 || r.Pipelines[0].Problem != "" || len(r.Pipelines[0].Nodes) != 1 || asked.Load() != 1 {
		t.Errorf("runs %+v, notes %q, asked %d times", r.Pipelines, r.Notes, asked.Load())
	}
	server.Close()
	r = d.plan()
	if text, err := json.Marshal(r.Pipelines); err != nil || len(r.Pipelines) != 1 || r.Pipelines[0].Problem == "" || !strings.Contains(string(text), `"nodes":[]`) {
		t.Errorf("of data that cannot be had: %s, %v", text, err)
	}
}

func TestAPlanByHandLooksAtTheRunsOfTheDaemon(t *testing.T) {
	d := newDesk(t)
	snapshot, err := d.site.Source.Latest(t.Context())
	if err == nil {
		err = statefile.NewSnapshots(filepath.Join(d.data, "last-good")).Keep(t.Context(), snapshot)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.keepRun(t.Context(), snapshot.Tree)
	d.write("rows.csv", "a\n2\n")
	before := d.files()
	d.site.Config.Previews = true
	r := d.plan()
	if changesOf(r) != "dataset.rows changed" || len(r.Pipelines) != 1 || r.Pipelines[0].Problem != "" || len(r.Pipelines[0].Nodes) != 1 {
		t.Fatalf("got %s, runs %+v, notes %q", changesOf(r), r.Pipelines, r.Notes)
	}
	if n := r.Pipelines[0].Nodes[0]; n.Hit || n.Why != "it did not run in train-1" {
		t.Errorf("got %+v", n)
	}
	if after := d.files(); !slices.Equal(before, after) {
		t.Errorf("looking left a trace: before %q, after %q", before, after)
	}
}

var ranAt = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

// keepRun leaves what a daemon leaves of a run that got as far as its steps.
func (d *desk) keepRun(ctx context.Context, tree spec.Tree) {
	d.t.Helper()
	cfg, err := d.site.Load(ctx, tree)
	if err != nil {
		d.t.Fatal(err)
	}
	store, err := runstore.New(d.data)
	if err != nil {
		d.t.Fatal(err)
	}
	one, err := run.New("train-1", cfg.Pipelines[0], nil, ranAt)
	if err != nil {
		d.t.Fatal(err)
	}
	one.Started = ranAt
	if err := store.Save(ctx, one); err != nil {
		d.t.Fatal(err)
	}
	artifacts, err := oci.New(oci.Options{Dir: filepath.Join(d.data, "artifacts")})
	if err != nil {
		d.t.Fatal(err)
	}
	artifacts.Close()
}
