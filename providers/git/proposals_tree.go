package git

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/fairlead/fairlead/spec"
)

// treeEdit makes trees that differ from those of a repository in a few files. What
// is not changed stays as it is to the byte, modes of old Git versions among it.
type treeEdit struct {
	repo *repository
	made []plumbing.EncodedObject
}

// change is what becomes of one name in a directory.
type change struct {
	content []byte             // of a file; nil: it is removed
	below   map[string]*change // of a directory
}

// apply returns the tree with the files changed, whose paths are below prefix.
func (e *treeEdit) apply(root plumbing.Hash, prefix string, files map[string][]byte) (plumbing.Hash, error) {
	top := &change{below: map[string]*change{}}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		segments := strings.Split(path, "/")
		for _, name := range segments {
			if err := spec.CheckFileName(name); err != nil {
				return root, fmt.Errorf("the path %q: %w", path, err)
			}
		}
		if prefix != "" {
			segments = append(strings.Split(prefix, "/"), segments...)
		}
		if err := top.add(segments, files[path]); err != nil {
			return root, fmt.Errorf("the path %q: %w", path, err)
		}
	}
	tree, err := e.directory(root, top.below, "")
	if err == nil && tree.IsZero() {
		err = errors.New("it removes every file of the repository")
	}
	return tree, err
}

var errFileAndDirectory = errors.New("one of the files would have to be a directory as well")

func (c *change) add(path []string, content []byte) error {
	at := c
	for _, name := range path[:len(path)-1] {
		next := at.below[name]
		if next == nil {
			next = &change{below: map[string]*change{}}
			at.below[name] = next
		}
		if next.below == nil {
			return errFileAndDirectory
		}
		at = next
	}
	name := path[len(path)-1]
	if at.below[name] != nil {
		return errFileAndDirectory
	}
	at.below[name] = &change{content: content}
	return nil
}

// rawEntry is an entry of a tree with its mode as it is written.
type rawEntry struct {
	mode string
	object.TreeEntry
}

// directory changes one tree; zero: nothing is left of it, or nothing was there
// and nothing came.
func (e *treeEdit) directory(id plumbing.Hash, changes map[string]*change, at string) (plumbing.Hash, error) {
	entries, err := e.entries(id)
	if err != nil {
		return id, err
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		if entries, err = e.entry(entries, name, changes[name], at); err != nil {
			return id, err
		}
	}
	if len(entries) == 0 {
		return plumbing.ZeroHash, nil
	}
	slices.SortFunc(entries, func(a, b rawEntry) int { return strings.Compare(sortName(&a.TreeEntry), sortName(&b.TreeEntry)) })
	var raw bytes.Buffer
	for _, entry := range entries {
		raw.WriteString(entry.mode + " " + entry.Name + "\x00")
		raw.Write(entry.Hash[:])
	}
	return e.add(plumbing.TreeObject, raw.Bytes())
}

// entry changes one name of a directory.
func (e *treeEdit) entry(entries []rawEntry, name string, c *change, at string) ([]rawEntry, error) {
	i := slices.IndexFunc(entries, func(entry rawEntry) bool { return entry.Name == name })
	there := rawEntry{TreeEntry: object.TreeEntry{Name: name}}
	if i >= 0 {
		there = entries[i]
		entries = slices.Delete(entries, i, i+1)
	} else if twin := slices.IndexFunc(entries, func(entry rawEntry) bool { return spec.FoldName(entry.Name) == spec.FoldName(name) }); twin >= 0 {
		return nil, fmt.Errorf("%s%s: only upper and lower case tell it from %s, which is there", at, name, entries[twin].Name)
	}
	if err := fits(there, c, i >= 0); err != nil {
		return nil, fmt.Errorf("%s%s: %w", at, name, err)
	}
	var err error
	switch {
	case c.below != nil:
		there.mode, there.Mode = "40000", filemode.Dir
		there.Hash, err = e.directory(there.Hash, c.below, at+name+"/")
	case c.content == nil:
		return entries, nil
	default:
		if i < 0 {
			there.mode, there.Mode = "100644", filemode.Regular
		}
		there.Hash, err = e.add(plumbing.BlobObject, c.content)
	}
	if err != nil || there.Hash.IsZero() {
		return entries, err
	}
	return append(entries, there), nil
}

// fits tells whether what is there can be changed so.
func fits(there rawEntry, c *change, exists bool) error {
	isDir := there.Mode == filemode.Dir
	switch {
	case !exists:
		return nil
	case c.below != nil && !isDir:
		return errors.New("it is a file, and a directory would have to be there")
	case c.below == nil && isDir:
		return errors.New("it is a directory, and a file would have to be there")
	case !isDir && there.Mode != filemode.Regular && there.Mode != filemode.Executable:
		return fmt.Errorf("it has the mode %s, which is no file that fairlead writes to", there.Mode)
	}
	return nil
}

// entries lists a tree; none of a zero id.
func (e *treeEdit) entries(id plumbing.Hash) ([]rawEntry, error) {
	if id.IsZero() {
		return nil, nil
	}
	raw, err := e.repo.read(plumbing.TreeObject, id, maxMetaObject)
	if err != nil {
		return nil, err
	}
	parsed, err := parseTree(raw)
	if err != nil {
		return nil, err
	}
	entries := make([]rawEntry, len(parsed))
	for i, entry := range parsed {
		mode, _, _ := bytes.Cut(raw, []byte(" "))
		entries[i] = rawEntry{string(mode), entry}
		raw = raw[len(mode)+1+len(entry.Name)+1+len(entry.Hash):]
	}
	return entries, nil
}

// add makes an object, unless the repository has it.
func (e *treeEdit) add(t plumbing.ObjectType, data []byte) (plumbing.Hash, error) {
	o, err := encoded(t, data)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if !e.repo.has(o.Hash()) {
		e.made = append(e.made, o)
	}
	return o.Hash(), nil
}
