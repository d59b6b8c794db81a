package docker_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
	"golang.org/x/sync/errgroup"

	"github.com/fairlead/fairlead/providers/docker"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

// BenchmarkListSteady500 measures a List of 500 containers about which nothing
// changed, as a ratio to the bare list call of the client in the same run.
func BenchmarkListSteady500(b *testing.B) {
	const containers = 500
	socket := providertest.EngineSocket(b)
	proxy := providertest.NewEngineProxy(b, socket)
	scope := providertest.TestScope(b)
	direct := open(b, docker.Options{Host: "unix://" + socket, Scope: scope})
	counted := open(b, docker.Options{Host: proxy.Host(), Scope: scope})
	b.Cleanup(func() { removeFast(b, direct) })
	fill(b, direct, scope, providertest.ReplicaImage(b, socket), containers)

	api, err := client.NewClientWithOpts(client.WithHost("unix://"+socket), client.WithAPIVersionNegotiation())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = api.Close() }()
	bare := func() int {
		rows, err := api.ContainerList(b.Context(), container.ListOptions{All: true, Filters: filters.NewArgs(
			filters.Arg("label", reconcile.LabelOwner+"="+scope.Owner), filters.Arg("label", reconcile.LabelEnvironment+"="+scope.Environment),
		)})
		if err != nil {
			b.Fatal(err)
		}
		return len(rows)
	}
	list := func(r reconcile.Runtime) int {
		all, err := r.List(b.Context(), reconcile.Filter{})
		if err != nil {
			b.Fatal(err)
		}
		return len(all)
	}
	for _, n := range []int{bare(), list(direct), list(counted)} {
		if n != containers {
			b.Fatalf("the list has %d containers, want %d", n, containers)
		}
	}
	proxy.Forget()
	list(counted)
	if n := proxy.Count(http.MethodGet, "/containers/*/json"); n > 0 {
		b.Errorf("a steady list made %d inspects", n)
	}

	var steadyTimes, bareTimes []time.Duration
	for b.Loop() { // in turns, so that what else the machine does meets both
		start := time.Now()
		bare()
		middle := time.Now()
		list(direct)
		bareTimes = append(bareTimes, middle.Sub(start))
		steadyTimes = append(steadyTimes, time.Since(middle))
	}
	steadyTime, bareTime := median(steadyTimes), median(bareTimes)
	b.ReportMetric(float64(steadyTime)/float64(bareTime), "×bare")
	b.ReportMetric(float64(bareTime.Microseconds())/1000, "bare-ms")
	b.ReportMetric(0, "ns/op")
}

// median is hardly moved by the few rounds that met another load.
func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// fill creates containers, eight at a time.
func fill(b *testing.B, r *docker.Runtime, scope reconcile.Scope, ref string, containers int) {
	b.Helper()
	img, err := r.Resolve(b.Context(), ref)
	if err == nil {
		err = r.EnsureNetwork(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	var group errgroup.Group
	group.SetLimit(8)
	for i := range containers {
		group.Go(func() error {
			_, err := r.Create(b.Context(), providertest.TestReplica(scope, img, "digits", "rev1", i+1))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}

// removeFast removes the scope, eight containers at a time.
func removeFast(b *testing.B, r *docker.Runtime) {
	b.Helper()
	ctx := context.WithoutCancel(b.Context())
	all, err := r.List(ctx, reconcile.Filter{})
	if err != nil {
		b.Error(err)
	}
	var group errgroup.Group
	group.SetLimit(8)
	for _, c := range all {
		group.Go(func() error { return r.Remove(ctx, c.ID) })
	}
	if err := group.Wait(); err != nil {
		b.Error(err)
	}
	providertest.RemoveScope(b, r)
}
