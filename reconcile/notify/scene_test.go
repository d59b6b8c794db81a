package notify_test

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/notify"
	"github.com/fairlead/fairlead/spec"
)

var scene = notify.Scene{
	Environment: "prod", Installation: "prod-1", JournalHead: "feedbeef",
	CommitURL: func(c string) string { return "https://git.example.com/acme/models/commit/" + c },
}

var (
	policy  = spec.Rollout{Steps: []spec.RolloutStep{{Weight: 5, Hold: 120e9}, {Weight: 50, Approval: true}}}
	verdict = judge.Verdict{Check: "errors", Outcome: judge.Fail, Text: "5.2 % of 1,204 requests failed, stable 0.1 % of 22,876; at most 1 % is allowed"}
	newer   = journal.Release{Revision: "bbb", Version: "1.2.0", Commit: "c0ffee"}
)

func entry(action journal.Action, change func(*journal.Entry)) *journal.Entry {
	e := &journal.Entry{
		At: noon, Action: action, Model: "digits", From: "aaa", To: "bbb", Version: "1.2.0", Commit: "c0ffee", Reason: "why", Actor: journal.Daemon,
		Record: &journal.Record{Rollout: &journal.Rollout{Candidate: newer, Policy: policy, Step: -1}},
	}
	if change != nil {
		change(e)
	}
	return e
}

func TestMessagesOfDecisionsSayWhatHappenedAndWhy(t *testing.T) {
	for name, test := range map[string]struct {
		entry    *journal.Entry
		event    spec.NotifyEvent
		severity spec.Severity
		resolves bool
		title    string
		text     []string
		facts    map[string]string
	}{
		"start": {
			entry(journal.ActionStart, nil), spec.NotifyRolloutStarted, "info", false,
			"digits: rollout of 1.2.0 (bbb) started",
			[]string{"why", "Steps: 5 % for 2m0s; 50 %, then an approval."},
			map[string]string{"from": "aaa", "to": "bbb", "version": "1.2.0", "commit": "c0ffee"},
		},
		"promote": {
			entry(journal.ActionPromote, nil), spec.NotifyPromoted, "info", true,
			"digits: 1.2.0 (bbb) is promoted and takes all of the traffic",
			[]string{"why"},
			nil,
		},
		"rollback": {
			entry(journal.ActionRollback, func(e *journal.Entry) {
				e.From, e.To, e.Version, e.Commit = "bbb", "aaa", "1.1.0", "0ddba11"
				e.Record.Rollout = nil
				e.Record.Rejected = []journal.Rejection{{Release: newer, Cause: journal.CauseFailed, Reason: "why", Evidence: []judge.Verdict{verdict}, Step: 1, Weight: 25}}
			}), spec.NotifyRolledBack, "error", false,
			"digits: 1.2.0 (bbb) is rolled back; 1.1.0 (aaa) serves",
			[]string{"why", "- errors: fail. 5.2 % of 1,204 requests failed, stable 0.1 % of 22,876"},
			map[string]string{"cause": "failed", "step": "2", "weight": "25 %", "commit": "c0ffee", "check.errors": verdict.Text, "rejected_version": "1.2.0"},
		},
		"undo by a person": {
			entry(journal.ActionReturn, func(e *journal.Entry) {
				e.From, e.To, e.Version, e.Actor = "bbb", "aaa", "1.1.0", "@ada"
				e.Record.Rejected = []journal.Rejection{{Release: newer, Cause: journal.CauseUndone}}
			}), spec.NotifyRolledBack, "error", false,
			"digits: back from 1.2.0 (bbb) to 1.1.0 (aaa), which was still there", nil,
			map[string]string{"actor": "@ada"},
		},
		"return that Git asked for": {
			entry(journal.ActionReturn, func(e *journal.Entry) { e.From, e.To, e.Version = "bbb", "aaa", "" }), spec.NotifyRolledBack, "info", false,
			"digits: back from bbb to aaa, which was still there", nil, nil,
		},
		"first deployment": {
			entry(journal.ActionFail, nil), spec.NotifyRolledBack, "error", false, "digits: the first deployment of 1.2.0 (bbb) failed", nil, nil,
		},
		"hold": {
			entry(journal.ActionHold, func(e *journal.Entry) {
				e.Weight = 5
				e.Record.Rollout.Checks = map[string]judge.Evidence{"errors": {Last: &verdict}, "never looked at": {}}
			}), spec.NotifyHeld, "warning", false,
			"digits: rollout of 1.2.0 (bbb) is held at 5 %",
			[]string{"5.2 % of 1,204", "until somebody decides"},
			map[string]string{"weight": "5 %"},
		},
		"approval": {
			entry(journal.ActionStep, func(e *journal.Entry) { e.Record.Rollout.Step = 1 }), spec.NotifyApproval, "warning", false,
			"digits: step 2 of the rollout of 1.2.0 (bbb) waits for an approval", nil,
			map[string]string{"step": "2", "weight": "50 %"},
		},
		"approved": {
			entry(journal.ActionApprove, func(e *journal.Entry) { e.Actor = "@ada" }), spec.NotifyHeld, "info", true, "digits: approved; nobody has to decide any more", nil, map[string]string{"actor": "@ada"},
		},
		"model that is gone": {
			entry(journal.ActionRemove, func(e *journal.Entry) { e.Record = nil }), spec.NotifyHeld, "info", true, "digits: it is not in Git any more", nil, nil,
		},
		"pipeline that is gone": {
			&journal.Entry{At: noon, Action: journal.ActionRemove, Pipeline: "train", Actor: journal.Daemon}, spec.NotifyRunFailed, "info", true, "train: it is not in Git any more", nil, nil,
		},
		"run": {
			&journal.Entry{At: noon, Action: journal.ActionEnd, Pipeline: "train", Run: "train-7", Reason: "denied: accuracy is too low", Actor: journal.Daemon, PipelineRecord: &journal.PipelineRecord{Last: &journal.RunEnded{
				Run: "train-7", Started: noon, At: noon.Add(90e9), Trigger: "schedule",
				Gates: []gate.Result{{Name: "accuracy", Outcome: gate.Failed, Detail: "accuracy 0.91 >= 0.95", Message: "train longer"}, {Name: "fine", Outcome: gate.Passed}},
			}}}, spec.NotifyRunFailed, "error", false,
			"train: run train-7 is denied by a gate",
			[]string{"- accuracy: failed. accuracy 0.91 >= 0.95; train longer"},
			map[string]string{"run": "train-7", "took": "1m30s", "trigger": "schedule"},
		},
		"run that is well again": {
			&journal.Entry{At: noon, Action: journal.ActionEnd, Pipeline: "train", Run: "train-8", Reason: "succeeded", Actor: journal.Daemon}, spec.NotifyRunFailed, "info", true, "train: run train-8 succeeded", nil, nil,
		},
		"proposal": {
			&journal.Entry{At: noon, Action: journal.ActionPropose, Proposal: "revert-digits", Reason: "digits was rolled back", Actor: journal.Daemon, ProposalRecord: &journal.ProposalRecord{
				Kind: journal.ProposeRevert, Model: "digits", Open: &journal.OpenProposal{Wish: "w", Title: "Revert digits to 1.1.0", Branch: "fairlead/revert/digits", Pull: 7, URL: "https://git.example.com/pull/7"},
			}}, spec.NotifyProposed, "info", false,
			"proposed: Revert digits to 1.1.0",
			[]string{"digits was rolled back"},
			map[string]string{"pull": "7", "kind": "revert", "branch": "fairlead/revert/digits"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, ok := scene.Decided(test.entry, []string{"@vision"})
			if !ok {
				t.Fatal("it is no news")
			}
			if m.Event != test.event || m.Severity != test.severity || m.Resolves != test.resolves || m.Title != test.title {
				t.Errorf("%s, %s, resolves %v: %q", m.Event, m.Severity, m.Resolves, m.Title)
			}
			for _, text := range test.text {
				if !strings.Contains(m.Text, text) {
					t.Errorf("the text lacks %q: %q", text, m.Text)
				}
			}
			for k, v := range test.facts {
				if m.Facts[k] != v {
					t.Errorf("the fact %s is %q, want %q", k, m.Facts[k], v)
				}
			}
			if m.Key == "" || m.Thread == "" || m.JournalHead != "feedbeef" || m.Environment != "prod" || m.Installation != "prod-1" || len(m.Owners) != 1 || !m.At.Equal(noon) {
				t.Errorf("it lacks something: %+v", m)
			}
			if again, _ := scene.Decided(test.entry, nil); again.Key != m.Key {
				t.Errorf("the same decision has the keys %q and %q", m.Key, again.Key)
			}
			if m.Facts["commit"] != "" && m.URL == "" {
				t.Error("the commit has no link")
			}
		})
	}
}

func TestWhatIsNoNewsIsNotTold(t *testing.T) {
	for _, action := range []journal.Action{journal.ActionAdopt, journal.ActionWeight, journal.ActionTolerate, journal.ActionFinish, journal.ActionRelease, journal.ActionPause, journal.ActionResume, journal.ActionStep} {
		if m, ok := scene.Decided(entry(action, nil), nil); ok {
			t.Errorf("%s: %s", action, m.Title)
		}
	}
	bare := entry(journal.ActionRollback, func(e *journal.Entry) { e.Record = nil })
	if m, ok := scene.Decided(bare, nil); !ok || m.Title == "" {
		t.Error("a decision without its record is not told")
	}
	cancelled := &journal.Entry{At: noon, Action: journal.ActionEnd, Pipeline: "train", Run: "train-9", Reason: "cancelled: by @ada"}
	if _, ok := scene.Decided(cancelled, nil); ok {
		t.Error("a run that somebody cancelled is told")
	}
}

func TestARefusalAndItsEndAreOneThread(t *testing.T) {
	r := &reconcile.Refusal{
		Repo: "root", Rule: "trust.signed", Commit: "0ld", Path: "models/a.hcl", Reason: "it is not signed", Remedy: "sign it", Head: spec.Commit{ID: "abcdef0123456789", Author: "Eve <eve@example.com>", Subject: "A change"},
	}
	m := scene.Refused(r, nil, noon)
	if m.Event != spec.NotifyRefused || m.Severity != spec.SeverityError || m.Title != "commit abcdef0 is refused: it is not signed" || m.Facts["rule"] != "trust.signed" || m.Facts["path"] != "models/a.hcl" || m.Facts["breaks_at"] != "0ld" {
		t.Errorf("%+v", m)
	}
	if later := scene.Refused(r, nil, noon.Add(30e9)); later.Key != m.Key {
		t.Error("the next look makes another message of the same refusal")
	}
	r.Waiting = true
	if m := scene.Refused(r, nil, noon); m.Event != spec.NotifyApproval || m.Severity != spec.SeverityWarning {
		t.Errorf("one that waits for a review: %s, %s", m.Event, m.Severity)
	}
	if end := scene.Accepted("root", "fedcba9876543210", nil, noon); end.Thread != m.Thread || !end.Resolves {
		t.Errorf("the end: %+v", end)
	}
	if bad := scene.Unusable("", spec.Commit{ID: "abcdef0123456789"}, "main.hcl:3: no\nmore", nil, noon); bad.Thread != m.Thread || bad.Title != "commit abcdef0 cannot be followed: main.hcl:3: no" {
		t.Errorf("%+v", bad)
	}
}

func TestDriftIsToldOnceForTheSame(t *testing.T) {
	a := scene.DriftHealed("digits", nil, []string{"digits-1 was gone: it is made again"}, noon)
	b := scene.DriftHealed("digits", nil, []string{"digits-1 was gone: it is made again"}, noon.Add(60e9))
	c := scene.DriftHealed("digits", nil, []string{"digits-2 was gone: it is made again"}, noon)
	if a.Key != b.Key || a.Key == c.Key || a.Thread != "" || !strings.Contains(a.Text, "- digits-1 was gone") {
		t.Errorf("%q %q %q: %q", a.Key, b.Key, c.Key, a.Text)
	}
	if s := scene.Settled("digits", nil, noon); !s.Resolves || s.Thread == "" {
		t.Errorf("%+v", s)
	}
}

func TestTamperingIsToldOnceForTheSame(t *testing.T) {
	a, later := scene.Tampered("forged", "abc", "the entry abc is not signed", noon), scene.Tampered("forged", "abc", "the entry abc is not signed", noon.Add(60e9))
	if a.Event != spec.NotifyTampered || a.Severity != spec.SeverityCritical || a.Key != later.Key || a.Thread == "" {
		t.Errorf("%+v", a)
	}
	if other := scene.Tampered("forged", "abd", "", noon); other.Key == a.Key || other.Thread != a.Thread {
		t.Errorf("another finding: %+v", other)
	}
	if other := scene.Tampered("lost", "abc", "", noon); other.Key == a.Key || other.Thread == a.Thread {
		t.Errorf("a finding of another kind: %+v", other)
	}
	if end := scene.Untampered("forged", "it counts again", noon); !end.Resolves || end.Thread != a.Thread || end.Key == a.Key {
		t.Errorf("the end: %+v", end)
	}
	unkept, kept := scene.HeadKept(false, "the disk is full", noon), scene.HeadKept(true, "", noon)
	if unkept.Severity != spec.SeverityWarning || unkept.Thread == a.Thread || unkept.Resolves {
		t.Errorf("%+v", unkept)
	}
	if !kept.Resolves || kept.Thread != unkept.Thread {
		t.Errorf("%+v", kept)
	}
}
