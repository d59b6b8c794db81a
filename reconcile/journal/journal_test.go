package journal_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/spec"
)

var noon = time.Date(2026, 3, 3, 12, 0, 0, 123456789, time.UTC)

func rollback() journal.Entry {
	return journal.Entry{
		At: noon, Action: journal.ActionRollback, Model: "digits", From: "4f2a90b1c2d3", To: "9c1be1a2b3c4", Version: "1.0.0",
		Commit: strings.Repeat("ab", 20), Reason: "errors 5.2 % of 412 requests, stable 0.1 % of 7810", Actor: journal.Daemon,
	}
}

func TestMessageReadsLikeACommit(t *testing.T) {
	e := rollback()
	e.Reason += "\n\nThe case against it is 1:8100, and fails from 1:400."
	got, err := journal.EncodeMessage(e)
	if err != nil {
		t.Fatal(err)
	}
	want := `digits: roll back 4f2a90b1c2d3 to 9c1be1a2b3c4: errors 5.2 % of 412 requests, stable 0.1 % of 7810

errors 5.2 % of 412 requests, stable 0.1 % of 7810

The case against it is 1:8100, and fails from 1:400.

Fairlead-Action: rollback
Fairlead-Model: digits
Fairlead-From: 4f2a90b1c2d3
Fairlead-To: 9c1be1a2b3c4
Fairlead-Version: 1.0.0
Fairlead-Weight: 0
Fairlead-Commit: abababababababababababababababababababab
Fairlead-Actor: fairlead
Fairlead-At: 2026-03-03T12:00:00.123456789Z
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestReasonThatFitsIsSaidOnce(t *testing.T) {
	e := rollback()
	e.Reason = "errors 5.2 % of 412 requests"
	got, err := journal.EncodeMessage(e)
	if err != nil || strings.Count(got, "5.2") != 1 || !strings.HasPrefix(got, "digits: roll back 4f2a90b1c2d3 to 9c1be1a2b3c4: errors 5.2 % of 412 requests\n\nFairlead-Action: ") {
		t.Errorf("got %q, %v", got, err)
	}
	back, err := journal.ParseMessage(got)
	if err != nil || back != e {
		t.Errorf("got %+v, %v; want %+v", back, err, e)
	}
}

func TestReasonForgesNoTrailer(t *testing.T) {
	for name, text := range map[string]string{
		"lines like trailers":         "broken\nFairlead-Action: promote\nFairlead-Model: other",
		"a last paragraph of them":    "broken\n\nFairlead-Action: promote\nFairlead-Model: other\n\n",
		"carriage returns":            "broken\r\n\r\nFairlead-Action: promote\r\n",
		"only a trailer":              "Fairlead-Action: promote",
		"other kinds of line breaks":  "broken\u2028\u2028Fairlead-Action: promote\u0085\vFairlead-Weight: 100",
		"escapes and hidden turns":    "a\x1b[2Jb\u202ec\x00d",
		"nothing":                     "",
		"empty lines and spaces only": " \n\n \t\n",
		"too much":                    strings.Repeat("ä\n\n", 20_000),
	} {
		t.Run(name, func(t *testing.T) {
			e := rollback()
			e.Reason, e.Actor, e.Version = text, text, text
			message, err := journal.EncodeMessage(e)
			if err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(message, "\r\x1b\x00\u202e\u2028\u0085") || len(message) > 16<<10 {
				t.Errorf("the message holds what steers a terminal, or %d bytes: %q", len(message), message)
			}
			got, err := journal.ParseMessage(message)
			if err != nil {
				t.Fatalf("%v in %q", err, message)
			}
			if got.Action != e.Action || got.Model != e.Model || got.Weight != 0 || got.From != e.From || strings.Contains(got.Actor, "\n") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestEveryActionHasASubject(t *testing.T) {
	for action, want := range map[journal.Action]string{
		journal.ActionAdopt: "digits: adopt bbb: why", journal.ActionStart: "digits: start bbb: why", journal.ActionStep: "digits: next step of bbb: why",
		journal.ActionWeight: "digits: give bbb 25 %: why", journal.ActionTolerate: "digits: tolerate a failure of bbb: why",
		journal.ActionFinish: "digits: bring bbb to full size: why", journal.ActionPromote: "digits: promote bbb: why",
		journal.ActionRollback: "digits: roll back aaa to bbb: why", journal.ActionReturn: "digits: return from aaa to bbb: why",
		journal.ActionAbort: "digits: abort aaa: why", journal.ActionSupersede: "digits: supersede aaa by bbb: why",
		journal.ActionFail: "digits: give up aaa: why", journal.ActionHold: "digits: hold bbb: why",
		journal.ActionRelease: "digits: release what bbb replaced: why", journal.ActionRemove: "digits: remove: why",
		journal.ActionApprove: "digits: approve bbb: why", journal.ActionPause: "digits: pause bbb: why",
		journal.ActionResume: "digits: resume bbb: why", journal.ActionRetry: "digits: retry: why",
	} {
		message, err := journal.EncodeMessage(journal.Entry{At: noon, Action: action, Model: "digits", From: "aaa", To: "bbb", Weight: 25, Reason: "why"})
		if got, _, _ := strings.Cut(message, "\n"); got != want || err != nil {
			t.Errorf("%s is %q, %v; want %q", action, got, err, want)
		}
	}
}

func TestEveryActionOnAPipelineHasASubject(t *testing.T) {
	for want, e := range map[string]journal.Entry{
		"train_digits: run train_digits-12: schedule 03:00":                                {Action: journal.ActionRun, Reason: "schedule 03:00"},
		"train_digits: override fair of train_digits-12: measured on too few rows":         {Action: journal.ActionOverride, To: "fair", Reason: "measured on too few rows"},
		"train_digits: publish digits@1.2.0: accuracy 0.9835, live 0.9801":                 {Action: journal.ActionPublish, Version: "digits@1.2.0", Reason: "accuracy 0.9835, live 0.9801"},
		"train_digits: end train_digits-12, succeeded":                                     {Action: journal.ActionEnd, Reason: "succeeded"},
		"train_digits: end train_digits-12, failed: step train ended with the exit code 1": {Action: journal.ActionEnd, Reason: "failed: step train ended with the exit code 1"},
	} {
		e.At, e.Pipeline, e.Run, e.Actor = noon, "train_digits", "train_digits-12", journal.Daemon
		message, err := journal.EncodeMessage(e)
		if got, _, _ := strings.Cut(message, "\n"); got != want || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
		if back, err := journal.ParseMessage(message); err != nil || back != e {
			t.Errorf("got %+v, %v; want %+v", back, err, e)
		}
	}
	message, err := journal.EncodeMessage(journal.Entry{At: noon, Action: journal.ActionSchedule, Pipeline: "train_digits", Reason: "0 3 * * 1 UTC"})
	if err != nil || !strings.HasPrefix(message, "train_digits: schedule: 0 3 * * 1 UTC\n\n") {
		t.Errorf("got %q, %v", message, err)
	}
	message, err = journal.EncodeMessage(journal.Entry{At: noon, Action: journal.ActionRemove, Pipeline: "train_digits"})
	if err != nil || !strings.HasPrefix(message, "train_digits: remove\n\n") {
		t.Errorf("got %q, %v", message, err)
	}
}

func TestMessageAboutAPipelineReadsLikeACommit(t *testing.T) {
	got, err := journal.EncodeMessage(journal.Entry{
		At: noon, Action: journal.ActionPublish, Pipeline: "train_digits", Run: "train_digits-12", Version: "digits@1.2.0",
		Commit: strings.Repeat("ab", 20), Reason: "accuracy 0.9835", Actor: journal.Daemon,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `train_digits: publish digits@1.2.0: accuracy 0.9835

Fairlead-Action: publish
Fairlead-Pipeline: train_digits
Fairlead-Run: train_digits-12
Fairlead-Version: digits@1.2.0
Fairlead-Commit: abababababababababababababababababababab
Fairlead-Actor: fairlead
Fairlead-At: 2026-03-03T12:00:00.123456789Z
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestWhatIsNoDecisionIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*journal.Entry)
		word   string
	}{
		"unknown action":           {func(e *journal.Entry) { e.Action = "frob" }, "frob"},
		"a model's name with /":    {func(e *journal.Entry) { e.Model = "../x" }, "../x"},
		"no model":                 {func(e *journal.Entry) { e.Model = "" }, "one of them"},
		"revision with line break": {func(e *journal.Entry) { e.To = "a\nb" }, "revision"},
		"commit with line break":   {func(e *journal.Entry) { e.Commit = "a\nb" }, "commit"},
		"weight above 100":         {func(e *journal.Entry) { e.Weight = 101 }, "101"},
		"no time":                  {func(e *journal.Entry) { e.At = time.Time{} }, "time"},
		"record of another model":  {func(e *journal.Entry) { e.Record = &journal.Record{Model: "other"} }, "other"},
	} {
		t.Run(name, func(t *testing.T) {
			e := rollback()
			c.change(&e)
			if _, err := journal.EncodeMessage(e); err == nil || !strings.Contains(err.Error(), c.word) {
				t.Errorf("got %v; want an error with %q", err, c.word)
			}
		})
	}
}

func TestForeignAndDamagedMessagesAreToldApart(t *testing.T) {
	good, err := journal.EncodeMessage(rollback())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		message string
		foreign bool
	}{
		"empty":               {"", true},
		"prose":               {"Merge branch main\n\nFor good.", true},
		"other trailers":      {"subject\n\nSigned-off-by: Ann <ann@example.org>", true},
		"trailers not at end": {good + "\nmore words", true},
		"twice":               {strings.Replace(good, "Fairlead-Model", "Fairlead-Model: x\nFairlead-Model", 1), false},
		"unknown action":      {strings.Replace(good, "Action: rollback", "Action: frob", 1), false},
		"no time":             {strings.Replace(good, "Fairlead-At", "X-At", 1), false},
		"weight of a word":    {strings.Replace(good, "Weight: 0", "Weight: much", 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := journal.ParseMessage(c.message)
			if err == nil || errors.Is(err, journal.ErrForeign) != c.foreign {
				t.Errorf("got %v; foreign: want %t", err, c.foreign)
			}
		})
	}
	t.Run("trailers that are not ours do no harm", func(t *testing.T) {
		if _, err := journal.ParseMessage(good + "Fairlead-Mood: good\nSigned-off-by: a hook\n"); err != nil {
			t.Error(err)
		}
	})
}

func TestMessageComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ -~äö]{0,40}(\n\n?[ -~]{0,40}){0,4}`)
		revision := rapid.StringMatching(`([0-9a-f]{12})?`)
		e := journal.Entry{
			At:     time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")),
			Action: rapid.SampledFrom([]journal.Action{journal.ActionAdopt, journal.ActionWeight, journal.ActionRemove, journal.ActionRetry}).Draw(t, "action"),
			Model:  rapid.StringMatching(`[a-z][a-z0-9_-]{0,62}`).Draw(t, "model"),
			From:   revision.Draw(t, "from"), To: revision.Draw(t, "to"),
			Version: text.Draw(t, "version"), Actor: text.Draw(t, "actor"), Reason: text.Draw(t, "reason"),
			Weight:  rapid.IntRange(0, 100).Draw(t, "weight"),
			Include: rapid.StringMatching(`([a-z][a-z0-9_-]{0,30}@[0-9a-f]{40})?`).Draw(t, "include"),
		}
		if rapid.Bool().Draw(t, "about a pipeline") {
			e.Model, e.Weight, e.Pipeline, e.Run = "", 0, e.Model, e.Model+"-1"
			e.Action = rapid.SampledFrom([]journal.Action{journal.ActionRun, journal.ActionOverride, journal.ActionPublish, journal.ActionEnd}).Draw(t, "action on it")
		}
		message, err := journal.EncodeMessage(e)
		if err != nil {
			t.Fatal(err)
		}
		once, err := journal.ParseMessage(message)
		if err != nil {
			t.Fatalf("%v in %q", err, message)
		}
		if !once.At.Equal(e.At) || once.Action != e.Action || once.Model != e.Model || once.Pipeline != e.Pipeline || once.Run != e.Run || once.From != e.From || once.To != e.To || once.Weight != e.Weight || once.Include != e.Include {
			t.Fatalf("got %+v; want %+v", once, e)
		}
		// What was read is what is written: nothing is lost a second time.
		if again, err := journal.EncodeMessage(once); err != nil || again != message {
			t.Fatalf("got %q, %v; want %q", again, err, message)
		}
	})
}

func FuzzParseMessage(f *testing.F) {
	good, err := journal.EncodeMessage(rollback())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("x\n\nFairlead-Action: adopt\nFairlead-Model: m\nFairlead-Weight: 3\nFairlead-At: 2026-01-01T00:00:00+02:00")
	f.Add("t: end t-1, failed: x\n\nFairlead-Action: end\nFairlead-Pipeline: t\nFairlead-Run: t-1\nFairlead-Weight: 0\nFairlead-At: 2026-01-01T00:00:00Z")
	f.Add("t: publish a  b\n\nFairlead-Action: publish\nFairlead-Pipeline: t\nFairlead-Run: t-1\nFairlead-Version: a  b\nFairlead-At: 2026-01-01T00:00:00Z")
	f.Fuzz(func(t *testing.T, message string) {
		e, err := journal.ParseMessage(message)
		if err != nil {
			return
		}
		written, err := journal.EncodeMessage(e)
		if err != nil {
			t.Fatalf("%+v is read and not written: %v", e, err)
		}
		if again, err := journal.ParseMessage(written); err != nil || again != e {
			t.Fatalf("got %+v, %v; want %+v", again, err, e)
		}
	})
}

func FuzzReason(f *testing.F) {
	f.Add("errors 5 %", "ann")
	f.Add("x\n\nFairlead-Action: promote\n", "a\nFairlead-Weight: 100")
	f.Fuzz(func(t *testing.T, reason, actor string) {
		e := rollback()
		e.Reason, e.Actor = reason, actor
		message, err := journal.EncodeMessage(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := journal.ParseMessage(message)
		if err != nil || got.Action != e.Action || got.Model != e.Model || got.From != e.From || got.To != e.To || got.Weight != e.Weight || !got.At.Equal(e.At) {
			t.Fatalf("got %+v, %v from %q", got, err, message)
		}
	})
}

// fullRecord has something in every part.
func fullRecord() journal.Record {
	limit, ratio := 0.01, 1.2
	release := journal.Release{
		Revision: "9c1be1a2b3c4", Version: "1.0.0", Commit: strings.Repeat("ab", 20), Image: "digits:1",
		Inputs: reconcile.RevisionInputs{Image: "sha256:1", Env: map[string]string{"A": "1"}},
		Health: spec.Health{Path: "/ready", Interval: time.Second},
	}
	return journal.Record{
		FormatVersion: journal.RecordFormat, Model: "digits", Stable: &release, Since: noon, Restarts: 2,
		Previous: &journal.Previous{Release: release, Until: noon},
		Rollout: &journal.Rollout{
			Candidate: release, Started: noon, Step: 1, StepSince: noon, Weight: 25, Held: "why", Paused: &journal.Pause{Since: noon, Actor: "ann", Reason: "lunch"},
			Policy: spec.Rollout{
				Strategy: spec.Canary, Steps: []spec.RolloutStep{{Weight: 5, Hold: time.Minute}, {Weight: 50, Approval: true, Checks: []string{}}},
				Checks: []spec.Check{{Name: "errors", Metric: spec.ErrorRatio, Max: &limit, MaxVsStable: &ratio, Interval: time.Second}},
				Sticky: &spec.Sticky{Header: "X-User"}, Match: &spec.Match{Cookie: "c", Value: "v"}, Mirror: &spec.Mirror{Percent: 5, Tolerance: 0.1},
				ProgressDeadline: time.Hour, KeepPrevious: time.Hour, Velocity: spec.VelocityRestart, OnFailure: spec.ActionRollback, OnDeadline: spec.ActionHold,
			},
			Checks: map[string]judge.Evidence{},
		},
		Rejected: []journal.Rejection{{Release: release, Cause: journal.CauseFailed, Reason: "why", Evidence: []judge.Verdict{{Check: "errors", Outcome: judge.Fail, At: noon, Candidate: &limit}}, At: noon}},
		Last:     &journal.Ended{Outcome: journal.RolledBack, Revision: "x", Started: noon, At: noon},
	}
}

func TestRecordComesBackWhole(t *testing.T) {
	want := fullRecord()
	data, err := journal.EncodeRecord("digits", want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := journal.DecodeRecord("digits", data)
	if err != nil {
		t.Fatal(err)
	}
	want.Rollout.Checks = nil // empty and none are the same
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v; want %+v", got, want)
	}
	for _, word := range []string{`"progress_deadline": 3600000000000`, `"max_vs_stable": 1.2`, `"path": "/ready"`, `"strategy": "canary"`} {
		if !strings.Contains(string(data), word) {
			t.Errorf("%s is missing in\n%s", word, data)
		}
	}
	if strings.Contains(string(data), `"Pos"`) {
		t.Error("positions in files have no place in a record")
	}
}

func TestRecordThatCannotBeTrustedIsRefused(t *testing.T) {
	good, err := journal.EncodeRecord("digits", fullRecord())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ data, word string }{
		"later format":     {strings.Replace(string(good), `"format_version": 1`, `"format_version": 2`, 1), "upgrade fairlead"},
		"no format":        {`{"model": "digits"}`, "format_version"},
		"not JSON":         {`<html>`, "does not parse"},
		"another model":    {`{"format_version": 1, "model": "other"}`, "other"},
		"a word for a map": {`{"format_version": 1, "model": "digits", "rollout": "x"}`, "does not parse"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := journal.DecodeRecord("digits", []byte(c.data))
			if err == nil || !strings.Contains(err.Error(), c.word) || !strings.Contains(err.Error(), "digits") {
				t.Errorf("got %v; want an error with %q", err, c.word)
			}
			if errors.Is(err, journal.ErrNewer) != (name == "later format") {
				t.Errorf("%v is ErrNewer, or is not", err)
			}
		})
	}
}

func FuzzDecodeRecord(f *testing.F) {
	good, err := journal.EncodeRecord("digits", fullRecord())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"format_version": 1, "model": "digits", "rejected": [null, {}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := journal.DecodeRecord("digits", data)
		if err != nil {
			return
		}
		written, err := journal.EncodeRecord("digits", r)
		if err != nil {
			return // JSON reads years that it does not write
		}
		again, err := journal.DecodeRecord("digits", written)
		if err != nil {
			t.Fatal(err)
		}
		one, _ := json.Marshal(r)
		two, _ := json.Marshal(again)
		if string(one) != string(two) {
			t.Fatalf("%s became %s", one, two)
		}
	})
}

func FuzzDecodePipelineRecord(f *testing.F) {
	good, err := journal.EncodePipelineRecord("train", journal.PipelineRecord{
		Number: 12, Fired: noon, Since: noon, Datasets: map[string]string{"digits": "sha256:1"}, Current: "train-12",
		Last: &journal.RunEnded{
			Run: "train-11", Outcome: "denied", Started: noon, At: noon,
			Gates: []gate.Result{{Name: "fair", Level: spec.LevelHard, Outcome: gate.Missing, Detail: "step.evaluate.metrics.ratio is missing"}},
		},
		Published: []journal.RunPublished{{Run: "train-10", Model: "digits", Version: "1.2.0", At: noon}},
	})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := journal.DecodePipelineRecord("train", good); err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"format_version": 1, "pipeline": "train", "published": [null, {}]}`))
	f.Add([]byte(`{"format_version": 2, "pipeline": "train"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := journal.DecodePipelineRecord("train", data)
		if err != nil {
			return
		}
		written, err := journal.EncodePipelineRecord("train", r)
		if err != nil {
			return // JSON reads years that it does not write
		}
		again, err := journal.DecodePipelineRecord("train", written)
		if err != nil {
			t.Fatal(err)
		}
		one, _ := json.Marshal(r)
		two, _ := json.Marshal(again)
		if string(one) != string(two) {
			t.Fatalf("%s became %s", one, two)
		}
	})
}
