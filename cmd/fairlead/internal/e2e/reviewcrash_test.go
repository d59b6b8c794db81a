package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// death is a moment at which a daemon that proposes dies, by the request to the forge
// that it is at. After: the forge has done what it was asked for, and nobody is there to
// hear of it. The rest of them are tried with FAIRLEAD_ROLLOUTS set.
type death struct {
	name  string
	is    func(r *http.Request) bool
	after bool
	rest  bool
}

var deaths = []death{
	{"before the branch is pushed", pushes(revertBranch), false, true},
	{"after the branch is pushed", pushes(revertBranch), true, false},
	{"before the journal is pushed", pushes(journal.Branch("default")), false, false},
	{"after the journal is pushed", pushes(journal.Branch("default")), true, true},
	{"before the pull request is opened", opens, false, true},
	{"after the pull request is opened", opens, true, false},
	{"before the pull request is closed", closes, false, true},
	{"after the pull request is closed", closes, true, false},
}

// pushes tells whether a request pushes a branch: its name stands at the beginning.
func pushes(branch string) func(r *http.Request) bool {
	return func(r *http.Request) bool {
		if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/git-receive-pack") {
			return false
		}
		begin := make([]byte, 512)
		n, err := io.ReadFull(r.Body, begin)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return false
		}
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(begin[:n]), r.Body), r.Body}
		return bytes.Contains(begin[:n], []byte("refs/heads/"+branch+"\x00")) || bytes.Contains(begin[:n], []byte("refs/heads/"+branch+" "))
	}
}

// closes tells whether a request changes a pull request.
func closes(r *http.Request) bool {
	return r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/pulls/")
}

// killAt has the daemon killed at a request to the forge, once. The channel is closed
// when it is dead.
func (r *reviewed) killAt(is func(*http.Request) bool, after bool) (dead <-chan struct{}) {
	died := make(chan struct{})
	daemon := r.daemon
	var at atomic.Pointer[http.Request]
	before := func(w http.ResponseWriter, request *http.Request) bool {
		if !is(request) || !at.CompareAndSwap(nil, request) || after {
			return false
		}
		daemon.kill()
		close(died)
		return unreachable(w)
	}
	done := func(request *http.Request) {
		if after && at.Load() == request {
			daemon.kill()
			close(died)
		}
	}
	r.relay.before.Store(&before)
	r.relay.after.Store(&done)
	return died
}

// Whenever the daemon dies on the way to a proposal, and on the way back from it: in the
// end there is one pull request for each thing that was wanted, closed when it was moot,
// and the journal has each of them once.
func TestKilledWhileItProposesItGoesOn(t *testing.T) {
	t.Parallel()
	r := newReviewed(t)
	good := r.digits("1.0.0", r.image, byErrors)
	r.begin(good)
	bad := map[string]string{"models.hcl": r.digits("1.1.0", r.bad, byErrors)}
	r.held(r.commit("Digits 1.1.0", bad))
	r.proposed(revertBranch)
	r.steady(r.commit("Back", map[string]string{"models.hcl": good}))
	r.withdrawn()

	tried := slices.DeleteFunc(slices.Clone(deaths), func(d death) bool { return d.rest && !long() })
	for n, death := range tried {
		dead := r.killAt(death.is, death.after)
		worse := r.commit(fmt.Sprintf("Digits 1.1.0, again %d", n), bad) // it is in the ledger: held at once
		revive := func() {
			r.until("the daemon is killed "+death.name, func() bool {
				select {
				case <-dead:
					return true
				default:
					return false
				}
			})
			r.relay.quiet()
			r.serveForge()
		}
		closing := strings.Contains(death.name, "closed")
		if !closing {
			revive()
		}
		r.held(worse)
		p := r.proposed(revertBranch)
		better := r.commit(fmt.Sprintf("Back again %d", n), map[string]string{"models.hcl": good})
		if closing {
			revive()
		}
		r.steady(better)
		r.withdrawn()
		if got, err := r.forge.Pull(p.Number); err != nil || got.State != "closed" {
			t.Errorf("killed %s: the proposal is %s, %v", death.name, got.State, err)
		}
		if all := r.from(revertBranch); len(all) != n+2 {
			t.Errorf("killed %s: %d pull requests were opened, want %d", death.name, len(all), n+2)
		}
	}
	r.until("the journal is delivered", func() bool {
		s, ok := r.status()
		return ok && s.Journal.Pending == 0 && s.Journal.Error == "" && s.Journal.Broken == ""
	})
	if ended := r.decided(journal.ActionConclude); len(ended) != len(tried)+1 {
		t.Errorf("%d proposals were concluded, want %d: %+v", len(ended), len(tried)+1, ended)
	}
	if back := r.decided(journal.ActionRollback); len(back) != 1 {
		t.Errorf("it was rolled back %d times, want once", len(back))
	}
}
