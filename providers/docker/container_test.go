package docker_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/network"

	"github.com/fairlead/fairlead/providers/docker"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// insideView is what the test program prints when it is told to show.
type insideView struct {
	Env    []string
	UID    int
	Status map[string]string
	Files  map[string]string
	Modes  map[string]string
	Write  string
}

// runToEnd creates and starts a container that ends by itself, and returns its
// log.
func runToEnd(t *testing.T, runtime reconcile.Runtime, c reconcile.ContainerSpec) (id, log string) {
	t.Helper()
	c.Restart = spec.RestartNo
	id, err := runtime.Create(t.Context(), c)
	if err == nil {
		err = runtime.Start(t.Context(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
	providertest.Eventually(t, "the container is exited", func() bool {
		all, err := runtime.List(t.Context(), reconcile.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, seen := range all {
			if seen.ID == id {
				return seen.State == reconcile.StateExited
			}
		}
		return false
	})
	log, err = runtime.Logs(t.Context(), id, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return id, log
}

func TestContainersAreHardened(t *testing.T) {
	b := newFaultBench(t, newEngineHost(t), docker.Options{SecretsDir: filepath.Join(t.TempDir(), "secrets")})
	c := b.replica(1)
	c.Command = []string{"show", "/run/secrets/token"}
	c.User = "12345:12345"
	c.ReadOnlyRoot = true
	c.SecretFiles = map[string]spec.Sensitive{"token": spec.NewSensitive("from a file")}
	c.SecretEnv = map[string]spec.Sensitive{"KEY": spec.NewSensitive("from env")}
	_, log := runToEnd(t, b.Runtime, c)
	var inside insideView
	if err := json.Unmarshal([]byte(log), &inside); err != nil {
		t.Fatalf("the container printed %q: %v", log, err)
	}
	if inside.UID != 12345 {
		t.Errorf("it runs as user %d", inside.UID)
	}
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if got := inside.Status[set]; got != "0000000000000000" {
			t.Errorf("the capabilities %s are %s, want none", set, got)
		}
	}
	if inside.Status["NoNewPrivs"] != "1" || inside.Status["Seccomp"] != "2" {
		t.Errorf("no new privileges is %s, seccomp is %s, want 1 and 2", inside.Status["NoNewPrivs"], inside.Status["Seccomp"])
	}
	if inside.Write == "" {
		t.Error("it can write to its root")
	}
	if got := inside.Files["/run/secrets/token"]; got != "from a file" {
		t.Errorf("the secret file holds %q", got)
	}
	if got := inside.Modes["/run/secrets/token"]; got != "-r--r--r--" {
		t.Errorf("the secret file has the mode %s", got)
	}
	env := strings.Join(inside.Env, "\n")
	if !strings.Contains(env, "KEY=from env") || !strings.Contains(env, "GREETING=hello") {
		t.Errorf("the environment is\n%s", env)
	}
}

func TestSecretFilesLiveAsLongAsTheirContainers(t *testing.T) {
	root := filepath.Join(t.TempDir(), "secrets")
	b := newFaultBench(t, newEngineHost(t), docker.Options{SecretsDir: root})
	ctx := t.Context()
	replica := func(ordinal int) reconcile.ContainerSpec {
		c := b.replica(ordinal)
		c.SecretFiles = map[string]spec.Sensitive{"token": spec.NewSensitive("canary-7f3a")}
		return c
	}
	var ids [2]string
	for i := range ids {
		id, err := b.Create(ctx, replica(i+1))
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = id
	}
	if info, err := os.Stat(root); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory is %v, %v; want mode 0700", info.Mode(), err)
	}
	found, err := filepath.Glob(filepath.Join(root, "engine-*", "digits.rev1", "token"))
	if err != nil || len(found) != 1 {
		t.Fatalf("found %q, %v; want the file below a directory of the engine", found, err)
	}
	file := found[0]
	if content, err := os.ReadFile(file); err != nil || string(content) != "canary-7f3a" {
		t.Errorf("the file holds %q, %v", content, err)
	}

	t.Run("nothing that the engine tells holds the value", func(t *testing.T) {
		seen, err := b.host.api.ContainerInspect(ctx, ids[0])
		if err != nil {
			t.Fatal(err)
		}
		if text, err := json.Marshal(seen); err != nil || strings.Contains(string(text), "canary") {
			t.Errorf("inspect shows it: %s, %v", text, err)
		}
	})
	t.Run("lost files are said, and mended by an update", func(t *testing.T) {
		if err := os.RemoveAll(filepath.Dir(file)); err != nil {
			t.Fatal(err)
		}
		if err := b.Start(ctx, ids[0]); !errors.Is(err, reconcile.ErrMustReplace) {
			t.Errorf("start says %v, want an error that wraps ErrMustReplace", err)
		}
		if err := errors.Join(b.Update(ctx, ids[0], replica(1)), b.Start(ctx, ids[0])); err != nil {
			t.Error(err)
		}
	})
	t.Run("they go with the last container", func(t *testing.T) {
		if err := b.Remove(ctx, ids[0]); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(file); err != nil {
			t.Errorf("after the first of two: %v", err)
		}
		if err := b.Remove(ctx, ids[1]); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(filepath.Dir(filepath.Dir(file))); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	t.Run("an open directory is refused", func(t *testing.T) {
		if err := os.Chmod(root, 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Create(ctx, replica(1)); err == nil || !strings.Contains(err.Error(), "chmod 0700") {
			t.Errorf("create says %v", err)
		}
	})
	t.Run("a name that leaves the directory is denied", func(t *testing.T) {
		for _, name := range []string{"../token", "a/b", "/token", "..", ".", "", ".hidden"} {
			c := replica(1)
			c.SecretFiles = map[string]spec.Sensitive{name: spec.NewSensitive("x")}
			if b.Vet(c) == nil {
				t.Errorf("%q is granted", name)
			}
		}
	})
}

func TestErrorsNeverHoldSecretValues(t *testing.T) {
	b := newFaultBench(t, newEngineHost(t), docker.Options{})
	c := b.replica(1)
	// An engine quotes a variable whose name is empty, value and all.
	c.SecretEnv = map[string]spec.Sensitive{"": spec.NewSensitive("canary-51c0")}
	_, err := b.Create(t.Context(), c)
	if err == nil {
		t.Fatal("a variable without a name was accepted")
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("the error shows the value: %v", err)
	}
}

func TestLogsAreBounded(t *testing.T) {
	b := newFaultBench(t, newEngineHost(t), docker.Options{})
	c := b.replica(1)
	c.Command = []string{"flood", "200"}
	id, log := runToEnd(t, b.Runtime, c)
	if len(log) > 64<<10 || len(log) < 32<<10 {
		t.Errorf("the log has %d bytes, want at most 64 KiB of 400 KB", len(log))
	}
	if !strings.Contains(log, "\n199 ") {
		t.Errorf("the log lacks its end: %q", log[max(0, len(log)-100):])
	}
	few, err := b.Logs(t.Context(), id, 2)
	if err != nil || strings.Count(few, "\n") != 2 {
		t.Errorf("two lines are %d, %v", strings.Count(few, "\n"), err)
	}
}

func TestExitCodesAndRestartsAreSeen(t *testing.T) {
	b := newFaultBench(t, newEngineHost(t), docker.Options{})
	c := b.replica(1)
	c.Command = []string{"exit", "3"}
	id, _ := runToEnd(t, b.Runtime, c)
	again := b.replica(2)
	again.Command = []string{"exit", "4"}
	again.Restart = spec.RestartOnFailure
	restarting, err := b.Create(t.Context(), again)
	if err == nil {
		err = b.Start(t.Context(), restarting)
	}
	if err != nil {
		t.Fatal(err)
	}
	hints := b.Events(t.Context())
	providertest.Eventually(t, "one exited with 3, the other was restarted", func() bool {
		select {
		case <-hints:
		default:
		}
		all, err := b.List(t.Context(), reconcile.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		exited, restarted := false, false
		for _, seen := range all {
			exited = exited || seen.ID == id && seen.ExitCode == 3 && !seen.Finished.IsZero()
			restarted = restarted || seen.ID == restarting && seen.Restarts >= 2
		}
		return exited && restarted
	})
}

func TestForeignNetworkIsLeftAlone(t *testing.T) {
	host := newEngineHost(t)
	b := newFaultBench(t, host, docker.Options{})
	other := reconcile.Scope{Owner: b.scope.Owner, Environment: b.scope.Environment + "x"}
	name := other.NetworkName()
	if err := host.makeNetwork(name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.removeNetwork(name) })
	runtime := open(t, docker.Options{Host: "unix://" + host.socket, Scope: other})
	for what, err := range map[string]error{"ensure": runtime.EnsureNetwork(t.Context()), "remove": runtime.RemoveNetwork(t.Context())} {
		if err == nil || !strings.Contains(err.Error(), "docker network rm") {
			t.Errorf("%s: error is %v, want one that says how to get it out of the way", what, err)
		}
	}
	if err := host.removeNetwork(name); err != nil {
		t.Errorf("the stranger's network is gone: %v", err)
	}
}

func TestContainerOnTheHostsNetworkHasTheHostsAddress(t *testing.T) {
	host := newEngineHost(t)
	b := newFaultBench(t, host, docker.Options{Policy: docker.Policy{HostNetwork: true}})
	c := b.replica(1)
	c.HostNetwork = true
	c.Command = []string{"wait"}
	id, err := b.Create(t.Context(), c)
	if err == nil {
		err = b.Start(t.Context(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
	network, err := host.api.NetworkInspect(t.Context(), b.scope.NetworkName(), network.InspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := b.List(t.Context(), reconcile.Filter{})
	if err != nil || len(all) != 1 || all[0].Address == "" || all[0].Address != network.IPAM.Config[0].Gateway {
		t.Errorf("got %+v, %v; want the address %s", all, err, network.IPAM.Config[0].Gateway)
	}
	if err := b.Update(t.Context(), id, c); err != nil {
		t.Errorf("update: %v", err)
	}
}
