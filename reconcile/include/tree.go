package include

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// Over composes a tree of the root with what another composed tree includes.
func Over(root, composed spec.Tree) spec.Tree { return compose(root, partsOf(composed)) }

// With is a composed tree with another tree for one of its includes.
func With(composed spec.Tree, name string, part spec.Tree) spec.Tree {
	parts := partsOf(composed)
	parts[name] = part
	return compose(composed, parts)
}

// Part is the tree of one include by itself, as it was composed; nil if there is none.
func Part(composed spec.Tree, name string) spec.Tree { return partsOf(composed)[name] }

func partsOf(composed spec.Tree) map[string]spec.Tree {
	if t, mounted := composed.(*tree); mounted {
		return maps.Clone(t.parts)
	}
	parts := map[string]spec.Tree{} // one that was stored is flat
	for name, id := range composed.Commit().Includes {
		if part := unmounted(composed, name, id); part != nil {
			parts[name] = part
		}
	}
	return parts
}

// unmounted are the files of a flat tree that are of one include; nil if they cannot be
// read.
func unmounted(composed spec.Tree, name, commit string) spec.Tree {
	var contents []spec.Content
	for _, f := range composed.Files() {
		path, of := strings.CutPrefix(f.Path, mount(name))
		if !of {
			continue
		}
		data, err := composed.Read(f.Path)
		if err != nil {
			return nil
		}
		f.Path = path
		contents = append(contents, spec.Content{File: f, Data: data})
	}
	return spec.NewTree(spec.Commit{ID: commit}, contents)
}

// tree is a composed tree.
type tree struct {
	root   spec.Tree
	parts  map[string]spec.Tree
	commit spec.Commit
	files  []spec.File
}

func compose(root spec.Tree, parts map[string]spec.Tree) *tree {
	t := &tree{root: root, parts: parts, commit: root.Commit()}
	t.commit.Includes = nil
	if len(parts) > 0 {
		t.commit.Includes = make(map[string]string, len(parts))
	}
	for name, part := range parts {
		t.commit.Includes[name] = part.Commit().ID
	}
	t.list()
	return t
}

func (t *tree) Commit() spec.Commit { return t.commit }

func (t *tree) Files() []spec.File { return t.files }

// list makes the list of files. What the root itself has where others are mounted does
// not show: it could pass for one of theirs.
func (t *tree) list() {
	for _, f := range t.root.Files() {
		if !strings.HasPrefix(f.Path, mounts) {
			t.files = append(t.files, f)
		}
	}
	for name, part := range t.parts {
		for _, f := range part.Files() {
			f.Path = mount(name) + f.Path
			t.files = append(t.files, f)
		}
	}
	slices.SortFunc(t.files, func(a, b spec.File) int { return cmp.Compare(a.Path, b.Path) })
}

const mounts = spec.IncludeDir

// mount is the directory of a composed tree that holds an included one.
func mount(name string) string { return mounts + name + "/" }

func (t *tree) Read(path string) ([]byte, error) {
	below, mounted := strings.CutPrefix(path, mounts)
	if !mounted {
		return t.root.Read(path)
	}
	name, file, _ := strings.Cut(below, "/")
	part := t.parts[name]
	if part == nil {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return part.Read(file)
}
