package providertest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// EngineSocket returns the path of the unix socket of a Docker Engine that
// answers, at DOCKER_HOST or the usual place. Without one the test is skipped.
func EngineSocket(tb testing.TB) string {
	tb.Helper()
	host := os.Getenv("DOCKER_HOST")
	if host == "" {
		host = "unix:///var/run/docker.sock"
	}
	socket, isUnix := strings.CutPrefix(host, "unix://")
	if !isUnix {
		tb.Skipf("this test needs a Docker Engine on a unix socket; DOCKER_HOST is %s", host)
	}
	if err := engineCall(tb, socket, http.MethodGet, "/_ping", nil); err != nil {
		tb.Skipf("this test needs a Docker Engine: %v", err)
	}
	return socket
}

//go:embed testdata/replica.go
var replicaSource []byte

// ReplicaImage builds the test program and loads it into the engine as an image
// that exists only there. It is removed when the test ends. The program is
// described in testdata/replica.go.
func ReplicaImage(tb testing.TB, socket string) (ref string) {
	tb.Helper()
	program := BuildStatic(tb, replicaSource)
	sum := sha256.Sum256([]byte(tb.TempDir())) // tests at the same time have images of their own
	ref = "fairlead-test/replica:" + hex.EncodeToString(sum[:8])
	LoadImage(tb, socket, ref, program)
	return ref
}

// BuildStatic compiles the source of a main package that uses the standard
// library only, and returns the path of the static binary.
func BuildStatic(tb testing.TB, source []byte) string {
	tb.Helper()
	dir := tb.TempDir()
	for name, content := range map[string][]byte{"main.go": source, "go.mod": []byte("module program\n\ngo 1.26\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	program := filepath.Join(dir, "program")
	build := exec.CommandContext(tb.Context(), "go", "build", "-ldflags=-s -w", "-o", program, ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("build the test program: %v\n%s", err, out)
	}
	return program
}

// LoadImage loads an image that holds nothing but the program, as its entry
// point, and removes it when the test ends.
func LoadImage(tb testing.TB, socket, ref, program string) {
	tb.Helper()
	archive, err := imageArchive(ref, program)
	if err != nil {
		tb.Fatalf("make image %s: %v", ref, err)
	}
	if err := engineCall(tb, socket, http.MethodPost, "/images/load?quiet=1", archive); err != nil {
		tb.Fatalf("load image %s: %v", ref, err)
	}
	tb.Cleanup(func() {
		if err := engineCall(tb, socket, http.MethodDelete, "/images/"+ref+"?force=1", nil); err != nil {
			tb.Logf("remove image %s: %v", ref, err)
		}
	})
}

// imageArchive makes an archive in the form of docker save.
func imageArchive(ref, program string) ([]byte, error) {
	content, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	layer, err := tarball(map[string][]byte{"program": content}, 0o755)
	if err != nil {
		return nil, err
	}
	diff := sha256.Sum256(layer)
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/program"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(diff[:])}},
	})
	if err != nil {
		return nil, err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{ref}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return nil, err
	}
	return tarball(map[string][]byte{"manifest.json": manifest, "config.json": config, "layer.tar": layer}, 0o644)
}

func tarball(files map[string][]byte, mode int64) ([]byte, error) {
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	for name, content := range files {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content))}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(content); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), archive.Close()
}

// engineCall makes one plain call. It outlives the test's context, because it
// also cleans up.
func engineCall(tb testing.TB, socket, method, path string, body []byte) error {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-tar")
	transport := dialSocket(socket)
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode >= http.StatusBadRequest || bytes.Contains(text, []byte(`"errorDetail"`)) {
		return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, text)
	}
	return nil
}

// dialSocket is a transport whose every connection goes to the socket.
func dialSocket(socket string) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}
}
