package docker_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"

	"github.com/fairlead/fairlead/providers/docker"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

func TestSelfImage(t *testing.T) {
	host := newEngineHost(t)
	binary := uniqueBinary(t)
	b := newFaultBench(t, host, docker.Options{SelfBinary: binary})
	ctx := t.Context()
	self, err := b.SelfImage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if calls := b.proxy.Calls(); len(calls) > 0 {
		t.Errorf("describing the image made the calls %v", calls)
	}
	t.Cleanup(func() {
		_, _ = host.api.ImageRemove(context.WithoutCancel(ctx), self.Ref, image.RemoveOptions{Force: true})
	})

	t.Run("it is loaded once", func(t *testing.T) {
		for range 2 {
			if err := b.EnsureImage(ctx, self, nil); err != nil {
				t.Fatal(err)
			}
		}
		// The load may also prune: other tests leave images behind.
		calls := slices.DeleteFunc(b.proxy.Mutations(), func(c providertest.EngineCall) bool { return c.Method == http.MethodDelete })
		if len(calls) != 1 || calls[0].Path != "/images/load" {
			t.Errorf("it made the calls %v", calls)
		}
		if found, err := host.api.ImageInspect(ctx, self.Pin); err != nil || found.ID != self.Pin || !slices.Contains(found.RepoTags, self.Ref) {
			t.Errorf("the engine knows %s as %s %q, %v", self.Pin, found.ID, found.RepoTags, err)
		}
	})
	t.Run("another process of the same binary finds the same image", func(t *testing.T) {
		other := open(t, docker.Options{Host: b.proxy.Host(), Scope: b.scope, SelfBinary: binary})
		if again, err := other.SelfImage(ctx); err != nil || again != self {
			t.Errorf("got %+v, %v; want %+v", again, err, self)
		}
	})
	t.Run("it runs as its own user and may write its state", func(t *testing.T) {
		c := b.replica(1)
		c.Image = self
		c.Command = []string{"show", "/var/lib/fairlead"}
		c.Volumes = map[string]string{b.scope.GatewayName(): "/var/lib/fairlead"}
		t.Cleanup(func() { _ = host.api.VolumeRemove(context.WithoutCancel(ctx), b.scope.GatewayName(), true) })
		id, log := runToEnd(t, b.Runtime, c)
		if !strings.Contains(log, `"UID":65532`) || !strings.Contains(log, `"/var/lib/fairlead":"drwx------"`) {
			t.Errorf("inside it is %s", log)
		}
		if err := b.Remove(ctx, id); err != nil {
			t.Fatal(err)
		}
		if _, err := host.api.VolumeInspect(ctx, b.scope.GatewayName()); err != nil {
			t.Errorf("the named volume went with the container: %v", err)
		}
	})
	t.Run("the image of another build is not loaded in its place", func(t *testing.T) {
		other := reconcile.Image{Ref: "other", Pin: "sha256:" + strings.Repeat("5", 64), LocalOnly: true, Self: true}
		if err := b.EnsureImage(ctx, other, nil); err == nil {
			t.Error("it was")
		}
	})
}

// uniqueBinary is a program that no other test has made an image of.
func uniqueBinary(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile("../providertest/testdata/replica.go")
	if err != nil {
		t.Fatal(err)
	}
	return providertest.BuildStatic(t, append(source, []byte("\nfunc init() { println(`"+t.TempDir()+time.Now().String()+"`) }\n")...))
}

func TestSelfImagesOfOtherBuildsGoWhenNothingUsesThem(t *testing.T) {
	host := newEngineHost(t)
	b := newFaultBench(t, host, docker.Options{SelfBinary: uniqueBinary(t)})
	upgraded := open(t, docker.Options{Host: b.proxy.Host(), Scope: b.scope, SelfBinary: uniqueBinary(t)})
	ctx := t.Context()
	load := func(r *docker.Runtime) reconcile.Image {
		t.Helper()
		self, err := r.SelfImage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_, _ = host.api.ImageRemove(context.WithoutCancel(ctx), self.Ref, image.RemoveOptions{Force: true})
		})
		if err := r.EnsureImage(ctx, self, nil); err != nil {
			t.Fatal(err)
		}
		return self
	}
	c := b.replica(1)
	c.Image = load(b.Runtime)
	id, err := b.Create(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	next := load(upgraded)
	if _, err := host.api.ImageInspect(ctx, c.Image.Pin); err != nil {
		t.Errorf("the image that a container is made from is gone: %v", err)
	}
	if _, err := host.api.ImageRemove(ctx, next.Ref, image.RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := b.Remove(ctx, id); err != nil {
		t.Fatal(err)
	}
	load(upgraded)
	if _, err := b.Create(ctx, c); !errors.Is(err, reconcile.ErrImageNotFound) {
		t.Errorf("a create from the image of the old build says %v, want ErrImageNotFound", err)
	}
	load(b.Runtime) // the next attempt
	if _, err := b.Create(ctx, c); err != nil {
		t.Errorf("after it was loaded again: %v", err)
	}
}

func TestSelfImageNeedsAStaticBinary(t *testing.T) {
	text := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("this test needs a shell, which is dynamically linked")
	}
	for _, binary := range []string{text, shell, filepath.Join(t.TempDir(), "missing")} {
		r := open(t, docker.Options{Scope: providertest.TestScope(t), SelfBinary: binary})
		_, err := r.SelfImage(t.Context())
		if err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
			t.Errorf("%s: error is %v, want one that says how to build", binary, err)
		}
	}
}
