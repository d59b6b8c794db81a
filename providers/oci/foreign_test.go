package oci_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/modelpack/model-spec/schema"

	"github.com/fairlead/fairlead/providers/oci"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

func errorsIs(err, want error) bool { return errors.Is(err, want) }

func hexOf(data string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(data))) }

// TestDebiansRegistry is the acceptance of a real registry: push, pull by digest,
// garbage collection by its own tool, another client, a tampered blob.
func TestDebiansRegistry(t *testing.T) {
	host, dir, config := debian(t)
	here := open(t, oci.Options{Dir: t.TempDir()})
	published, err := here.Publish(t.Context(), digits(t, here, "oci://"+host+"/team/digits", modelFiles))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "docker-registry", "garbage-collect", "--delete-untagged", config).CombinedOutput(); err != nil {
		t.Fatalf("garbage collection: %v\n%s", err, out)
	}
	files := readWithAnotherClient(t, strings.TrimPrefix(published.Ref, "oci://"))
	for path, data := range modelFiles {
		if got := files[strings.TrimSuffix(path, "*")]; got != data {
			t.Errorf("another client reads %q as %q; want %q", path, got, data)
		}
	}
	there := open(t, oci.Options{Dir: t.TempDir()})
	if _, err := there.Fetch(t.Context(), published.Ref); err != nil {
		t.Fatal(err)
	}
	if all, err := there.Referrers(t.Context(), published.Ref, ""); err != nil || len(all) != 2 {
		t.Errorf("after its garbage collection there are the referrers %v, %v", all, err)
	}

	sum := hexOf("weights")
	blob := filepath.Join(dir, "docker/registry/v2/blobs/sha256", sum[:2], sum, "data")
	if err := os.WriteFile(blob, []byte("Weights"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = open(t, oci.Options{Dir: t.TempDir()}).Fetch(t.Context(), published.Ref)
	wantErr(t, err, reconcile.ErrTampered, sum)
}

// readWithAnotherClient returns the files of an artifact by go-containerregistry.
func readWithAnotherClient(t *testing.T, ref string) map[string]string {
	t.Helper()
	parsed, err := name.NewDigest(ref, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(parsed)
	if err != nil {
		t.Fatal(err)
	}
	return filesOf(t, image)
}

func filesOf(t *testing.T, image v1.Image) map[string]string {
	t.Helper()
	m, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, d := range m.Layers {
		layer, err := image.LayerByDigest(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		r, err := layer.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		var data bytes.Buffer
		_, err = data.ReadFrom(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		files[d.Annotations["org.cncf.model.filepath"]] = data.String()
	}
	return files
}

func TestAnotherClientReadsTheLayout(t *testing.T) {
	dir := t.TempDir()
	s := open(t, oci.Options{Dir: dir})
	published, err := s.Publish(t.Context(), digits(t, s, "", modelFiles))
	if err != nil {
		t.Fatal(err)
	}
	index, err := layout.ImageIndexFromPath(filepath.Join(dir, "layout"))
	if err != nil {
		t.Fatal(err)
	}
	listed, err := index.IndexManifest()
	if err != nil || len(listed.Manifests) != 3 {
		t.Fatalf("it lists %v, %v", listed, err)
	}
	found := slices.IndexFunc(listed.Manifests, func(d v1.Descriptor) bool {
		return d.Annotations["org.opencontainers.image.ref.name"] == "digits:1.2.0"
	})
	if found < 0 || listed.Manifests[found].Digest.String() != published.Digest {
		t.Fatalf("digits:1.2.0 is not among %v", listed.Manifests)
	}
	image, err := index.Image(listed.Manifests[found].Digest)
	if err != nil {
		t.Fatal(err)
	}
	files := filesOf(t, image)
	if files["model.bin"] != "weights" || len(files) != len(modelFiles) {
		t.Errorf("it reads %v", files)
	}
}

// TestModelPack holds the config to ModelPack's own schema, and shows with some of its
// negative documents that the schema would find what is wrong.
func TestModelPack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, oci.Options{Dir: dir})
	many := map[string]string{}
	for n := range 1001 {
		many[fmt.Sprint(n)] = fmt.Sprint(n)
	}
	for _, files := range []map[string]string{modelFiles, many} {
		published, err := s.Publish(t.Context(), digits(t, s, "", files))
		if err != nil {
			t.Fatal(err)
		}
		blob := func(digest string) []byte {
			raw, err := os.ReadFile(filepath.Join(dir, "layout/blobs/sha256", strings.TrimPrefix(digest, "sha256:")))
			if err != nil {
				t.Fatal(err)
			}
			return raw
		}
		var m v1.Manifest
		var kind struct {
			ArtifactType string `json:"artifactType"`
		}
		if err := errors.Join(json.Unmarshal(blob(published.Digest), &m), json.Unmarshal(blob(published.Digest), &kind)); err != nil {
			t.Fatal(err)
		}
		if kind.ArtifactType != "application/vnd.cncf.model.manifest.v1+json" || m.Config.MediaType != "application/vnd.cncf.model.config.v1+json" {
			t.Errorf("the types are %q and %q", kind.ArtifactType, m.Config.MediaType)
		}
		config := blob(m.Config.Digest.String())
		if err := schema.ValidatorMediaTypeModelConfig.Validate(bytes.NewReader(config)); err != nil {
			t.Errorf("ModelPack refuses %s: %v", config, err)
		}
		for _, layer := range m.Layers {
			if !strings.HasPrefix(string(layer.MediaType), "application/vnd.cncf.model.weight.v1.") {
				t.Errorf("a layer is of the type %q", layer.MediaType)
			}
			if !bytes.Contains(config, []byte(layer.Digest.String())) {
				t.Errorf("the layer %s is not among the diffIds", layer.Digest)
			}
		}
		for old, wrong := range map[string]string{
			`"config":{}`:              `"configuration":{}`,
			`"version":"1.2.0"`:        `"version":1.2`,
			`"type":"layers"`:          `"type":"layer"`,
			`"2026-03-03T14:00:00Z"`:   `"2026/03/03T14:00:00Z"`,
			`"licenses":["Apache-2.0"`: `"licenses":"Apache-2.0","authors":["a"`,
			`"name":"digits"`:          `"name":""`,
			`"diffIds":[`:              `"diffIds":[1,`,
		} {
			if !bytes.Contains(config, []byte(old)) {
				t.Errorf("%s does not hold %s", config, old)
			}
			if err := schema.ValidatorMediaTypeModelConfig.Validate(bytes.NewReader(bytes.Replace(config, []byte(old), []byte(wrong), 1))); err == nil {
				t.Errorf("ModelPack takes %s", wrong)
			}
		}
	}
}

// pushForeign pushes an artifact that another tool made.
func pushForeign(t *testing.T, host string, layers ...mutate.Addendum) string {
	t.Helper()
	image, err := mutate.Append(mutate.MediaType(mutate.ConfigMediaType(empty.Image, "application/vnd.kitops.modelkit.config.v1+json"), types.OCIManifestSchema1), layers...)
	if err != nil {
		t.Fatal(err)
	}
	return pushImage(t, host, image)
}

func pushImage(t *testing.T, host string, image v1.Image) string {
	t.Helper()
	ref, err := name.ParseReference(host+"/foreign:latest", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	return "oci://" + host + "/foreign@" + digest.String()
}

// layerOf is a layer of any type.
func layerOf(data []byte, kind string, annotations map[string]string) mutate.Addendum {
	return mutate.Addendum{Layer: static.NewLayer(data, types.MediaType(kind)), Annotations: annotations, MediaType: types.MediaType(kind)}
}

func tarOf(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		if h.Typeflag == 0 {
			h.Typeflag, h.Size = tar.TypeReg, int64(len("file "+h.Name))
		}
		if h.Mode == 0 {
			h.Mode = 0o600
		}
		h.ModTime = time.Unix(1e9, 0)
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg && h.Size == int64(len("file "+h.Name)) {
			if _, err := w.Write([]byte("file " + h.Name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipOf(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestArtifactsOfOtherTools(t *testing.T) {
	host := serve(t, inMemory(true))
	s := open(t, oci.Options{Dir: t.TempDir()})
	ref := pushForeign(t, host,
		layerOf([]byte("raw"), "application/vnd.cncf.model.weight.v1.raw", map[string]string{"org.cncf.model.filepath": "w/raw.bin"}),
		layerOf([]byte("titled"), "application/json", map[string]string{"org.opencontainers.image.title": "config.json"}),
		layerOf(tarOf(t, tar.Header{Name: "./", Typeflag: tar.TypeDir}, tar.Header{Name: "./doc/", Typeflag: tar.TypeDir}, tar.Header{Name: "./doc/README.md"}, tar.Header{Name: "run.sh", Mode: 0o700}),
			"application/vnd.cncf.model.doc.v1.tar", nil),
		layerOf(gzipOf(t, tarOf(t, tar.Header{Name: "kit/model.onnx"})), "application/vnd.kitops.modelkit.model.v1.tar+gzip", nil),
	)
	content, err := s.Fetch(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"w/raw.bin": "raw", "config.json": "titled", "doc/README.md": "file ./doc/README.md", "run.sh*": "file run.sh", "kit/model.onnx": "file kit/model.onnx",
	}
	if content.Files != len(want) {
		t.Errorf("got %+v", content)
	}
	dir, err := s.Checkout(t.Context(), content.Digest)
	if err != nil {
		t.Fatal(err)
	}
	providertest.WantTree(t, dir, want)
	if _, err := s.Checkout(t.Context(), content.Digest); err != nil {
		t.Error(err)
	}
	again, err := s.Publish(t.Context(), reconcile.ModelPackage{Name: "kit", Version: "1.0.0", Content: content.Digest})
	if err != nil {
		t.Fatal(err)
	}
	if dir, err = s.Checkout(t.Context(), again.Digest); err != nil {
		t.Fatal(err)
	}
	providertest.WantTree(t, dir, want)
}

func TestArtifactsThatAreRefused(t *testing.T) {
	host := serve(t, inMemory(true))
	const raw, packed, zipped = "application/vnd.cncf.model.weight.v1.raw", "application/vnd.cncf.model.weight.v1.tar", "application/vnd.cncf.model.weight.v1.tar+gzip"
	path := func(p string) map[string]string { return map[string]string{"org.cncf.model.filepath": p} }
	image, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		ref  string
		says string
	}{
		"a layer without a name":     {pushForeign(t, host, layerOf([]byte("1"), raw, nil)), "no file name"},
		"zstd":                       {pushForeign(t, host, layerOf([]byte("2"), "application/vnd.cncf.model.weight.v1.tar+zstd", nil)), "zstd"},
		"the image of a container":   {pushImage(t, host, mutate.MediaType(mutate.ConfigMediaType(image, types.OCIConfigJSON), types.OCIManifestSchema1)), "container"},
		"a way out":                  {pushForeign(t, host, layerOf([]byte("3"), raw, path("../x"))), "../x"},
		"an absolute path":           {pushForeign(t, host, layerOf([]byte("4"), raw, path("/etc/passwd"))), "/etc/passwd"},
		"two files of one name":      {pushForeign(t, host, layerOf([]byte("5"), raw, path("a")), layerOf([]byte("6"), raw, path("a"))), "more than once"},
		"a file that is a directory": {pushForeign(t, host, layerOf([]byte("7"), raw, path("a")), layerOf([]byte("8"), raw, path("a/b"))), "a file and a directory"},
		"a directory that is a file": {pushForeign(t, host, layerOf([]byte("7"), raw, path("a/b")), layerOf([]byte("8"), raw, path("a"))), "more than once"},
		"a way out of an archive":    {pushForeign(t, host, layerOf(tarOf(t, tar.Header{Name: "a/../../x"}), packed, nil)), "a/../../x"},
		"a folder out of an archive": {pushForeign(t, host, layerOf(tarOf(t, tar.Header{Name: "../", Typeflag: tar.TypeDir}), packed, nil)), ".."},
		"a link in an archive":       {pushForeign(t, host, layerOf(tarOf(t, tar.Header{Name: "l", Linkname: "/etc", Typeflag: tar.TypeSymlink}), packed, nil)), "symbolic link"},
		"a hard link in an archive":  {pushForeign(t, host, layerOf(tarOf(t, tar.Header{Name: "a"}, tar.Header{Name: "l", Linkname: "a", Typeflag: tar.TypeLink}), packed, nil)), "hard link"},
		"a device in an archive":     {pushForeign(t, host, layerOf(tarOf(t, tar.Header{Name: "d", Typeflag: tar.TypeBlock}), packed, nil)), "device"},
		"a pipe in an archive":       {pushForeign(t, host, layerOf(tarOf(t, tar.Header{Name: "p", Typeflag: tar.TypeFifo}), packed, nil)), "pipe"},
		"a bomb":                     {pushForeign(t, host, layerOf(gzipOf(t, bomb(t, 4<<20)), zipped, nil)), "more than is allowed"},
		"too many bytes":             {pushForeign(t, host, layerOf(make([]byte, 2<<20), raw, path("big"))), "more than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, oci.Options{Dir: dir, MaxSize: 1 << 20})
			_, err := s.Fetch(t.Context(), test.ref)
			wantErr(t, err, reconcile.ErrNotStorable, test.says)
			_, digest, _ := strings.Cut(test.ref, "@")
			if _, err := s.Checkout(t.Context(), digest); err == nil {
				t.Error("it was checked out")
			}
			if left, err := os.ReadDir(filepath.Join(dir, "work")); err != nil || len(left) != 0 {
				t.Errorf("it left %v, %v", left, err)
			}
		})
	}
}

// bomb is an archive with one file of zeros.
func bomb(t testing.TB, size int64) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	if err := w.WriteHeader(&tar.Header{Name: "zeros", Typeflag: tar.TypeReg, Size: size, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWhatIsNoArtifactIsRefused(t *testing.T) {
	host := serve(t, inMemory(true))
	index, err := random.Index(10, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host+"/foreign:index", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err := errors.Join(err, remote.WriteIndex(ref, index)); err != nil {
		t.Fatal(err)
	}
	s := open(t, oci.Options{Dir: t.TempDir()})
	_, err = s.Fetch(t.Context(), "oci://"+host+"/foreign@"+digest.String())
	wantErr(t, err, nil, "index of several manifests")
	for _, bad := range []string{"", "digits", "https://x/y", "oci://", "oci:///x", "oci://h", "oci://h/UPPER@sha256:" + hexOf(""), "oci://h/r@sha256:1", "oci://h/r:tag", "oci://h/r", "oci://local/@sha256:" + hexOf("")} {
		_, err := s.Fetch(t.Context(), bad)
		wantErr(t, err, nil, "is not a reference", "oci://HOST/REPOSITORY@sha256:DIGEST")
	}
}
