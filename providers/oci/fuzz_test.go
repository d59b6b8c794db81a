package oci

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// FuzzReference holds what parseRef takes: it comes back as it is written, and its
// digest is a name that stays in the store.
func FuzzReference(f *testing.F) {
	for _, seed := range []string{
		"oci://local/digits:1.0.0", "oci://h:5000/a/b@sha256:" + strings.Repeat("a", 64), "oci://h/a:t@sha256:" + strings.Repeat("0", 64), "oci://[::1]:5000/a:b", "oci://local/../x", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRef(text)
		if err != nil {
			return
		}
		again, err := parseRef(r.String())
		if err != nil || again != r {
			t.Fatalf("%q is %+v; written as %q it is %+v, %v", text, r, r, again, err)
		}
		if r.digest != "" && (len(r.digest.Encoded()) != 64 || strings.ContainsAny(r.digest.Encoded(), "/.\\")) {
			t.Fatalf("%q has the digest %q", text, r.digest)
		}
	})
}

// FuzzManifest reads what a registry may send.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"config":{"digest":"sha256:` + strings.Repeat("a", 64) + `","size":2},"layers":[]}`))
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseManifest("", raw)
		if err != nil {
			return
		}
		for _, blob := range m.parts() {
			if blob.Size < 0 || blob.Digest.Validate() != nil {
				t.Fatalf("it takes the blob %+v", blob)
			}
		}
		for _, layer := range m.Layers {
			if pack, err := m.packing(layer); err == nil && pack == packFile && layerName(layer) == "" {
				t.Fatalf("it takes the layer %+v", layer)
			}
		}
	})
}

// FuzzArchive unpacks archives of strangers: nothing gets out of the directory, and
// what comes in is a file of a name that can be stored.
func FuzzArchive(f *testing.F) {
	var seed bytes.Buffer
	w := tar.NewWriter(&seed)
	for _, h := range []tar.Header{{Name: "a/b", Size: 1, Typeflag: tar.TypeReg}, {Name: "../c", Size: 1, Typeflag: tar.TypeReg}, {Name: "l", Linkname: "/etc", Typeflag: tar.TypeSymlink}} {
		if err := w.WriteHeader(&h); err != nil {
			f.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte("x")); err != nil {
				f.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(seed.Bytes(), false)
	f.Add(seed.Bytes()[:1024], true)
	s, err := New(Options{Dir: f.TempDir(), MaxSize: 1 << 20})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, archive []byte, zipped bool) {
		sum := sha256.New()
		sum.Write(archive)
		layer := ocispec.Descriptor{MediaType: typeTar, Digest: sumDigest(sum), Size: int64(len(archive))}
		if zipped {
			layer.MediaType += "+gzip"
		}
		if err := os.WriteFile(s.blobPath(layer.Digest), archive, 0o600); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Remove(s.blobPath(layer.Digest)) }() // the directory goes anyway
		m := &manifest{Manifest: ocispec.Manifest{Layers: []ocispec.Descriptor{layer}}}
		total := int64(0)
		_ = s.walk(context.Background(), m, func(f file) error { // whatever it says
			if err := checkPath(f.path); err != nil {
				t.Fatalf("it unpacks %q", f.path)
			}
			if total += f.size; f.size < 0 || total > 1<<20 {
				t.Fatalf("it unpacks %d bytes", total)
			}
			return nil
		})
	})
}
