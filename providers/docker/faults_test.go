package docker_test

import (
	"context"
	"errors"
	"math/bits"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/docker"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// faultBench is a fresh scope behind a proxy that makes the engine fail.
type faultBench struct {
	*docker.Runtime
	host  *engineHost
	proxy *providertest.EngineProxy
	scope reconcile.Scope
	image reconcile.Image
}

func newFaultBench(t *testing.T, host *engineHost, options docker.Options) *faultBench {
	t.Helper()
	b := &faultBench{host: host, proxy: providertest.NewEngineProxy(t, host.socket), scope: providertest.TestScope(t)}
	options.Host, options.Scope = b.proxy.Host(), b.scope
	b.Runtime = open(t, options)
	direct := host.Open(t, b.scope)
	t.Cleanup(func() { providertest.RemoveScope(t, direct) })
	image, err := direct.Resolve(t.Context(), host.image)
	if err != nil {
		t.Fatal(err)
	}
	b.image = image
	if err := direct.EnsureNetwork(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *faultBench) replica(ordinal int) reconcile.ContainerSpec {
	return providertest.TestReplica(b.scope, b.image, "digits", "rev1", ordinal)
}

// once makes the proxy do something to the first call that matches.
func (b *faultBench) once(method, pattern string, fault providertest.EngineFault) {
	var done atomic.Bool
	b.proxy.OnCall(func(call providertest.EngineCall) providertest.EngineFault {
		if call.Is(method, pattern) && !done.Swap(true) {
			return fault
		}
		return providertest.Forward
	})
}

func TestRuntimeSurvivesTheEngine(t *testing.T) {
	host := newEngineHost(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *faultBench)
	}{
		{"a create whose answer is lost is adopted", lostCreateIsAdopted},
		{"a create that is cut off by its caller is found again", cutOffCreateIsFound},
		{"a network whose creation's answer is lost is found", lostNetworkIsFound},
		{"twins of the network are made one again", twinsAreMadeOne},
		{"a container that missed a new network starts or says so", newNetworkIsNoticed},
		{"other lost answers leave nothing behind when repeated", lostAnswersAreRepeatable},
		{"an engine that is away is told apart", awayIsToldApart},
		{"a broken answer of a list is no empty list", brokenListIsAnError},
		{"random faults leave nothing that repeating does not put right", randomFaultsHeal},
		{"a steady list inspects nothing", steadyListInspectsNothing},
		{"a lost event is made up for by the audit", auditFindsLostEvents},
		{"a stream that broke is opened again and counts as a change", brokenStreamIsOpenedAgain},
		{"acting on listed containers asks no further question", actingAsksNothing},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newFaultBench(t, host, docker.Options{})) })
	}
}

func (b *faultBench) wantOneContainer(t *testing.T, id string) {
	t.Helper()
	all, err := b.List(t.Context(), reconcile.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].ID != id {
		t.Errorf("the scope has %+v, want only %s", all, id)
	}
}

func lostCreateIsAdopted(t *testing.T, b *faultBench) {
	for _, fault := range []providertest.EngineFault{providertest.LoseAnswer, providertest.CutAnswer} {
		b.once(http.MethodPost, "/containers/create", fault)
		id, err := b.Create(t.Context(), b.replica(1))
		if err != nil {
			t.Fatalf("the container exists, but create says %v", err)
		}
		b.wantOneContainer(t, id)
	}
}

func cutOffCreateIsFound(t *testing.T, b *faultBench) {
	ctx, cancel := context.WithCancel(t.Context())
	b.proxy.OnAnswer(func(call providertest.EngineCall) {
		if call.Is(http.MethodPost, "/containers/create") {
			cancel()
		}
	})
	first, err := b.Create(ctx, b.replica(1))
	if err != nil {
		t.Logf("the first create says: %v", err)
	}
	second, err := b.Create(t.Context(), b.replica(1))
	if err != nil {
		t.Fatal(err)
	}
	if first != "" && first != second {
		t.Errorf("two containers: %s and %s", first, second)
	}
	b.wantOneContainer(t, second)
}

func lostNetworkIsFound(t *testing.T, b *faultBench) {
	if err := b.RemoveNetwork(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.once(http.MethodPost, "/networks/create", providertest.LoseAnswer)
	if err := b.EnsureNetwork(t.Context()); err != nil {
		t.Errorf("the network exists, but the call says %v", err)
	}
}

func twinsAreMadeOne(t *testing.T, b *faultBench) {
	// Two processes that make the network at the same time.
	if err := b.RemoveNetwork(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 6 {
		other := open(t, docker.Options{Host: b.proxy.Host(), Scope: b.scope})
		wait.Go(func() {
			if err := other.EnsureNetwork(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if err := b.EnsureNetwork(t.Context()); err != nil {
		t.Error(err)
	}
	if n, err := b.host.countNetworks(b.scope.NetworkName()); err != nil || n != 1 {
		t.Errorf("there are %d networks, %v", n, err)
	}
}

func newNetworkIsNoticed(t *testing.T, b *faultBench) {
	ctx := t.Context()
	id, err := b.Create(ctx, b.replica(1))
	if err := errors.Join(err, b.Start(ctx, id), b.Stop(ctx, id, time.Second), b.RemoveNetwork(ctx), b.EnsureNetwork(ctx)); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(ctx, id); err != nil && !errors.Is(err, reconcile.ErrMustReplace) {
		t.Errorf("error is %v, want none or one that wraps ErrMustReplace", err)
	}
}

func lostAnswersAreRepeatable(t *testing.T, b *faultBench) {
	ctx := t.Context()
	id, err := b.Create(ctx, b.replica(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name, method, pattern string
		call                  func() error
	}{
		{"start", http.MethodPost, "/containers/*/start", func() error { return b.Start(ctx, id) }},
		{"update", http.MethodPost, "/containers/*/update", func() error {
			c := b.replica(1)
			c.Resources.Memory *= 2
			return b.Update(ctx, id, c)
		}},
		{"rename", http.MethodPost, "/containers/*/rename", func() error { return b.Rename(ctx, id, b.scope.ReplicaName("digits", "rev1", 7)) }},
		{"stop", http.MethodPost, "/containers/*/stop", func() error { return b.Stop(ctx, id, time.Second) }},
		{"remove", http.MethodDelete, "/containers/*", func() error { return b.Remove(ctx, id) }},
	} {
		b.once(step.method, step.pattern, providertest.LoseAnswer)
		if err := step.call(); err != nil && !errors.Is(err, reconcile.ErrUnavailable) {
			t.Errorf("%s: error is %v, want one that wraps ErrUnavailable", step.name, err)
		}
		if err := step.call(); err != nil {
			t.Errorf("%s, repeated: %v", step.name, err)
		}
	}
	if all, err := b.List(ctx, reconcile.Filter{}); err != nil || len(all) != 0 {
		t.Errorf("left behind: %+v, %v", all, err)
	}
}

func awayIsToldApart(t *testing.T, b *faultBench) {
	b.proxy.SetDown(true)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, engineErr := b.Engine(ctx)
	_, listErr := b.List(ctx, reconcile.Filter{})
	_, createErr := b.Create(ctx, b.replica(1))
	for what, err := range map[string]error{"engine": engineErr, "list": listErr, "create": createErr, "network": b.EnsureNetwork(ctx)} {
		if !errors.Is(err, reconcile.ErrUnavailable) {
			t.Errorf("%s: error is %v, want one that wraps ErrUnavailable", what, err)
		}
	}
	b.proxy.SetDown(false)
	if _, err := b.Engine(t.Context()); err != nil {
		t.Errorf("the engine is back, but: %v", err)
	}
	b.proxy.OnCall(func(providertest.EngineCall) providertest.EngineFault { return providertest.Hang })
	short, cancelShort := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancelShort()
	if _, err := b.List(short, reconcile.Filter{}); !errors.Is(err, reconcile.ErrUnavailable) {
		t.Errorf("an engine that hangs: error is %v, want one that wraps ErrUnavailable", err)
	}
}

func brokenListIsAnError(t *testing.T, b *faultBench) {
	if _, err := b.Create(t.Context(), b.replica(1)); err != nil {
		t.Fatal(err)
	}
	for _, fault := range []providertest.EngineFault{providertest.CutAnswer, providertest.LoseAnswer, providertest.Refuse, providertest.Reset} {
		b.proxy.OnCall(func(call providertest.EngineCall) providertest.EngineFault {
			if call.Is(http.MethodGet, "/containers/json") {
				return fault
			}
			return providertest.Forward
		})
		if all, err := b.List(t.Context(), reconcile.Filter{}); err == nil {
			t.Errorf("fault %d: the list is %+v without an error", fault, all)
		}
	}
}

// randomFaultsHeal drives a few replicas towards what is wanted, as a reconciler
// would: list, compare, create or remove what differs. Half of the calls meet a
// fault. Once the faults end, one pass must do.
func randomFaultsHeal(t *testing.T, b *faultBench) {
	const replicas, passes = 5, 60
	random := rand.New(rand.NewPCG(1, 2)) // the same faults with each run
	var lock sync.Mutex
	b.proxy.OnCall(func(call providertest.EngineCall) providertest.EngineFault {
		lock.Lock()
		defer lock.Unlock()
		faults := []providertest.EngineFault{
			providertest.LoseAnswer, providertest.CutAnswer, providertest.Refuse, providertest.Reset,
			providertest.Forward, providertest.Forward, providertest.Forward, providertest.Forward,
		}
		return faults[random.IntN(len(faults))]
	})
	pass := func(wanted int) error {
		all, err := b.List(t.Context(), reconcile.Filter{})
		if err != nil {
			return err
		}
		have := map[string]string{}
		for _, c := range all {
			have[c.Name] = c.ID
		}
		for ordinal := range replicas {
			c := b.replica(ordinal + 1)
			id, exists := have[c.Name]
			switch want := wanted>>ordinal&1 == 1; {
			case want && !exists:
				_, createErr := b.Create(t.Context(), c)
				err = errors.Join(err, createErr)
			case !want && exists:
				err = errors.Join(err, b.Remove(t.Context(), id))
			}
		}
		return err
	}
	wanted, failures := 0, 0
	for range passes {
		lock.Lock()
		wanted = random.IntN(1 << replicas)
		lock.Unlock()
		if pass(wanted) != nil {
			failures++
		}
	}
	b.proxy.OnCall(nil)
	if err := pass(wanted); err != nil {
		t.Fatal(err)
	}
	all, err := b.List(t.Context(), reconcile.Filter{})
	if err != nil || len(all) != bits.OnesCount(uint(wanted)) {
		t.Errorf("after %d passes, %d with failures, there are %d containers, want %b; %v", passes, failures, len(all), wanted, err)
	}
	b.proxy.Forget()
	if err := pass(wanted); err != nil || len(b.proxy.Mutations()) > 0 {
		t.Errorf("the pass after that made the calls %v, %v", b.proxy.Mutations(), err)
	}
}

func steadyListInspectsNothing(t *testing.T, b *faultBench) {
	for ordinal := range 3 {
		if _, err := b.Create(t.Context(), b.replica(ordinal+1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.List(t.Context(), reconcile.Filter{}); err != nil {
		t.Fatal(err)
	}
	b.proxy.Forget()
	for range 5 {
		if _, err := b.List(t.Context(), reconcile.Filter{}); err != nil {
			t.Fatal(err)
		}
	}
	if calls := b.proxy.Calls(); len(calls) != 5 || b.proxy.Count(http.MethodGet, "/containers/json") != 5 {
		t.Errorf("five lists made the calls %v", calls)
	}
}

// auditFindsLostEvents alters limits, which no list shows, without anybody
// listening to events.
func auditFindsLostEvents(t *testing.T, b *faultBench) {
	audited := newFaultBench(t, b.host, docker.Options{AuditInterval: time.Second})
	id, err := audited.Create(t.Context(), audited.replica(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audited.List(t.Context(), reconcile.Filter{}); err != nil {
		t.Fatal(err)
	}
	altered := reconcile.Limits{NanoCPUs: 250_000_000, Memory: 128 << 20, PIDs: 32, Restart: spec.RestartNo}
	if err := b.host.SetLimits(id, altered); err != nil {
		t.Fatal(err)
	}
	providertest.Eventually(t, "the altered limits are seen", func() bool {
		all, err := audited.List(t.Context(), reconcile.Filter{})
		return err == nil && len(all) == 1 && all[0].Limits == altered
	})
}

func brokenStreamIsOpenedAgain(t *testing.T, b *faultBench) {
	id, err := b.Create(t.Context(), b.replica(1))
	if err != nil {
		t.Fatal(err)
	}
	hints := b.Events(t.Context())
	<-hints
	if _, err := b.List(t.Context(), reconcile.Filter{}); err != nil {
		t.Fatal(err)
	}
	b.proxy.SetDown(true)
	altered := reconcile.Limits{NanoCPUs: 250_000_000, Memory: 128 << 20, PIDs: 32, Restart: spec.RestartNo}
	if err := b.host.SetLimits(id, altered); err != nil { // its event is lost
		t.Fatal(err)
	}
	b.proxy.SetDown(false)
	providertest.Eventually(t, "the altered limits are seen after a hint", func() bool {
		select {
		case <-hints:
		default:
		}
		all, err := b.List(t.Context(), reconcile.Filter{})
		return err == nil && len(all) == 1 && all[0].Limits == altered
	})
}

func actingAsksNothing(t *testing.T, b *faultBench) {
	id, err := b.Create(t.Context(), b.replica(1))
	if err != nil {
		t.Fatal(err)
	}
	fresh := open(t, docker.Options{Host: b.proxy.Host(), Scope: b.scope})
	if _, err := fresh.List(t.Context(), reconcile.Filter{}); err != nil {
		t.Fatal(err)
	}
	b.proxy.Forget()
	if err := errors.Join(fresh.Start(t.Context(), id), fresh.Stop(t.Context(), id, time.Second), fresh.Remove(t.Context(), id)); err != nil {
		t.Fatal(err)
	}
	var calls []string
	for _, call := range b.proxy.Calls() {
		calls = append(calls, call.String())
	}
	if len(calls) != 3 {
		t.Errorf("start, stop and remove made the calls %s", strings.Join(calls, ", "))
	}
}
