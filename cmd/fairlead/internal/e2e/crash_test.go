package e2e

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/providers/providertest"
)

// moment is when, within a call to the engine, the daemon dies.
type moment string

const (
	beforeCall  moment = "before the call reaches the engine"
	afterEffect moment = "after the engine has acted, before its answer"
)

// killAt arms the proxy: the daemon dies at its n-th call from now that changes
// something. The returned function tells whether it has.
func (e *environment) killAt(n int, when moment) (died func() (providertest.EngineCall, bool)) {
	var at atomic.Pointer[providertest.EngineCall]
	daemon := e.daemon
	die := func(call providertest.EngineCall) bool {
		if call.Mutation != n || !at.CompareAndSwap(nil, &call) {
			return false
		}
		daemon.kill()
		return true
	}
	e.proxy.Forget()
	if when == beforeCall {
		e.proxy.OnCall(func(call providertest.EngineCall) providertest.EngineFault {
			if die(call) {
				return providertest.Reset
			}
			return providertest.Forward
		})
	} else {
		e.proxy.OnAnswer(func(call providertest.EngineCall) { die(call) })
	}
	return func() (providertest.EngineCall, bool) {
		if call := at.Load(); call != nil {
			return *call, true
		}
		return providertest.EngineCall{}, false
	}
}

// disarm makes the proxy harmless again.
func (e *environment) disarm() {
	e.proxy.OnCall(nil)
	e.proxy.OnAnswer(nil)
}

// dieOnce lets the daemon follow a commit, die at the n-th call of it, and be
// started again. It returns false where the commit took fewer calls.
func (e *environment) dieOnce(r *repo, n int, when moment, models []model) bool {
	e.t.Helper()
	died := e.killAt(n, when)
	commit := r.commit(models...)
	e.until("death, or the end of the change", func() bool {
		if _, dead := died(); dead {
			return true
		}
		s, ok := e.status()
		return ok && s.Converged && s.Commit.ID == commit
	})
	e.disarm()
	call, dead := died()
	if dead {
		<-e.daemon.ended
		e.serve(r.dir)
	}
	e.converged(commit)
	e.exactly(models...)
	if dead {
		e.t.Logf("boundary %d, %s: died at %s", n, when, call)
	}
	return dead
}

// Whatever the daemon was about to do when it died, the next one finds and
// finishes, and no request notices.
func TestKilledBetweenTwoCallsTheNextDaemonConverges(t *testing.T) {
	t.Parallel()
	e, r := newEnvironment(t), newRepo(t)
	base := model{name: "digits", image: e.image, version: "0", replicas: 2}
	extra := model{name: "fraud", image: e.image, version: "0", replicas: 2}
	commit := r.commit(base)
	e.serve(r.dir)
	e.converged(commit)
	e.exactly(base)

	requests := startLoad(t, e.url("digits"))
	version := 0
	// Each case goes from what the one before it has left, so that a commit back
	// is a case of its own: create and delete take turns.
	changes := []struct {
		name string
		next func() []model
	}{
		{"replace", func() []model {
			version++
			base.version = fmt.Sprint(version)
			return []model{base}
		}},
		{"create", func() []model { return []model{base, extra} }},
		{"delete", func() []model { return []model{base} }},
	}
	tried := map[string]int{}
	limit := boundaries()
	for _, when := range []moment{beforeCall, afterEffect} {
		for n, open := 1, map[string]bool{"replace": true, "create": true, "delete": true}; n <= limit && len(open) > 0; n++ {
			for _, change := range changes {
				// A create that is not tried any more is still needed for its delete.
				if !open[change.name] && (change.name == "replace" || !open["create"] && !open["delete"]) {
					continue
				}
				if !e.dieOnce(r, n, when, change.next()) {
					delete(open, change.name)
					continue
				}
				tried[change.name]++
			}
		}
	}
	requests.finish(t)
	if got := e.serving("digits"); got != base.version {
		t.Errorf("version %s serves, want %s", got, base.version)
	}
	out, code := e.fairlead("plan", r.dir, "--detailed-exitcode")
	if code != 0 {
		t.Errorf("a plan in the end has exit code %d, want 0 for no changes:\n%s", code, out)
	}
	for change, want := range map[string]int{"replace": 16, "create": 8, "delete": 8} {
		if testing.Short() {
			want = 4
		}
		if tried[change] < want {
			t.Errorf("%s: the daemon was killed at %d boundaries, want at least %d", change, tried[change], want)
		}
	}
	t.Logf("killed at %d boundaries: %v", tried["replace"]+tried["create"]+tried["delete"], tried)
}

// boundaries bounds how many calls of one change are tried.
func boundaries() int {
	if testing.Short() {
		return 2
	}
	return 100
}

// The same for the first start of all: network, gateway and its image. It has to be alone:
// the tests of one run share the image.
func TestKilledDuringTheFirstStartTheNextDaemonConverges(t *testing.T) {
	tried := 0
	for _, when := range []moment{beforeCall, afterEffect} {
		for n := 1; n <= boundaries(); n++ {
			if !dieAtFirstStart(t, n, when) {
				break
			}
			tried++
		}
	}
	if want := 12; tried < want && !testing.Short() {
		t.Errorf("the daemon was killed at %d boundaries, want at least %d", tried, want)
	}
	t.Logf("killed at %d boundaries", tried)
}

// dieAtFirstStart has a daemon wait for the first commit of a repository, so that
// all of the environment is made at once.
func dieAtFirstStart(t *testing.T, n int, when moment) (dead bool) {
	t.Run(fmt.Sprintf("call %d, %s", n, when), func(t *testing.T) {
		e, r := newEnvironment(t), newRepo(t)
		e.serve(r.dir)
		e.until("a daemon that waits for a commit", func() bool {
			s, ok := e.status()
			return ok && s.Source.Error != ""
		})
		dead = e.dieOnce(r, n, when, []model{{name: "digits", image: e.image, version: "first", replicas: 1}})
		if got := e.serving("digits"); got != "first" {
			t.Errorf("version %q serves", got)
		}
	})
	return dead
}
