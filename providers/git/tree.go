package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// maxRefusals ends the reading of a tree in which more is wrong than a person
// wants to read.
const maxRefusals = 20

// dir is a directory of an accepted tree with everything below it. It is never
// changed, so the next tree can share it.
type dir struct {
	id      plumbing.Hash
	entries []entry
	files   int   // below it, at any depth
	dirs    int   // likewise
	size    int64 // of all these files
}

// entry is one name in a dir.
type entry struct {
	name    string
	dir     *dir         // nil for a file
	content spec.Content // of a file
}

// byName indexes the entries. A nil dir has none.
func (d *dir) byName() map[string]*entry {
	if d == nil {
		return nil
	}
	index := make(map[string]*entry, len(d.entries))
	for i := range d.entries {
		index[d.entries[i].name] = &d.entries[i]
	}
	return index
}

// snapshot is the tree as package spec knows it. Git sorts entries so that the
// whole paths come out sorted.
func (d *dir) snapshot(commit spec.Commit) spec.Tree {
	contents := make([]spec.Content, 0, d.files)
	return spec.NewTree(commit, d.collect(contents))
}

func (d *dir) collect(into []spec.Content) []spec.Content {
	for i := range d.entries {
		if e := &d.entries[i]; e.dir != nil {
			into = e.dir.collect(into)
		} else {
			into = append(into, e.content)
		}
	}
	return into
}

// treeReader reads the tree of one commit, and takes from an older one what is
// equal.
type treeReader struct {
	ctx    context.Context
	repo   *repository
	limits reconcile.TreeLimits
	at     string // the commit, for messages

	files, dirs int
	size        int64
	refused     []error // what was found wrong; each names its path
	full        bool    // so much, or so bad, that reading ends
}

// tree reads the directory at path below the root tree of a commit.
func (r *treeReader) tree(root plumbing.Hash, path string, old *dir) (*dir, error) {
	id, err := r.descend(root, path)
	if err != nil {
		return nil, err
	}
	tree, err := r.read(id, "", 0, old)
	if err != nil {
		return nil, fmt.Errorf("commit %s: %w", r.at, err)
	}
	if len(r.refused) > 0 {
		return nil, fmt.Errorf("commit %s is refused: %w", r.at, errors.Join(r.refused...))
	}
	return tree, nil
}

// descend finds the tree of a directory.
func (r *treeReader) descend(id plumbing.Hash, path string) (plumbing.Hash, error) {
	if path == "" {
		return id, nil
	}
	for name := range strings.SplitSeq(path, "/") {
		entries, err := r.entries(id)
		if err != nil {
			return id, fmt.Errorf("commit %s: %w", r.at, err)
		}
		found := false
		for _, e := range entries {
			if e.Name == name && e.Mode == filemode.Dir {
				id, found = e.Hash, true
				break
			}
		}
		if !found {
			return id, fmt.Errorf("commit %s has no directory %s (%s is missing or is no directory); set --path to the directory that holds the specs", r.at, path, name)
		}
	}
	return id, nil
}

// read reads the directory with the tree id and everything below it. at is its
// path with a slash at the end, empty for the top. Only errors of the repository
// are returned: what is wrong with the content goes to r.refused.
func (r *treeReader) read(id plumbing.Hash, at string, depth int, old *dir) (*dir, error) {
	if old != nil && old.id == id {
		r.count(at, old.files, old.dirs, old.size)
		return old, nil
	}
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	if depth > r.limits.Depth {
		r.refuse(at, fmt.Errorf("directories are nested deeper than %d; flatten them", r.limits.Depth))
		return nil, nil
	}
	listed, err := r.entries(id)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", orTop(at), err)
	}
	d := &dir{id: id, entries: make([]entry, 0, len(listed))}
	known, folded, last := old.byName(), make(map[string]string, len(listed)), ""
	for i := range listed {
		if r.full {
			break
		}
		e := &listed[i]
		if err := fit(e, last, folded); err != nil {
			r.refuse(at+e.Name, err)
			continue
		}
		last, folded[spec.FoldName(e.Name)] = sortName(e), e.Name
		if err := r.take(d, e, at, depth, known[e.Name]); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// take reads one entry into d.
func (r *treeReader) take(d *dir, e *object.TreeEntry, at string, depth int, known *entry) error {
	if e.Mode != filemode.Dir {
		r.count(at+e.Name, 1, 0, 0)
		if r.full {
			return nil
		}
		content, err := r.file(e, at, known)
		if err != nil || content == nil {
			return err
		}
		r.count(at+e.Name, 0, 0, content.Size)
		d.entries = append(d.entries, entry{name: e.Name, content: *content})
		d.files++
		d.size += content.Size
		return nil
	}
	r.count(at+e.Name, 0, 1, 0)
	if r.full {
		return nil
	}
	var old *dir
	if known != nil {
		old = known.dir
	}
	sub, err := r.read(e.Hash, at+e.Name+"/", depth+1, old)
	if err != nil || sub == nil {
		return err
	}
	d.entries = append(d.entries, entry{name: e.Name, dir: sub})
	d.files += sub.files
	d.dirs += sub.dirs + 1
	d.size += sub.size
	return nil
}

// file reads a blob, unless the older tree has it at the same place. It returns
// nil if the blob is refused.
func (r *treeReader) file(e *object.TreeEntry, at string, known *entry) (*spec.Content, error) {
	name := at + e.Name
	if known != nil && known.dir == nil && known.content.Hash == e.Hash.String() {
		return &known.content, nil
	}
	data, err := r.repo.read(plumbing.BlobObject, e.Hash, r.limits.FileSize)
	if tooLarge, ok := errors.AsType[*tooLargeError](err); ok {
		r.refuse(name, fmt.Errorf("%w; keep large files out of the config repo", tooLarge))
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	file := spec.File{Path: name, Hash: e.Hash.String(), Size: int64(len(data))}
	return &spec.Content{File: file, Data: data}, nil
}

// count adds to what the tree holds, and ends the reading above a limit.
// Directories count like files: a tree of empty trees can be as large.
func (r *treeReader) count(at string, files, dirs int, size int64) {
	r.files += files
	r.dirs += dirs
	r.size += size
	switch {
	case r.files+r.dirs > r.limits.Files:
		r.refuse(at, fmt.Errorf("the tree has more than %d files and directories up to here; move the specs to a directory of their own and set --path", r.limits.Files))
		r.full = true
	case r.size > r.limits.TotalSize:
		r.refuse(at, fmt.Errorf("the files up to here are larger than %d bytes together; move the specs to a directory of their own and set --path", r.limits.TotalSize))
		r.full = true
	}
}

// refuse notes what is wrong at a path.
func (r *treeReader) refuse(at string, err error) {
	if r.full {
		return
	}
	r.refused = append(r.refused, fmt.Errorf("%s: %w", orTop(at), err))
	r.full = len(r.refused) >= maxRefusals
}

// orTop names a path for messages, and quotes what is not fit to be shown.
func orTop(at string) string {
	switch at = path.Clean(at); {
	case at == ".":
		return "the top directory"
	case printable(at) != at:
		return fmt.Sprintf("%q", at)
	default:
		return at
	}
}

// fit tells what is wrong with an entry by itself and beside its siblings. last
// is the sort name of the one before, folded the names so far without case.
func fit(e *object.TreeEntry, last string, folded map[string]string) error {
	if err := spec.CheckFileName(e.Name); err != nil {
		return fmt.Errorf("%w; rename it", err)
	}
	switch e.Mode {
	case filemode.Regular, filemode.Executable, filemode.Dir:
	case filemode.Symlink:
		return errors.New("it is a symlink; put a copy of the file in its place, nothing outside of the tree may be read")
	case filemode.Submodule:
		return errors.New("it is a submodule; copy its files into the repo")
	default:
		return fmt.Errorf("it has the mode %s, which is neither a file nor a directory", e.Mode)
	}
	other, taken := folded[spec.FoldName(e.Name)]
	switch {
	case taken && other == e.Name:
		return errors.New("it is there twice; make the commit again with git")
	case taken:
		return fmt.Errorf("only upper and lower case tell it from %s; rename one of them", other)
	case sortName(e) < last:
		return errors.New("the tree is not sorted as Git sorts it; make the commit again with git")
	}
	return nil
}

// sortName is what Git sorts an entry by.
func sortName(e *object.TreeEntry) string {
	if e.Mode == filemode.Dir {
		return e.Name + "/"
	}
	return e.Name
}

// entries lists a tree. It does not use go-git's decoder, which takes every mode
// for the nearest one that it knows.
func (r *treeReader) entries(id plumbing.Hash) ([]object.TreeEntry, error) {
	raw, err := r.repo.read(plumbing.TreeObject, id, maxMetaObject)
	if err != nil {
		return nil, err
	}
	return parseTree(raw)
}

// parseTree reads "MODE NAME\0ID" until the end.
func parseTree(raw []byte) ([]object.TreeEntry, error) {
	var entries []object.TreeEntry
	for len(raw) > 0 {
		mode, rest, ok := bytes.Cut(raw, []byte(" "))
		name, rest, ended := bytes.Cut(rest, []byte{0})
		if !ok || !ended || len(rest) < len(plumbing.ZeroHash) {
			return nil, errors.New("the tree is cut short")
		}
		parsed, err := filemode.New(string(mode))
		if err != nil || len(mode) > 6 {
			return nil, fmt.Errorf("the tree has the mode %q, which is none", printable(string(mode[:min(len(mode), 16)])))
		}
		if parsed == filemode.Deprecated {
			parsed = filemode.Regular // 100664, which old versions of Git wrote
		}
		e := object.TreeEntry{Name: string(name), Mode: parsed}
		raw = rest[copy(e.Hash[:], rest):]
		entries = append(entries, e)
	}
	return entries, nil
}
