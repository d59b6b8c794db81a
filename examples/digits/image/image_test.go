package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/examples/digits/internal/nn"
)

func TestArchiveIsACompleteImage(t *testing.T) {
	archive := packed(t, "1.0.0")
	files := untar(t, archive.tar)

	var manifest []manifestEntry
	decode(t, files["manifest.json"], &manifest)
	if len(manifest) != 1 || !slices.Equal(manifest[0].RepoTags, []string{"digits:1.0.0"}) || len(manifest[0].Layers) != 2 {
		t.Fatalf("the manifest is %s", files["manifest.json"])
	}
	if want := "sha256:" + strings.TrimSuffix(manifest[0].Config, ".json"); archive.id != want {
		t.Errorf("the id is %s, the manifest's configuration %s", archive.id, want)
	}
	var config imageConfig
	decode(t, files[manifest[0].Config], &config)
	for i, name := range manifest[0].Layers {
		if got := "sha256:" + hash(files[name]); got != config.RootFS.DiffIDs[i] {
			t.Errorf("layer %d has hash %s, the configuration says %s", i, got, config.RootFS.DiffIDs[i])
		}
	}
	if got := string(untar(t, files[manifest[0].Layers[0]])["server"]); got != "a server" {
		t.Errorf("/server is %q", got)
	}
	if weights := untar(t, files[manifest[0].Layers[1]])["model/weights"]; !bytes.Contains(weights, []byte(`"version":"1.0.0"`)) {
		t.Errorf("/model/weights is %q", weights)
	}
	if config.Config.User != nobody || !slices.Equal(config.Config.Entrypoint, []string{"/server"}) {
		t.Errorf("it runs %v as %s", config.Config.Entrypoint, config.Config.User)
	}
}

func TestEqualInputMakesEqualImages(t *testing.T) {
	first, again, other := packed(t, "1.0.0"), packed(t, "1.0.0"), packed(t, "1.1.0")
	if !bytes.Equal(first.tar, again.tar) || first.id != again.id {
		t.Error("two archives of one input differ")
	}
	if first.id == other.id {
		t.Error("two versions have one id")
	}
}

func TestBrokenWeightsAreNotPacked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights.json")
	if err := os.WriteFile(path, []byte(`{"format_version":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pack(nil, path, "digits", "amd64"); err == nil || !strings.Contains(err.Error(), "cannot be used") {
		t.Errorf("got %v, want an error that says so", err)
	}
}

func TestAProgramIsPackedAlone(t *testing.T) {
	program := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(program, []byte("a tool"), 0o600); err != nil {
		t.Fatal(err)
	}
	set := settings{program: program, name: "tool", version: "3", arch: runtime.GOARCH}
	archives, err := set.archives(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files := untar(t, archives[0].tar)
	var manifest []manifestEntry
	decode(t, files["manifest.json"], &manifest)
	var config imageConfig
	decode(t, files[manifest[0].Config], &config)
	if archives[0].tag != "tool:3" || !slices.Equal(config.Config.Entrypoint, []string{"/tool"}) || len(config.Config.ExposedPorts) != 0 {
		t.Errorf("%s runs %v and has ports %v", archives[0].tag, config.Config.Entrypoint, config.Config.ExposedPorts)
	}
	if got := string(untar(t, files[manifest[0].Layers[0]])["tool"]); got != "a tool" {
		t.Errorf("/tool is %q", got)
	}
}

func TestAProgramNeedsAName(t *testing.T) {
	err := run(t.Context(), []string{"--program", "tool", "--out", t.TempDir()}, t.Output())
	if err == nil || !strings.Contains(err.Error(), "--name") {
		t.Errorf("got %v, want an error about --name", err)
	}
}

func TestLoadSaysWhatTheEngineSays(t *testing.T) {
	cases := map[string]struct {
		status int
		body   string
		want   string // "": no error
	}{
		"loaded":              {http.StatusOK, "{\"stream\":\"Loaded image\"}\n", ""},
		"an empty answer":     {http.StatusOK, "", ""},
		"an error in a 200":   {http.StatusOK, "{\"stream\":\"...\"}\n{\"error\":\"no space left\"}\n", "the engine says: no space left"},
		"a refusal":           {http.StatusForbidden, `{"message":"not you"}`, "403 Forbidden: not you"},
		"something else":      {http.StatusBadGateway, `<html>`, "502 Bad Gateway"},
		"an empty bad answer": {http.StatusBadGateway, ``, "502 Bad Gateway"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || string(body) != "an archive" || r.URL.Path != "/images/load" {
					t.Errorf("got %s with %q, %v", r.URL.Path, body, err)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer engine.Close()
			err := loadImage(t.Context(), strings.Replace(engine.URL, "http://", "tcp://", 1), []byte("an archive"))
			if (c.want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	t.Run("a host of another kind", func(t *testing.T) {
		err := loadImage(t.Context(), "ssh://host", nil)
		if err == nil || !strings.Contains(err.Error(), "unix:// and tcp://") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no engine", func(t *testing.T) {
		err := loadImage(t.Context(), "unix://"+filepath.Join(t.TempDir(), "none.sock"), nil)
		if err == nil || !strings.Contains(err.Error(), "is the Docker Engine running?") {
			t.Errorf("got %v", err)
		}
	})
}

func packed(t *testing.T, version string) *archive {
	t.Helper()
	archive, err := pack([]byte("a server"), writeWeights(t, version), "digits", runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

func writeWeights(t *testing.T, version string) (path string) {
	t.Helper()
	weights := &nn.Weights{
		FormatVersion: nn.WeightsFormat, Name: "digits", Version: version, Kind: "linear", Scale: 1,
		Network: *nn.New(rand.New(rand.NewPCG(1, 1)), 64, 10),
	}
	path = filepath.Join(t.TempDir(), "weights.json")
	if err := weights.Save(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func untar(t *testing.T, text []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(text)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = content
	}
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}
