package docker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead/providers/docker"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

func (b *faultBench) step(command ...string) reconcile.ContainerSpec {
	return providertest.TestStep(b.scope, b.image, "train-1", "fit", command...)
}

// started creates and starts a container.
func (b *faultBench) started(t *testing.T, c reconcile.ContainerSpec) string {
	t.Helper()
	id, err := b.Create(t.Context(), c)
	if err == nil {
		err = b.Start(t.Context(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// A run of many short steps must cost little more than the engine itself takes
// for them. So each call counts.
func TestStepsCostFewCalls(t *testing.T) {
	b := newFaultBench(t, newEngineHost(t), docker.Options{SecretsDir: filepath.Join(t.TempDir(), "secrets")})
	if _, err := b.List(t.Context(), reconcile.Filter{}); err != nil { // so that the version of the API is settled
		t.Fatal(err)
	}
	calls := func(want ...string) {
		t.Helper()
		var got []string
		for _, call := range b.proxy.Calls() {
			line := call.String()
			for _, part := range strings.Split(call.Path, "/") {
				if len(part) == 64 {
					line = strings.Replace(line, part, "ID", 1)
				}
			}
			got = append(got, line)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the calls are\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
		b.proxy.Forget()
	}
	b.proxy.Forget()
	c := b.step("exit", "0")
	c.Binds = []reconcile.Bind{{Source: t.TempDir(), Target: "/out"}}
	id := b.started(t, c)
	calls("POST /containers/create", "POST /containers/ID/start")
	if _, err := b.Wait(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	calls("POST /containers/ID/wait", "GET /containers/ID/json")
	for _, want := range [][]string{
		{"GET /containers/json", "GET /containers/ID/json"}, // how it ended is asked for once
		{"GET /containers/json"},
	} {
		if _, err := b.List(t.Context(), reconcile.Filter{Run: "train-1"}); err != nil {
			t.Fatal(err)
		}
		calls(want...)
	}
	if err := b.Follow(t.Context(), id, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	calls("GET /containers/ID/logs")
	if err := b.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	calls("DELETE /containers/ID")
}

func TestStepsAreHardened(t *testing.T) {
	b := newFaultBench(t, newEngineHost(t), docker.Options{SecretsDir: filepath.Join(t.TempDir(), "secrets")})
	c := b.step("show", "/run/secrets/token")
	c.User = "12345:12345"
	c.SecretFiles = map[string]spec.Sensitive{"token": spec.NewSensitive("from a file")}
	_, log := runToEnd(t, b.Runtime, c)
	var inside insideView
	if err := json.Unmarshal([]byte(log), &inside); err != nil {
		t.Fatalf("the step printed %q: %v", log, err)
	}
	for field, want := range map[string]string{
		"CapPrm": "0000000000000000", "CapEff": "0000000000000000", "CapBnd": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2",
	} {
		if got := inside.Status[field]; got != want {
			t.Errorf("%s is %s, want %s", field, got, want)
		}
	}
	if inside.UID != 12345 || inside.Write == "" || inside.Files["/run/secrets/token"] != "from a file" {
		t.Errorf("inside it looks like %+v", inside)
	}
}

// Two steps may have other secrets under one file name.
func TestSecretFilesOfAStepAreItsOwn(t *testing.T) {
	root := filepath.Join(t.TempDir(), "secrets")
	b := newFaultBench(t, newEngineHost(t), docker.Options{SecretsDir: root})
	var ids []string
	for _, node := range []string{"split", "fit.2"} {
		c := providertest.TestStep(b.scope, b.image, "train-1", node, "show", "/run/secrets/token")
		c.SecretFiles = map[string]spec.Sensitive{"token": spec.NewSensitive("of " + node)}
		id, log := runToEnd(t, b.Runtime, c)
		if !strings.Contains(log, "of "+node) {
			t.Errorf("%s sees %s", node, log)
		}
		ids = append(ids, id)
	}
	for left := len(ids); left >= 0; left-- {
		found, err := filepath.Glob(filepath.Join(root, "engine-*", "step+*", "token"))
		if err != nil || len(found) != left {
			t.Errorf("there are %v, %v; want those of %d steps", found, err, left)
		}
		if left > 0 {
			if err := b.Remove(t.Context(), ids[left-1]); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestDirectoriesNeedAnEngineOnThisHost(t *testing.T) {
	scope := reconcile.Scope{Owner: "fairlead", Environment: "prod"}
	runtime := open(t, docker.Options{Host: "tcp://192.0.2.1:2376", Scope: scope}) // nobody is there, and nobody is asked
	c := providertest.TestStep(scope, reconcile.Image{Pin: "sha256:aa"}, "train-1", "fit")
	c.Binds = []reconcile.Bind{{Source: t.TempDir(), Target: "/in"}}
	if _, err := runtime.Create(t.Context(), c); err == nil || !strings.Contains(err.Error(), "another host") {
		t.Errorf("create says %v", err)
	}
}

// What is mounted below a directory on the host stays there.
func TestDirectoriesShowNothingThatIsMountedBelow(t *testing.T) {
	b := newFaultBench(t, newEngineHost(t), docker.Options{})
	// Every engine has this: a file system of the kernel, mounted below /sys/fs.
	c := b.step("show", "/in/cgroup/memory/cgroup.procs", "/in/cgroup/cgroup.procs")
	c.Binds = []reconcile.Bind{{Source: "/sys/fs", Target: "/in", ReadOnly: true}}
	_, log := runToEnd(t, b.Runtime, c)
	var inside insideView
	if err := json.Unmarshal([]byte(log), &inside); err != nil {
		t.Fatalf("the step printed %q: %v", log, err)
	}
	for name, content := range inside.Files {
		if !strings.HasPrefix(content, "error:") {
			t.Errorf("%s shows %q", name, content)
		}
	}
}

// lines is a writer that counts what comes, and keeps the last of it.
type lines struct {
	mu    sync.Mutex
	count int
	last  []byte
	first chan struct{}
	once  sync.Once
}

func newLines() *lines { return &lines{first: make(chan struct{})} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.once.Do(func() { close(l.first) })
	l.count += bytes.Count(p, []byte("\n"))
	l.last = append(l.last, p...)
	l.last = l.last[max(0, len(l.last)-(1<<20)):] // one stream may end well before the other
	return len(p), nil
}

// The engine throws old output away while a step goes on talking. Whoever follows
// may miss some of it, but not its end.
func TestOutputIsFollowedWhileItIsRotated(t *testing.T) {
	b := newFaultBench(t, newEngineHost(t), docker.Options{})
	const spoken = 6000
	c := b.step("flood", "6000") // 12 MB
	c.Logs = spec.Logs{MaxSize: 1 << 20, MaxFiles: 2}
	seen := newLines()
	if err := b.Follow(t.Context(), b.started(t, c), seen); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d lines came", seen.count, 2*spoken)
	for _, stream := range []string{"5999 ooo", "5999 eee"} {
		if !strings.Contains(string(seen.last), stream) {
			t.Errorf("the end lacks %q", stream)
		}
	}
}

func TestStreamsThatBreakAreErrors(t *testing.T) {
	b := newFaultBench(t, newEngineHost(t), docker.Options{})
	id := b.started(t, b.step("wait"))
	seen := newLines()
	followed, waited := make(chan error, 1), make(chan error, 1)
	go func() { followed <- b.Follow(t.Context(), id, seen) }()
	go func() {
		_, err := b.Wait(t.Context(), id)
		waited <- err
	}()
	<-seen.first
	providertest.Eventually(t, "both ask the engine", func() bool {
		return b.proxy.Count(http.MethodPost, "/containers/*/wait") == 1
	})
	b.proxy.SetDown(true)
	for what, ended := range map[string]chan error{"follow": followed, "wait": waited} {
		if err := <-ended; !errors.Is(err, reconcile.ErrUnavailable) {
			t.Errorf("%s: error is %v, want one that wraps ErrUnavailable", what, err)
		}
	}
	b.proxy.SetDown(false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Follow(ctx, id, seen); !errors.Is(err, context.Canceled) {
		t.Errorf("following for nobody: %v", err)
	}
}

// A model's artifact is a directory of this host.
func TestReplicaReadsItsArtifact(t *testing.T) {
	b := newFaultBench(t, newEngineHost(t), docker.Options{})
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, "weights"), []byte("seven"), 0o644)); err != nil {
		t.Fatal(err)
	}
	c := b.replica(1)
	c.Command = []string{"show", "/model/weights"}
	c.Binds = []reconcile.Bind{{Source: dir, Target: "/model", ReadOnly: true}}
	if _, log := runToEnd(t, b.Runtime, c); !strings.Contains(log, `"/model/weights":"seven"`) {
		t.Errorf("it sees %s", log)
	}
}

// full is a writer like a disk that is full.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestWriterThatFailsIsNotTheEnginesFault(t *testing.T) {
	b := newFaultBench(t, newEngineHost(t), docker.Options{})
	id := b.started(t, b.step("flood", "10"))
	err := b.Follow(t.Context(), id, full{})
	if !errors.Is(err, syscall.ENOSPC) || errors.Is(err, reconcile.ErrUnavailable) {
		t.Errorf("follow says %v", err)
	}
}

// A checkout that was lost, as with the disk of the daemon, is made again for a
// new container only.
func TestContainerWhoseDirectoryIsLostMustBeReplaced(t *testing.T) {
	b := newFaultBench(t, newEngineHost(t), docker.Options{})
	dir := filepath.Join(t.TempDir(), "checkout")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := b.replica(1)
	c.Binds = []reconcile.Bind{{Source: dir, Target: "/model", ReadOnly: true}}
	id, err := b.Create(t.Context(), c)
	if err := errors.Join(err, os.Remove(dir)); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context(), id); !errors.Is(err, reconcile.ErrMustReplace) {
		t.Errorf("error is %v, want one that wraps ErrMustReplace", err)
	}
}
