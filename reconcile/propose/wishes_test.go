package propose_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/propose"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func digits(image, version string) *spec.Model {
	return &spec.Model{Address: spec.Address{Kind: spec.KindModel, Name: "digits"}, Name: "digits", Image: image, Version: version}
}

func release(revision, version, image string) journal.Release {
	return journal.Release{Revision: revision, Version: version, Image: image, Commit: strings.Repeat("5d", 20)}
}

// input is model digits as prod has it.
func input(m *spec.Model, wanted string, r journal.Record) *propose.Input {
	return &propose.Input{
		Environment: "prod", Config: &spec.Config{Environment: "prod", Models: []*spec.Model{m}},
		Wanted: map[string]string{"digits": wanted}, Records: map[string]journal.Record{"digits": r},
	}
}

// wishes are those that are known.
func wishes(in *propose.Input) map[string]*propose.Wish {
	all := map[string]*propose.Wish{}
	for key, want := range propose.Wishes(in, noon) {
		if want.Wish != nil {
			all[key] = want.Wish
		}
	}
	return all
}

// the is the only wish.
func the(t *testing.T, in *propose.Input) *propose.Wish {
	t.Helper()
	all := wishes(in)
	if len(all) != 1 {
		t.Fatalf("%d wishes; want one", len(all))
	}
	for key, w := range all {
		if key != w.Key || w.ID == "" || w.Title == "" || w.Body == "" || w.Model != "digits" {
			t.Errorf("%s: %+v", key, w)
		}
		return w
	}
	return nil
}

func none(t *testing.T, why string, in *propose.Input) {
	t.Helper()
	for key := range wishes(in) {
		t.Errorf("%s: %s is wanted", why, key)
	}
}

func rejected() journal.Record {
	candidate, limit := 0.052, 0.004
	stable, bad := release("9c1be1a2b3c4", "1.0.0", "digits:1"), release("4f2a90b1c2d3", "1.1.0", "digits:2@sha256:"+strings.Repeat("ab", 32))
	return journal.Record{Stable: &stable, Rejected: []journal.Rejection{{
		Release: bad, Cause: journal.CauseFailed, Reason: "errors 5.2 % of 412 requests", At: noon, Step: 1, Weight: 25,
		Evidence: []judge.Verdict{{Check: "errors", Outcome: judge.Fail, At: noon, Candidate: &candidate, Stable: &limit, Text: "5.2 % of 412 | more than 1 %"}},
	}}}
}

func TestARevertIsWantedWhileGitWantsWhatWasRejected(t *testing.T) {
	r := rejected()
	w := the(t, input(digits("digits:2", "1.1.0"), "4f2a90b1c2d3", r))
	if w.Edit.Set["image"] != "digits:1" || w.Edit.Set["version"] != "1.0.0" || w.Edit.Back.Revision != "9c1be1a2b3c4" {
		t.Errorf("%+v", w.Edit)
	}
	golden(t, "revert.md", "# "+w.Title+"\n\n"+w.Body)
	late := rejected()
	late.Rejected[0].Cause, late.Rejected[0].Reason = journal.CauseDeadline, "not enough requests in 1h"
	if body := the(t, input(digits("digits:2", "1.1.0"), "4f2a90b1c2d3", late)).Body; !strings.Contains(body, "Nothing was found against the release") {
		t.Errorf("a deadline is no finding:\n%s", body)
	}
	none(t, "Git wants stable", input(digits("digits:1", "1.0.0"), "9c1be1a2b3c4", r))
	none(t, "Git wants another", input(digits("digits:3", "1.2.0"), "777777777777", r))
	none(t, "what Git wants cannot be bound", input(digits("digits:2", "1.1.0"), "", r))
	first := rejected()
	first.Stable = nil
	none(t, "there is nothing to go back to", input(digits("digits:2", "1.1.0"), "4f2a90b1c2d3", first))
}

func waiting() journal.Record {
	stable := release("9c1be1a2b3c4", "1.0.0", "digits:1")
	ratio := 1.04
	return journal.Record{Stable: &stable, Rollout: &journal.Rollout{
		Candidate: release("4f2a90b1c2d3", "1.1.0", "digits:2"), Started: noon.Add(-time.Hour), Step: 1, Weight: 25,
		Policy: spec.Rollout{
			Steps:  []spec.RolloutStep{{Weight: 5}, {Weight: 25, Approval: true}, {Weight: 50, Hold: time.Minute}},
			Checks: []spec.Check{{Name: "latency"}},
		},
		Checks: map[string]judge.Evidence{"latency": {Last: &judge.Verdict{Check: "latency", Outcome: judge.Pass, Candidate: &ratio, Text: "1.04 times stable"}}},
	}}
}

func TestAPromotionIsWantedWhereARolloutWaits(t *testing.T) {
	w := the(t, input(digits("digits:2", "1.1.0"), "4f2a90b1c2d3", waiting()))
	if want := (spec.Approval{Model: "digits", Revision: "4f2a90b1c2d3", Step: 2, Started: "2026-03-03T11:00:00Z", Environment: "prod"}); *w.Edit.Approve != want {
		t.Errorf("got %+v, want %+v", *w.Edit.Approve, want)
	}
	golden(t, "promote.md", "# "+w.Title+"\n\n"+w.Body)
	for name, change := range map[string]func(*journal.Rollout){
		"it is in another step":  func(r *journal.Rollout) { r.Step = 0 },
		"it is approved":         func(r *journal.Rollout) { r.Approved = 2 },
		"it is paused":           func(r *journal.Rollout) { r.Paused = &journal.Pause{} },
		"it is held":             func(r *journal.Rollout) { r.Held = "a check fails" },
		"it is promoting":        func(r *journal.Rollout) { r.Promoting = true },
		"it is made ready still": func(r *journal.Rollout) { r.Step = -1 },
		"it is the first":        func(r *journal.Rollout) { r.First = true },
	} {
		r := waiting()
		change(r.Rollout)
		none(t, name, input(digits("digits:2", "1.1.0"), "4f2a90b1c2d3", r))
	}
	again := waiting()
	again.Rollout.Started = noon
	if id := the(t, input(digits("digits:2", "1.1.0"), "4f2a90b1c2d3", again)).ID; id == w.ID {
		t.Error("a rollout that began anew has the approval of the one before")
	}
}

func TestANewerImageIsWanted(t *testing.T) {
	newer := "digits:2@sha256:" + strings.Repeat("ab", 32)
	in := input(digits("digits:1", "1.0.0"), "9c1be1a2b3c4", journal.Record{})
	in.Updates = map[string]propose.NewImage{"digits": {Ref: newer, Why: "2 is the highest of the 3 tags in the range ~2"}}
	if w := the(t, in); w.Edit.Set["image"] != newer || w.Kind != journal.ProposePin {
		t.Errorf("%+v", w)
	}
	in.Config.Models[0].Image = newer
	none(t, "it is declared", in)
	in.Config.Models[0].Image = "digits:1"
	r := journal.Record{Rejected: []journal.Rejection{{Release: journal.Release{Revision: "x", Image: newer}}}}
	in.Records["digits"] = r
	none(t, "it was rolled back", in)
}

// promoting is prod, which takes what staging has.
func promoting() *propose.Input {
	in := input(digits("digits:1", "1.0.0"), "9c1be1a2b3c4", journal.Record{})
	in.Config.Promotions = []*spec.Promotion{{Name: "prod", From: "staging", After: 24 * time.Hour}}
	stable := release("4f2a90b1c2d3", "1.1.0", "digits:2")
	in.Upstream = map[string]propose.Upstream{"staging": {
		Config: &spec.Config{Environment: "staging", Models: []*spec.Model{digits("digits:2", "1.1.0")}},
		Records: map[string]journal.Record{"digits": {
			Model: "digits", Stable: &stable, Since: noon.Add(-time.Hour),
			Last: &journal.Ended{Outcome: journal.Promoted, Revision: "4f2a90b1c2d3", Reason: "all steps passed", At: noon.Add(-25 * time.Hour)},
		}},
	}}
	return in
}

func TestWhatRanWellElsewhereIsWantedHere(t *testing.T) {
	w := the(t, promoting())
	if w.Kind != journal.ProposePromotion || w.Edit.Set["image"] != "digits:2" || w.Edit.Set["version"] != "1.1.0" {
		t.Errorf("%+v", w)
	}
	golden(t, "promotion.md", "# "+w.Title+"\n\n"+w.Body)
	staging := func(change func(*journal.Record)) func(*propose.Input) {
		return func(in *propose.Input) {
			r := in.Upstream["staging"].Records["digits"]
			change(&r)
			in.Upstream["staging"].Records["digits"] = r
		}
	}
	for name, change := range map[string]func(*propose.Input){
		"it has not run for long enough": staging(func(r *journal.Record) { r.Last.At = noon.Add(-23 * time.Hour) }),
		"something else is on its way":   staging(func(r *journal.Record) { r.Rollout = &journal.Rollout{} }),
		"nothing is stable":              staging(func(r *journal.Record) { r.Stable = nil }),
		"Git wants something else there": func(in *propose.Input) { in.Upstream["staging"].Config.Models[0].Image = "digits:3" },
		"it is here already":             func(in *propose.Input) { in.Config.Models[0].Image = "digits:2" },
		"the model is not named":         func(in *propose.Input) { in.Config.Promotions[0].Models = []string{"audio"} },
		"the environment is not known":   func(in *propose.Input) { in.Upstream = nil },
		"it was rolled back here": func(in *propose.Input) {
			in.Records["digits"] = journal.Record{Rejected: []journal.Rejection{{Release: journal.Release{Revision: "x", Image: "digits:2"}}}}
		},
		"a condition does not hold": func(in *propose.Input) { in.Config.Promotions[0].Require = []expr.Expr{restartsAbove(0)} },
		"a condition has no evidence": func(in *propose.Input) {
			in.Config.Promotions[0].Require = []expr.Expr{{Op: expr.Gt, Args: []expr.Expr{{Op: expr.Ref, Path: []string{"from", "requests"}}, expr.Of(1.0)}}}
		},
	} {
		in := promoting()
		change(in)
		none(t, name, in)
	}
	in := promoting()
	in.Config.Promotions[0].Require = []expr.Expr{restartsAbove(-1)}
	the(t, in)
}

// What conditions ask of the other environment is all there.
func TestConditionsOfAPromotion(t *testing.T) {
	ask := func(fact string, want any) bool {
		in := promoting()
		in.Config.Promotions[0].Require = []expr.Expr{{Op: expr.Eq, Args: []expr.Expr{{Op: expr.Ref, Path: []string{"from", fact}}, expr.Of(want)}}}
		return propose.Wishes(in, noon)["promotion-digits"].Wish != nil
	}
	for fact, want := range map[string]any{
		"weight": 100.0, "outcome": "promoted", "restarts": 0.0, "rejected": false, "version": "1.1.0", "revision": "4f2a90b1c2d3", "model": "digits", "hours": 25.0,
		"commit": strings.Repeat("5d", 20),
	} {
		if !ask(fact, want) {
			t.Errorf("from.%s == %v does not hold", fact, want)
		}
	}
	in := promoting()
	r := in.Upstream["staging"].Records["digits"]
	r.Last = &journal.Ended{Outcome: journal.RolledBack, Revision: "777777777777", At: noon}
	r.Since = noon.Add(-25 * time.Hour)
	in.Upstream["staging"].Records["digits"] = r
	in.Config.Promotions[0].Require = []expr.Expr{{Op: expr.Eq, Args: []expr.Expr{{Op: expr.Ref, Path: []string{"from", "outcome"}}, expr.Of("rolled_back")}}}
	the(t, in)
}

// A record is text that whoever may push to a journal has written.
func TestTextOfRecordsIsNoMarkup(t *testing.T) {
	evil := "1.1.0\n\n# @everyone <img src=x> [click](https://evil.test)\u202e"
	promotion := promoting()
	r := promotion.Upstream["staging"].Records["digits"]
	r.Stable.Version, r.Stable.Revision, r.Last.Revision, r.Last.Outcome, r.Last.Reason = evil, evil, evil, journal.RolloutOutcome(evil), evil
	revert := rejected()
	revert.Stable.Version, revert.Stable.Commit, revert.Rejected[0].Version, revert.Rejected[0].Reason = evil, "\n# <b>", evil, evil
	revert.Rejected[0].Evidence[0].Outcome = judge.Outcome(evil)
	step := waiting()
	step.Rollout.Candidate.Version = evil
	for name, in := range map[string]*propose.Input{
		"promotion": promotion, "revert": input(digits("digits:2", "1.1.0"), "4f2a90b1c2d3", revert), "promote": input(digits("digits:2", "1.1.0"), "4f2a90b1c2d3", step),
	} {
		w := the(t, in)
		if strings.ContainsAny(w.Title, "\n\u202e") || !strings.Contains(w.Title, "1.1.0") {
			t.Errorf("%s: title %q", name, w.Title)
		}
		for line := range strings.Lines(w.Body) {
			outside := codeSpan.ReplaceAllString(line, "")
			for _, markup := range []string{"@everyone", "<img", "<b>", "://", "\u202e"} {
				if strings.Contains(outside, markup) {
					t.Errorf("%s: %q in %q", name, markup, line)
				}
			}
			if strings.HasPrefix(line, "# ") {
				t.Errorf("%s: a heading: %q", name, line)
			}
		}
	}
}

var codeSpan = regexp.MustCompile("`[^`]*`")

func restartsAbove(n float64) expr.Expr {
	return expr.Expr{Op: expr.Gt, Args: []expr.Expr{{Op: expr.Ref, Path: []string{"from", "restarts"}}, expr.Of(n)}}
}

func TestBranchesOfKeys(t *testing.T) {
	for key, want := range map[string]string{
		"revert-digits": "fairlead/revert/prod/digits", "retrain-digits-train_a": "fairlead/publish/prod/digits-train_a", "promotion-a-b": "fairlead/promotion/prod/a-b",
	} {
		if got := propose.Branch("prod", key); got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
	if got := propose.Branch(spec.DefaultEnvironment, "pin-digits"); got != "fairlead/pin/digits" {
		t.Errorf("got %s", got)
	}
}

// What cannot be known now is told apart from what is not wanted.
func TestWhatIsNotKnown(t *testing.T) {
	unknown := func(in *propose.Input, key string) string { return propose.Wishes(in, noon)[key].Unknown }
	unbound := input(digits("digits:2", "1.1.0"), "", rejected())
	if why := unknown(unbound, "revert-digits"); !strings.Contains(why, "which revision Git wants") {
		t.Errorf("a model that could not be bound: %q", why)
	}
	away := promoting()
	away.Upstream = nil
	if why := unknown(away, "promotion-digits"); !strings.Contains(why, "staging is doing cannot be read") {
		t.Errorf("an environment that could not be read: %q", why)
	}
	away.Config.Promotions[0].Models = []string{"audio"}
	if why := unknown(away, "promotion-digits"); why != "" {
		t.Errorf("a model that no promotion is about: %q", why)
	}
	in := input(digits("digits:1", "1.0.0"), "9c1be1a2b3c4", journal.Record{})
	in.Updates = map[string]propose.NewImage{"digits": {Ref: "digits:2"}}
	in.Unknown = map[string]string{"pin-digits": "the registry cannot be asked"}
	if want := propose.Wishes(in, noon)["pin-digits"]; want.Wish != nil || want.Unknown != "the registry cannot be asked" {
		t.Errorf("%+v", want)
	}
	if why := unknown(input(digits("digits:1", "1.0.0"), "9c1be1a2b3c4", journal.Record{}), "revert-digits"); why != "" {
		t.Errorf("all is known: %q", why)
	}
}
