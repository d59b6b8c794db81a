package oci

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/fairlead/fairlead/reconcile"
)

// Files become layers of their own up to these bounds, which keep a manifest far
// below what registries take, and one tar beyond. They are part of what a digest
// depends on.
const (
	maxLayers      = 1000
	maxAnnotations = 1 << 20 // bytes of all paths as JSON
)

// parallelFiles are written at a time. Waiting for the disk is what small files
// cost, and file systems bring many at once to the disk for the price of one.
const parallelFiles = 16

// Put stores the regular files below dir.
func (s *Store) Put(ctx context.Context, dir string) (reconcile.Content, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return reconcile.Content{}, fmt.Errorf("store %s: %w", dir, err)
	}
	defer func() { _ = root.Close() }() // was only read
	content, err := s.putRoot(ctx, root)
	if err != nil {
		return reconcile.Content{}, fmt.Errorf("store %s: %w", dir, err)
	}
	return content, nil
}

// PutFile stores one file, that nobody may execute.
func (s *Store) PutFile(ctx context.Context, name string, content io.Reader) (reconcile.Content, error) {
	if err := checkPath(name); err != nil {
		return reconcile.Content{}, fmt.Errorf("store %.200q: %w", name, err)
	}
	in, err := s.begin(ctx)
	if err != nil {
		return reconcile.Content{}, err
	}
	defer in.close()
	layer, err := in.write(ctx, typeFile, func(w io.Writer) error {
		_, err := copyBytes(ctx, w, content)
		return err
	})
	if err != nil {
		return reconcile.Content{}, fmt.Errorf("store %q: %w", name, err)
	}
	if layer.Annotations, err = layerAnnotations(name, layer.Size, false); err != nil {
		return reconcile.Content{}, err
	}
	return putLayers(ctx, in, []ocispec.Descriptor{layer}, summary{Files: 1, Size: layer.Size})
}

// putRoot stores what list found.
func (s *Store) putRoot(ctx context.Context, root *os.Root) (reconcile.Content, error) {
	found, err := list(ctx, root)
	if err != nil {
		return reconcile.Content{}, err
	}
	in, err := s.begin(ctx)
	if err != nil {
		return reconcile.Content{}, err
	}
	defer in.close()
	store := storeFiles
	if len(found) > maxLayers || annotationSize(found) > maxAnnotations {
		store = storeTar
	}
	layers, err := store(ctx, in, root, found)
	if err != nil {
		return reconcile.Content{}, err
	}
	sum := summary{Files: len(found)}
	for _, f := range found {
		sum.Size += f.size
	}
	return putLayers(ctx, in, layers, sum)
}

// putLayers stores the manifest over layers that in has.
func putLayers(ctx context.Context, in *ingest, layers []ocispec.Descriptor, sum summary) (reconcile.Content, error) {
	config, err := in.writeBytes(ctx, ocispec.MediaTypeEmptyJSON, []byte("{}"))
	if err != nil {
		return reconcile.Content{}, err
	}
	if len(layers) == 0 {
		layers = []ocispec.Descriptor{config} // OCI wants one layer at least
	}
	raw, err := newManifest(ocispec.Manifest{ArtifactType: TypeContent, Config: config, Layers: layers})
	if err != nil {
		return reconcile.Content{}, err
	}
	root, err := in.writeBytes(ctx, ocispec.MediaTypeImageManifest, raw)
	if err != nil {
		return reconcile.Content{}, err
	}
	p, err := in.commit(ctx, root, append(layers, config), nil)
	if err != nil {
		return reconcile.Content{}, err
	}
	defer p.release()
	p.keep(sum)
	return reconcile.Content{Digest: root.Digest.String(), Files: sum.Files, Size: sum.Size}, nil
}

// list finds the files below root, sorted by path.
func list(ctx context.Context, root *os.Root) ([]file, error) {
	var found []file
	paths := 0
	links := map[inode]linked{}
	err := fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return explainRead(root, path, err)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case path == ".":
			return nil
		}
		if err := checkPath(path); err != nil {
			return err
		}
		info, err := root.Lstat(path)
		if err != nil {
			return explainRead(root, path, err)
		}
		if info.IsDir() {
			return nil
		}
		if !info.Mode().IsRegular() {
			return notStorable(path, kindOf(info.Mode()))
		}
		count(links, path, info)
		if paths += len(path); len(found) == maxFiles || paths > maxPaths {
			return errTooMany
		}
		found = append(found, file{path: path, size: info.Size(), exec: info.Mode()&0o111 != 0})
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		if l.found < l.links {
			return nil, notStorable(l.path, fmt.Sprintf("a hard link to a file that has %d names elsewhere", l.links-l.found))
		}
	}
	slices.SortFunc(found, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return found, nil
}

type inode struct{ device, number uint64 }

// linked is a file with several names. All of them must be below the directory: a
// name of a file elsewhere could show what whoever made it could not read.
type linked struct {
	path         string
	links, found uint64
}

func count(links map[inode]linked, path string, info fs.FileInfo) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Nlink < 2 {
		return
	}
	key := inode{uint64(stat.Dev), stat.Ino}
	l := links[key]
	links[key] = linked{path: path, links: uint64(stat.Nlink), found: l.found + 1}
}

func kindOf(mode fs.FileMode) string {
	switch mode.Type() {
	case fs.ModeSymlink:
		return "a symbolic link"
	case fs.ModeNamedPipe:
		return "a named pipe"
	case fs.ModeSocket:
		return "a socket"
	case fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice:
		return "a device"
	default:
		return "not a regular file"
	}
}

// annotationSize is what the paths take in a manifest.
func annotationSize(found []file) (n int) {
	for _, f := range found {
		quoted, _ := json.Marshal(f.path) // a string always has a form in JSON
		n += len(quoted)
		if f.exec {
			n += len(quoted) + 100
		}
	}
	return n
}

// storeFiles stores each file as a layer.
func storeFiles(ctx context.Context, in *ingest, root *os.Root, found []file) ([]ocispec.Descriptor, error) {
	layers := make([]ocispec.Descriptor, len(found))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelFiles)
	for i, f := range found {
		group.Go(func() error {
			layer, err := in.write(ctx, typeFile, func(w io.Writer) error { return read(ctx, w, root, f) })
			if err != nil {
				return err
			}
			layer.Annotations, err = layerAnnotations(f.path, f.size, f.exec)
			layers[i] = layer
			return err
		})
	}
	return layers, group.Wait()
}

// storeTar stores all files in one archive, whose bytes follow from the paths, the
// content and the right to execute alone.
func storeTar(ctx context.Context, in *ingest, root *os.Root, found []file) ([]ocispec.Descriptor, error) {
	layer, err := in.write(ctx, typeTar, func(w io.Writer) error {
		archive := tar.NewWriter(w)
		for _, f := range found {
			mode := int64(0o644)
			if f.exec {
				mode = 0o755
			}
			header := &tar.Header{Typeflag: tar.TypeReg, Name: f.path, Size: f.size, Mode: mode, ModTime: epoch()}
			if err := archive.WriteHeader(header); err != nil {
				return fmt.Errorf("%q: %w", f.path, err)
			}
			if err := read(ctx, archive, root, f); err != nil {
				return err
			}
		}
		return archive.Close()
	})
	return []ocispec.Descriptor{layer}, err
}

// read writes the content of the file to w.
func read(ctx context.Context, w io.Writer, root *os.Root, f file) error {
	// It was a regular file when it was listed. If it is a pipe now, open must not wait.
	from, err := root.OpenFile(f.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return explainRead(root, f.path, err)
	}
	defer closeQuietly(from)
	info, err := from.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return notStorable(f.path, kindOf(info.Mode()))
	}
	n, err := copyBytes(ctx, w, io.LimitReader(from, f.size+1))
	if err == nil && n != f.size || errors.Is(err, tar.ErrWriteTooLong) {
		return fmt.Errorf("%q changes while it is stored; whoever writes it must have ended", f.path)
	}
	if err != nil {
		return fmt.Errorf("%q: %w", f.path, err)
	}
	return nil
}

// explainRead says who may read the file, where we may not.
func explainRead(root *os.Root, path string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	info, statErr := root.Lstat(path)
	if statErr != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	owner := "somebody else"
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		owner = fmt.Sprintf("uid %d", stat.Uid)
	}
	return fmt.Errorf("%q belongs to %s with the mode %#o, and uid %d may not read it: %w; let whoever writes it make it readable for all, with umask 022 for instance",
		path, owner, info.Mode().Perm(), os.Getuid(), err)
}
