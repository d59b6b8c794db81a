package git

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

const (
	// maxRenames bounds the pairs of files that are compared.
	maxRenames = 10_000
	// similar is the part of a file, in percent, that it has in common with what it may
	// have been renamed from. Git asks for 50; less is on the safe side.
	similar = 40
)

// renamed makes a conflict where one side may have given a new name to a file that the
// other one removed as well, or to the directory of a file that the other one added:
// git would follow it there. What the other side changed in such a file is a conflict
// anyway.
func (m *treeMerge) renamed(one, other side, tree plumbing.Hash) error {
	sources, err := m.sources(one)
	if err != nil || len(sources) == 0 {
		return err
	}
	left := map[string]bool{} // directories that something was taken out of
	for path := range sources {
		for dir := parent(path); dir != ""; dir = parent(dir) {
			left[dir] = true
		}
	}
	for _, path := range slices.Sorted(maps.Keys(other)) {
		c := other[path]
		if c.new.none() && sources[path] {
			m.conflicts[path] = true
		}
		for dir := parent(path); c.old.none() && dir != ""; dir = parent(dir) {
			if !left[dir] {
				continue
			}
			stays, err := m.hasDirectory(tree, dir)
			if err != nil {
				return err
			}
			if !stays {
				m.conflicts[path] = true
			}
		}
	}
	return nil
}

// parent is the directory of a path, "" for the top.
func parent(path string) string { return path[:max(strings.LastIndexByte(path, '/'), 0)] }

// hasDirectory tells whether a tree has a directory.
func (m *treeMerge) hasDirectory(tree plumbing.Hash, dir string) (bool, error) {
	for name := range strings.SplitSeq(dir, "/") {
		entries, err := m.repo.directory(tree)
		if err != nil {
			return false, err
		}
		e := entries[name]
		if e.mode != filemode.Dir {
			return false, nil
		}
		tree = e.id
	}
	return true, nil
}

// sources are the files that a side removed and may have added under another name.
func (m *treeMerge) sources(s side) (map[string]bool, error) {
	var removed, added []pathChange
	for _, c := range s {
		switch {
		case c.new.none():
			removed = append(removed, c)
		case c.old.none():
			added = append(added, c)
		}
	}
	found := map[string]bool{}
	much := len(removed)*len(added) > maxRenames
	pieces := map[plumbing.Hash]map[string]int{}
	for _, from := range removed {
		for _, to := range added {
			if found[from.path] {
				break
			}
			alike, err := much, error(nil)
			if !much {
				alike, err = m.alike(from.old, to.new, pieces)
			}
			if err != nil {
				return nil, err
			}
			if alike {
				found[from.path] = true
			}
		}
	}
	return found, nil
}

// alike tells whether git might take one file for the other.
func (m *treeMerge) alike(a, b leaf, pieces map[plumbing.Hash]map[string]int) (bool, error) {
	if a.id == b.id {
		return true, nil
	}
	if !a.isFile() || !b.isFile() {
		return false, nil
	}
	one, err := m.pieces(a.id, pieces)
	if err != nil {
		return false, err
	}
	two, err := m.pieces(b.id, pieces)
	if err != nil {
		return false, err
	}
	if one == nil || two == nil {
		return true, nil // too large to be looked at
	}
	var inOne, inTwo, shared int
	for piece, size := range one {
		inOne += size
		shared += min(size, two[piece])
	}
	for _, size := range two {
		inTwo += size
	}
	return shared*100 >= similar*max(inOne, inTwo), nil
}

// pieces are the lines of a file, in parts of at most 64 bytes as git compares them,
// each with how many bytes of it there are; nil of a large file.
func (m *treeMerge) pieces(id plumbing.Hash, known map[plumbing.Hash]map[string]int) (map[string]int, error) {
	if p, ok := known[id]; ok {
		return p, nil
	}
	data, err := m.repo.read(plumbing.BlobObject, id, maxMergedFile)
	if _, large := errors.AsType[*tooLargeError](err); large {
		known[id] = nil
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	counted := map[string]int{}
	for line := range bytes.Lines(data) {
		for piece := range slices.Chunk(line, 64) {
			counted[string(piece)] += len(piece)
		}
	}
	known[id] = counted
	return counted, nil
}
