package view_test

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

func value(x float64) *float64 { return &x }

func ago(d time.Duration) time.Time { return now.Add(-d) }

func sampleRelease(version, revision, commit string) controller.ReleaseStatus {
	return controller.ReleaseStatus{Revision: revision, Version: version, Commit: commit, Image: "fraud:" + version}
}

// rollingModel is in its second step, with a check of every outcome.
func rollingModel() controller.ModelStatus {
	stable := sampleRelease("1.3.9", "7ba6e27da12e", "8c1f2e0a8c1f2e0a")
	return controller.ModelStatus{
		Address: model("fraud"), Name: "fraud", Phase: rollout.Rolling, Since: ago(5 * time.Minute), Version: "1.4.0", Revision: "36cbc3a60313",
		Serving: "7ba6e27da12e", Ready: 2, Replicas: 2, Reason: "step 2 of 3 at 25 %: holds until 14:00:42", Stable: &stable,
		Previous: &controller.PreviousStatus{ReleaseStatus: sampleRelease("1.3.8", "0123456789ab", ""), Until: now.Add(12*time.Minute + 5*time.Second)},
		Rollout: &controller.RolloutStatus{
			Candidate: sampleRelease("1.4.0", "36cbc3a60313", "9d2e7b1c9d2e7b1c"), Strategy: spec.Canary, Step: 2, Steps: 3, Weight: 25,
			Plan:     []controller.PlannedStep{{Percent: 5, Hold: 2 * time.Minute}, {Percent: 25, Hold: time.Minute}, {Percent: 50, Approval: true}},
			Activity: rollout.Measuring, Started: ago(4 * time.Minute), Since: ago(18 * time.Second),
			HoldUntil: now.Add(42 * time.Second), Deadline: now.Add(time.Hour + 42*time.Second),
			Checks: []controller.CheckStatus{
				{Name: "errors", Metric: spec.ErrorRatio, Counts: true, Looks: 7, Failures: 1, Limit: 2, Verdict: &judge.Verdict{
					Check: "errors", Outcome: judge.Pass, Candidate: value(0.002), Stable: value(0.001), CandidateSamples: 1200, StableSamples: 23000, Evidence: 1.7, Threshold: 300,
					Text: "errors: 0.2 % of 1,200 requests failed, stable 0.1 % of 23,000",
				}},
				{Name: "latency", Metric: spec.LatencyP99, Counts: true, Looks: 7, Verdict: &judge.Verdict{
					Check: "latency", Outcome: judge.Insufficient, Candidate: value(0.0123), CandidateSamples: 3, Text: "latency: 3 of the 50 samples that a pass needs",
				}},
				{Name: "scores", Metric: spec.ScoreShift, Counts: true, Verdict: &judge.Verdict{Check: "scores", Outcome: judge.Error, Text: "scores: the metrics do not answer\nconnection refused"}},
				{Name: "accuracy", Counts: false},
			},
		},
		Last: &journal.Ended{Outcome: journal.Promoted, Revision: "7ba6e27da12e", Version: "1.3.9", Reason: "it passed 3 steps and 4 checks", At: ago(49 * time.Hour)},
	}
}

// heldModel runs what Git does not want any more.
func heldModel() controller.ModelStatus {
	stable := sampleRelease("2.0.0", "aaaaaaaaaaaa", "8c1f2e0a8c1f2e0a")
	return controller.ModelStatus{
		Address: model("churn"), Name: "churn", Phase: rollout.Held, Since: ago(3 * time.Hour), Version: "2.1.0", Revision: "bbbbbbbbbbbb",
		Serving: "aaaaaaaaaaaa", Ready: 1, Replicas: 1, Reason: "Git wants bbbbbbbbbbbb (failed: errors: 5 % failed), running aaaaaaaaaaaa", Stable: &stable,
		Rejected: []controller.RejectedStatus{
			{Revision: "cccccccccccc", Version: "2.0.5", Cause: journal.CauseAborted, Reason: "wrong weights", Actor: "ann@example.com", At: ago(50 * time.Hour)},
			{Revision: "bbbbbbbbbbbb", Version: "2.1.0", Cause: journal.CauseFailed, Reason: "errors: 5 % failed", Actor: journal.Daemon, At: ago(3 * time.Hour), Evidence: []judge.Verdict{
				{Check: "errors", Outcome: judge.Fail, Text: "errors: 5 % failed"},
				{Check: "latency", Outcome: judge.Fail, Text: "p99 is twice stable's"},
				{Check: "scores", Outcome: judge.Pass, Text: "alike"},
			}},
		},
		Last: &journal.Ended{Outcome: journal.RolledBack, Revision: "bbbbbbbbbbbb", Version: "2.1.0", Reason: "errors: 5 % failed", At: ago(3 * time.Hour)},
	}
}

func steadyModel() controller.ModelStatus {
	stable := sampleRelease("1.0.0", "dddddddddddd", "")
	return controller.ModelStatus{Address: model("digits"), Name: "digits", Phase: rollout.Steady, Version: "1.0.0", Revision: "dddddddddddd", Serving: "dddddddddddd", Ready: 2, Replicas: 2, Stable: &stable, Since: ago(time.Minute)}
}

func TestRolloutShowsStepsChecksAndWhatIsKept(t *testing.T) {
	m := rollingModel()
	golden(t, "rollout-show", func(v *view.View) error { return v.Rollout(&m, now) })
}

func TestRolloutOfAHeldModelShowsItsLedger(t *testing.T) {
	m := heldModel()
	golden(t, "rollout-show-held", func(v *view.View) error { return v.Rollout(&m, now) })
}

func TestRolloutThatWaitsForAPersonSaysSo(t *testing.T) {
	for name, change := range map[string]func(*controller.RolloutStatus){
		"approval": func(r *controller.RolloutStatus) {
			r.Step, r.Weight, r.Approval, r.HoldUntil = 3, 50, true, time.Time{}
		},
		"paused":    func(r *controller.RolloutStatus) { r.Paused = &journal.Pause{Actor: "ann", Reason: "lunch"} },
		"stands":    func(r *controller.RolloutStatus) { r.Held = "errors: 5 % failed" },
		"promoting": func(r *controller.RolloutStatus) { r.Promoting, r.Forced = true, true },
		"ready":     func(r *controller.RolloutStatus) { r.Step, r.Weight, r.Activity = 0, 0, rollout.Warming },
	} {
		t.Run(name, func(t *testing.T) {
			m := rollingModel()
			m.Rollout.Checks, m.Rollout.Deadline = nil, time.Time{}
			change(m.Rollout)
			golden(t, "rollout-"+name, func(v *view.View) error {
				if err := v.Line(view.Standing(&m, now)); err != nil {
					return err
				}
				return v.Rollout(&m, now)
			})
		})
	}
}

func TestRolloutListIsALinePerModel(t *testing.T) {
	list := view.RolloutList{Environment: "prod", Models: []controller.ModelStatus{heldModel(), steadyModel(), rollingModel()}, Known: 3}
	golden(t, "rollout-list", func(v *view.View) error { return v.RolloutList(&list) })
	list.Models = nil
	golden(t, "rollout-list-empty", func(v *view.View) error { return v.RolloutList(&list) })
}

func TestAnOrderShowsWhatItIsAboutAndWhatWasDecided(t *testing.T) {
	m := rollingModel()
	golden(t, "order", func(v *view.View) error {
		body := app.RolloutOrder{Actor: "ann@host", Reason: "looks good", Revision: "36cbc3a60313", Step: 2}
		if err := v.Ordering(rollout.ActPromote, &body, &m, now); err != nil {
			return err
		}
		body.Full = true
		if err := v.Ordering(rollout.ActPromote, &body, &m, now); err != nil {
			return err
		}
		return v.OrderGiven(&view.OrderGiven{Entry: journal.Entry{Action: journal.ActionApprove, Model: "fraud", Weight: 25}})
	})
}

func TestStatusTellsRollingFromHeld(t *testing.T) {
	s := app.DaemonStatus{Status: *sampleStatus()}
	s.Source, s.Engine, s.Gateway.Error = controller.SourceStatus{Fetched: ago(time.Second)}, controller.EngineStatus{}, ""
	s.Journal.Delivery = journal.Delivery{Remote: "https://git.example.com/models.git", Pending: 3, Error: "no answer"}
	s.Metrics.Error = "no answer within 5s"
	s.Models = []controller.ModelStatus{heldModel(), steadyModel(), rollingModel()}
	golden(t, "status-rollouts", func(v *view.View) error { return v.Status(&s, now) })
}
