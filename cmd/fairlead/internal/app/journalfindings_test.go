package app

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	dispatch "github.com/fairlead/fairlead/reconcile/notify"
	"github.com/fairlead/fairlead/spec"
)

func TestFindingsWaitUntilThereIsSomebodyToTell(t *testing.T) {
	var f findings
	var told []int
	tell := func(n int) func() { return func() { told = append(told, n) } }
	for n := range maxFindings + 10 {
		f.pass(tell(n))
	}
	if len(told) != 0 {
		t.Fatalf("told nobody %v", told)
	}
	f.begin()
	f.begin()
	f.pass(tell(-1))
	if len(told) != maxFindings+1 || told[0] != 0 || told[maxFindings] != -1 {
		t.Errorf("told %v", told)
	}
}

func TestFindingsAreWordedByWhatTheyAre(t *testing.T) {
	scene, now := dispatch.Scene{Environment: "prod"}, time.Now()
	for name, c := range map[string]struct {
		finding  git.Finding
		severity spec.Severity
		resolves bool
	}{
		"forged":      {git.Finding{Kind: git.FoundForged, Key: "a", Text: "why"}, spec.SeverityCritical, false},
		"forged over": {git.Finding{Kind: git.FoundForged, Text: "why", Over: true}, spec.SeverityInfo, true},
		"lost":        {git.Finding{Kind: git.FoundLost, Key: "a", Text: "why"}, spec.SeverityCritical, false},
		"unkept":      {git.Finding{Kind: git.FoundUnkept, Key: "a", Text: "why"}, spec.SeverityWarning, false},
		"unkept over": {git.Finding{Kind: git.FoundUnkept, Text: "why", Over: true}, spec.SeverityInfo, true},
	} {
		if m := finding(scene, c.finding, now); m.Event != spec.NotifyTampered || m.Severity != c.severity || m.Resolves != c.resolves || m.Text != "why" {
			t.Errorf("%s: got %+v", name, m)
		}
	}
}

// At a start a daemon finds what was lost, and a moment later that every entry counts: the
// one is no end of the other.
func TestTheEndOfOneKindOfFindingResolvesNoOther(t *testing.T) {
	scene, now := dispatch.Scene{Environment: "prod"}, time.Now()
	kinds := []git.FindingKind{git.FoundForged, git.FoundLost, git.FoundUnkept}
	for _, of := range kinds {
		var box dispatch.Outbox
		for _, kind := range kinds {
			if m := finding(scene, git.Finding{Kind: kind, Key: "a", Text: "why"}, now); !box.Add(m, true, time.Hour, now) {
				t.Fatalf("%s is not taken in", kind)
			}
		}
		end := finding(scene, git.Finding{Kind: of, Text: "why", Over: true}, now.Add(time.Second))
		if !box.Add(end, true, time.Hour, now.Add(time.Second)) || len(box.Open) != len(kinds)-1 {
			t.Errorf("after %s is over, %d are open, want the others: %v", of, len(box.Open), box.Open)
		}
	}
	var restarted dispatch.Outbox
	lost := finding(scene, git.Finding{Kind: git.FoundLost, Key: "a", Text: "why"}, now)
	restarted.Add(lost, true, time.Hour, now)
	if restarted.Add(finding(scene, git.Finding{Kind: git.FoundForged, Text: "why", Over: true}, now), true, time.Hour, now) {
		t.Error("that every entry counts is told where nothing else was")
	}
	if _, open := restarted.Open[lost.Thread]; !open || len(restarted.Queue) != 1 {
		t.Errorf("what was lost is resolved: %+v", restarted.Queue)
	}
}
