package providertest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// The cases of RuntimeSuite that are about the containers of pipeline steps.

// TestStep is the spec of the first attempt at a node of a run, that does what the
// command says, with the least that a step can have.
func TestStep(scope reconcile.Scope, image reconcile.Image, run, node string, command ...string) reconcile.ContainerSpec {
	const attempt = 1
	return reconcile.ContainerSpec{
		Name:  scope.StepName(run, node, attempt),
		Image: image,
		Labels: map[string]string{
			reconcile.LabelOwner:       scope.Owner,
			reconcile.LabelEnvironment: scope.Environment,
			reconcile.LabelKind:        string(spec.KindStep),
			reconcile.LabelPipeline:    "train_digits",
			reconcile.LabelRun:         run,
			reconcile.LabelNode:        node,
			reconcile.LabelAttempt:     strconv.Itoa(attempt),
			reconcile.LabelImage:       image.Ref,
		},
		Container: spec.Container{
			Command:      command,
			ReadOnlyRoot: true,
			Resources:    spec.Resources{CPUs: 0.5, Memory: 64 << 20, PIDs: 64},
			Restart:      spec.RestartNo,
			StopTimeout:  5 * time.Second,
		},
		NoNetwork: true,
	}
}

func (b *runtimeBench) step(node string, command ...string) reconcile.ContainerSpec {
	return TestStep(b.scope, b.image, "train_digits-1", node, command...)
}

// runs creates and starts a step.
func (b *runtimeBench) runs(t *testing.T, c reconcile.ContainerSpec) string {
	t.Helper()
	id, err := b.Create(t.Context(), c)
	must(t, err)
	must(t, b.Start(t.Context(), id))
	return id
}

// ended waits for the end of a container as a List tells it.
func (b *runtimeBench) ended(t *testing.T, id string) reconcile.Container {
	t.Helper()
	return b.eventually(t, id, "the step has ended", func(c reconcile.Container) bool { return c.State == reconcile.StateExited })
}

func stepEnds(t *testing.T, b *runtimeBench) {
	for _, code := range []int{0, 3} {
		node := "exits" + strconv.Itoa(code)
		id := b.runs(t, b.step(node, "exit", strconv.Itoa(code)))
		c := b.ended(t, id)
		if c.ExitCode != code || c.OOMKilled || c.Started.IsZero() || c.Finished.Before(c.Started) || c.Restarts != 0 {
			t.Errorf("it ended with %+v, want code %d", c, code)
		}
		if c.Kind != spec.KindStep || c.Pipeline != "train_digits" || c.Run != "train_digits-1" || c.Node != node || c.Attempt != 1 || c.Model != "" {
			t.Errorf("the container lost whose it is: %+v", c)
		}
	}
}

func stepOutOfMemory(t *testing.T, b *runtimeBench) {
	c := b.ended(t, b.runs(t, b.step("train", "hog")))
	if c.ExitCode != 137 {
		t.Fatalf("it ended with code %d, want 137", c.ExitCode)
	}
	if !c.OOMKilled {
		t.Skip("this engine does not tell that the kernel killed a process for want of memory")
	}
}

func stubbornStepIsKilled(t *testing.T, b *runtimeBench) {
	id := b.runs(t, b.step("train", "stubborn"))
	b.says(t, id, "ready")
	start := time.Now()
	must(t, b.Stop(t.Context(), id, time.Second))
	if took := time.Since(start); took < 900*time.Millisecond {
		t.Errorf("it was given %s of its grace period of a second", took)
	}
	if c := b.ended(t, id); c.ExitCode != 137 || c.OOMKilled {
		t.Errorf("it ended with %+v, want code 137", c)
	}
}

// says waits until the log of the container has the words.
func (b *runtimeBench) says(t *testing.T, id, words string) {
	t.Helper()
	Eventually(t, "the log says "+words, func() bool {
		text, err := b.Logs(t.Context(), id, 10)
		must(t, err)
		return strings.Contains(text, words)
	})
}

// directories makes one to read from, with a file in it, and one to write to.
func directories(t *testing.T) (in, out string) {
	t.Helper()
	in, out = t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(in, "data"), []byte("seven"), 0o600))
	must(t, errors.Join(os.Chmod(in, 0o755), os.Chmod(filepath.Join(in, "data"), 0o644), os.Chmod(out, 0o777)))
	return in, out
}

func stepReadsAndWrites(t *testing.T, b *runtimeBench) {
	in, out := directories(t)
	binds := []reconcile.Bind{{Source: in, Target: "/in/data", ReadOnly: true}, {Source: out, Target: "/out"}}
	copies := b.step("copy", "copy", "/in/data/data", "/out/model")
	copies.Binds = binds
	copied := b.runs(t, copies)
	if c := b.ended(t, copied); c.ExitCode != 0 {
		log, _ := b.Logs(t.Context(), copied, 10)
		t.Fatalf("it ended with code %d: %s", c.ExitCode, log)
	}
	if content, err := os.ReadFile(filepath.Join(out, "model")); err != nil || string(content) != "seven" {
		t.Errorf("the output is %q, %v", content, err)
	}
	for node, target := range map[string]string{"over": "/in/data/data", "beside": "/in/data/more"} {
		vandal := b.step(node, "copy", "/out/model", target)
		vandal.Binds = binds
		id := b.runs(t, vandal)
		if c := b.ended(t, id); c.ExitCode != 1 {
			t.Errorf("writing to %s ended with code %d, want 1", target, c.ExitCode)
		}
		b.says(t, id, "read-only file system")
	}
	if entries, err := os.ReadDir(in); err != nil || len(entries) != 1 {
		t.Errorf("the inputs are %v now, %v", entries, err)
	}
	must(t, b.Remove(t.Context(), copied))
	if _, err := os.Stat(filepath.Join(out, "model")); err != nil {
		t.Errorf("the output went with the container: %v", err)
	}
}

func missingDirectoryIsRefused(t *testing.T, b *runtimeBench) {
	_, file := directories(t)
	file = filepath.Join(file, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	for what, source := range map[string]string{
		"no directory": filepath.Join(t.TempDir(), "nothing"), "a relative path": "in", "a file": file,
	} {
		c := b.step("train", "exit", "0")
		c.Binds = []reconcile.Bind{{Source: source, Target: "/in"}}
		_, err := b.Create(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), source) {
			t.Errorf("%s: error is %v, want one that names %s", what, err, source)
		}
		if _, statErr := os.Stat(source); statErr == nil && source != file {
			t.Errorf("%s: it was made", what)
		}
	}
	all, err := b.List(t.Context(), reconcile.Filter{})
	if err != nil || len(all) != 0 {
		t.Errorf("there is %+v, %v", all, err)
	}
}

func stepWithoutNetwork(t *testing.T, b *runtimeBench) {
	must(t, b.RemoveNetwork(t.Context())) // it is not even asked for
	id := b.runs(t, b.step("alone", "networks"))
	if c := b.ended(t, id); c.ExitCode != 0 || c.Address != "" {
		t.Errorf("it ended with %+v", c)
	}
	if text := b.words(t, id); text != "lo" {
		t.Errorf("it sees the networks %q, want lo alone", text)
	}
	must(t, b.EnsureNetwork(t.Context()))
	c := b.step("reaches", "networks")
	c.NoNetwork = false
	id = b.runs(t, c)
	b.ended(t, id)
	if text := b.words(t, id); !strings.Contains(text, "eth0") {
		t.Errorf("with a network it sees %q", text)
	}
}

// words are what the container says, without what the engine adds, in one line.
func (b *runtimeBench) words(t *testing.T, id string) string {
	t.Helper()
	text, err := b.Logs(t.Context(), id, 100)
	must(t, err)
	return strings.Join(strings.Fields(text), " ")
}

func stepIsCreatedOnce(t *testing.T, b *runtimeBench) {
	c := b.step("train", "exit", "0")
	first, err := b.Create(t.Context(), c)
	must(t, err)
	second, err := b.Create(t.Context(), c) // as after a lost answer
	must(t, err)
	if first != second {
		t.Errorf("the second create made %s beside %s", second, first)
	}
	must(t, b.Start(t.Context(), first))
	b.ended(t, first)
	_, err = b.Create(t.Context(), c)
	wantErr(t, "creating what has run", err, reconcile.ErrNameTaken)
}

func listIsNarrowedByRun(t *testing.T, b *runtimeBench) {
	b.created(t, "digits")
	for _, run := range []string{"train-1", "train-2"} {
		for _, node := range []string{"split", "fit"} {
			_, err := b.Create(t.Context(), TestStep(b.scope, b.image, run, node, "exit", "0"))
			must(t, err)
		}
	}
	some, err := b.List(t.Context(), reconcile.Filter{Run: "train-2"})
	must(t, err)
	if len(some) != 2 || some[0].Node != "fit" || some[1].Node != "split" || some[0].Run != "train-2" {
		t.Errorf("the containers of train-2 are %+v", some)
	}
	if models, err := b.List(t.Context(), reconcile.Filter{Model: "digits"}); err != nil || len(models) != 1 {
		t.Errorf("the containers of digits are %+v, %v", models, err)
	}
}

// sheet is a writer that can be read meanwhile.
type sheet struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *sheet) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *sheet) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func outputIsFollowed(t *testing.T, b *runtimeBench) {
	_, out := directories(t)
	c := b.step("talk", "talk", "/in/go")
	c.Binds = []reconcile.Bind{{Source: out, Target: "/in", ReadOnly: true}}
	id := b.runs(t, c)
	var seen sheet
	ended := make(chan error, 1)
	go func() { ended <- b.Follow(t.Context(), id, &seen) }()
	Eventually(t, "the first line arrives", func() bool { return strings.Contains(seen.String(), "first\n") })
	if strings.Contains(seen.String(), "last") {
		t.Error("the last line is there before the step goes on")
	}
	must(t, os.WriteFile(filepath.Join(out, "go"), nil, 0o644))
	must(t, <-ended)
	if got := seen.String(); !strings.HasSuffix(got, "first\nlast\n") {
		t.Errorf("followed %q", got)
	}
	b.ended(t, id)
	var again sheet
	must(t, b.Follow(t.Context(), id, &again))
	if again.String() != seen.String() {
		t.Errorf("after its end the output is %q, was %q", again.String(), seen.String())
	}
	must(t, b.Remove(t.Context(), id))
	if b.Follow(t.Context(), id, &again) == nil {
		t.Error("the output of a container that is gone was followed")
	}
}

// stalled is a writer that takes nothing until it is let go.
type stalled struct {
	began sync.Once
	write chan struct{} // closed when it is asked to
	let   chan struct{}
}

func (s *stalled) Write(p []byte) (int, error) {
	s.began.Do(func() { close(s.write) })
	<-s.let
	return len(p), nil
}

func stalledWriter(t *testing.T, b *runtimeBench) {
	id := b.runs(t, b.step("talk", "stubborn"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := &stalled{write: make(chan struct{}), let: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- b.Follow(ctx, id, w) }()
	<-w.write
	cancel()
	wantErr(t, "following into a writer that stalls", <-ended, context.Canceled)
	close(w.let)
	must(t, b.Remove(t.Context(), id))
}

// waiter is the runtime, if it can wait.
func (b *runtimeBench) waiter(t *testing.T) reconcile.Waiter {
	t.Helper()
	w, can := b.Runtime.(reconcile.Waiter)
	if !can {
		t.Skip("this runtime cannot wait for the end of a container")
	}
	return w
}

func endIsWaitedFor(t *testing.T, b *runtimeBench) {
	w := b.waiter(t)
	_, out := directories(t)
	c := b.step("talk", "talk", "/in/go")
	c.Binds = []reconcile.Bind{{Source: out, Target: "/in", ReadOnly: true}}
	id := b.runs(t, c)
	short, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := w.Wait(short, id)
		ended <- err
	}()
	b.says(t, id, "first")
	cancel()
	wantErr(t, "waiting no longer", <-ended, context.Canceled)

	must(t, os.WriteFile(filepath.Join(out, "go"), nil, 0o644))
	for range 2 { // also when it has ended already
		exit, err := w.Wait(t.Context(), id)
		must(t, err)
		if exit.Code != 0 || exit.OOMKilled || exit.Finished.IsZero() {
			t.Errorf("it ended with %+v", exit)
		}
	}
	exit, err := w.Wait(t.Context(), b.runs(t, b.step("fail", "exit", "3")))
	if err != nil || exit.Code != 3 {
		t.Errorf("it ended with %+v, %v; want code 3", exit, err)
	}
}

func neverRanCannotBeWaitedFor(t *testing.T, b *runtimeBench) {
	w := b.waiter(t)
	id, err := b.Create(t.Context(), b.step("train", "wait"))
	must(t, err)
	if exit, err := w.Wait(t.Context(), id); err == nil {
		t.Errorf("a step that never ran ended with %+v", exit)
	}
	must(t, b.Start(t.Context(), id))
	ended := make(chan error, 1)
	go func() {
		_, err := w.Wait(t.Context(), id)
		ended <- err
	}()
	b.says(t, id, "ready")
	must(t, b.host.RemoveByHand(id))
	if err := <-ended; err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a step that was removed says %v", err)
	}
	if _, err := w.Wait(t.Context(), id); err == nil {
		t.Error("a step that is gone was waited for")
	}
}
