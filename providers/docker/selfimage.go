package docker

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fairlead/fairlead/reconcile"
)

// The self image holds one file, Fairlead's own static binary, and the directory
// of its state. It is written here as an archive in the form of docker save and
// loaded, because that works on every engine without a registry, a Dockerfile or
// a builder. Equal binaries give equal archives, to the bit.

// selfUser runs in the self image. It is nobody's number on the host.
const selfUser = 65532

// selfImage describes the archive. It is worked out once: the binary that runs
// does not change.
type selfImage struct {
	once   sync.Once
	err    error
	binary string
	config []byte // the image's configuration, whose hash is the image id
	id     string
	layer  int64 // size of the layer
}

// SelfImage implements reconcile.Runtime.
func (r *Runtime) SelfImage(context.Context) (reconcile.Image, error) {
	r.self.once.Do(func() { r.self.err = r.self.describe(r.options.SelfBinary) })
	if r.self.err != nil {
		return reconcile.Image{}, r.self.err
	}
	return reconcile.Image{Ref: selfTag(r.self.id), Pin: r.self.id, LocalOnly: true, Self: true}, nil
}

// selfTag is the name under which the self image is loaded. It names the content,
// and keeps the image from being pruned as one without a name.
func selfTag(id string) string {
	const digits = 16
	return "fairlead:self-" + strings.TrimPrefix(id, "sha256:")[:digits]
}

// describe reads the binary once and works out the image.
func (s *selfImage) describe(binary string) error {
	if binary == "" {
		// The link leads to the program that runs, also after an upgrade has put
		// another one in its place.
		binary = "/proc/self/exe"
		if runtime.GOOS != "linux" {
			return errors.New("the gateway's image needs a Linux binary of Fairlead; build one with CGO_ENABLED=0 GOOS=linux and name it")
		}
	}
	if err := checkStatic(binary); err != nil {
		return err
	}
	s.binary = binary
	sum := sha256.New()
	size, err := s.writeLayer(sum)
	if err != nil {
		return fmt.Errorf("read %s: %w", binary, err)
	}
	s.layer = size
	s.config, err = selfConfig("sha256:" + hex.EncodeToString(sum.Sum(nil)))
	if err != nil {
		return fmt.Errorf("describe the gateway's image: %w", err)
	}
	id := sha256.Sum256(s.config)
	s.id = "sha256:" + hex.EncodeToString(id[:])
	return nil
}

// checkStatic refuses a binary that could not run in an empty image.
func checkStatic(binary string) error {
	f, err := elf.Open(binary)
	if err != nil {
		return fmt.Errorf("%s is no Linux program: %w; build Fairlead with CGO_ENABLED=0 GOOS=linux", binary, err)
	}
	defer func() { _ = f.Close() }()
	for _, part := range f.Progs {
		if part.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is dynamically linked and cannot run in the gateway's empty image; build Fairlead with CGO_ENABLED=0 (make build does)", binary)
		}
	}
	return nil
}

// selfConfig is the image's configuration. Whatever could differ between two
// builds of one binary, times above all, is fixed or left out.
func selfConfig(layer string) ([]byte, error) {
	epoch := time.Unix(0, 0).UTC()
	config := map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"created":      epoch,
		"config": ocispec.ImageConfig{
			User:       fmt.Sprint(selfUser),
			Entrypoint: []string{"/fairlead"},
			WorkingDir: "/",
		},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{layer}},
		"history": []ocispec.History{{Created: &epoch, CreatedBy: "fairlead"}},
	}
	return json.Marshal(config)
}

// writeLayer writes the image's one layer and returns its size.
func (s *selfImage) writeLayer(to io.Writer) (size int64, err error) {
	f, err := os.Open(s.binary)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	counted := &countingWriter{to: to}
	layer := tar.NewWriter(counted)
	headers := []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "var/", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "var/lib/", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "var/lib/fairlead/", Mode: 0o700, Uid: selfUser, Gid: selfUser},
		{Typeflag: tar.TypeReg, Name: "fairlead", Mode: 0o755, Size: info.Size()},
	}
	for _, h := range headers {
		if err := layer.WriteHeader(h); err != nil {
			return 0, err
		}
	}
	if _, err := io.Copy(layer, f); err != nil {
		return 0, err
	}
	err = layer.Close()
	return counted.n, err
}

// writeArchive writes the archive that the engine loads.
func (s *selfImage) writeArchive(to io.Writer) error {
	name := strings.TrimPrefix(s.id, "sha256:") + ".json"
	manifest, err := json.Marshal([]map[string]any{{
		"Config": name, "RepoTags": []string{selfTag(s.id)}, "Layers": []string{"layer.tar"},
	}})
	if err != nil {
		return err
	}
	archive := tar.NewWriter(to)
	for _, file := range []struct {
		name    string
		content []byte
	}{{"manifest.json", manifest}, {name, s.config}} {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: file.name, Mode: 0o644, Size: int64(len(file.content))}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(file.content); err != nil {
			return err
		}
	}
	if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "layer.tar", Mode: 0o644, Size: s.layer}); err != nil {
		return err
	}
	if _, err := s.writeLayer(archive); err != nil {
		return err
	}
	return archive.Close()
}

// loadSelf streams the archive into the engine.
func (r *Runtime) loadSelf(ctx context.Context, img reconcile.Image) error {
	if current, err := r.SelfImage(ctx); err != nil {
		return err
	} else if current.Pin != img.Pin {
		return fmt.Errorf("%w: the gateway's image %s is of another build of Fairlead and is gone from this host", reconcile.ErrImageNotFound, img.Pin)
	}
	what := "load the gateway's image"
	return r.call(ctx, what, loadLimit, func(ctx context.Context) error {
		reader, writer := io.Pipe()
		go func() { writer.CloseWithError(r.self.writeArchive(writer)) }()
		// Closing the reader ends the writer, whatever the engine has read.
		defer func() { _ = reader.Close() }()
		answer, err := r.connection.client().ImageLoad(ctx, reader, client.ImageLoadWithQuiet(true))
		if err != nil {
			return err
		}
		if err := errors.Join(followLoad(answer.Body), answer.Body.Close()); err != nil {
			return err
		}
		r.pruneSelf(ctx, img.Pin)
		return nil
	})
}

// pruneSelf removes the self images of other builds, which would pile up with
// every upgrade, of any owner: an image has no scope. One that a container is made
// from, running or not, is refused by the engine, and that, like any other
// failure, only means that it stays for another time. A process of another build
// that has loaded its image and not yet made the container loses it; its create
// says ErrImageNotFound, and its next attempt loads the image again, which it can
// always do, since it is made of its own binary.
func (r *Runtime) pruneSelf(ctx context.Context, keep string) {
	images, err := r.connection.client().ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", "fairlead:self-*"))})
	if err != nil {
		return
	}
	for _, old := range images {
		if old.ID != keep {
			_, _ = r.connection.client().ImageRemove(ctx, old.ID, image.RemoveOptions{})
		}
	}
}

// followLoad reads the engine's answer to its end.
func followLoad(body io.Reader) error {
	messages := json.NewDecoder(body)
	for {
		var m streamMessage
		if err := messages.Decode(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := m.err(); err != nil {
			return err
		}
	}
}

// countingWriter counts what passes through.
type countingWriter struct {
	to io.Writer
	n  int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.n += int64(n)
	return n, err
}
