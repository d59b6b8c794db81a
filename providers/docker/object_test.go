package docker

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestCreateRequests shows what the engine is told, in full: the golden files are
// the requests.
func TestCreateRequests(t *testing.T) {
	full := testSpec()
	full.Entrypoint, full.Command, full.User, full.ReadOnlyRoot = []string{"/serve"}, []string{"--fast"}, "1000:1000", true
	full.SecretEnv = map[string]spec.Sensitive{"TOKEN": spec.NewSensitive("s3cret")}
	full.Resources = spec.Resources{
		CPUs: 1.5, Memory: 1 << 30, Shm: 256 << 20, PIDs: 256, GPUs: spec.GPUs{IDs: []string{"0", "1"}},
		Ulimits: map[string]spec.Ulimit{"nofile": {Soft: 1024, Hard: 4096}, "memlock": {Soft: -1, Hard: -1}},
	}
	full.Restart, full.StopTimeout, full.Logs = spec.RestartOnFailure, 1500*time.Millisecond, spec.Logs{MaxSize: 1 << 20, MaxFiles: 5}
	full.Mounts = []spec.Mount{
		{Type: spec.MountVolume, Source: "cache", Target: "/cache"},
		{Type: spec.MountVolume, Source: "shared", Target: "/shared", ReadOnly: true},
		{Type: spec.MountBind, Source: "/models", Target: "/models", ReadOnly: true},
		{Type: spec.MountTmpfs, Target: "/tmp", Size: 64 << 20},
	}
	full.Devices, full.Capabilities = []string{"/dev/fuse"}, []string{"SYS_NICE"}

	gateway := testScope.Gateway(&reconcile.GatewayTarget{
		Image: reconcile.Image{Pin: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", Self: true},
		Host:  "127.0.0.1", Port: 8080, Revision: "gw1",
	}, "c0ffee")

	step := providertest.TestStep(testScope, reconcile.Image{Ref: "digits:1", Pin: "registry.example/digits@sha256:aa"}, "train_digits-1", "fit.2", "train")
	step.Binds = []reconcile.Bind{{Source: "/data/out", Target: "/out"}, {Source: "/data/in", Target: "/in/data", ReadOnly: true}}

	for name, test := range map[string]struct {
		spec    reconcile.ContainerSpec
		secrets string
	}{
		"plain":   {testSpec(), ""},
		"full":    {full, "/run/fairlead/digits.rev1"},
		"step":    {step, ""},
		"gateway": {gateway, "/run/fairlead/gateway.gw1"},
	} {
		t.Run(name, func(t *testing.T) {
			o := build(testScope, Policy{Volumes: []string{"shared"}}, test.spec, test.secrets)
			got, err := json.MarshalIndent(container.CreateRequest{Config: o.Config, HostConfig: o.Host, NetworkingConfig: o.Network}, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			golden := filepath.Join("testdata", "create-"+name+".json")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("the request is not that of %s (run with -update to accept it):\n%s", golden, got)
			}
		})
	}
}

func TestGracePeriodIsNeverShortened(t *testing.T) {
	for d, want := range map[time.Duration]int{
		-time.Second: 0, 0: 0, time.Nanosecond: 1, time.Second: 1, 1500 * time.Millisecond: 2, time.Hour: 3600,
	} {
		if got := seconds(d); got != want {
			t.Errorf("seconds(%s) = %d, want %d", d, got, want)
		}
	}
}
