package registry_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/registry"
	"github.com/fairlead/fairlead/spec"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// entry is a version of model.digits with all that an entry can hold.
func entry(version, artifact string) *spec.Version {
	return &spec.Version{
		Model: "digits", Version: version, Pos: spec.Pos{File: "versions/digits/" + version + ".hcl", Line: 1},
		Artifact: "oci://local/digits@" + artifact, Content: "sha256:content-" + version, Created: noon, Pipeline: "train", Run: "train-1",
		Commit: "c1", Params: map[string]any{"test_share": 0.2}, Data: map[string]string{"digits": "sha256:data1"},
		Steps: map[string]spec.VersionStep{
			"split":   {Image: "steps@sha256:1", Key: "k1"},
			"train.2": {Image: "steps@sha256:1", Key: "k2", Values: map[string]any{"hidden": 64.0}, Inputs: map[string]string{"data": "sha256:train"}},
		},
		Metrics: map[string]float64{"accuracy": 0.98, "f1": 0.9}, Profile: "sha256:profile", Card: "card.md", CardHash: "sha256:card",
		Gates:     []spec.VersionGate{{Name: "good", Outcome: "passed"}, {Name: "fair", Outcome: "overridden", Actor: "ann", Reason: "few rows"}},
		Tolerance: 0.001, Definition: "{}",
	}
}

func clone(v *spec.Version) *spec.Version {
	c := *v
	c.Params, c.Data, c.Steps, c.Metrics, c.Gates = maps.Clone(v.Params), maps.Clone(v.Data), maps.Clone(v.Steps), maps.Clone(v.Metrics), slices.Clone(v.Gates)
	return &c
}

func release(revision, version, artifact string) journal.Release {
	return journal.Release{Revision: revision, Version: version, Commit: "deploy-" + revision, Inputs: reconcile.RevisionInputs{Image: "server@sha256:9", Artifact: artifact}}
}

// facts are a repo with two versions of a model, of which the newer is being rolled
// out, and another model that takes the older one's artifact.
func facts() registry.Facts {
	stable, candidate, other, bad := release("r1", "1.1.0", "sha256:a1"), release("r2", "1.2.0", "sha256:a2"), release("s1", "7", "sha256:a1"), release("r0", "1.0.9", "sha256:a0")
	plain := release("p1", "1.0.0", "")
	newer := entry("1.2.0", "sha256:a2")
	newer.Run, newer.Data = "train-2", map[string]string{"digits": "sha256:data2", "extra": "sha256:data1"}
	return registry.Facts{
		Config: &spec.Config{
			Models: []*spec.Model{
				{Name: "digits", Version: "1.2.0", Artifact: &spec.Artifact{Digest: "sha256:a2"}}, {Name: "plain"}, {Name: "small", Artifact: &spec.Artifact{Digest: "sha256:a1"}},
			},
			Versions:  []*spec.Version{entry("1.1.0", "sha256:a1"), newer},
			Datasets:  []*spec.Dataset{{Name: "digits", Digest: "sha256:data2"}},
			Pipelines: []*spec.Pipeline{{Name: "other"}, {Name: "train", Steps: []*spec.Step{{Name: "split", Inputs: map[string]spec.Input{"data": {Kind: spec.InputDataset, Name: "digits"}}}}}},
		},
		Records: map[string]journal.Record{
			"digits": {
				Stable: &stable, Rollout: &journal.Rollout{Candidate: candidate, Weight: 25}, Previous: &journal.Previous{Release: plain},
				Rejected: []journal.Rejection{{Release: bad, Reason: "errors"}},
			},
			"small": {Stable: &other},
			"plain": {Stable: &plain},
		},
		History: []journal.Entry{
			{At: noon.Add(3 * time.Hour), Action: journal.ActionApprove, Model: "digits", To: "r2", Actor: "bob", Reason: "looks good"},
			{At: noon.Add(2 * time.Hour), Action: journal.ActionStart, Model: "digits", From: "r1", To: "r2", Actor: journal.Daemon},
			{At: noon.Add(time.Hour), Action: journal.ActionPromote, Model: "small", To: "s1", Actor: journal.Daemon},
			{At: noon, Action: journal.ActionOverride, Pipeline: "train", Run: "train-2", To: "fair", Actor: "ann", Reason: "few rows"},
			{At: noon, Action: journal.ActionRun, Pipeline: "train", Run: "train-2", Actor: "carl"},
			{At: noon, Action: journal.ActionRun, Pipeline: "train", Run: "train-1", Actor: "carl"},
		},
	}
}

// shown lists places as MODEL:ROLE:REVISION:WEIGHT.
func shown(places []registry.Place) string {
	var list []string
	for _, p := range places {
		list = append(list, fmt.Sprintf("%s:%s:%s:%d", p.Model, p.Role, p.Revision, p.Weight))
	}
	return strings.Join(list, " ")
}

func TestLineageOfWhatRuns(t *testing.T) {
	f := facts()
	l, err := f.OfRelease("digits", "r2")
	if err != nil {
		t.Fatal(err)
	}
	if l.Entry != f.Config.Versions[1] || l.At != "versions/digits/1.2.0.hcl:1" || l.Problem != "" || l.Image != "server@sha256:9" || l.Artifact != "sha256:a2" || l.Release.Role != registry.Candidate || l.Release.Commit != "deploy-r2" {
		t.Errorf("got %+v", l)
	}
	if got := shown(l.Places); got != "digits:candidate:r2:25 digits:declared::0" {
		t.Errorf("the places are %q", got)
	}
	if len(l.Data) != 2 || l.Data[0] != (registry.DataUse{Dataset: "digits", Digest: "sha256:data2", Declared: true, Now: "sha256:data2"}) || l.Data[1].Declared {
		t.Errorf("the data are %+v", l.Data)
	}
	var decisions []string
	for _, e := range l.Decisions {
		decisions = append(decisions, string(e.Action)+" "+e.Subject())
	}
	if got := strings.Join(decisions, ", "); got != "approve digits, start digits, override train, run train" {
		t.Errorf("the decisions are %q", got)
	}
	want := []registry.Approval{
		{Actor: "bob", What: "approve", Reason: "looks good", At: noon.Add(3 * time.Hour)},
		{Actor: "ann", What: "gate fair", Reason: "few rows", At: noon},
	}
	if !slices.Equal(l.Approvals, want) {
		t.Errorf("the approvals are %+v; want %+v", l.Approvals, want)
	}
	if _, err := json.Marshal(l); err != nil {
		t.Error(err)
	}
	if l, err := f.OfRelease("digits", ""); err != nil || l.Version != "1.1.0" || l.Release.Weight != 75 {
		t.Errorf("the stable one is %+v, %v", l, err)
	}
	if l, err := f.OfRelease("small", ""); err != nil || l.Entry.ID() != "digits@1.1.0" || l.Model != "small" {
		t.Errorf("a model with another one's artifact has %+v, %v", l, err)
	}
}

func TestLineageThatEndsSaysWhy(t *testing.T) {
	f := facts()
	for _, c := range []struct{ model, revision, problem string }{
		{"plain", "", "has no artifact"},
		{"digits", "r0", "no version in the registry has the artifact sha256:a0"},
	} {
		l, err := f.OfRelease(c.model, c.revision)
		if err != nil || l.Entry != nil || !strings.Contains(l.Problem, c.problem) {
			t.Errorf("%s %s: got %+v, %v", c.model, c.revision, l, err)
		}
	}
	bare := release("x", "1.1.0", "")
	f.Records["digits"] = journal.Record{Stable: &bare}
	if l, err := f.OfRelease("digits", ""); err != nil || l.Entry != nil || !strings.Contains(l.Problem, "the image alone, and not the artifact of digits@1.1.0") {
		t.Errorf("got %+v, %v", l, err)
	}
	for _, c := range []struct{ model, revision string }{{"never", ""}, {"digits", "nope"}} {
		if _, err := f.OfRelease(c.model, c.revision); !errors.Is(err, registry.ErrUnknown) {
			t.Errorf("%s %s: got %v", c.model, c.revision, err)
		}
	}
	f.Records["digits"] = journal.Record{}
	if _, err := f.OfRelease("digits", ""); !errors.Is(err, registry.ErrUnknown) {
		t.Errorf("got %v", err)
	}
}

// A version's own lineage needs the repo alone: losing every disk loses none of it.
func TestLineageNeedsNoJournal(t *testing.T) {
	f := facts()
	full, err := f.OfVersion("digits", "1.1.0")
	if err != nil || shown(full.Places) != "digits:stable:r1:75 small:stable:s1:100 small:declared::0" {
		t.Fatalf("got %+v, %v", full, err)
	}
	f.Records, f.History = nil, nil
	l, err := f.OfVersion("digits", "1.1.0")
	if err != nil || l.Entry != full.Entry || !slices.Equal(l.Data, full.Data) {
		t.Errorf("got %+v, %v", l, err)
	}
	if want := []registry.Approval{{Actor: "ann", What: "gate fair", Reason: "few rows"}}; !slices.Equal(l.Approvals, want) {
		t.Errorf("the approvals are %+v", l.Approvals)
	}
	if _, err := f.OfVersion("digits", "9.9.9"); !errors.Is(err, registry.ErrUnknown) {
		t.Errorf("got %v", err)
	}
}

func TestUsesOfData(t *testing.T) {
	f := facts()
	list := func(u *registry.Uses) string {
		var ids []string
		for _, v := range u.Versions {
			ids = append(ids, fmt.Sprintf("%s:%s:%t:%d", v.ID, v.Dataset, v.Current, len(v.Places)))
		}
		return strings.Join(ids, " ")
	}
	for query, want := range map[string]string{
		"digits":         "digits@1.1.0:digits:false:3 digits@1.2.0:digits:true:2",
		"dataset.digits": "digits@1.1.0:digits:false:3 digits@1.2.0:digits:true:2",
		"extra":          "digits@1.2.0:extra:false:2", // not declared any more
		"sha256:data1":   "digits@1.1.0:digits:false:3 digits@1.2.0:extra:false:2",
		"sha256:data2":   "digits@1.2.0:digits:true:2",
	} {
		u, err := f.Uses(query)
		if err != nil || list(u) != want {
			t.Errorf("%s: got %q, %v; want %q", query, list(u), err, want)
		}
	}
	u, err := f.Uses("digits")
	if err != nil || !slices.Equal(u.Pipelines, []string{"train"}) || u.Digest != "sha256:data2" {
		t.Errorf("got %+v, %v", u, err)
	}
	if _, err := f.Uses("nothing"); !errors.Is(err, registry.ErrUnknown) {
		t.Errorf("got %v", err)
	}
}

func TestDiffOfTwoVersions(t *testing.T) {
	from, to := entry("1.1.0", "sha256:a1"), entry("1.2.0", "sha256:a2")
	to.Params = map[string]any{"test_share": 0.3, "fast": true}
	to.Data["digits"] = "sha256:data2"
	to.Metrics = map[string]float64{"accuracy": 0.99, "new": 1}
	to.Steps = map[string]spec.VersionStep{"split": {Image: "steps@sha256:1"}, "train.5": {Image: "steps@sha256:2", Values: map[string]any{"hidden": 128.0}}}
	to.Gates[1].Outcome = "passed"
	d := registry.Diff(from, to)
	list := func(changes []registry.Change) string {
		var texts []string
		for _, c := range changes {
			texts = append(texts, fmt.Sprintf("%s:%v:%v", c.Name, c.From, c.To))
		}
		return strings.Join(texts, " ")
	}
	for name, c := range map[string]struct{ got, want string }{
		"params": {list(d.Params), "fast:<nil>:true test_share:0.2:0.3"},
		"values": {list(d.Values), "train.hidden:64:128"},
		"data":   {list(d.Data), "digits:sha256:data1:sha256:data2"},
		"images": {list(d.Images), "train:steps@sha256:1:steps@sha256:2"},
		"gates":  {list(d.Gates), "fair:overridden:passed"},
		"other":  {list(d.Other), "artifact:oci://local/digits@sha256:a1:oci://local/digits@sha256:a2 content:sha256:content-1.1.0:sha256:content-1.2.0"},
	} {
		if c.got != c.want {
			t.Errorf("%s is %q; want %q", name, c.got, c.want)
		}
	}
	if len(d.Metrics) != 3 || *d.Metrics[0].Delta < 0.0099 || d.Metrics[1].To != nil || d.Metrics[2].From != nil || d.Definition || d.SameContent {
		t.Errorf("got %+v", d)
	}
	same := registry.Diff(from, from)
	if len(same.Params)+len(same.Data)+len(same.Images)+len(same.Values)+len(same.Gates)+len(same.Other) != 0 || !same.SameContent {
		t.Errorf("a version differs from itself: %+v", same)
	}
}

func TestEntriesNeverChange(t *testing.T) {
	before := []*spec.Version{entry("1.1.0", "sha256:a1"), entry("1.2.0", "sha256:a2")}
	moved := clone(before[0])
	moved.Pos, moved.Created = spec.Pos{File: "all.hcl", Line: 40}, noon.In(time.FixedZone("here", 3600))
	if errs := registry.Immutable(before, []*spec.Version{before[1], moved, entry("1.3.0", "sha256:a3")}); len(errs) != 0 {
		t.Errorf("got %v", errs)
	}
	for want, spoil := range map[string]func(*spec.Version){
		"artifact":          func(v *spec.Version) { v.Artifact = "oci://local/digits@sha256:evil" },
		"content":           func(v *spec.Version) { v.Content = "" },
		"created":           func(v *spec.Version) { v.Created = noon.Add(time.Second) },
		"run":               func(v *spec.Version) { v.Run = "train-9" },
		"commit, tolerance": func(v *spec.Version) { v.Commit, v.Tolerance = "c2", 0.5 },
		"params.test_share": func(v *spec.Version) { v.Params["test_share"] = 0.5 },
		"data.digits":       func(v *spec.Version) { v.Data["digits"] = "x" },
		"metrics.accuracy":  func(v *spec.Version) { v.Metrics["accuracy"] = 1 },
		"metrics.f1":        func(v *spec.Version) { delete(v.Metrics, "f1") },
		"step.split":        func(v *spec.Version) { v.Steps["split"] = spec.VersionStep{Image: "other"} },
		"gate.good":         func(v *spec.Version) { v.Gates[0].Outcome = "failed" },
		"definition":        func(v *spec.Version) { v.Definition = "{ }" },
		"card_hash":         func(v *spec.Version) { v.CardHash = "x" },
	} {
		after := clone(before[0])
		spoil(after)
		errs := registry.Immutable(before, []*spec.Version{after, before[1]})
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), ": "+want+" changed") || !strings.HasPrefix(errs[0].Error(), "versions/digits/1.1.0.hcl:1: ") {
			t.Errorf("%s: got %v", want, errs)
		}
	}
	errs := registry.Immutable(before, before[1:])
	if violation, is := errors.AsType[*registry.Violation](errors.Join(errs...)); !is || !violation.Removed || violation.ID != "digits@1.1.0" || len(errs) != 1 {
		t.Errorf("got %v", errs)
	}
}

func TestReproductionAgrees(t *testing.T) {
	published := entry("1.2.0", "sha256:a2")
	for name, c := range map[string]struct {
		change        func(*spec.Version)
		exact, agrees bool
		reason        string
	}{
		"same bytes, whatever the metrics": {func(v *spec.Version) { v.Metrics = nil }, true, true, "byte for byte"},
		"within the tolerance":             {func(v *spec.Version) { v.Content = "x"; v.Metrics["accuracy"] = 0.981 }, false, true, "within the tolerance of 0.001"},
		"beyond it":                        {func(v *spec.Version) { v.Content = "x"; v.Metrics["accuracy"] = 0.9811 }, false, false, "accuracy"},
		"not measured":                     {func(v *spec.Version) { v.Content = "x"; delete(v.Metrics, "f1") }, false, false, "f1"},
	} {
		again := clone(published)
		again.Run = "train-9"
		c.change(again)
		a := registry.Agree(published, again)
		if a.Exact != c.exact || a.Agrees != c.agrees || !strings.Contains(a.Reason, c.reason) || a.Run != "train-9" || len(a.Metrics) != 2 {
			t.Errorf("%s: got %+v", name, a)
		}
	}
	bare := clone(published)
	bare.Metrics, bare.Content = nil, "x"
	if a := registry.Agree(bare, published); a.Agrees || !strings.Contains(a.Reason, "no metrics") {
		t.Errorf("got %+v", a)
	}
}

func TestKeepIsAllThatMayBeNeeded(t *testing.T) {
	f := facts()
	f.Config.Models = append(f.Config.Models, &spec.Model{Name: "new", Artifact: &spec.Artifact{Digest: "sha256:new"}})
	keep := registry.Keep(f.Config, f.Records)
	want := []string{"sha256:a0", "sha256:a1", "sha256:a2", "sha256:content-1.1.0", "sha256:content-1.2.0", "sha256:new", "sha256:profile"}
	if got := slices.Sorted(maps.Keys(keep)); !slices.Equal(got, want) {
		t.Errorf("got %v; want %v", got, want)
	}
	if keep := registry.Keep(&spec.Config{}, nil); len(keep) != 0 {
		t.Errorf("got %v", keep)
	}
}
