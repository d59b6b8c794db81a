package providertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// The cases of RuntimeSuite, in its order.

func engineDescribesItself(t *testing.T, b *runtimeBench) {
	engine, err := b.Engine(t.Context())
	must(t, err)
	if engine.ID == "" || engine.Version == "" || engine.CPUs == 0 || engine.Memory == 0 {
		t.Errorf("the description has gaps: %+v", engine)
	}
}

func digestIsPinned(t *testing.T, b *runtimeBench) {
	ref := "registry.invalid/team/digits@sha256:" + strings.Repeat("ab", 32)
	image, err := b.Resolve(t.Context(), ref)
	must(t, err)
	if want := (reconcile.Image{Ref: ref, Pin: ref}); image != want {
		t.Errorf("got %+v, want %+v", image, want)
	}
}

func localImageIsPinned(t *testing.T, b *runtimeBench) {
	if !b.image.LocalOnly || !strings.HasPrefix(b.image.Pin, "sha256:") || b.image.Ref != b.host.Image() {
		t.Errorf("got %+v, want an image id and LocalOnly", b.image)
	}
	gone := reconcile.Image{Ref: "gone:1", Pin: "sha256:" + strings.Repeat("0", 64), LocalOnly: true}
	wantErr(t, "ensuring a local image that is gone", b.EnsureImage(t.Context(), gone, nil), reconcile.ErrImageNotFound)
}

func unknownImageIsAnError(t *testing.T, b *runtimeBench) {
	// Nobody listens on port 1, so a real engine gets its answer at once.
	if image, err := b.Resolve(t.Context(), "127.0.0.1:1/nothing:1"); err == nil {
		t.Errorf("an image that does not exist resolved to %+v", image)
	}
}

func containerLives(t *testing.T, b *runtimeBench) {
	id, want := b.created(t, "digits")
	c := b.get(t, id)
	if c == nil {
		t.Fatal("the list lacks the container that was created")
	}
	if c.Name != want.Name || c.Kind != spec.KindModel || c.Model != "digits" || c.Revision != "rev1" || c.Replica != 1 ||
		c.Commit != "c0ffee" || c.ImageRef != b.image.Ref || c.ImageID == "" {
		t.Errorf("the container lost what it was created from: %+v", c)
	}
	if c.Limits != reconcile.LimitsOf(want.Container) {
		t.Errorf("limits are %+v, want %+v", c.Limits, reconcile.LimitsOf(want.Container))
	}
	if c.State != reconcile.StateCreated || !c.Started.IsZero() || c.Address != "" {
		t.Errorf("a container that was never started is %s, started %s, at %q", c.State, c.Started, c.Address)
	}

	must(t, b.Start(t.Context(), id))
	running := b.eventually(t, id, "the container runs at an address", func(c reconcile.Container) bool {
		return c.State == reconcile.StateRunning && c.Address != ""
	})
	if running.Started.IsZero() || !running.Finished.IsZero() {
		t.Errorf("a running container was started %s and finished %s", running.Started, running.Finished)
	}
	Eventually(t, "the log has the container's words", func() bool {
		text, err := b.Logs(t.Context(), id, 10)
		must(t, err)
		return strings.TrimSpace(text) != ""
	})

	must(t, b.Stop(t.Context(), id, 10*time.Second))
	stopped := b.eventually(t, id, "the container is exited", func(c reconcile.Container) bool {
		return c.State == reconcile.StateExited
	})
	if stopped.ExitCode != 0 || stopped.Finished.IsZero() || stopped.Address != "" {
		t.Errorf("the container ended with code %d at %s, address %q; want 0, some time, none", stopped.ExitCode, stopped.Finished, stopped.Address)
	}

	must(t, b.Remove(t.Context(), id))
	if c := b.get(t, id); c != nil {
		t.Errorf("the removed container is still there: %+v", c)
	}
}

func createIsRepeatable(t *testing.T, b *runtimeBench) {
	first, c := b.created(t, "digits")
	second, err := b.Create(t.Context(), c)
	must(t, err)
	if first != second {
		t.Errorf("the second create made %s beside %s", second, first)
	}
}

func takenNameIsKept(t *testing.T, b *runtimeBench) {
	id, c := b.created(t, "digits")
	other := TestReplica(b.scope, b.image, "digits", "rev2", 1)
	other.Name = c.Name
	_, err := b.Create(t.Context(), other)
	wantErr(t, "creating another revision under the name", err, reconcile.ErrNameTaken)

	must(t, b.Start(t.Context(), id))
	_, err = b.Create(t.Context(), c)
	wantErr(t, "creating what runs already", err, reconcile.ErrNameTaken)
	if left := b.get(t, id); left == nil || left.State != reconcile.StateRunning {
		t.Errorf("the container that holds the name was touched: %+v", left)
	}
}

func createsAtTheSameTime(t *testing.T, b *runtimeBench) {
	const callers = 6
	var ids [callers]string
	var wait sync.WaitGroup
	for i := range ids {
		wait.Go(func() {
			id, err := b.Create(t.Context(), b.replica("digits", 1))
			if err != nil {
				t.Error(err)
			}
			ids[i] = id
		})
	}
	wait.Wait()
	if distinct := slices.Compact(slices.Sorted(slices.Values(ids[:]))); len(distinct) != 1 {
		t.Errorf("the callers got different containers: %q", distinct)
	}
}

func createNeedsImage(t *testing.T, b *runtimeBench) {
	c := b.replica("digits", 1)
	c.Image = reconcile.Image{Ref: "gone:1", Pin: "sha256:" + strings.Repeat("0", 64), LocalOnly: true}
	_, err := b.Create(t.Context(), c)
	wantErr(t, "creating without the image", err, reconcile.ErrImageNotFound)
}

func foreignLabelsAreRefused(t *testing.T, b *runtimeBench) {
	c := b.replica("digits", 1)
	c.Labels[reconcile.LabelEnvironment] = "elsewhere"
	if id, err := b.Create(t.Context(), c); err == nil {
		t.Errorf("a container of another environment was created: %s", id)
		must(t, b.host.RemoveByHand(id))
	}
}

func otherScopesDoNotExist(t *testing.T, b *runtimeBench) {
	neighbour := newRuntimeBench(t, b.host)
	theirs, taken := neighbour.started(t, "digits")
	if c := b.get(t, theirs); c != nil {
		t.Errorf("the list shows a container of another scope: %+v", c)
	}
	ctx := t.Context()
	for what, err := range map[string]error{
		"start":  b.Start(ctx, theirs),
		"stop":   b.Stop(ctx, theirs, time.Second),
		"remove": b.Remove(ctx, theirs),
		"rename": b.Rename(ctx, theirs, b.scope.ReplicaName("digits", "rev1", 1)),
		"update": b.Update(ctx, theirs, b.replica("digits", 1)),
	} {
		if err == nil {
			t.Errorf("%s of another scope's container succeeded", what)
		}
	}
	if _, err := b.Logs(ctx, theirs, 1); err == nil {
		t.Error("the log of another scope's container can be read")
	}
	mine := b.replica("digits", 1)
	mine.Name = taken.Name
	_, err := b.Create(ctx, mine)
	wantErr(t, "creating under another scope's name", err, reconcile.ErrNameTaken)
	if err != nil && !strings.Contains(err.Error(), neighbour.scope.Environment) {
		t.Errorf("the error does not say whose the name is: %v", err)
	}
	left := neighbour.get(t, theirs)
	if left == nil || left.State != reconcile.StateRunning || left.Name != taken.Name {
		t.Errorf("another scope's container was touched: %+v", left)
	}
}

func repeatingSucceeds(t *testing.T, b *runtimeBench) {
	id, _ := b.started(t, "digits")
	ctx := t.Context()
	must(t, b.Start(ctx, id))
	must(t, b.Stop(ctx, id, 10*time.Second))
	must(t, b.Stop(ctx, id, 10*time.Second))
	must(t, b.Remove(ctx, id))
	must(t, b.Remove(ctx, id))
	must(t, b.Stop(ctx, id, time.Second))
}

func removesAtTheSameTime(t *testing.T, b *runtimeBench) {
	id, _ := b.started(t, "digits")
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if err := b.Remove(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if c := b.get(t, id); c != nil {
		t.Errorf("it is still there: %+v", c)
	}
}

func killedStartsAgain(t *testing.T, b *runtimeBench) {
	id, _ := b.started(t, "digits")
	first := b.eventually(t, id, "it runs", func(c reconcile.Container) bool { return c.State == reconcile.StateRunning })
	must(t, b.host.Kill(id))
	dead := b.eventually(t, id, "it is exited", func(c reconcile.Container) bool { return c.State == reconcile.StateExited })
	if dead.ExitCode != 137 || dead.Finished.IsZero() {
		t.Errorf("the killed container ended with code %d at %s, want 137 and some time", dead.ExitCode, dead.Finished)
	}
	must(t, b.Start(t.Context(), id))
	again := b.eventually(t, id, "it runs again", func(c reconcile.Container) bool { return c.State == reconcile.StateRunning })
	if !again.Started.After(first.Started) || again.ExitCode != 0 || !again.Finished.IsZero() {
		t.Errorf("after the second start: %+v", again)
	}
}

func pausedGoesOn(t *testing.T, b *runtimeBench) {
	id, _ := b.started(t, "digits")
	must(t, b.host.Pause(id))
	b.eventually(t, id, "it is paused", func(c reconcile.Container) bool { return c.State == reconcile.StatePaused })
	must(t, b.Start(t.Context(), id))
	b.eventually(t, id, "it runs", func(c reconcile.Container) bool { return c.State == reconcile.StateRunning })
}

func pausedCanBeStopped(t *testing.T, b *runtimeBench) {
	id, _ := b.started(t, "digits")
	must(t, b.host.Pause(id))
	must(t, b.Stop(t.Context(), id, time.Second))
	b.eventually(t, id, "it is exited", func(c reconcile.Container) bool { return c.State == reconcile.StateExited })
}

func renamedGetsNameBack(t *testing.T, b *runtimeBench) {
	id, c := b.created(t, "digits")
	elsewhere := b.scope.NetworkName() + ".by-hand"
	must(t, b.host.RenameByHand(id, elsewhere))
	b.eventually(t, id, "it has the other name", func(c reconcile.Container) bool { return c.Name == elsewhere })
	must(t, b.Rename(t.Context(), id, c.Name))
	must(t, b.Rename(t.Context(), id, c.Name))
	b.eventually(t, id, "it has its name", func(got reconcile.Container) bool { return got.Name == c.Name })

	second, err := b.Create(t.Context(), b.replica("digits", 2))
	must(t, err)
	wantErr(t, "renaming to a name in use", b.Rename(t.Context(), second, c.Name), reconcile.ErrNameTaken)
}

func limitsAreUndone(t *testing.T, b *runtimeBench) {
	id, c := b.started(t, "digits")
	want := reconcile.LimitsOf(c.Container)
	altered := reconcile.Limits{NanoCPUs: 250_000_000, Memory: 128 << 20, PIDs: 32, Restart: spec.RestartNo}
	b.eventually(t, id, "it has its limits", func(c reconcile.Container) bool { return c.Limits == want })
	must(t, b.host.SetLimits(id, altered))
	// What docker update alters shows in no list: the event, or the audit, tells.
	hints := b.Events(t.Context())
	b.eventually(t, id, "the altered limits are seen", func(c reconcile.Container) bool { return c.Limits == altered })
	must(t, b.Update(t.Context(), id, c))
	b.eventually(t, id, "it has its limits again", func(c reconcile.Container) bool { return c.Limits == want })
	must(t, b.Update(t.Context(), id, c))
	_ = hints
}

func disconnectedIsConnected(t *testing.T, b *runtimeBench) {
	id, c := b.started(t, "digits")
	b.eventually(t, id, "it has an address", func(c reconcile.Container) bool { return c.Address != "" })
	must(t, b.host.Disconnect(id))
	b.eventually(t, id, "it has none", func(c reconcile.Container) bool { return c.Address == "" })
	must(t, b.Update(t.Context(), id, c))
	b.eventually(t, id, "it has an address again", func(c reconcile.Container) bool { return c.Address != "" })
}

func removedIsGone(t *testing.T, b *runtimeBench) {
	id, c := b.started(t, "digits")
	must(t, b.host.RemoveByHand(id))
	if found := b.get(t, id); found != nil {
		t.Errorf("it is still in the list: %+v", found)
	}
	if err := b.Start(t.Context(), id); err == nil {
		t.Error("a container that is gone was started")
	}
	again, err := b.Create(t.Context(), c)
	must(t, err)
	if again == id {
		t.Error("the new container has the old id")
	}
}

func listIsSorted(t *testing.T, b *runtimeBench) {
	for _, model := range []string{"zebra", "ape"} {
		for _, ordinal := range []int{2, 1} {
			_, err := b.Create(t.Context(), b.replica(model, ordinal))
			must(t, err)
		}
	}
	all, err := b.List(t.Context(), reconcile.Filter{})
	must(t, err)
	names := make([]string, 0, len(all))
	for _, c := range all {
		names = append(names, c.Name)
	}
	if len(names) != 4 || !slices.IsSorted(names) {
		t.Errorf("got %q, want four names in order", names)
	}
	some, err := b.List(t.Context(), reconcile.Filter{Model: "ape"})
	must(t, err)
	if len(some) != 2 || some[0].Model != "ape" || some[1].Model != "ape" {
		t.Errorf("the containers of ape are %+v", some)
	}
}

func networkIsMadeOnce(t *testing.T, b *runtimeBench) {
	ctx := t.Context()
	var wait sync.WaitGroup
	must(t, b.RemoveNetwork(ctx))
	for range 4 {
		wait.Go(func() {
			if err := b.EnsureNetwork(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	must(t, b.RemoveNetwork(ctx))
	must(t, b.RemoveNetwork(ctx))
	must(t, b.EnsureNetwork(ctx))
}

func volumeIsRemoved(t *testing.T, b *runtimeBench) {
	ctx := t.Context()
	c := b.replica("digits", 1)
	name := b.scope.GatewayName()
	c.Volumes = map[string]string{name: "/state"}
	must(t, b.RemoveVolume(ctx, name))
	id, err := b.Create(ctx, c)
	must(t, err)
	if b.RemoveVolume(ctx, name) == nil {
		t.Error("a volume in use was removed")
	}
	other := b.host.Open(t, TestScope(t))
	if other.RemoveVolume(ctx, name) == nil {
		t.Error("a volume of another scope was removed")
	}
	must(t, b.Remove(ctx, id))
	must(t, b.RemoveVolume(ctx, name))
	must(t, b.RemoveVolume(ctx, name))
}

func policyDenies(t *testing.T, b *runtimeBench) {
	must(t, b.Vet(b.replica("digits", 1)))
	c := b.replica("digits", 1)
	c.Privileged = true
	c.HostNetwork = true
	c.Devices = []string{"/dev/kmsg"}
	c.Capabilities = []string{"SYS_ADMIN"}
	c.Mounts = []spec.Mount{{Type: spec.MountBind, Source: "/etc", Target: "/host"}}
	_, createErr := b.Create(t.Context(), c)
	for what, err := range map[string]error{"vet": b.Vet(c), "create": createErr} {
		denied, ok := errors.AsType[*reconcile.DeniedError](err)
		if !ok {
			t.Errorf("%s: error is %v, want a *DeniedError", what, err)
			continue
		}
		var fields []string
		for _, d := range denied.Denials {
			fields = append(fields, d.Field)
		}
		for _, field := range []string{"privileged", "host_network", "devices", "capabilities", "mount"} {
			if !slices.Contains(fields, field) {
				t.Errorf("%s: %q is not among the denied fields %q", what, field, fields)
			}
		}
	}
	if all, err := b.List(t.Context(), reconcile.Filter{}); err != nil || len(all) != 0 {
		t.Errorf("a denied container exists: %+v, %v", all, err)
	}
}

func changeWakes(t *testing.T, b *runtimeBench) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hints := b.Events(ctx)
	deadline := time.After(30 * time.Second)
	// The channel may hold a first hint from its opening; each change makes one
	// more sooner or later, so change until two were seen.
	for seen, ordinal := 0, 1; seen < 2; ordinal++ {
		_, err := b.Create(t.Context(), b.replica("digits", ordinal))
		must(t, err)
		select {
		case <-hints:
			seen++
		case <-deadline:
			t.Fatal("no hint within 30 seconds")
		}
	}
	cancel()
	for open := true; open; {
		select {
		case _, open = <-hints:
		case <-deadline:
			t.Fatal("the channel did not close when its context ended")
		}
	}
}

func contextEndsCall(t *testing.T, b *runtimeBench) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.List(ctx, reconcile.Filter{}); !errors.Is(err, context.Canceled) {
		t.Errorf("list: error is %v, want one that wraps context.Canceled", err)
	}
	if _, err := b.Create(ctx, b.replica("digits", 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("create: error is %v, want one that wraps context.Canceled", err)
	}
}
