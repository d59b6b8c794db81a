package runstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// heapPrefix is of names that no run and no attempt has.
const heapPrefix = ".removed-"

// batch is how many entries of a directory are read at a time.
const batch = 1000

// removeTree removes a directory that a container may have written to. os.RemoveAll
// stops at directories that nobody may write to, and holds one file open for each
// level, of which there may be more than a process may have.
//
// So the tree is flattened: what is removed goes into a directory of its own first,
// at once, and each directory that is found in it is moved there, too. It takes two
// names and no recursion to remove anything, and it can be interrupted anywhere. All
// of it goes through os.Root, so that no link leads out.
func removeTree(ctx context.Context, parent, name string) error {
	root, err := os.OpenRoot(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", filepath.Join(parent, name), err)
	}
	defer func() { _ = root.Close() }() // nothing is written through it
	r := &remover{root: root, heap: heapPrefix + name}
	if err := r.run(ctx, name); err != nil {
		return explainRemove(filepath.Join(parent, r.heap), err)
	}
	return nil
}

// removeLeft goes on with removals that were interrupted.
func removeLeft(ctx context.Context, parent string) error {
	entries, err := os.ReadDir(parent)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove what is left in %s: %w", parent, err)
	}
	for _, e := range entries {
		// Where the name is there again it is another one's, that stays.
		if name, left := strings.CutPrefix(e.Name(), heapPrefix); left && !exists(filepath.Join(parent, name)) {
			if err := removeTree(ctx, parent, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// remover empties the heap, whose entries are named by numbers.
type remover struct {
	root *os.Root
	heap string
	next int
}

func (r *remover) run(ctx context.Context, name string) error {
	_, err := r.root.Lstat(r.heap) // it may be left from an attempt before
	left := err == nil
	if _, err := r.root.Lstat(name); err == nil {
		if err := r.root.Mkdir(r.heap, 0o700); err != nil && !left {
			return err
		}
		if err := r.move(name); err != nil {
			return err
		}
	} else if !left {
		return nil
	}
	for {
		found, err := r.pass(ctx)
		if err != nil {
			return err
		}
		if !found {
			return r.root.Remove(r.heap)
		}
	}
}

// move puts something onto the heap, under a number that nothing has.
func (r *remover) move(path string) error {
	if info, err := r.root.Lstat(path); err == nil && info.IsDir() {
		// A directory that changes its parent must be writable; it must be readable to
		// be emptied. If it is somebody else's, what follows says so.
		_ = r.root.Chmod(path, 0o700)
	}
	for {
		to := filepath.Join(r.heap, strconv.Itoa(r.next))
		r.next++
		err := r.root.Rename(path, to)
		switch {
		case errors.Is(err, fs.ErrExist), errors.Is(err, syscall.ENOTEMPTY), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
			continue // of an attempt before
		default:
			return err
		}
	}
}

// pass removes what is on the heap, except for directories that are found in it.
func (r *remover) pass(ctx context.Context) (found bool, err error) {
	err = r.each(ctx, r.heap, func(e fs.DirEntry) error {
		found = true
		path := filepath.Join(r.heap, e.Name())
		if !e.IsDir() {
			return r.root.Remove(path)
		}
		if err := r.empty(ctx, path); err != nil {
			return err
		}
		err := r.root.Remove(path)
		if errors.Is(err, syscall.ENOTEMPTY) {
			return nil // some file systems leave out entries while others go: the next pass has them
		}
		return err
	})
	return found, err
}

// empty takes everything out of a directory of the heap.
func (r *remover) empty(ctx context.Context, dir string) error {
	return r.each(ctx, dir, func(e fs.DirEntry) error {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			return r.move(path)
		}
		return r.root.Remove(path)
	})
}

// each calls do for the entries of a directory, until none is left of those that
// were there.
func (r *remover) each(ctx context.Context, dir string, do func(fs.DirEntry) error) error {
	d, err := r.root.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // read only
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		entries, err := d.ReadDir(batch)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := do(e); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
}

func explainRemove(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("remove %s: %w; a container wrote it as another user: run fairlead as root, or remove it by hand with sudo", path, err)
	}
	return fmt.Errorf("remove %s: %w", path, err)
}
