package git

import (
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/fairlead/fairlead/reconcile/audit"
)

const (
	// maxChanges bounds what is told of one commit.
	maxChanges = 20
	// keptTrees is how many trees are kept, as the next commit needs most of them again.
	keptTrees = 64
)

// recordDiff lists the files in which trees differ.
type recordDiff struct {
	repo  *repository
	known map[plumbing.Hash][]object.TreeEntry
	found []audit.Change
}

// changes lists the files that differ between a tree and an older one, which may be
// zero.
func (d *recordDiff) changes(tree, older plumbing.Hash) ([]audit.Change, error) {
	d.found = nil
	err := d.compare("", tree, older, 0)
	return d.found, err
}

func (d *recordDiff) entries(id plumbing.Hash) ([]object.TreeEntry, error) {
	if id.IsZero() {
		return nil, nil
	}
	if entries, ok := d.known[id]; ok {
		return entries, nil
	}
	entries, err := treeEntries(d.repo, id)
	if err != nil {
		return nil, err
	}
	if len(d.known) >= keptTrees {
		clear(d.known)
	}
	d.known[id] = entries
	return entries, nil
}

func (d *recordDiff) compare(prefix string, tree, older plumbing.Hash, depth int) error {
	if tree == older || len(d.found) >= maxChanges {
		return nil
	}
	if depth > 16 {
		return errDeep
	}
	after, err := d.entries(tree)
	if err != nil {
		return err
	}
	before, err := d.entries(older)
	if err != nil {
		return err
	}
	if depth > 0 && len(after) == 0 && len(before) == 0 { // a directory without anything in it
		d.found = append(d.found, audit.Change{Path: prefix, Removed: tree.IsZero()})
	}
	after, before = differing(after, before)
	was := make(map[string]object.TreeEntry, len(before))
	for _, e := range before {
		was[e.Name] = e
	}
	for _, e := range after {
		old := was[e.Name]
		delete(was, e.Name)
		if err := d.entry(prefix+e.Name, e, old, depth); err != nil {
			return err
		}
	}
	for _, e := range before {
		if _, gone := was[e.Name]; !gone {
			continue
		}
		if err := d.entry(prefix+e.Name, object.TreeEntry{}, e, depth); err != nil {
			return err
		}
	}
	return nil
}

// differing leaves out what two lists begin and end with alike.
func differing(a, b []object.TreeEntry) (restA, restB []object.TreeEntry) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}

// entry compares one name. The zero entry stands for none.
func (d *recordDiff) entry(path string, now, old object.TreeEntry, depth int) error {
	if now.Mode == old.Mode && now.Hash == old.Hash || len(d.found) >= maxChanges {
		return nil
	}
	isDir, wasDir := now.Mode == filemode.Dir, old.Mode == filemode.Dir
	if isDir || wasDir {
		var dir, olderDir plumbing.Hash
		if isDir {
			dir = now.Hash
		}
		if wasDir {
			olderDir = old.Hash
		}
		if err := d.compare(path+"/", dir, olderDir, depth+1); err != nil {
			return err
		}
	}
	switch {
	case now.Mode == 0 && !wasDir, isDir && old.Mode != 0 && !wasDir:
		d.found = append(d.found, audit.Change{Path: path, Removed: true})
	case now.Mode != 0 && !isDir:
		change := audit.Change{Path: path, Regular: now.Mode == filemode.Regular}
		if change.Regular {
			data, err := d.repo.read(plumbing.BlobObject, now.Hash, maxMetaObject)
			if err != nil {
				return err
			}
			change.Data = data
		}
		d.found = append(d.found, change)
	}
	return nil
}
