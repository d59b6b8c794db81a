package providertest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// RuntimeHost is an engine under test: a way to open views of it, and what people
// do to its containers by hand.
type RuntimeHost interface {
	// Open returns a runtime of that scope. All of them share one engine.
	Open(t *testing.T, scope reconcile.Scope) reconcile.Runtime
	// Image names an image that exists only on the engine. Its process runs until
	// SIGTERM and writes at least one line; with a command it does what
	// testdata/replica.go says.
	Image() string

	Kill(id string) error
	Pause(id string) error
	SetLimits(id string, limits reconcile.Limits) error
	Disconnect(id string) error
	RenameByHand(id, name string) error
	RemoveByHand(id string) error
}

// RuntimeSuite is the contract of reconcile.Runtime as tests.
func RuntimeSuite(t *testing.T, host RuntimeHost) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *runtimeBench)
	}{
		{"an engine describes itself", engineDescribesItself},
		{"a digest is pinned as it stands", digestIsPinned},
		{"an image that is only local is pinned by its id", localImageIsPinned},
		{"an unknown image is an error", unknownImageIsAnError},
		{"a container lives from create to remove", containerLives},
		{"a create is repeated without a second container", createIsRepeatable},
		{"a name that is taken is not taken over", takenNameIsKept},
		{"creates at the same time make one container", createsAtTheSameTime},
		{"a container without its image is not created", createNeedsImage},
		{"a spec with foreign labels is refused", foreignLabelsAreRefused},
		{"containers of other scopes do not exist", otherScopesDoNotExist},
		{"repeating start, stop and remove succeeds", repeatingSucceeds},
		{"removes at the same time all succeed", removesAtTheSameTime},
		{"a killed container is exited and starts again", killedStartsAgain},
		{"a paused container goes on", pausedGoesOn},
		{"a paused container can be stopped", pausedCanBeStopped},
		{"a renamed container gets its name back", renamedGetsNameBack},
		{"altered limits are seen and undone", limitsAreUndone},
		{"a disconnected container is connected again", disconnectedIsConnected},
		{"a container removed by hand is gone", removedIsGone},
		{"a list is sorted and narrowed by model", listIsSorted},
		{"the network is made and removed once", networkIsMadeOnce},
		{"a volume is removed when nothing uses it", volumeIsRemoved},
		{"what the policy does not grant is denied by name", policyDenies},
		{"a change wakes the reconciler", changeWakes},
		{"an ended context ends a call", contextEndsCall},

		{"a step that ends tells how", stepEnds},
		{"a step out of memory is told apart", stepOutOfMemory},
		{"a step that ignores SIGTERM is killed", stubbornStepIsKilled},
		{"a step reads its inputs and writes its outputs", stepReadsAndWrites},
		{"a directory that is not there is not mounted", missingDirectoryIsRefused},
		{"a step without network has none", stepWithoutNetwork},
		{"a step is created once", stepIsCreatedOnce},
		{"a list is narrowed by run", listIsNarrowedByRun},
		{"the output is followed from its beginning to its end", outputIsFollowed},
		{"a writer that stalls holds up nobody", stalledWriter},
		{"the end of a step is waited for", endIsWaitedFor},
		{"what never ran or is gone cannot be waited for", neverRanCannotBeWaitedFor},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newRuntimeBench(t, host)) })
	}
}

// runtimeBench is one fresh scope of the engine.
type runtimeBench struct {
	reconcile.Runtime
	host  RuntimeHost
	scope reconcile.Scope
	image reconcile.Image
}

func newRuntimeBench(t *testing.T, host RuntimeHost) *runtimeBench {
	t.Helper()
	b := &runtimeBench{host: host, scope: TestScope(t)}
	b.Runtime = host.Open(t, b.scope)
	image, err := b.Resolve(t.Context(), host.Image())
	must(t, err)
	b.image = image
	must(t, b.EnsureImage(t.Context(), image, nil))
	must(t, b.EnsureNetwork(t.Context()))
	t.Cleanup(func() { RemoveScope(t, b.Runtime) })
	return b
}

// TestScope is a scope that no other test has, neither now nor after a crash.
func TestScope(tb testing.TB) reconcile.Scope {
	sum := sha256.Sum256([]byte(tb.TempDir() + strconv.FormatInt(time.Now().UnixNano(), 36)))
	return reconcile.Scope{Owner: "fairlead-test", Environment: "t" + hex.EncodeToString(sum[:6])}
}

// RemoveScope removes everything that a scope has on its engine.
func RemoveScope(tb testing.TB, runtime reconcile.Runtime) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), 2*time.Minute)
	defer cancel()
	containers, err := runtime.List(ctx, reconcile.Filter{})
	for _, c := range containers {
		err = errors.Join(err, runtime.Remove(ctx, c.ID))
	}
	if err = errors.Join(err, runtime.RemoveNetwork(ctx)); err != nil {
		tb.Errorf("clean up: %v", err)
	}
}

// TestReplica is the spec of a replica that any policy grants.
func TestReplica(scope reconcile.Scope, image reconcile.Image, model, revision string, ordinal int) reconcile.ContainerSpec {
	return reconcile.ContainerSpec{
		Name:  scope.ReplicaName(model, revision, ordinal),
		Image: image,
		Labels: map[string]string{
			reconcile.LabelOwner:       scope.Owner,
			reconcile.LabelEnvironment: scope.Environment,
			reconcile.LabelKind:        string(spec.KindModel),
			reconcile.LabelModel:       model,
			reconcile.LabelRevision:    revision,
			reconcile.LabelReplica:     strconv.Itoa(ordinal),
			reconcile.LabelCommit:      "c0ffee",
			reconcile.LabelImage:       image.Ref,
		},
		Container: spec.Container{
			Resources:   spec.Resources{CPUs: 0.5, Memory: 64 << 20, PIDs: 64},
			Restart:     spec.RestartUnlessStopped,
			StopTimeout: 5 * time.Second,
		},
		EnvValues: map[string]string{"GREETING": "hello"},
	}
}

func (b *runtimeBench) replica(model string, ordinal int) reconcile.ContainerSpec {
	return TestReplica(b.scope, b.image, model, "rev1", ordinal)
}

// created creates the first replica of a model.
func (b *runtimeBench) created(t *testing.T, model string) (string, reconcile.ContainerSpec) {
	t.Helper()
	c := b.replica(model, 1)
	id, err := b.Create(t.Context(), c)
	must(t, err)
	return id, c
}

func (b *runtimeBench) started(t *testing.T, model string) (string, reconcile.ContainerSpec) {
	t.Helper()
	id, c := b.created(t, model)
	must(t, b.Start(t.Context(), id))
	return id, c
}

// get returns the container with the id from a list, nil if it is not there.
func (b *runtimeBench) get(t *testing.T, id string) *reconcile.Container {
	t.Helper()
	containers, err := b.List(t.Context(), reconcile.Filter{})
	must(t, err)
	for _, c := range containers {
		if c.ID == id {
			return &c
		}
	}
	return nil
}

// eventually lists until the container satisfies what is wanted: what is done by
// hand takes the engine a moment.
func (b *runtimeBench) eventually(t *testing.T, id, wanted string, satisfied func(reconcile.Container) bool) reconcile.Container {
	t.Helper()
	var last *reconcile.Container
	Eventually(t, wanted, func() bool {
		last = b.get(t, id)
		return last != nil && satisfied(*last)
	})
	return *last
}

// Eventually asks again and again, and fails the test after half a minute.
func Eventually(tb testing.TB, wanted string, satisfied func() bool) {
	tb.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !satisfied() {
		select {
		case <-deadline.C:
			tb.Fatalf("after 30 seconds it is still not so: %s", wanted)
		case <-again.C:
		}
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: error is %v, want one that wraps %q", what, err, kind)
	}
}
