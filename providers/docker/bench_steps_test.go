package docker_test

import (
	"io"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"github.com/fairlead/fairlead/providers/docker"
	"github.com/fairlead/fairlead/providers/providertest"
)

// BenchmarkStep measures a step that does nothing, from create to remove and with
// its log followed, as a ratio to the four bare calls of the client in the same
// run, of a container without any limit or hardening.
func BenchmarkStep(b *testing.B) {
	socket := providertest.EngineSocket(b)
	scope := providertest.TestScope(b)
	runtime := open(b, docker.Options{Host: "unix://" + socket, Scope: scope})
	b.Cleanup(func() { providertest.RemoveScope(b, runtime) })
	image, err := runtime.Resolve(b.Context(), providertest.ReplicaImage(b, socket))
	if err != nil {
		b.Fatal(err)
	}
	api, err := client.NewClientWithOpts(client.WithHost("unix://"+socket), client.WithAPIVersionNegotiation())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = api.Close() }()
	bare := func() {
		ctx := b.Context()
		made, err := api.ContainerCreate(ctx, &container.Config{Image: image.Pin, Cmd: []string{"exit", "0"}}, &container.HostConfig{NetworkMode: "none"}, nil, nil, "")
		if err == nil {
			err = api.ContainerStart(ctx, made.ID, container.StartOptions{})
		}
		if err != nil {
			b.Fatal(err)
		}
		ended, failed := api.ContainerWait(ctx, made.ID, container.WaitConditionNotRunning)
		select {
		case <-ended:
		case err := <-failed:
			b.Fatal(err)
		}
		if err := api.ContainerRemove(ctx, made.ID, container.RemoveOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	step := func() {
		ctx := b.Context()
		id, err := runtime.Create(ctx, providertest.TestStep(scope, image, "train-1", "fit", "exit", "0"))
		if err == nil {
			err = runtime.Start(ctx, id)
		}
		if err != nil {
			b.Fatal(err)
		}
		followed := make(chan error, 1)
		go func() { followed <- runtime.Follow(ctx, id, io.Discard) }()
		_, waitErr := runtime.Wait(ctx, id)
		for _, err := range []error{waitErr, <-followed, runtime.Remove(ctx, id)} {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	var bareTimes, stepTimes []time.Duration
	for b.Loop() { // in turns, so that what else the machine does meets both
		start := time.Now()
		bare()
		middle := time.Now()
		step()
		bareTimes = append(bareTimes, middle.Sub(start))
		stepTimes = append(stepTimes, time.Since(middle))
	}
	stepTime, bareTime := median(stepTimes), median(bareTimes)
	b.ReportMetric(float64(stepTime)/float64(bareTime), "×bare")
	b.ReportMetric(float64(bareTime.Microseconds())/1000, "bare-ms")
	b.ReportMetric(0, "ns/op")
}
