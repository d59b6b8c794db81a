package docker_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/image"

	"github.com/fairlead/fairlead/providers/docker"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

// testRegistry is a registry in memory that asks for a login. Engines speak plain
// HTTP with a registry on the loopback address.
type testRegistry struct {
	*httptest.Server
	mu        sync.Mutex
	blobs     map[string][]byte // by digest
	manifests map[string][]byte // by tag and by digest
	refused   int               // requests without the right login
}

const (
	registryUser     = "someone"
	registryPassword = "pa55word-canary"
	manifestType     = "application/vnd.docker.distribution.manifest.v2+json"
)

func newTestRegistry(t *testing.T) *testRegistry {
	t.Helper()
	r := &testRegistry{blobs: map[string][]byte{}, manifests: map[string][]byte{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// name is the name of the one repository, with the registry's address.
func (r *testRegistry) name() string {
	return strings.TrimPrefix(r.URL, "http://") + "/team/digits"
}

func (r *testRegistry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	user, password, _ := req.BasicAuth()
	if user != registryUser || password != registryPassword {
		r.refused++
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprint(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
		return
	}
	_, ref, isManifest := strings.Cut(req.URL.Path, "/manifests/")
	_, digest, isBlob := strings.Cut(req.URL.Path, "/blobs/")
	var content []byte
	switch {
	case req.URL.Path == "/v2/":
		content = []byte("{}")
	case isManifest:
		content = r.manifests[ref]
		w.Header().Set("Content-Type", manifestType)
		w.Header().Set("Docker-Content-Digest", digestOf(content))
	case isBlob:
		content = r.blobs[digest]
	}
	if content == nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprint(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`)
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	_, _ = w.Write(content)
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// push makes an image of one file and gives it the tag.
func (r *testRegistry) push(t *testing.T, tag, content string) (digest string) {
	t.Helper()
	var layer bytes.Buffer
	archive := tar.NewWriter(&layer)
	if err := errors.Join(
		archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "file", Mode: 0o644, Size: int64(len(content))}),
		func() error { _, err := archive.Write([]byte(content)); return err }(),
		archive.Close(),
	); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := zip.Write(layer.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	config := mustJSON(t, map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "config": map[string]any{"Cmd": []string{"/file"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digestOf(layer.Bytes())}},
	})
	describe := func(kind string, content []byte) map[string]any {
		return map[string]any{"mediaType": kind, "size": len(content), "digest": digestOf(content)}
	}
	manifest := mustJSON(t, map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": describe("application/vnd.docker.container.image.v1+json", config),
		"layers": []any{describe("application/vnd.docker.image.rootfs.diff.tar.gzip", packed.Bytes())},
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blobs[digestOf(config)], r.blobs[digestOf(packed.Bytes())] = config, packed.Bytes()
	r.manifests[tag], r.manifests[digestOf(manifest)] = manifest, manifest
	return digestOf(manifest)
}

func mustJSON(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// loggedIn writes a docker configuration with the login of the registry.
func (r *testRegistry) loggedIn(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	login := base64.StdEncoding.EncodeToString([]byte(registryUser + ":" + registryPassword))
	config := mustJSON(t, map[string]any{"auths": map[string]any{
		strings.TrimPrefix(r.URL, "http://"): map[string]any{"auth": login},
	}})
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// registryBench is a runtime, an engine and a registry.
type registryBench struct {
	*docker.Runtime
	host     *engineHost
	proxy    *providertest.EngineProxy
	registry *testRegistry
}

func newRegistryBench(t *testing.T) *registryBench {
	t.Helper()
	host := newEngineHost(t)
	b := &registryBench{host: host, registry: newTestRegistry(t), proxy: providertest.NewEngineProxy(t, host.socket)}
	b.Runtime = b.open(t, b.registry.loggedIn(t))
	return b
}

func (b *registryBench) open(t *testing.T, dockerConfig string) *docker.Runtime {
	t.Helper()
	r, err := docker.New(docker.Options{Host: b.proxy.Host(), Scope: providertest.TestScope(t), DockerConfig: dockerConfig})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// resolve resolves the tag, and wants the pin.
func (b *registryBench) resolve(t *testing.T, tag, digest string) reconcile.Image {
	t.Helper()
	ref := b.registry.name() + ":" + tag
	got, err := b.Resolve(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if got.Ref != ref || got.Pin != b.registry.name()+"@"+digest || got.LocalOnly {
		t.Fatalf("%s resolved to %+v, want the digest %s", ref, got, digest)
	}
	return got
}

// pull ensures the image, and removes it when the test ends.
func (b *registryBench) pull(t *testing.T, img reconcile.Image) {
	t.Helper()
	var last reconcile.PullProgress
	if err := b.EnsureImage(t.Context(), img, func(p reconcile.PullProgress) { last = p }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.forget(t, img) })
	if last.Image != img.Ref || last.Done != last.Total {
		t.Errorf("the last progress is %+v", last)
	}
}

func TestImagesOfARegistry(t *testing.T) {
	b := newRegistryBench(t)
	first := b.registry.push(t, "1", "first")
	img := b.resolve(t, "1", first)
	if calls := b.proxy.Mutations(); len(calls) > 0 {
		t.Errorf("resolving made the calls %v", calls)
	}
	b.pull(t, img)

	t.Run("an image that is present is not pulled again", func(t *testing.T) {
		b.proxy.Forget()
		if err := b.EnsureImage(t.Context(), img, nil); err != nil {
			t.Fatal(err)
		}
		if calls := b.proxy.Mutations(); len(calls) > 0 {
			t.Errorf("it made the calls %v", calls)
		}
	})
	t.Run("many callers pull once", func(t *testing.T) {
		shared := b.resolve(t, "shared", b.registry.push(t, "shared", "for many"))
		b.proxy.Forget()
		var wait sync.WaitGroup
		for range 5 {
			wait.Go(func() {
				if err := b.EnsureImage(t.Context(), shared, nil); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if n := b.proxy.Count(http.MethodPost, "/images/create"); n != 1 {
			t.Errorf("it was pulled %d times", n)
		}
		b.forget(t, shared)
	})
	t.Run("a tag that moved resolves to what it is now", func(t *testing.T) {
		second := b.registry.push(t, "1", "second")
		b.resolve(t, "1", second)
	})
	t.Run("a tag beside a digest says nothing", func(t *testing.T) {
		got, err := b.Resolve(t.Context(), b.registry.name()+":1@"+first)
		if err != nil || got.Pin != img.Pin {
			t.Errorf("got %+v, %v; want the pin %s", got, err, img.Pin)
		}
	})
	t.Run("a tag that nobody has is not found", func(t *testing.T) {
		_, err := b.Resolve(t.Context(), b.registry.name()+":none")
		if !errors.Is(err, reconcile.ErrImageNotFound) {
			t.Errorf("error is %v, want one that wraps ErrImageNotFound", err)
		}
	})
	t.Run("without a login the error says how to log in", func(t *testing.T) {
		_, err := b.open(t, t.TempDir()).Resolve(t.Context(), b.registry.name()+":1")
		if err == nil || !strings.Contains(err.Error(), "docker login") {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("content that is not that of its digest is refused", func(t *testing.T) {
		digest := b.registry.push(t, "forged", "honest")
		b.registry.mu.Lock()
		b.registry.manifests[digest] = b.registry.manifests[first]
		b.registry.mu.Unlock()
		err := b.EnsureImage(t.Context(), reconcile.Image{Ref: "forged", Pin: b.registry.name() + "@" + digest}, nil)
		if err == nil {
			t.Error("it was accepted")
		}
	})
	t.Run("with the registry away the local copy is taken, and it is said", func(t *testing.T) {
		// An engine knows what it pulled under a tag only if it pulled the tag.
		local := b.registry.name() + ":local"
		if err := b.host.api.ImageTag(t.Context(), img.Pin, local); err != nil {
			t.Fatal(err)
		}
		b.registry.Close()
		got, err := b.Resolve(t.Context(), local)
		if err != nil || got.Pin != img.Pin || got.Note == "" || got.LocalOnly {
			t.Errorf("got %+v, %v; want the pin %s and a note", got, err, img.Pin)
		}
		if strings.Contains(got.Note, registryPassword) {
			t.Errorf("the note holds the password: %s", got.Note)
		}
	})
}

// forget removes an image from the engine, with all its names.
func (b *registryBench) forget(t *testing.T, img reconcile.Image) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	found, err := b.host.api.ImageInspect(ctx, img.Pin)
	if err == nil {
		_, err = b.host.api.ImageRemove(ctx, found.ID, image.RemoveOptions{Force: true})
	}
	if err != nil {
		t.Error(err)
	}
}

// TestCredentialHelpersAreAsked uses a helper program of its own.
func TestCredentialHelpersAreAsked(t *testing.T) {
	b := newRegistryBench(t)
	digest := b.registry.push(t, "1", "first")
	bin, config := t.TempDir(), t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\ncat >/dev/null\necho '{\"ServerURL\":\"x\",\"Username\":%q,\"Secret\":%q}'\n", registryUser, registryPassword)
	text := mustJSON(t, map[string]any{"credHelpers": map[string]string{strings.TrimPrefix(b.registry.URL, "http://"): "fairleadtest"}})
	if err := errors.Join(
		os.WriteFile(filepath.Join(bin, "docker-credential-fairleadtest"), []byte(script), 0o700),
		os.WriteFile(filepath.Join(config, "config.json"), text, 0o600),
	); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	got, err := b.open(t, config).Resolve(t.Context(), b.registry.name()+":1")
	if err != nil || got.Pin != b.registry.name()+"@"+digest {
		t.Errorf("got %+v, %v", got, err)
	}
}
