package cli

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// What a daemon observes counts, unless it is one of another environment.
func TestScoreAsksTheDaemon(t *testing.T) {
	dir := t.TempDir()
	specs := "environment \"default\" {}\nenvironment \"staging\" {}\nmodel \"digits\" {\n  image = \"digits:1\"\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "models.hcl"), []byte(specs), 0o600); err != nil {
		t.Fatal(err)
	}
	url, _ := daemonOf(t, controller.ModelStatus{
		Address: spec.Address{Kind: spec.KindModel, Name: "digits"}, Name: "digits", Phase: rollout.Held, Reason: "Git wants a release that was rejected", Revision: "r2", Serving: "r1", Ready: 1, Replicas: 2,
		ReplicaRestarts: map[string]int{"r1": 3, "r2": 9}, Last: &journal.Ended{Outcome: journal.RolledBack},
	}, http.StatusOK, "")
	code, text, errs := invoke(t, url, token, "score", "digits", "--dir", dir)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{"1 of 2 replicas ready", "3 restarts of its replicas", "the last rollout ended as rolled back", "what serves is not what Git wants: Git wants a release that was rejected"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	if code, text, errs := invoke(t, url, token, "score", "digits", "--dir", dir, "--environment", "staging"); code != exitOK || !strings.Contains(text, "No daemon of this environment answers") {
		t.Errorf("the daemon of another environment counts: %d, %s\n%s", code, errs, text)
	}
	if code, _, errs := invoke(t, url, "wrong", "score", "digits", "--dir", dir); code != exitError || !strings.Contains(errs, "send the token") {
		t.Errorf("a daemon that refuses is none: %d, %s", code, errs)
	}
}
