package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

const (
	// maxRefusals ends a walk that has found more mistakes than a person wants
	// to read.
	maxRefusals = 20
	// settled is the age from which a modification time identifies a content.
	// Two writes within one tick of the file system's clock share a time, so a
	// file that was changed just before it was read is read again.
	settled = 2 * time.Second
)

// seenFile is a file as it was read last time.
type seenFile struct {
	stamp   stamp
	content spec.Content
}

// stamp changes when a file does.
type stamp struct {
	size    int64
	modTime time.Time
	device  uint64
	inode   uint64
}

func stampOf(info fs.FileInfo) stamp {
	s := stamp{size: info.Size(), modTime: info.ModTime()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.device, s.inode = uint64(sys.Dev), sys.Ino // Dev is narrower on some systems
	}
	return s
}

// walk is one pass over the directory.
type walk struct {
	ctx    context.Context
	root   *os.Root
	limits reconcile.TreeLimits
	now    time.Time

	seen map[string]seenFile // from the pass before
	next map[string]seenFile // for the pass after

	files   []spec.Content
	total   int64
	refused []error // what was found wrong; each names its path
}

// full tells whether the walk has seen enough to stop.
func (w *walk) full() bool { return len(w.refused) >= maxRefusals }

func (w *walk) refuse(name, format string, args ...any) {
	if !w.full() {
		w.refused = append(w.refused, fmt.Errorf("%s: %w", name, fmt.Errorf(format, args...)))
	}
}

// stop refuses and ends the walk: what exceeds a limit is not read to its end.
func (w *walk) stop(name, format string, args ...any) {
	w.refuse(name, format, args...)
	for !w.full() {
		w.refused = append(w.refused, nil) // errors.Join leaves nil out
	}
}

// dir walks the directory at name, whose files have the given path prefix.
func (w *walk) dir(name, prefix string, depth int) {
	if depth > w.limits.Depth {
		w.refuse(name, "directories are nested deeper than %d; flatten them", w.limits.Depth)
		return
	}
	entries, err := w.entries(name)
	if err != nil {
		w.refuse(name, "read the directory: %w", err)
		return
	}
	folded := make(map[string]string, len(entries))
	for _, e := range entries {
		if err := w.ctx.Err(); err != nil {
			w.stop(name, "%w", err)
		}
		if w.full() {
			return
		}
		hidden := strings.HasPrefix(e.Name(), ".")
		if hidden && !e.Type().IsRegular() || e.Name() == ".git" {
			continue // what is Git's own, a file in a linked worktree, and what editors leave behind
		}
		entry := path.Join(prefix, e.Name())
		if other, taken := folded[spec.FoldName(e.Name())]; taken {
			w.refuse(entry, "only upper and lower case tell it from %s; rename one of them", other)
			continue
		}
		folded[spec.FoldName(e.Name())] = e.Name()
		w.entry(e, entry, depth)
	}
}

// entries lists a directory, sorted, and never holds more entries than files are
// allowed.
func (w *walk) entries(name string) ([]fs.DirEntry, error) {
	d, err := w.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }() // read only
	entries, err := d.ReadDir(w.limits.Files + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(entries) > w.limits.Files {
		return nil, fmt.Errorf("it has more than %d entries", w.limits.Files)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

func (w *walk) entry(e fs.DirEntry, name string, depth int) {
	if err := spec.CheckFileName(e.Name()); err != nil {
		w.refuse(fmt.Sprintf("%q", name), "%w; rename it", err)
		return
	}
	switch mode := e.Type(); {
	case mode.IsDir():
		w.dir(name, name, depth+1)
	case mode.IsRegular():
		w.file(e, name)
	case mode&fs.ModeSymlink != 0:
		w.refuse(name, "it is a symlink; put a copy of the file in its place, nothing outside of the directory may be read")
	default:
		w.refuse(name, "it is no regular file; remove it")
	}
}

// file takes one regular file, from the pass before if it did not change. The
// listing of an os.Root has looked at each entry already, so Info asks nobody.
func (w *walk) file(e fs.DirEntry, name string) {
	if len(w.files) >= w.limits.Files {
		w.stop(name, "the directory holds more than %d files", w.limits.Files)
		return
	}
	info, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return // removed since the directory was listed
	}
	if err != nil {
		w.refuse(name, "%w", err)
		return
	}
	seen, known := w.seen[name]
	if now := stampOf(info); !known || seen.stamp != now {
		content, err := w.read(name)
		if err != nil {
			w.refuse(name, "%w", err)
			return
		}
		seen = seenFile{stamp: now, content: content}
	}
	if w.now.Sub(info.ModTime()) >= settled {
		w.next[name] = seen
	}
	if w.total += seen.content.Size; w.total > w.limits.TotalSize {
		w.stop(name, "the files of the directory are larger than %d bytes together", w.limits.TotalSize)
		return
	}
	w.files = append(w.files, seen.content)
}

// read reads a file. O_NONBLOCK keeps the open from hanging if a named pipe took
// the file's place a moment ago.
func (w *walk) read(name string) (spec.Content, error) {
	f, err := w.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return spec.Content{}, err
	}
	defer func() { _ = f.Close() }() // read only
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return spec.Content{}, errors.Join(err, errors.New("it is no regular file any more"))
	}
	data, err := io.ReadAll(io.LimitReader(f, w.limits.FileSize+1))
	if err != nil {
		return spec.Content{}, err
	}
	if int64(len(data)) > w.limits.FileSize {
		return spec.Content{}, fmt.Errorf("it is larger than %d bytes; keep large files out of the config repo", w.limits.FileSize)
	}
	sum := sha256.Sum256(data)
	file := spec.File{Path: name, Hash: hex.EncodeToString(sum[:]), Size: int64(len(data))}
	return spec.Content{File: file, Data: data}, nil
}
