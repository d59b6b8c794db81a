package e2e

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

// serveDigits starts a daemon on one model with two replicas.
func serveDigits(t *testing.T) (*environment, *repo, model) {
	t.Helper()
	e, r := newEnvironment(t), newRepo(t)
	m := model{name: "digits", image: e.image, version: "1", replicas: 2}
	commit := r.commit(m)
	e.serve(r.dir)
	e.converged(commit)
	e.exactly(m)
	return e, r, m
}

func TestWithoutItsRemoteADaemonKeepsTheLastGoodRevision(t *testing.T) {
	t.Parallel()
	e, r := newEnvironment(t), newRepo(t)
	m := model{name: "digits", image: e.image, version: "1", replicas: 2}
	commit := r.commit(m)
	remote := "file://" + r.dir
	e.serve(remote)
	e.converged(commit)
	before := e.replicas("digits")

	away := r.dir + ".away"
	if err := os.Rename(r.dir, away); err != nil {
		t.Fatal(err)
	}
	e.daemon.stop()
	e.proxy.Forget()
	e.serve(remote)
	e.until("the outage shows in the status", func() bool {
		s, ok := e.status()
		return ok && s.Commit.ID == commit && s.Source.Stale && s.Source.Error != ""
	})
	e.exactly(m)
	if calls := e.proxy.Mutations(); len(calls) != 0 {
		t.Errorf("the daemon changed the engine: %v", calls)
	}
	if after := e.replicas("digits"); !slices.Equal(before, after) {
		t.Errorf("the replicas are %v, were %v", after, before)
	}

	e.engine.remove(before[0])
	e.until("the outage does not keep it from healing", func() bool {
		ids := e.replicas("digits")
		return len(ids) == 2 && !slices.Contains(ids, before[0])
	})
	e.exactly(m)

	if err := os.Rename(away, r.dir); err != nil {
		t.Fatal(err)
	}
	m.version = "2"
	e.converged(r.commit(m))
	e.exactly(m)
	if s, _ := e.status(); s.Source.Stale || s.Source.Error != "" {
		t.Errorf("the source has recovered, but the status says: stale %t, error %q", s.Source.Stale, s.Source.Error)
	}
}

func TestAnswerThatIsLostLeaksNothing(t *testing.T) {
	t.Parallel()
	e, r, m := serveDigits(t)
	for _, call := range []string{
		"POST /containers/create", "POST /containers/*/start", "POST /containers/*/stop", "DELETE /containers/*",
	} {
		for _, fault := range []providertest.EngineFault{providertest.LoseAnswer, providertest.CutAnswer, providertest.Refuse, providertest.Reset} {
			method, pattern, _ := strings.Cut(call, " ")
			var lost atomic.Int64
			e.proxy.OnCall(func(call providertest.EngineCall) providertest.EngineFault {
				if call.Is(method, pattern) && lost.Add(1) <= 2 { // both replicas, or one of them twice
					return fault
				}
				return providertest.Forward
			})
			m.version += "x"
			e.converged(r.commit(m))
			e.exactly(m)
			if lost.Load() == 0 {
				t.Errorf("%s was never called", call)
			}
		}
	}
}

// Of 300 changes nobody tells the daemon: the stream of events is cut, and what
// it misses are containers with its own labels that come and go.
func TestMissedEventsCostNothingButTime(t *testing.T) {
	t.Parallel()
	e, _, m := serveDigits(t)
	var streams atomic.Int64
	e.proxy.OnCall(func(call providertest.EngineCall) providertest.EngineFault {
		if call.Is(http.MethodGet, "/events") {
			streams.Add(1)
			return providertest.Reset
		}
		return providertest.Forward
	})
	e.proxy.Break()
	e.until("a stream of events that cannot be opened", func() bool { return streams.Load() > 0 })

	for range 150 { // two events each
		// The daemon lists now and then, and may be faster with the removal.
		_ = e.engine.call(http.MethodDelete, "/containers/"+e.strayReplica()+"?force=1", nil, nil)
	}
	stray := e.strayReplica()
	victim := e.replicas("digits")[0]
	e.engine.remove(victim)
	e.until("a replica in place of the one that was removed", func() bool {
		ids := e.replicas("digits")
		return len(ids) == 2 && !slices.Contains(ids, victim) && !slices.Contains(ids, stray)
	})
	e.exactly(m)
	e.proxy.OnCall(nil)
	e.until("events again", func() bool { return e.proxy.Count(http.MethodGet, "/events") > int(streams.Load()) })
	e.exactly(m)
}

// strayReplica makes a container that looks like one of a model that no commit
// knows. It is never started.
func (e *environment) strayReplica() (id string) {
	e.t.Helper()
	var made struct{ ID string }
	e.engine.must(http.MethodPost, "/containers/create", map[string]any{
		"Image": e.image,
		"Labels": map[string]string{
			reconcile.LabelOwner: e.owner, reconcile.LabelEnvironment: "default", reconcile.LabelKind: "model",
			reconcile.LabelModel: "stray", reconcile.LabelRevision: "000000000000", reconcile.LabelReplica: "1",
		},
	}, &made)
	return made.ID
}

func TestEngineThatIsAwayForAWhileIsWaitedFor(t *testing.T) {
	t.Parallel()
	e, r, m := serveDigits(t)
	requests := startLoad(t, e.url("digits"))
	e.proxy.SetDown(true)
	m.version = "2"
	commit := r.commit(m)
	e.until("the outage shows in the status", func() bool {
		s, ok := e.status()
		return ok && s.Engine.Error != "" && !s.Converged
	})
	e.proxy.SetDown(false)
	e.converged(commit)
	e.exactly(m)
	requests.finish(t)
}

func TestSecondDaemonStandsByAndTakesOver(t *testing.T) {
	t.Parallel()
	e, r, m := serveDigits(t)
	second := *e
	second.env, second.api, second.daemon = slices.Clone(e.env), nil, nil
	second.data = t.TempDir()
	second.set("DATA", second.data)
	second.serve(r.dir)
	second.until("the second daemon stands by", func() bool {
		s, ok := second.status()
		return ok && strings.Contains(s.Standby, fmt.Sprintf("pid %d", e.daemon.cmd.Process.Pid))
	})
	if out, code := second.fairlead("status"); code != 0 || !strings.Contains(out, "standing by") {
		t.Errorf("status of the second daemon ends with %d: %s", code, out)
	}
	if out, code := second.fairlead("apply", r.dir); code == 0 || !strings.Contains(out, "another fairlead") {
		t.Errorf("an apply beside a daemon ends with %d: %s", code, out)
	}

	e.daemon.kill()
	died := time.Now()
	m.version = "2"
	commit := r.commit(m)
	second.until("the second daemon acts", func() bool {
		s, ok := second.status()
		return ok && s.Standby == "" && s.Commit.ID != ""
	})
	if took := time.Since(died); took > takesOverWithin() {
		t.Errorf("it took over after %s, want at most %s", took, takesOverWithin())
	}
	second.converged(commit)
	second.exactly(m)
	second.daemon.stop()
}

// takesOverWithin is how long nobody may act after a daemon died: five seconds, and
// more where other tests keep the machine busy.
func takesOverWithin() time.Duration {
	if long() {
		return 5 * time.Second
	}
	return 20 * time.Second
}

// Two daemons that were started alike, as by a deployment that starts the new one
// before it stops the old one.
func TestSecondDaemonOnTheSameDataStandsByAndTakesOver(t *testing.T) {
	t.Parallel()
	e, r, m := serveDigits(t)
	second := *e
	second.serve(r.dir)
	second.until("the second daemon stands by", func() bool {
		return strings.Contains(second.daemon.log.tail(), fmt.Sprintf("pid %d", e.daemon.cmd.Process.Pid))
	})
	if s, ok := e.status(); !ok || s.Standby != "" {
		t.Errorf("the first daemon no longer answers on the socket, or stands by: %q", s.Standby)
	}
	e.daemon.stop()
	m.version = "2"
	second.converged(r.commit(m))
	second.exactly(m)
	second.daemon.stop()
}

func TestTwoOwnersDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	e, _, m := serveDigits(t)
	before := e.engine.containers(e.owner)
	other := newEnvironment(t)
	dir := tree(t, model{name: "digits", image: other.image, version: "9", replicas: 1}.hcl())
	e.proxy.Forget()
	other.applied(dir)
	if got := other.serving("digits"); got != "9" {
		t.Errorf("the other owner's model serves version %q", got)
	}
	other.applied(tree(t, "# nothing"))
	if left := other.replicas("digits"); len(left) != 0 {
		t.Errorf("the other owner's replicas %v are left", left)
	}
	e.exactly(m)
	if calls := e.proxy.Mutations(); len(calls) != 0 {
		t.Errorf("the first owner's daemon changed the engine: %v", calls)
	}
	after := e.engine.containers(e.owner)
	same := slices.EqualFunc(before, after, func(a, b container) bool { return a.ID == b.ID })
	if !same {
		t.Errorf("the first owner's containers are %v, were %v", after, before)
	}
}

func TestBrokenCommitChangesNothingAndTheNextIsFollowed(t *testing.T) {
	t.Parallel()
	e, r, m := serveDigits(t)
	good := r.git("rev-parse", "HEAD")
	e.proxy.Forget()
	bad := r.commitText("\n\nmodel \"digits\" {\n  imge = 1\n}\n")
	e.until("the mistake shows in the status, with its place", func() bool {
		s, ok := e.status()
		return ok && s.Source.Commit == bad && strings.Contains(s.Source.Error, "models.hcl:4")
	})
	if out, code := e.fairlead("status"); code != 0 || !strings.Contains(out, "models.hcl:4") || !strings.Contains(out, "imge") {
		t.Errorf("status ends with %d and does not name the mistake:\n%s", code, out)
	}
	if s, _ := e.status(); s.Commit.ID != good {
		t.Errorf("the daemon follows %s, want the last good commit %s", s.Commit.ID, good)
	}
	e.engine.remove(e.replicas("digits")[0]) // the last good revision is still looked after
	e.exactly(m)

	e.daemon.stop()
	e.serve(r.dir)
	e.until("the last good revision, also after a restart", func() bool {
		s, ok := e.status()
		return ok && s.Commit.ID == good && strings.Contains(s.Source.Error, "models.hcl:4")
	})
	e.exactly(m)

	m.version = "2"
	e.converged(r.commit(m))
	e.exactly(m)
	if s, _ := e.status(); s.Source.Error != "" {
		t.Errorf("the error of the broken commit is still there: %s", s.Source.Error)
	}
}
