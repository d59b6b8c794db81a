package git

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/fairlead/fairlead/reconcile"
)

const (
	// maxMerged bounds the files that the two sides of a merge change.
	maxMerged = 50_000
	// maxMergedFile bounds a file that both sides change.
	maxMergedFile = 8 << 20
)

// treeMerge is a three-way merge of trees. Where git would follow a file to a new
// name, it says conflict: what it merges, git merges to the same tree.
type treeMerge struct {
	ctx  context.Context
	repo *repository
	edit treeEdit

	conflicts map[string]bool
}

// side is what one side changed since the base, by path.
type side map[string]pathChange

// merge returns the tree of ours with the changes of theirs. Conflicts are a
// *reconcile.MergeConflict.
func (m *treeMerge) merge(bases []plumbing.Hash, ours, theirs plumbing.Hash) (plumbing.Hash, error) {
	m.conflicts = map[string]bool{}
	if ours == theirs {
		return ours, nil
	}
	our, err := m.since(bases[0], ours)
	if err != nil {
		return ours, err
	}
	their, err := m.since(bases[0], theirs)
	if err != nil {
		return ours, err
	}
	if err := m.disputed(bases, ours, theirs); err != nil {
		return ours, err
	}
	if err := errors.Join(m.renamed(our, their, ours), m.renamed(their, our, theirs)); err != nil {
		return ours, err
	}
	edits := map[string]leaf{}
	for _, path := range slices.Sorted(maps.Keys(their)) {
		result, err := m.path(our, their[path])
		if err != nil {
			return ours, err
		}
		edits[path] = result
	}
	var tree plumbing.Hash
	if len(m.conflicts) == 0 {
		if tree, err = m.apply(ours, edits, ""); err != nil {
			return ours, err
		}
	}
	if len(m.conflicts) > 0 {
		return ours, &reconcile.MergeConflict{Paths: slices.Sorted(maps.Keys(m.conflicts))}
	}
	if tree.IsZero() {
		tree, err = m.edit.add(plumbing.TreeObject, nil) // nothing is left
	}
	return tree, err
}

func (m *treeMerge) since(base, tip plumbing.Hash) (side, error) {
	changes, err := (&treeDiff{ctx: m.ctx, repo: m.repo, limit: maxMerged}).between(base, tip)
	if err != nil {
		return nil, err
	}
	by := make(side, len(changes))
	for _, c := range changes {
		by[c.path] = c
	}
	return by, nil
}

// disputed makes a conflict of every path for which it matters which base is taken.
func (m *treeMerge) disputed(bases []plumbing.Hash, ours, theirs plumbing.Hash) error {
	if len(bases) == 1 {
		return nil
	}
	differ, err := m.since(ours, theirs)
	if err != nil {
		return err
	}
	for _, base := range bases[1:] {
		other, err := m.since(bases[0], base)
		if err != nil {
			return err
		}
		for path := range other {
			if _, matters := differ[path]; matters {
				m.conflicts[path] = true
			}
		}
	}
	return nil
}

// path merges one path that theirs has changed.
func (m *treeMerge) path(our side, their pathChange) (leaf, error) {
	ours, both := our[their.path]
	switch {
	case !both, ours.new == their.new:
		return their.new, nil
	case !ours.new.isFile() || !their.new.isFile(), !their.old.none() && !their.old.isFile():
		m.conflicts[their.path] = true
		return leaf{}, nil
	}
	mode, clean := mergeModes(their.old.mode, ours.new.mode, their.new.mode)
	id, same, err := m.content(their.old, ours.new, their.new)
	if err == nil && (!clean || !same) {
		m.conflicts[their.path] = true
	}
	return leaf{mode, id}, err
}

// mergeModes merges the modes of two files.
func mergeModes(base, ours, theirs filemode.FileMode) (filemode.FileMode, bool) {
	switch {
	case ours == theirs, theirs == base:
		return ours, true
	case ours == base:
		return theirs, true
	default:
		return ours, false
	}
}

// content merges what is in two files.
func (m *treeMerge) content(base, ours, theirs leaf) (plumbing.Hash, bool, error) {
	switch {
	case ours.id == theirs.id, theirs.id == base.id:
		return ours.id, true, nil
	case ours.id == base.id:
		return theirs.id, true, nil
	case base.none():
		return ours.id, false, nil // both have added it, with different content
	}
	var texts [3][]byte
	for i, id := range []plumbing.Hash{base.id, ours.id, theirs.id} {
		data, err := m.repo.read(plumbing.BlobObject, id, maxMergedFile)
		if _, large := errors.AsType[*tooLargeError](err); large {
			return ours.id, false, nil
		}
		if err != nil {
			return ours.id, false, err
		}
		texts[i] = data
	}
	text, clean := mergeLines(texts[0], texts[1], texts[2])
	if !clean {
		return ours.id, false, nil
	}
	id, err := m.edit.add(plumbing.BlobObject, text)
	return id, true, err
}

// apply edits a tree; zero: nothing is left of it. A file where a directory stays, or
// the other way round, is a conflict.
func (m *treeMerge) apply(tree plumbing.Hash, edits map[string]leaf, at string) (plumbing.Hash, error) {
	entries, err := m.repo.directory(tree)
	if err != nil {
		return tree, err
	}
	if entries == nil {
		entries = map[string]leaf{}
	}
	files, below := map[string]leaf{}, map[string]map[string]leaf{}
	for path, edit := range edits {
		name, rest, deeper := strings.Cut(path, "/")
		if !deeper {
			files[name] = edit
			continue
		}
		if below[name] == nil {
			below[name] = map[string]leaf{}
		}
		below[name][rest] = edit
	}
	for name, edit := range files {
		if edit.none() && entries[name].mode != filemode.Dir {
			delete(entries, name)
		}
	}
	for name, inner := range below {
		if err := m.applyBelow(entries, name, inner, at); err != nil {
			return tree, err
		}
	}
	for name, edit := range files {
		switch {
		case edit.none():
		case entries[name].mode == filemode.Dir:
			m.conflicts[at+name] = true
		default:
			entries[name] = edit
		}
	}
	return m.write(entries)
}

// applyBelow edits the directory of a name.
func (m *treeMerge) applyBelow(entries map[string]leaf, name string, edits map[string]leaf, at string) error {
	there := entries[name]
	if !there.none() && there.mode != filemode.Dir {
		for path, edit := range edits {
			if !edit.none() {
				m.conflicts[at+name+"/"+path] = true
			}
		}
		return nil
	}
	id, err := m.apply(there.id, edits, at+name+"/")
	if err != nil {
		return err
	}
	delete(entries, name)
	if !id.IsZero() {
		entries[name] = leaf{filemode.Dir, id}
	}
	return nil
}

// write makes a tree of entries; zero of none.
func (m *treeMerge) write(entries map[string]leaf) (plumbing.Hash, error) {
	if len(entries) == 0 {
		return plumbing.ZeroHash, nil
	}
	sorted := make([]object.TreeEntry, 0, len(entries))
	for name, e := range entries {
		sorted = append(sorted, object.TreeEntry{Name: name, Mode: e.mode, Hash: e.id})
	}
	slices.SortFunc(sorted, func(a, b object.TreeEntry) int { return cmp.Compare(sortName(&a), sortName(&b)) })
	var raw bytes.Buffer
	for _, e := range sorted {
		raw.WriteString(strings.TrimLeft(e.Mode.String(), "0") + " " + e.Name + "\x00")
		raw.Write(e.Hash[:])
	}
	return m.edit.add(plumbing.TreeObject, raw.Bytes())
}
