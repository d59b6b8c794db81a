package spec

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Content is a file together with its bytes.
type Content struct {
	File
	Data []byte
}

// NewTree returns a Tree that holds the given files. The caller gives up the
// Data: it must not change any more. Paths are unique; of two that are equal
// the first one counts.
func NewTree(commit Commit, files []Content) Tree {
	byPath := func(a, b Content) int { return strings.Compare(a.Path, b.Path) }
	if !slices.IsSortedFunc(files, byPath) {
		files = slices.Clone(files)
		slices.SortStableFunc(files, byPath)
	}
	t := &contentTree{
		commit: commit,
		files:  make([]File, 0, len(files)),
		data:   make([][]byte, 0, len(files)),
	}
	for i, f := range files {
		if i > 0 && files[i-1].Path == f.Path {
			continue
		}
		t.files = append(t.files, f.File)
		t.data = append(t.data, f.Data)
	}
	return t
}

// contentTree is a Tree in memory: data[i] belongs to files[i].
type contentTree struct {
	commit Commit
	files  []File
	data   [][]byte
}

func (t *contentTree) Commit() Commit { return t.commit }

// Files returns a copy, so that no caller can change the tree.
func (t *contentTree) Files() []File { return slices.Clone(t.files) }

func (t *contentTree) Read(path string) ([]byte, error) {
	i, found := slices.BinarySearchFunc(t.files, path, func(f File, path string) int {
		return strings.Compare(f.Path, path)
	})
	if !found {
		return nil, fmt.Errorf("%s is not in the config repo at %s: %w", path, t.commit.Short(), fs.ErrNotExist)
	}
	return bytes.Clone(t.data[i]), nil
}

// CheckFileName tells why name must not be the name of a file or directory in a
// config repo, or returns nil. Names that mean something else on another file
// system, or that show a reviewer something else than they are, are refused,
// although Fairlead itself never writes a file of the repo to disk: people check
// the same repo out.
func CheckFileName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("a name is empty")
	case name == "." || name == "..":
		return fmt.Errorf("%q is not a name but a way to another directory", name)
	case len(name) > 255:
		return fmt.Errorf("a name is longer than 255 bytes")
	case strings.ContainsAny(name, `/\`):
		return fmt.Errorf("a name holds a / or \\")
	case !utf8.ValidString(name):
		return fmt.Errorf("a name is not UTF-8")
	case isDotGit(name):
		return fmt.Errorf("the name means .git on some file systems")
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("a name holds the invisible character %U", r)
		}
	}
	return nil
}

// isDotGit tells whether a file system would take name for .git: HFS+ ignores
// some characters, NTFS ignores dots and spaces at the end, opens streams after
// a colon and knows the short name git~1.
func isDotGit(name string) bool {
	visible := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
	stem, _, _ := strings.Cut(visible, ":")
	stem = strings.TrimRight(stem, ". ")
	return stem == ".git" || stem == "git~1"
}

// FoldName returns a form of name that is equal for two names which a file
// system that ignores case cannot tell apart.
func FoldName(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}
