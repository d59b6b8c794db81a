package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"

	"github.com/fairlead/fairlead/reconcile/gitdir"
)

const (
	// deltaCache is the memory for bases of deltas while a repository is read.
	deltaCache = 32 * cache.MiByte
	// lazyObject is the size from which go-git opens an object without reading
	// it, so that its size can be judged first.
	lazyObject = 1 << 20
	// maxAlternates bounds the object stores that a repository may borrow from.
	maxAlternates = 16
	// maxMetaObject bounds a commit, a tag and a tree.
	maxMetaObject = 16 << 20
)

// repository is an open object store with refs. It is opened for one operation
// and closed again, so that a repack by somebody else is always seen.
type repository struct {
	path   string
	common string                // the directory with objects and refs, also of a linked worktree
	stores []*filesystem.Storage // its own first, then those it borrows from
	// made are objects that are in no store: those of a merge that is only looked at.
	made map[plumbing.Hash]plumbing.EncodedObject
}

// openLocal opens the repository at a path: a worktree, a linked worktree or a
// bare repository.
func openLocal(path string) (*repository, error) {
	dirs, err := gitdir.Find(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dirs.Common, "reftable")); err == nil {
		return nil, fmt.Errorf("the repository %s keeps its refs in the reftable format, which Fairlead cannot read; convert it with git refs migrate --ref-format=files", path)
	}
	files := osfs.New(dirs.Own, osfs.WithBoundOS())
	if dirs.Common != dirs.Own {
		files = dotgit.NewRepositoryFilesystem(files, osfs.New(dirs.Common, osfs.WithBoundOS()))
	}
	repo := &repository{path: path, common: dirs.Common, stores: []*filesystem.Storage{newStorage(files)}}
	if err := repo.borrow(filepath.Join(dirs.Common, "objects")); err != nil {
		return nil, err
	}
	return repo, nil
}

func newStorage(files billy.Filesystem) *filesystem.Storage {
	return filesystem.NewStorageWithOptions(steadyListing{files}, cache.NewObjectLRU(deltaCache), filesystem.Options{
		KeepDescriptors:      true,
		LargeObjectThreshold: lazyObject,
	})
}

// steadyListing lists a directory also while files in it come and go. billy looks
// at each file after it has read the names, and fails as if there were no such
// directory when one has gone; go-git takes that for a repository without packs.
type steadyListing struct{ billy.Filesystem }

func (f steadyListing) ReadDir(path string) ([]fs.FileInfo, error) {
	const attempts = 20
	var files []fs.FileInfo
	var err error
	for range attempts {
		files, err = f.Filesystem.ReadDir(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return files, err
		}
		if _, gone := f.Stat(path); gone != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("list %s: files vanish from it again and again", path)
}

// Capabilities implements billy.Capable.
func (f steadyListing) Capabilities() billy.Capability { return billy.Capabilities(f.Filesystem) }

// borrow opens the alternates of an object directory, and theirs. go-git can
// look into alternates itself, but opens them again for each object.
func (r *repository) borrow(objects string) error {
	queue, seen := []string{objects}, map[string]bool{objects: true}
	for len(queue) > 0 {
		current := queue[0]
		queue = queue[1:]
		paths, err := readAlternates(current)
		if err != nil {
			return fmt.Errorf("open the repository %s: %w", r.path, err)
		}
		for _, path := range paths {
			if seen[path] {
				continue
			}
			if len(seen) > maxAlternates {
				return fmt.Errorf("the repository %s borrows objects from more than %d others", r.path, maxAlternates)
			}
			seen[path] = true
			queue = append(queue, path)
			r.stores = append(r.stores, newStorage(osfs.New(filepath.Dir(path), osfs.WithBoundOS())))
		}
	}
	return nil
}

// readAlternates lists the object directories that one borrows from.
func readAlternates(objects string) ([]string, error) {
	f, err := os.Open(filepath.Join(objects, "info", "alternates"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	var paths []string
	lines := bufio.NewScanner(io.LimitReader(f, 1<<16))
	for lines.Scan() {
		if line := lines.Text(); line != "" && line[0] != '#' {
			paths = append(paths, gitdir.Resolve(objects, line))
		}
	}
	return paths, lines.Err()
}

// close gives back the open pack files.
func (r *repository) close() {
	for _, s := range r.stores {
		_ = s.Close() // they were only read
	}
}

// read returns the content of an object of that type, and refuses one that is
// larger than limit. The content is what the id says: go-git checks no hash when
// it reads.
func (r *repository) read(t plumbing.ObjectType, id plumbing.Hash, limit int64) ([]byte, error) {
	encoded, err := r.find(id)
	if err != nil {
		return nil, fmt.Errorf("%w: the %s %s cannot be read: %w", errUnreadable, t, id, err)
	}
	if encoded.Type() != t {
		return nil, fmt.Errorf("%s is a %s and not a %s", id, encoded.Type(), t)
	}
	if encoded.Size() > limit {
		return nil, &tooLargeError{size: encoded.Size(), limit: limit}
	}
	content, err := encoded.Reader()
	if err != nil {
		return nil, fmt.Errorf("%w: the %s %s cannot be read: %w", errUnreadable, t, id, err)
	}
	defer func() { _ = content.Close() }() // read only
	data := make([]byte, encoded.Size())
	if _, err := io.ReadFull(content, data); err != nil {
		return nil, fmt.Errorf("%w: the %s %s is cut short: %w", errUnreadable, t, id, err)
	}
	if plumbing.ComputeHash(t, data) != id {
		return nil, fmt.Errorf("%w: the %s %s has another content than its id says", errUnreadable, t, id)
	}
	return data, nil
}

// find looks for the object in every store, its own last: a miss there makes
// go-git open all alternates anew.
func (r *repository) find(id plumbing.Hash) (plumbing.EncodedObject, error) {
	if made, ok := r.made[id]; ok {
		return made, nil
	}
	for _, s := range slices.Backward(r.stores) {
		encoded, err := s.EncodedObject(plumbing.AnyObject, id)
		if !errors.Is(err, plumbing.ErrObjectNotFound) {
			return encoded, err
		}
	}
	return nil, plumbing.ErrObjectNotFound
}

// tooLargeError is an object above a limit.
type tooLargeError struct{ size, limit int64 }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("it has %d bytes, more than the %d that are allowed", e.size, e.limit)
}

// resolve finds the wanted revision, and returns its commit and the name it was
// found by.
func (r *repository) resolve(w wanted) (plumbing.Hash, string, error) {
	if id := w.id(); id != "" {
		tip, err := r.peel(plumbing.NewHash(id))
		return tip, id, err
	}
	for _, name := range w.names() {
		ref, err := r.ref(plumbing.ReferenceName(name))
		if errors.Is(err, plumbing.ErrReferenceNotFound) {
			continue
		}
		if err != nil {
			return plumbing.ZeroHash, "", fmt.Errorf("%w: the ref %s cannot be read: %w", errUnreadable, name, err)
		}
		tip, err := r.peel(ref.Hash())
		return tip, plumbing.ReferenceName(ref.Name()).Short(), err
	}
	return plumbing.ZeroHash, "", &notFoundError{wanted: w}
}

// ref follows symbolic refs to the one that names an object.
func (r *repository) ref(name plumbing.ReferenceName) (*plumbing.Reference, error) {
	for range 5 {
		ref, err := r.stores[0].Reference(name)
		if err != nil || ref.Type() == plumbing.HashReference {
			return ref, err
		}
		name = ref.Target()
	}
	return nil, errors.New("symbolic refs lead on without an end")
}

// peel follows annotated tags to the commit that they name.
func (r *repository) peel(id plumbing.Hash) (plumbing.Hash, error) {
	for range 5 {
		encoded, err := r.find(id)
		if err != nil {
			return plumbing.ZeroHash, fmt.Errorf("%w: %s cannot be read: %w", errUnreadable, id, err)
		}
		if encoded.Type() != plumbing.TagObject {
			return id, nil
		}
		var tag object.Tag
		if err := tag.Decode(encoded); err != nil {
			return plumbing.ZeroHash, fmt.Errorf("%w: the tag %s does not parse: %w", errUnreadable, id, err)
		}
		id = tag.Target
	}
	return plumbing.ZeroHash, fmt.Errorf("%s is a tag of a tag of a tag without an end", id)
}

// commit reads a commit.
func (r *repository) commit(id plumbing.Hash) (*object.Commit, error) {
	data, err := r.read(plumbing.CommitObject, id, maxMetaObject)
	if err != nil {
		return nil, err
	}
	encoded := new(plumbing.MemoryObject)
	encoded.SetType(plumbing.CommitObject)
	if _, err := encoded.Write(data); err != nil {
		return nil, err
	}
	var commit object.Commit
	if err := commit.Decode(encoded); err != nil {
		return nil, fmt.Errorf("%w: the commit %s does not parse: %w", errUnreadable, id, err)
	}
	commit.Hash = id
	return &commit, nil
}

// has tells whether an object is there, without reading it.
func (r *repository) has(id plumbing.Hash) bool {
	for _, s := range r.stores {
		if s.HasEncodedObject(id) == nil {
			return true
		}
	}
	return false
}

// notFoundError says that the repository has no such revision.
type notFoundError struct {
	wanted wanted
	have   []string // names that exist, for a suggestion
}

func (e *notFoundError) Error() string {
	msg := fmt.Sprintf("it has no %s", e.wanted)
	switch {
	case len(e.have) > 0:
		msg += "; there are " + strings.Join(e.have, ", ")
	case e.wanted.follow:
		msg += "; push a first commit to it, or name another branch with --branch"
	case e.wanted.ref != "":
		msg += "; name a branch, a tag or the full id of a commit that it has"
	}
	return msg
}

// isAncestor tells whether old can be reached from tip. It is sure of a no only
// if history is whole: complete is false where a shallow repository ends.
func (r *repository) isAncestor(ctx context.Context, old plumbing.Hash, tip *object.Commit) (found, complete bool, err error) {
	queue, seen := []plumbing.Hash{tip.Hash}, map[plumbing.Hash]bool{tip.Hash: true}
	complete = true
	for len(queue) > 0 {
		if err := ctx.Err(); err != nil {
			return false, false, err
		}
		id := queue[0]
		queue = queue[1:]
		if id == old {
			return true, true, nil
		}
		if !r.has(id) {
			complete = false
			continue
		}
		commit, err := r.commit(id)
		if err != nil {
			return false, false, err
		}
		for _, parent := range commit.ParentHashes {
			if !seen[parent] {
				seen[parent] = true
				queue = append(queue, parent)
			}
		}
	}
	return false, complete, nil
}
