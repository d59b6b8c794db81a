package oci

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// Bounds of an artifact.
const (
	maxFiles = 1_000_000
	maxPath  = 4096      // bytes; what Linux takes
	maxPaths = 128 << 20 // bytes of all paths, which are held in memory
	// An archive may unpack to this much more than it has, and to unpackFree in any
	// case. gzip can reach 1,032, which only a bomb does.
	maxRatio   = 200
	unpackFree = 1 << 30
)

// file is one file of an artifact.
type file struct {
	path string
	size int64
	exec bool
	// blob is the file itself, where it is a layer of its own.
	blob ocispec.Descriptor
	// body is the file in its archive, to be read before the next one is asked for;
	// nil where it is a blob. It is verified when walk has returned.
	body io.Reader
}

// walk calls visit for each file of the artifact, in its order. Of archives the bytes
// have been compared with the digest when it returns without an error, and not
// before.
func (s *Store) walk(ctx context.Context, m *manifest, visit func(file) error) error {
	names := newNames()
	left := s.options.MaxSize
	for _, layer := range m.Layers {
		pack, err := m.packing(layer)
		switch {
		case err != nil:
			return err
		case pack == packNothing:
			continue
		case pack == packFile:
			f := file{path: layerName(layer), size: layer.Size, exec: executable(layer), blob: layer}
			if err := names.add(f.path); err != nil {
				return err
			}
			if err := visit(f); err != nil {
				return err
			}
		default:
			if err := s.walkArchive(ctx, layer, pack, &left, names, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// walkArchive is walk for a layer that is a tar. left is what may still be unpacked.
func (s *Store) walkArchive(ctx context.Context, layer ocispec.Descriptor, pack packing, left *int64, names *names, visit func(file) error) error {
	blob, err := s.openBlob(layer)
	if err != nil {
		return err
	}
	defer closeQuietly(blob)
	raw := newVerifying(&untilDone{ctx, blob}, layer)
	bound := *left
	var plain io.Reader = raw
	if pack == packTarGzip {
		if plain, err = gzip.NewReader(raw); err != nil {
			return s.badArchive(layer, err)
		}
		bound = min(bound, unpackFree+maxRatio*min(layer.Size, *left/maxRatio))
	}
	archive := tar.NewReader(&bounded{from: plain, left: bound + 1<<20})
	for entries := 0; ; entries++ {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && entries > 2*maxFiles { // directories count too
			err = errTooMany
		}
		if err != nil {
			return s.badArchive(layer, err)
		}
		f, skip, err := entry(header)
		if err != nil {
			return fmt.Errorf("archive %s: %w", layer.Digest, err)
		}
		if skip {
			continue
		}
		if *left -= f.size; *left < 0 {
			return fmt.Errorf("archive %s: %w", layer.Digest, errTooLarge)
		}
		if err := names.add(f.path); err != nil {
			return fmt.Errorf("archive %s: %w", layer.Digest, err)
		}
		f.body = archive
		if err := visit(f); err != nil {
			return s.badArchive(layer, err)
		}
	}
	// What follows the end of an archive is not read by anybody, but hashed.
	if _, err := copyBytes(ctx, io.Discard, raw); err != nil {
		return s.badArchive(layer, err)
	}
	return nil
}

func (s *Store) badArchive(layer ocispec.Descriptor, err error) error {
	if errors.Is(err, reconcile.ErrTampered) {
		s.suspect(layer.Digest)
	}
	return fmt.Errorf("read archive %s: %w", layer.Digest, err)
}

var errTooLarge = fmt.Errorf("it unpacks to more than is allowed: %w", reconcile.ErrNotStorable)

// entry reads the header of an archive. Of directories nothing counts but their
// names; they are skipped.
func entry(h *tar.Header) (f file, skip bool, err error) {
	switch h.Typeflag {
	case tar.TypeXGlobalHeader:
		return f, true, nil
	case tar.TypeDir:
		name := strings.TrimSuffix(strings.TrimPrefix(h.Name, "./"), "/")
		if name == "" || name == "." {
			return f, true, nil
		}
		return f, true, checkPath(name)
	case tar.TypeReg:
		for key := range h.PAXRecords {
			if strings.HasPrefix(key, "GNU.sparse.") {
				return f, false, notStorable(h.Name, "a sparse file of an archive")
			}
		}
		return file{path: strings.TrimPrefix(h.Name, "./"), size: h.Size, exec: h.Mode&0o111 != 0}, false, nil
	case tar.TypeSymlink:
		return f, false, notStorable(h.Name, "a symbolic link")
	case tar.TypeLink:
		return f, false, notStorable(h.Name, "a hard link")
	case tar.TypeChar, tar.TypeBlock:
		return f, false, notStorable(h.Name, "a device")
	case tar.TypeFifo:
		return f, false, notStorable(h.Name, "a named pipe")
	default:
		return f, false, notStorable(h.Name, fmt.Sprintf("an entry of the type %q", h.Typeflag))
	}
}

func notStorable(path, what string) error {
	return fmt.Errorf("%.200q is %s: %w", path, what, reconcile.ErrNotStorable)
}

// checkPath tells why path must not be the path of a file of an artifact.
func checkPath(path string) error {
	if len(path) > maxPath {
		return fmt.Errorf("the path %.80q... is longer than %d bytes: %w", path, maxPath, reconcile.ErrNotStorable)
	}
	for name := range strings.SplitSeq(path, "/") {
		if err := spec.CheckFileName(name); err != nil {
			return fmt.Errorf("the path %.200q: %w: %w", path, err, reconcile.ErrNotStorable)
		}
	}
	return nil
}

// names are the paths of an artifact: each once, and none below a file.
type names struct {
	files, dirs map[string]bool
	bytes       int
}

func newNames() *names { return &names{files: map[string]bool{}, dirs: map[string]bool{}} }

var errTooMany = fmt.Errorf("there are more than %d files or directories, or their paths have more than %d MiB: %w", maxFiles, maxPaths>>20, reconcile.ErrNotStorable)

func (n *names) add(path string) error {
	if err := checkPath(path); err != nil {
		return err
	}
	if n.files[path] || n.dirs[path] {
		return notStorable(path, "there more than once")
	}
	for i, c := range path {
		if c == '/' {
			if n.files[path[:i]] {
				return notStorable(path[:i], "a file and a directory")
			}
			n.dirs[path[:i]] = true
		}
	}
	n.files[path] = true
	if n.bytes += len(path); n.bytes > maxPaths || len(n.files) > maxFiles || len(n.dirs) > maxFiles {
		return errTooMany
	}
	return nil
}

// untilDone is a reader that ends with ctx.
type untilDone struct {
	ctx  context.Context
	from io.Reader
}

func (u *untilDone) Read(p []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, context.Cause(u.ctx)
	}
	return u.from.Read(p)
}

// bounded is a reader that fails where too much is read. io.LimitReader ends there,
// as if all were well.
type bounded struct {
	from io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}
