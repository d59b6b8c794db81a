package e2e

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/providers/providertest"
)

// scratch holds what all tests of a run share: the programs.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "fairlead-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	scratch = dir
	// They wait most of the time, for health, holds and deadlines; -parallel says otherwise.
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(code)
	}))
}

// buildProgram builds the program as it is shipped, once, when the first test
// needs it. A version of its own gives it a gateway image of its own: no other
// test, and no daemon of this machine, loses its image when ours is removed.
var buildProgram = sync.OnceValues(func() (string, error) {
	program := filepath.Join(scratch, "fairlead")
	version := fmt.Sprintf("0.0.0-e2e%d", os.Getpid())
	build := exec.Command("go", "build", "-trimpath",
		"-ldflags", "-s -w -X github.com/fairlead/fairlead/cmd/fairlead/internal/cli.buildVersion="+version,
		"-o", program, "github.com/fairlead/fairlead/cmd/fairlead")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return program, nil
})

//go:embed testdata/model.go
var modelSource []byte

// buildModel builds the model server, once. buildBroken builds one of which half of the
// answers are failures.
var (
	buildModel  = sync.OnceValues(func() (string, error) { return buildServer("model", "") })
	buildBroken = sync.OnceValues(func() (string, error) { return buildServer("broken", " -X main.broken=0.5") })
)

func buildServer(name, flags string) (string, error) {
	dir := filepath.Join(scratch, name)
	program := filepath.Join(dir, "program")
	err := errors.Join(
		os.MkdirAll(dir, 0o700),
		os.WriteFile(filepath.Join(dir, "main.go"), modelSource, 0o600),
		os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module model\n\ngo 1.26\n"), 0o600))
	if err != nil {
		return "", err
	}
	build := exec.CommandContext(context.Background(), "go", "build", "-ldflags=-s -w"+flags, "-o", program, ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the %s server: %w\n%s", name, err, out)
	}
	return program, nil
}

// built returns the path of what one of the two made.
func built(t *testing.T, build func() (string, error)) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// modelImage loads the model server into the engine, under a name of the test's
// own.
func modelImage(t *testing.T, socket, owner string) string {
	t.Helper()
	ref := "fairlead-e2e/" + owner + ":1"
	providertest.LoadImage(t, socket, ref, built(t, buildModel))
	return ref
}

// process is a running program, most often a daemon.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	log   *output
	ended chan struct{} // closed when it has ended
}

// start runs the program until the test ends, or something ends it before.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, log: &output{}, ended: make(chan struct{})}
	p.cmd = exec.Command(built(t, buildProgram), args...) //nolint:noctx // it is killed, or stopped gently, by the test
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = env, p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	return p
}

// kill is kill -9. It returns when the process is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.ended
}

// stop asks it to end, as a system does, and waits.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Errorf("stop the daemon: %v", err)
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Errorf("the daemon does not end when asked to:\n%s", p.log.tail())
		p.kill()
	}
}

// running tells whether it has not ended.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// output collects what a process prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	told int               // bytes whose lines each was told
	each func(line string) // nil: nobody listens
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.text.Write(b)
	for {
		line, _, whole := bytes.Cut(o.text.Bytes()[o.told:], []byte("\n"))
		if !whole {
			return n, err
		}
		o.told += len(line) + 1
		if o.each != nil {
			o.each(string(line))
		}
	}
}

// onLine has a function called with each line from now on, as it comes; nil ends
// that. It must not ask for the output.
func (o *output) onLine(each func(line string)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.each = each
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// tail is the end of it, for messages of failed tests.
func (o *output) tail() string {
	text := o.String()
	return text[max(0, len(text)-6000):]
}

// run runs the program to its end and returns what it printed, both streams as
// one, and its exit code.
func run(t *testing.T, env []string, args ...string) (string, int) {
	t.Helper()
	p := start(t, env, args...)
	select {
	case <-p.ended:
	case <-time.After(3 * patience):
		p.kill()
		t.Fatalf("fairlead %v does not end:\n%s", args, p.log.tail())
	}
	return p.log.String(), p.cmd.ProcessState.ExitCode()
}
