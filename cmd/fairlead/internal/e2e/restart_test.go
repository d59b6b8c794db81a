package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// privateEngine is a Docker Engine of the test's own, which it may kill.
type privateEngine struct {
	t      *testing.T
	dir    string
	socket string
	cmd    *exec.Cmd
	ended  chan struct{}
	log    *output
}

// newPrivateEngine starts an engine that shares nothing with the machine's own:
// neither data nor sockets nor addresses, and it leaves the firewall alone.
func newPrivateEngine(t *testing.T) *privateEngine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("this test needs root: it starts a Docker Engine of its own")
	}
	if _, err := exec.LookPath("dockerd"); err != nil {
		t.Skip("this test needs dockerd: it starts a Docker Engine of its own")
	}
	// Paths of sockets are limited to about 100 bytes.
	dir, err := os.MkdirTemp("", "e2e-engine")
	if err != nil {
		t.Fatal(err)
	}
	p := &privateEngine{t: t, dir: dir, socket: filepath.Join(dir, "engine.sock"), log: &output{}}
	t.Cleanup(p.remove)
	// Else it reads the configuration of the machine's engine.
	if err := os.WriteFile(filepath.Join(dir, "engine.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	return p
}

// privateAddresses are those of the private engine's networks.
const privateAddresses = "10.213.0.0/16"

// ownNetwork runs the test once more, in a network of its own, and returns true in
// that second run. A second engine in the machine's network would take docker0
// away from the first, and meet its firewall.
func ownNetwork(t *testing.T) bool {
	t.Helper()
	const marker = "FAIRLEAD_E2E_OWN_NETWORK"
	if os.Getenv(marker) != "" {
		return true
	}
	for _, tool := range []string{"unshare", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("this test needs %s, to give a second engine a network of its own", tool)
		}
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--net", "sh", "-c", `ip link set lo up && exec "$0" "$@"`,
		os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v", "-test.timeout", "5m")
	cmd.Env = append(os.Environ(), marker+"=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("in a network of its own: %v", err)
	}
	return false
}

// start starts the engine and waits until it answers. Containers may have no way
// out, but the host reaches them, which is all that is needed.
func (p *privateEngine) start() {
	p.t.Helper()
	p.cmd = exec.Command("dockerd", //nolint:noctx // it is killed by the test
		"--host", "unix://"+p.socket, "--data-root", filepath.Join(p.dir, "data"), "--exec-root", filepath.Join(p.dir, "exec"),
		"--pidfile", filepath.Join(p.dir, "engine.pid"), "--bridge", "none", "--iptables=false", "--ip-masq=false",
		"--default-address-pool", "base="+privateAddresses+",size=24", "--config-file", filepath.Join(p.dir, "engine.json"))
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	// An engine that was killed leaves its number, which another process may have by now.
	_ = os.Remove(filepath.Join(p.dir, "engine.pid"))
	p.awaitContainerd()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	cmd, ended := p.cmd, make(chan struct{})
	p.ended = ended
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	ping := newEngine(p.t, p.socket)
	deadline := time.After(patience)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		if ping.call("GET", "/version", nil, nil) == nil {
			return
		}
		select {
		case <-again.C:
		case <-ended:
			p.t.Skipf("no private Docker Engine can be started here: %s", p.log.tail())
		case <-deadline:
			p.t.Fatalf("the private Docker Engine does not answer: %s", p.log.tail())
		}
	}
}

// awaitContainerd waits for the end of the containerd of an engine that was killed,
// which dies with it, and forgets its number: the next engine would wait for whoever
// has that.
func (p *privateEngine) awaitContainerd() {
	file := filepath.Join(p.dir, "exec", "containerd", "containerd.pid")
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-again.C {
		pid, err := os.ReadFile(file)
		if err != nil {
			return
		}
		if number, err := strconv.Atoi(strings.TrimSpace(string(pid))); err != nil || !p.isContainerd(number) {
			_ = os.Remove(file)
			return
		}
	}
}

// kill is kill -9 of the engine alone; its containers go on until the next one
// starts and finds them.
func (p *privateEngine) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// remove ends the engine with all that it has started, and deletes its data.
func (p *privateEngine) remove() {
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(patience):
			p.kill()
		}
	}
	// Of one that was killed the containerd is not its child any more.
	if pid, err := os.ReadFile(filepath.Join(p.dir, "exec", "containerd", "containerd.pid")); err == nil {
		if number, err := strconv.Atoi(strings.TrimSpace(string(pid))); err == nil && p.isContainerd(number) {
			_ = syscall.Kill(number, syscall.SIGKILL)
		}
	}
	for _, mounted := range p.mounts() {
		_ = syscall.Unmount(mounted, syscall.MNT_DETACH)
	}
	if err := os.RemoveAll(p.dir); err != nil {
		p.t.Logf("remove the private Docker Engine: %v", err)
	}
}

// isContainerd tells whether the process is the containerd of this engine.
func (p *privateEngine) isContainerd(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.Contains(string(line), p.dir)
}

// mounts are the mount points below its directory, the innermost first.
func (p *privateEngine) mounts() []string {
	table, _ := os.ReadFile("/proc/self/mounts")
	var found []string
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], p.dir+"/") {
			found = append(found, fields[1])
		}
	}
	slices.Reverse(found)
	return found
}

// The engine dies in the middle of a change, and comes back: with the containers
// stopped or gone, as engines do.
func TestEngineThatIsKilledAndStartedAgainIsPutRight(t *testing.T) {
	if os.Geteuid() == 0 && !ownNetwork(t) {
		return
	}
	private := newPrivateEngine(t)
	e, r := newEnvironmentOn(t, private.socket), newRepo(t)
	m := model{name: "digits", image: e.image, version: "1", replicas: 2}
	commit := r.commit(m)
	e.serve(r.dir)
	e.converged(commit)
	e.exactly(m)
	if got := e.serving("digits"); got != "1" {
		t.Errorf("version %q serves", got)
	}

	private.kill()
	e.until("the outage shows in the status", func() bool {
		s, ok := e.status()
		return ok && s.Engine.Error != "" && !s.Converged
	})
	m.version = "2"
	commit = r.commit(m)
	private.start()
	e.converged(commit)
	e.exactly(m)
	if got := e.serving("digits"); got != "2" {
		t.Errorf("after the restart version %q serves, want 2", got)
	}
	if !e.daemon.running() {
		t.Error("the daemon has ended")
	}
}
