package spec

import (
	"maps"
	"slices"
	"time"
)

// Commit identifies the version of the config repo that a Tree came from.
type Commit struct {
	ID      string    `json:"id"`               // full object id; "" for a plain directory that is not in Git
	Ref     string    `json:"ref,omitempty"`    // the branch or ref that was asked for
	Author  string    `json:"author,omitempty"` // "Name <mail>"
	Subject string    `json:"subject,omitempty"`
	Time    time.Time `json:"time,omitzero"` // committer time
	// Trailers are the "Key: value" lines at the end of the message, with
	// canonical keys as written. A key may occur more than once.
	Trailers map[string][]string `json:"trailers,omitempty"`
	// Includes are the commits of the repositories that this one composes, by include.
	Includes map[string]string `json:"includes,omitempty"`
}

// Key tells revisions apart: by the commit, and those of all that is included.
func (c Commit) Key() string {
	key := c.ID
	for _, name := range slices.Sorted(maps.Keys(c.Includes)) {
		key += " " + name + "@" + c.Includes[name]
	}
	return key
}

// Included names the commit of an include, as NAME@COMMIT; "" where it is none of this
// composition.
func (c Commit) Included(name string) string {
	id := c.Includes[name]
	if id == "" {
		return ""
	}
	return name + "@" + id
}

// Short is the id as people write it: 7 characters, or "worktree" for a plain
// directory.
func (c Commit) Short() string {
	switch {
	case c.ID == "":
		return "worktree"
	case len(c.ID) > 7:
		return c.ID[:7]
	default:
		return c.ID
	}
}

// File is one blob below the configured path of the config repo.
type File struct {
	Path string // slash-separated, relative to the configured path
	Hash string // content hash; equal hashes mean equal content
	Size int64  // bytes
}

// Tree is the config repo at one commit: all that a load may read. It is
// immutable and safe for concurrent use. Nothing outside of it can be reached
// through it: no symlink, no "..", no disk.
type Tree interface {
	Commit() Commit
	// Files lists every file below the configured path, sorted by Path.
	Files() []File
	// Read returns the content of the file with that exact Path. The error
	// wraps fs.ErrNotExist if there is none.
	Read(path string) ([]byte, error)
}
