package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// leaf is what a tree has under a name; the zero leaf is nothing.
type leaf struct {
	mode filemode.FileMode
	id   plumbing.Hash
}

func (l leaf) none() bool { return l == leaf{} }

// isFile tells whether it has content that can be merged.
func (l leaf) isFile() bool { return l.mode == filemode.Regular || l.mode == filemode.Executable }

// directory reads a tree by name; that of the zero id is empty. Git takes the first of
// two entries of one name, or the other, so such a tree is an error.
func (r *repository) directory(id plumbing.Hash) (map[string]leaf, error) {
	if id.IsZero() {
		return nil, nil
	}
	raw, err := r.read(plumbing.TreeObject, id, maxMetaObject)
	if err != nil {
		return nil, err
	}
	listed, err := parseTree(raw)
	if err != nil {
		return nil, fmt.Errorf("the tree %s: %w", shortHash(id), err)
	}
	entries := make(map[string]leaf, len(listed))
	for _, e := range listed {
		if _, twice := entries[e.Name]; twice || e.Name == "" {
			return nil, fmt.Errorf("the tree %s is not sound: it has %q twice", shortHash(id), printable(e.Name))
		}
		entries[e.Name] = leaf{e.Mode, e.Hash}
	}
	return entries, nil
}

// change of one path between two trees. A directory in place of a file is a change of
// several paths.
type pathChange struct {
	path     string
	old, new leaf
}

// treeDiff compares trees, and reads only what differs.
type treeDiff struct {
	ctx   context.Context
	repo  *repository
	limit int // of changes

	changes []pathChange
	visited int
}

// diffLimitError is more than a diff may find.
type diffLimitError struct{ limit int }

func (e *diffLimitError) Error() string {
	return fmt.Sprintf("more than %d files differ", e.limit)
}

const (
	// maxDirectories bounds the directories of one diff: a few small trees that name
	// each other can be a huge one.
	maxDirectories = 100_000
	// maxDepth bounds nested directories.
	maxDepth = 128
)

// between lists what differs, sorted by path. With a *diffLimitError it is the
// beginning.
func (d *treeDiff) between(older, newer plumbing.Hash) ([]pathChange, error) {
	err := d.directories(older, newer, "", 0)
	slices.SortFunc(d.changes, func(a, b pathChange) int {
		if a.path < b.path {
			return -1
		}
		return 1
	})
	return d.changes, err
}

func (d *treeDiff) directories(older, newer plumbing.Hash, at string, depth int) error {
	if older == newer {
		return nil
	}
	if err := d.ctx.Err(); err != nil {
		return err
	}
	if d.visited++; d.visited > maxDirectories {
		return &diffLimitError{d.limit}
	}
	if depth > maxDepth {
		return errors.New("directories are nested deeper than 128")
	}
	was, err := d.repo.directory(older)
	if err != nil {
		return err
	}
	is, err := d.repo.directory(newer)
	if err != nil {
		return err
	}
	names := maps.Clone(was)
	if names == nil {
		names = map[string]leaf{}
	}
	maps.Copy(names, is)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if was[name] == is[name] {
			continue
		}
		if err := d.entry(was[name], is[name], at+name, depth); err != nil {
			return err
		}
	}
	return nil
}

// entry compares what two trees have under one name.
func (d *treeDiff) entry(old, new leaf, path string, depth int) error {
	var dirs [2]plumbing.Hash
	if old.mode == filemode.Dir {
		dirs[0], old = old.id, leaf{}
	}
	if new.mode == filemode.Dir {
		dirs[1], new = new.id, leaf{}
	}
	if old != new {
		if len(d.changes) == d.limit {
			return &diffLimitError{d.limit}
		}
		d.changes = append(d.changes, pathChange{path, old, new})
	}
	return d.directories(dirs[0], dirs[1], path+"/", depth+1)
}
