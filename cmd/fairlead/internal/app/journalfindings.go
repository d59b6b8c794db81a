package app

import (
	"sync"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile"
	dispatch "github.com/fairlead/fairlead/reconcile/notify"
)

// findings are what the journal has found about itself. Some of it is found when the
// journal is opened, which is before anybody is known who could be told: that waits.
type findings struct {
	mu      sync.Mutex
	open    bool
	waiting []func()
}

// maxFindings bounds what waits. The first are the cause of the others.
const maxFindings = 100

// pass has something told: now, or when there is somebody to tell.
func (f *findings) pass(tell func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.open:
		tell()
	case len(f.waiting) < maxFindings:
		f.waiting = append(f.waiting, tell)
	}
}

// begin has what waits told.
func (f *findings) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open = true
	for _, tell := range f.waiting {
		tell()
	}
	f.waiting = nil
}

// found tells people of what the journal has found. It waits for nothing; the loop logs
// it, as the journal notes it, too.
func (s *Site) found(f git.Finding) {
	at := time.Now()
	s.findings.pass(func() {
		s.tell(func(scene dispatch.Scene) (reconcile.Message, bool) { return finding(scene, f, at), true })
	})
}

// finding words it.
func finding(scene dispatch.Scene, f git.Finding, at time.Time) reconcile.Message {
	switch {
	case f.Kind == git.FoundUnkept:
		return scene.HeadKept(f.Over, f.Text, at)
	case f.Over:
		return scene.Untampered(string(f.Kind), f.Text, at)
	default:
		return scene.Tampered(string(f.Kind), f.Key, f.Text, at)
	}
}
