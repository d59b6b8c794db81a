package docker_test

import (
	"context"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"github.com/fairlead/fairlead/providers/docker"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// engineHost is the engine of this machine as the suite sees it. What is done by
// hand goes past the provider.
type engineHost struct {
	t      *testing.T
	socket string
	image  string
	api    *client.Client
}

func newEngineHost(t *testing.T) *engineHost {
	t.Helper()
	socket := providertest.EngineSocket(t)
	api, err := client.NewClientWithOpts(client.WithHost("unix://"+socket), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Close() })
	return &engineHost{t: t, socket: socket, image: providertest.ReplicaImage(t, socket), api: api}
}

func (h *engineHost) Image() string { return h.image }

func (h *engineHost) Open(t *testing.T, scope reconcile.Scope) reconcile.Runtime {
	return open(t, docker.Options{Host: "unix://" + h.socket, Scope: scope})
}

// open makes a runtime with an empty docker configuration.
func open(t testing.TB, options docker.Options) *docker.Runtime {
	t.Helper()
	options.DockerConfig = t.TempDir()
	runtime, err := docker.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = runtime.Close() })
	return runtime
}

func (h *engineHost) Kill(id string) error {
	return h.api.ContainerKill(h.t.Context(), id, "KILL")
}

func (h *engineHost) Pause(id string) error {
	return h.api.ContainerPause(h.t.Context(), id)
}

func (h *engineHost) SetLimits(id string, l reconcile.Limits) error {
	modes := map[spec.RestartPolicy]container.RestartPolicyMode{spec.RestartNo: container.RestartPolicyDisabled}
	_, err := h.api.ContainerUpdate(h.t.Context(), id, container.UpdateConfig{
		Resources: container.Resources{
			NanoCPUs: l.NanoCPUs, Memory: l.Memory, MemorySwap: l.Memory, PidsLimit: &l.PIDs,
		},
		RestartPolicy: container.RestartPolicy{Name: modes[l.Restart]},
	})
	return err
}

func (h *engineHost) Disconnect(id string) error {
	c, err := h.api.ContainerInspect(h.t.Context(), id)
	if err != nil {
		return err
	}
	for name := range c.NetworkSettings.Networks {
		if err := h.api.NetworkDisconnect(h.t.Context(), name, id, true); err != nil {
			return err
		}
	}
	return nil
}

func (h *engineHost) RenameByHand(id, name string) error {
	return h.api.ContainerRename(h.t.Context(), id, name)
}

func (h *engineHost) RemoveByHand(id string) error {
	return h.api.ContainerRemove(h.t.Context(), id, container.RemoveOptions{Force: true, RemoveVolumes: true})
}

// makeNetwork makes a network without labels.
func (h *engineHost) makeNetwork(name string) error {
	_, err := h.api.NetworkCreate(h.t.Context(), name, network.CreateOptions{})
	return err
}

func (h *engineHost) removeNetwork(name string) error {
	return h.api.NetworkRemove(context.WithoutCancel(h.t.Context()), name)
}

func (h *engineHost) countNetworks(name string) (int, error) {
	found, err := h.api.NetworkList(h.t.Context(), network.ListOptions{Filters: filters.NewArgs(filters.Arg("name", name))})
	return len(found), err
}

func TestRuntimeKeepsItsContract(t *testing.T) {
	providertest.RuntimeSuite(t, newEngineHost(t))
}
