package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/providers/forge/forgetest"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/rollout"
)

// The people of the forge: ann writes, ben reviews and merges, and the daemon has an
// account of its own.
const (
	ann = "ann"
	ben = "ben"
	bot = "fairlead-bot"
)

// reviewed is an environment whose config repository is on a forge.
type reviewed struct {
	*environment
	world *forgetest.World
	forge *forgetest.Repo
	name  string // of the include that the repository is; "" for the root
	relay *relay
	bad   string // image of a model server of which half of the answers are failures
}

// relay stands between everybody and the forge, so that a test sees what happens there
// as it happens.
type relay struct {
	forge  *forgetest.World
	before atomic.Pointer[func(http.ResponseWriter, *http.Request) (answered bool)]
	after  atomic.Pointer[func(*http.Request)]
}

func (l *relay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if before := l.before.Load(); before != nil && (*before)(w, r) {
		return
	}
	l.forge.ServeHTTP(w, r)
	if after := l.after.Load(); after != nil {
		(*after)(r)
	}
}

// quiet ends what looks at the traffic.
func (l *relay) quiet() {
	l.before.Store(nil)
	l.after.Store(nil)
}

// newReviewed makes an environment on a forge of its own, whose repository everybody
// has to log in to.
func newReviewed(t *testing.T) *reviewed {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("this test needs git, which serves the repositories of the forge")
	}
	r := &reviewed{environment: newEnvironment(t), world: forgetest.New(t.TempDir())}
	r.relay = &relay{forge: r.world}
	server := httptest.NewServer(r.relay)
	r.world.URL = server.URL
	t.Cleanup(func() {
		if r.daemon != nil {
			r.daemon.kill() // who asks would keep the server from closing
		}
		server.Close()
		r.world.Close()
	})
	for _, login := range []string{ann, ben, bot} {
		r.world.AddUser(login)
	}
	var err error
	if r.forge, err = r.world.AddRepo("acme/models", ann, ben, bot); err != nil {
		t.Fatal(err)
	}
	r.forge.SetPrivate()
	token := r.file("token", r.world.AddUser(bot)+"\n")
	r.set("FORGE", "gitea")
	r.set("FORGE_TOKEN_FILE", token)
	r.set("GIT_TOKEN_FILE", token)
	r.set("INTERVAL", "1s")
	r.bad = "fairlead-e2e/" + r.owner + ":bad"
	providertest.LoadImage(t, r.engine.socket, r.bad, built(t, buildBroken))
	return r
}

// file keeps a text in a file of this test's own, and returns its path.
func (r *reviewed) file(name, text string) string {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// digits is a model as a person writes it; its words in capitals are replaced.
const digits = `# Reads the digits of the house.
model "digits" {
  version      = "VERSION" # as in the changelog
  image        = "IMAGE"   # built by CI
  replicas     = 1
  owners       = ["@ann"]
  stop_timeout = "1s"

  # What it may use.
  env = {
    THREADS = "THREADS_"
  }
  health {
    interval    = "500ms"
    min_healthy = "500ms"
    deadline    = "45s"
  }
ROLLOUT}
`

// byErrors finds out about a bad version, long before its step is over.
const byErrors = `
  rollout {
    step {
      weight = 50
      hold   = "40s"
    }
    check "errors" {
      metric      = error_ratio
      max         = 0.02
      interval    = "1s"
      min_samples = 20
    }
    progress_deadline = "2m"
    keep_previous     = "1s"
  }
`

// digits is the spec of a version.
func (r *reviewed) digits(version, image, rollout string) string {
	return strings.NewReplacer("VERSION", version, "IMAGE", image, "THREADS_", "1", "ROLLOUT", rollout).Replace(digits)
}

// commit puts files on main as ann, past any review.
func (r *reviewed) commit(message string, files map[string]string) string {
	r.t.Helper()
	return r.commitAs(ann, "main", message, files)
}

func (r *reviewed) commitAs(login, branch, message string, files map[string]string) string {
	r.t.Helper()
	commit, err := r.forge.Commit(login, branch, message, files)
	if err != nil {
		r.t.Fatal(err)
	}
	return commit
}

// propose opens a pull request as ann.
func (r *reviewed) propose(branch, title string, files map[string]string) (number int) {
	r.t.Helper()
	r.commitAs(ann, branch, title, files)
	number, err := r.forge.OpenPull(ann, branch, "main", title, "")
	if err != nil {
		r.t.Fatal(err)
	}
	return number
}

// merge merges a pull request as ben.
func (r *reviewed) merge(number int) (commit string) {
	r.t.Helper()
	commit, err := r.forge.MergePull(number, ben, forgetest.Merge)
	if err != nil {
		r.t.Fatal(err)
	}
	return commit
}

// serveForge starts the daemon on the repository of the forge.
func (r *reviewed) serveForge() { r.serve(r.forge.CloneURL()) }

// steady waits until a commit is followed and all is at rest.
func (r *reviewed) steady(commit string) {
	r.t.Helper()
	r.until("steady at "+commit, func() bool {
		s, ok := r.status()
		return ok && s.Commit.ID == commit && s.Converged && !slices.ContainsFunc(s.Models, func(m controller.ModelStatus) bool { return m.Phase != rollout.Steady || m.Rollout != nil })
	})
}

// held waits until the model is held back at a commit.
func (r *reviewed) held(commit string) {
	r.t.Helper()
	r.until("held at "+commit, func() bool {
		s, ok := r.status()
		return ok && s.Commit.ID == commit && len(s.Models) == 1 && s.Models[0].Phase == rollout.Held && s.Models[0].Rollout == nil
	})
}

// proposed waits for the open pull request of a branch.
func (r *reviewed) proposed(branch string) forgetest.Pull {
	r.t.Helper()
	var found forgetest.Pull
	r.until("a pull request from "+branch, func() bool {
		for _, p := range r.forge.Pulls() {
			if p.Head == branch && p.State == "open" {
				found = p
				return true
			}
		}
		return false
	})
	return found
}

// from are all pull requests that ever came from a branch.
func (r *reviewed) from(branch string) (all []forgetest.Pull) {
	for _, p := range r.forge.Pulls() {
		if p.Head == branch {
			all = append(all, p)
		}
	}
	return all
}

// nothingProposed waits until no proposal is open, by the daemon's own word.
func (r *reviewed) nothingProposed() {
	r.t.Helper()
	r.until("no proposal is open", func() bool {
		s, ok := r.status()
		return ok && len(s.Proposals) == 0
	})
}

// shows waits for a status of a commit on the forge, and returns it.
func (r *reviewed) shows(commit, state string) (found forgetest.Status) {
	r.t.Helper()
	r.untilNothing(func() string {
		all := r.forge.Statuses(commit)
		for _, s := range all {
			if strings.HasPrefix(s.Context, "fairlead/") && !strings.HasPrefix(s.Context, "fairlead/plan") && s.State == state {
				found = s
				return ""
			}
		}
		return fmt.Sprintf("commit %s shows %+v, want %s", commit, all, state)
	})
	return found
}

// decisions are the entries of the journal, oldest first.
func (r *reviewed) decisions() []journal.Entry {
	r.t.Helper()
	var h app.History
	if err := r.get("/api/v1/history?limit=10000", &h); err != nil {
		r.t.Fatal(err)
	}
	slices.Reverse(h.Entries)
	return h.Entries
}

// decided are those of one kind.
func (r *reviewed) decided(action journal.Action) (all []journal.Entry) {
	r.t.Helper()
	for _, e := range r.decisions() {
		if e.Action == action {
			all = append(all, e)
		}
	}
	return all
}

// read is a file of a commit.
func (r *reviewed) read(commit, path string) string {
	r.t.Helper()
	return r.gitOf("show", commit+":"+path)
}

// gitOf runs git on the bare repository of the forge.
func (r *reviewed) gitOf(args ...string) string {
	r.t.Helper()
	return r.gitIn(r.forge, args...)
}

func (r *reviewed) gitIn(repo *forgetest.Repo, args ...string) string {
	r.t.Helper()
	return r.gitAt(repo.Dir(), args...)
}

func (r *reviewed) gitAt(dir string, args ...string) string {
	r.t.Helper()
	command := exec.CommandContext(r.t.Context(), "git", append([]string{"-C", dir}, args...)...)
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := command.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// unreachable answers for the forge as one that is out of order.
func unreachable(w http.ResponseWriter) bool {
	http.Error(w, `{"message":"out of order"}`, http.StatusServiceUnavailable)
	return true
}

// opens tells whether a request opens a pull request.
func opens(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/pulls")
}
