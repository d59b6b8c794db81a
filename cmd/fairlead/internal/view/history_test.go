package view_test

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// inUTC makes the clock of this host that of the golden files.
func inUTC(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = local })
}

func TestHistoryIsALinePerDecision(t *testing.T) {
	inUTC(t)
	h := view.History{Environment: "prod", Entries: []journal.Entry{
		{At: now, Action: journal.ActionRollback, Model: "churn", From: "bbbbbbbbbbbb", To: "aaaaaaaaaaaa", Version: "2.0.0", Actor: journal.Daemon, Reason: "errors: 5 % failed\nsecond line"},
		{At: ago(time.Minute), Action: journal.ActionPause, Model: "fraud", From: "7ba6e27da12e", To: "36cbc3a60313", Version: "1.4.0", Weight: 25, Actor: "ann@host", Reason: "lunch"},
		{At: ago(2 * time.Minute), Action: journal.ActionPromote, Model: "fraud", To: "7ba6e27da12e", Weight: 100, Actor: journal.Daemon, Reason: "first deployment"},
		{At: ago(48 * time.Hour), Action: journal.ActionAbort, Model: "fraud", From: "7ba6e27da12e", Actor: "bob@host", Reason: "no"},
	}}
	golden(t, "history", func(v *view.View) error { return v.History(&h) })
	h.Entries = append([]journal.Entry{
		{At: now, Action: journal.ActionEnd, Pipeline: "train_digits", Run: "train_digits-13", Actor: journal.Daemon, Reason: "denied: fair does not hold"},
		{At: now, Action: journal.ActionEnd, Pipeline: "train_digits", Run: "train_digits-12", Actor: journal.Daemon, Reason: "succeeded"},
		{At: now, Action: journal.ActionPublish, Pipeline: "train_digits", Run: "train_digits-12", Version: "digits@1.2.0", Actor: journal.Daemon, Reason: "accuracy 0.9835"},
		{At: now, Action: journal.ActionOverride, Pipeline: "train_digits", Run: "train_digits-12", To: "fair", Actor: "ann@host", Reason: "few rows"},
		{At: now, Action: journal.ActionRemove, Pipeline: "old", Actor: journal.Daemon, Reason: "it is not in Git"},
	}, h.Entries[0])
	golden(t, "history-pipelines", func(v *view.View) error { return v.History(&h) })
	golden(t, "history-empty", func(v *view.View) error { return v.History(&view.History{Environment: "prod"}) })
}

func TestLiveSaysSinceWhenAndWhy(t *testing.T) {
	inUTC(t)
	release := func(version, revision string) journal.Release {
		return journal.Release{Version: version, Revision: revision, Commit: "8c1f2e0a8c1f2e0a"}
	}
	stable, other := release("1.3.9", "7ba6e27da12e"), release("2.0.0", "aaaaaaaaaaaa")
	fraud := journal.Record{
		Stable: &stable,
		Last:   &journal.Ended{Outcome: journal.Promoted, Revision: "7ba6e27da12e", Reason: "it passed 3 steps", At: ago(time.Hour)},
		Rollout: &journal.Rollout{
			Candidate: release("1.4.0", "36cbc3a60313"), Weight: 25, Started: ago(time.Minute), Step: 1, Held: "errors: 5 % failed",
			Policy: spec.Rollout{Strategy: spec.Canary, Steps: make([]spec.RolloutStep, 3)},
		},
	}
	churn := journal.Record{
		Stable: &other, Last: &journal.Ended{Outcome: journal.RolledBack, Revision: "bbbbbbbbbbbb", At: ago(time.Minute)},
		Rejected: []journal.Rejection{{Release: release("2.1.0", "bbbbbbbbbbbb"), Cause: journal.CauseFailed}},
	}
	if view.NeedsHistory(fraud) || !view.NeedsHistory(churn) {
		t.Error("only the record of churn, whose last rollout failed, does not say since when stable serves")
	}
	entries := []journal.Entry{
		{Model: "churn", Action: journal.ActionRollback, To: "aaaaaaaaaaaa", At: ago(time.Minute), Reason: "not this one"},
		{Model: "churn", Action: journal.ActionReturn, To: "aaaaaaaaaaaa", At: ago(5 * time.Hour), Reason: "2.0.1 was slow", Actor: "ann@host"},
		{Model: "churn", Action: journal.ActionPromote, To: "aaaaaaaaaaaa", At: ago(9 * time.Hour), Reason: "before"},
	}
	live := view.Live{Environment: "prod", At: now, Models: []view.Serving{view.ServingOf("churn", &churn, entries), view.ServingOf("fraud", &fraud, entries)}}
	golden(t, "live", func(v *view.View) error { return v.Live(&live, false) })
	golden(t, "live-past", func(v *view.View) error { return v.Live(&live, true) })
	live.Models = nil
	golden(t, "live-empty", func(v *view.View) error { return v.Live(&live, true) })
	if got := view.ServingOf("churn", &churn, nil); !got.Stable.Since.IsZero() || len(got.Rejected) != 1 {
		t.Errorf("without history nothing is claimed: %+v", got)
	}
}
