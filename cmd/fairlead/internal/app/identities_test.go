package app

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec"
)

func TestAKeyForNoIncludeIsTold(t *testing.T) {
	var logged bytes.Buffer
	s := &Site{log: slog.New(slog.NewTextHandler(&logged, nil))}
	s.Config.AgeIdentities = []string{"/keys/root", "rusk=/keys/risk", "fraud=/keys/fraud"}
	if err := s.Config.takeIdentities(); err != nil {
		t.Fatal(err)
	}
	follow := func(names ...string) {
		cfg := &spec.Config{}
		for _, name := range names {
			cfg.Includes = append(cfg.Includes, &spec.Include{Name: name})
		}
		s.warnOfIdentities(cfg)
		s.followed.Store(&following{cfg: cfg})
	}
	if notes := s.identityNotes(); notes != nil {
		t.Errorf("before anything is followed: %q", notes)
	}
	const want = "--age-identity rusk=/keys/risk decrypts nothing: there is no include rusk; did you mean risk=?"
	follow("fraud", "risk")
	follow("fraud", "risk")
	if notes := s.identityNotes(); len(notes) != 1 || notes[0] != want {
		t.Errorf("got %q", notes)
	}
	if text := logged.String(); strings.Count(text, want) != 1 || strings.Contains(text, "fraud") {
		t.Errorf("logged %s", text)
	}
	follow("risk")
	if notes := s.identityNotes(); len(notes) != 2 || !strings.Contains(logged.String(), "there is no include fraud") {
		t.Errorf("got %q, logged %s", notes, &logged)
	}
}
