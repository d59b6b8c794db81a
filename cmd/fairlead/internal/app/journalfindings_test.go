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
