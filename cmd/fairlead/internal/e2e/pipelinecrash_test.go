package e2e

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile/journal"
	runs "github.com/fairlead/fairlead/reconcile/run"
)

// sixSteps are a pipeline whose steps take a while: one after the other, beside each
// other, and one at the very end.
const sixSteps = `
model "digits" {
  version  = "1.0.0"
  image    = "SERVER"
  replicas = 0
}
pipeline "train" {
  step "one" {
    image   = "STEPS"
    command = ["sleep 200ms", "make data", "say one"]
    outputs = ["data"]
  }
  step "two" {
    image   = "STEPS"
    inputs  = { data = step.one.data }
    matrix  = { seed = [1, 2] }
    env     = { XSEED = matrix.seed }
    command = ["sleep 300ms", "make model", "write metrics.json {\"accuracy\": 0.9${matrix.seed}}"]
    outputs = ["model"]
    metrics = "metrics.json"
  }
  select "best" {
    of       = step.two
    maximize = "accuracy"
  }
  step "three" {
    image   = "STEPS"
    inputs  = { model = select.best.model }
    command = ["sleep 200ms", "write metrics.json {\"accuracy\": 0.9}"]
    metrics = "metrics.json"
  }
  step "four" {
    image   = "STEPS"
    inputs  = { data = step.one.data }
    command = ["sleep 500ms", "say four"]
  }
  step "last" {
    image   = "STEPS"
    command = ["sleep 100ms"]
    exit    = true
  }
  gate "good" {
    require = step.three.metrics.accuracy > 0.5
  }
  publish {
    model    = model.digits
    artifact = select.best.model
  }
}
`

var sixNodes = []string{"four.1", "last.1", "one.1", "three.1", "two.0.1", "two.1.1"}

// stalker kills the daemon after so many boundaries of a run: whenever the run was
// stored in another state, and before and after each call that changes the engine.
type stalker struct {
	w     *workshop
	files *os.File

	mu     sync.Mutex
	victim *process
	after  int // boundaries yet to come; 0: nobody dies
	passed []string
	died   []string
	dead   *process // that died last
	dirs   map[int32]string
}

// stalk watches the store of runs and the engine of the workshop.
func (w *workshop) stalk() *stalker {
	t := w.environment.t
	t.Helper()
	s := &stalker{w: w, dirs: map[int32]string{}}
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	s.files = os.NewFile(uintptr(fd), "inotify")
	store := filepath.Join(w.data, "runs")
	if err := os.MkdirAll(store, 0o700); err != nil {
		t.Fatal(err)
	}
	s.watch(fd, store)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.follow(fd)
	}()
	w.proxy.OnCall(func(call providertest.EngineCall) providertest.EngineFault {
		if call.Mutation > 0 && s.boundary("before "+generic(call)) {
			return providertest.Reset
		}
		return providertest.Forward
	})
	w.proxy.OnAnswer(func(call providertest.EngineCall) {
		if call.Mutation > 0 {
			s.boundary("after " + generic(call))
		}
	})
	t.Cleanup(func() {
		w.disarm()
		_ = s.files.Close()
		<-ended
	})
	return s
}

func (s *stalker) watch(fd int, dir string) {
	wd, err := syscall.InotifyAddWatch(fd, dir, syscall.IN_MOVED_TO|syscall.IN_CREATE)
	if err != nil {
		s.w.environment.t.Errorf("watch %s: %v", dir, err)
	}
	s.dirs[int32(wd)] = dir
}

// follow takes what the system says of the directories until the stream is closed.
func (s *stalker) follow(fd int) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := s.files.Read(buffer)
		if err != nil {
			if !errors.Is(err, os.ErrClosed) {
				s.w.environment.t.Errorf("watch the runs: %v", err)
			}
			return
		}
		for rest := buffer[:n]; len(rest) >= syscall.SizeofInotifyEvent; {
			event := (*syscall.InotifyEvent)(unsafe.Pointer(&rest[0]))
			end := syscall.SizeofInotifyEvent + int(event.Len)
			name := strings.TrimRight(string(rest[syscall.SizeofInotifyEvent:end]), "\x00")
			path := filepath.Join(s.dirs[event.Wd], name)
			switch {
			case event.Mask&syscall.IN_ISDIR != 0 && filepath.Base(s.dirs[event.Wd]) == "runs":
				s.watch(fd, path)
			case name == "run.json" && event.Mask&syscall.IN_MOVED_TO != 0:
				s.boundary(writtenDown(path))
			}
			rest = rest[end:]
		}
	}
}

// writtenDown says in which state a run was written down.
func writtenDown(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return "run stored"
	}
	var kept struct{ Run runs.Run }
	if err := json.Unmarshal(content, &kept); err != nil {
		return "run stored"
	}
	r := &kept.Run
	var nodes []string
	for _, id := range slices.Sorted(maps.Keys(r.Nodes)) {
		nodes = append(nodes, id+" "+string(r.Nodes[id].Phase))
	}
	return fmt.Sprintf("run %s: %s", r.Phase, strings.Join(nodes, ", "))
}

// boundary counts one, and kills at the one that was ordered.
func (s *stalker) boundary(name string) (dead bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed = append(s.passed, name)
	if s.after == 0 {
		return false
	}
	if s.after--; s.after > 0 {
		return false
	}
	s.died, s.dead = append(s.died, name), s.victim
	_ = s.victim.cmd.Process.Kill() // not waited for here
	return true
}

// order lets the daemon die after n boundaries.
func (s *stalker) order(victim *process, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.victim, s.after = victim, n
}

// spare lets the daemon live, and says how often one died, and where. One that was
// killed has ended then.
func (s *stalker) spare() (died, passed []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = 0
	if s.dead != nil {
		<-s.dead.ended
	}
	return s.died, s.passed
}

// A daemon that is killed again and again in one run, wherever that is, is followed by
// one that goes on: no step is started twice, and nothing is left.
func TestKilledInARunTheNextDaemonGoesOnWithIt(t *testing.T) {
	t.Parallel()
	if !long() {
		w := newStalked(t)
		w.stalked("train", 12, func() int { return 1 + rand.IntN(7) })
		return
	}
	for n := range 75 { // each boundary alone, and some runs that outlive theirs
		t.Run(fmt.Sprintf("boundary %d", n+1), func(t *testing.T) {
			w := newStalked(t)
			w.stalked("train", 1, func() int { return n + 1 })
		})
	}
	for n := range rounds() {
		t.Run(fmt.Sprintf("again and again %d", n+1), func(t *testing.T) {
			w := newStalked(t)
			w.stalked("train", 1000, func() int { return 1 + rand.IntN(7) })
		})
	}
}

func newStalked(t *testing.T) *workshop {
	t.Helper()
	w := newWorkshop(t)
	w.open(sixSteps)
	return w
}

// stalked runs the pipeline with a daemon that dies so often, each time after as many
// boundaries as next says, and sees that the end is as without.
func (w *workshop) stalked(pipeline string, deaths int, next func() int) {
	t := w.environment.t
	t.Helper()
	s := w.stalk()
	id := w.begin(pipeline)
	s.order(w.daemon, next())
	// Its store tells more than a daemon that may be dead.
	over := func() bool {
		content, err := os.ReadFile(filepath.Join(w.data, "runs", id, "run.json"))
		return err == nil && strings.Contains(string(content), `"phase":"done"`)
	}
	for n := 0; !over() && n < deaths; n++ {
		w.until("death, or the end of the run", func() bool { return !w.daemon.running() || over() })
		if !w.daemon.running() {
			w.serve(w.dir)
			if n+1 < deaths {
				s.order(w.daemon, next())
			}
		}
	}
	died, passed := s.spare()
	if !w.daemon.running() {
		w.serve(w.dir)
	}
	r := w.ended(id)
	if r.Outcome != runs.Succeeded || r.Published == nil || r.Published.Version != "1.0.1" {
		t.Errorf("the run %s: %s, published %+v", r.Outcome, r.Reason, r.Published)
	}
	counts := w.starts.ofRun(id)
	if got := slices.Sorted(maps.Keys(counts)); !slices.Equal(got, sixNodes) {
		t.Errorf("the engine started %v, want each step once, at its first attempt: %v", got, sixNodes)
	}
	if twice := w.starts.ranTwice(id); len(twice) != 0 {
		t.Errorf("the engine started twice: %v", twice)
	}
	if got := w.proposals(); !slices.Equal(got, []string{"fairlead/publish/digits"}) {
		t.Errorf("proposed %v", got)
	}
	w.nothingLeft()
	w.journaledOnce(id)
	t.Logf("of %d boundaries it died at %d: %s", len(passed), len(died), strings.Join(died, " | "))
	if t.Failed() {
		t.Logf("all boundaries:\n%s", strings.Join(passed, "\n"))
		t.Logf("the last daemon said: %s", w.daemon.log.tail())
	}
}

// journaledOnce sees that the journal has each decision about the run once.
func (w *workshop) journaledOnce(id string) {
	w.environment.t.Helper()
	count := func() map[journal.Action]int {
		found := map[journal.Action]int{}
		for _, e := range (&canary{environment: w.environment, repo: w.repo}).decisions() {
			if e.Run == id {
				found[e.Action]++
			}
		}
		return found
	}
	w.until("the journal has the end of the run", func() bool { return count()[journal.ActionEnd] > 0 })
	for action, n := range count() {
		if n != 1 {
			w.environment.t.Errorf("the journal has %d times %q of run %s", n, action, id)
		}
	}
}

// A second daemon that stands by takes a run over, with its containers running.
func TestSecondDaemonTakesOverARun(t *testing.T) {
	t.Parallel()
	w := newStalked(t)
	second := *w.environment
	second.serve(w.dir)
	second.until("the second daemon stands by", func() bool {
		return strings.Contains(second.daemon.log.tail(), fmt.Sprintf("pid %d", w.daemon.cmd.Process.Pid))
	})
	id := w.begin("train")
	w.until("the first step runs", func() bool { return len(w.starts.ofRun(id)) > 0 })
	w.daemon.kill()
	w.daemon = second.daemon
	r := w.ended(id)
	w.succeeded(r)
	if got := slices.Sorted(maps.Keys(w.starts.ofRun(id))); !slices.Equal(got, sixNodes) || len(w.starts.ranTwice(id)) != 0 {
		t.Errorf("the engine started %v, want each once: %v", w.starts.ofRun(id), sixNodes)
	}
	w.nothingLeft()
	w.journaledOnce(id)
}

// With the daemon its data goes, too. Nobody knows the run any more: its containers are
// removed, and the next run is another one.
func TestContainersOfARunThatNobodyKnowsAreRemoved(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	w.open(strings.ReplaceAll(sixSteps, `"sleep 300ms"`, `"sleep 1h"`))
	id := w.begin("train")
	w.until("steps run that take long", func() bool { return len(w.starts.ofRun(id)) >= 3 })
	w.until("the journal is delivered", func() bool { s, ok := w.status(); return ok && s.Journal.Pending == 0 && s.Journal.Error == "" })
	w.daemon.kill()
	if err := os.RemoveAll(w.data); err != nil {
		t.Fatal(err)
	}
	w.serve(w.dir)
	w.nothingLeft()
	w.follows(w.change(sixSteps))
	next := w.done("train")
	w.succeeded(next)
	if next.ID == id || next.Published == nil {
		t.Errorf("the next run is %s, published %+v", next.ID, next.Published)
	}
}

// The engine dies with the containers of a run, and comes back: what had succeeded
// stays, and what was lost is tried again without being asked for retries.
func TestEngineThatIsStartedAgainInARun(t *testing.T) {
	if !long() {
		t.Skip("an engine of its own takes its time; this is tried with FAIRLEAD_ROLLOUTS")
	}
	if os.Geteuid() == 0 && !ownNetwork(t) {
		return
	}
	private := newPrivateEngine(t)
	w := newWorkshopOn(t, private.socket)
	w.open(strings.ReplaceAll(sixSteps, `"sleep 300ms"`, `"sleep 2s"`))
	id := w.begin("train")
	w.until("the second step runs", func() bool {
		r, ok := w.look(id)
		return ok && r.Nodes["one"].Phase == runs.NodeSucceeded && r.Nodes["two.0"].Phase == runs.NodeRunning
	})
	private.kill()
	w.until("the outage shows in the status", func() bool {
		s, ok := w.status()
		return ok && s.Engine.Error != ""
	})
	private.start()
	r := w.ended(id)
	w.succeeded(r)
	if one := r.Nodes["one"]; one.Attempt != 1 || len(one.Past) != 0 {
		t.Errorf("the step that had succeeded ran again: %+v", one)
	}
	var past []string
	for _, n := range r.Nodes {
		for _, a := range n.Past {
			past = append(past, fmt.Sprintf("%s %d: %s: %s", n.ID, a.Attempt, a.Cause, a.Reason))
		}
	}
	t.Logf("attempts lost to the engine: %s", cmp.Or(strings.Join(past, "; "), "none"))
	w.nothingLeft()
}
