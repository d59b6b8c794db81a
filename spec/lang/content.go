package lang

import (
	"fmt"
	"maps"
	"path"
	"strings"
)

// content is a file of the repo that is no spec. It is kept by the Loader for as
// long as the tree has it.
type content struct {
	hash string
	load uint64 // that used it last
	data []byte
	sum  string // sha256:HEX, once it was asked for
}

// repoPath is a path of the repo in its plainest form, or what is wrong with it.
func repoPath(name string) (clean, problem string) {
	clean = path.Clean(name)
	switch {
	case name == "" || clean == ".":
		return "", "A path of a file of the repo is needed, such as \"data/digits.csv.gz\"."
	case strings.HasPrefix(name, "/") || strings.HasPrefix(name, "~") || strings.Contains(name, "\\") || clean == ".." || strings.HasPrefix(clean, "../"):
		return "", "The path counts from the root of the config repo and cannot lead out of it: no leading / or ~, no .. and no \\."
	default:
		return clean, ""
	}
}

// content reads a file of the tree. If that cannot be, why says so as sentences.
func (e *evaluator) content(name string, most int64) (c *content, why string) {
	e.noteBlob(name)
	entry, found := e.blob(name)
	if !found {
		return nil, fmt.Sprintf("There is no file %q in the config repo. The path counts from its root%s", name, fullStop(e.nearestFile(name)))
	}
	if entry.Size > most {
		return nil, fmt.Sprintf("The file %q has %d bytes, and %d is the most for one in the config repo. Keep it in a registry, or in a volume.", name, entry.Size, most)
	}
	if known := e.contents[name]; known != nil && known.hash == entry.Hash && (entry.Hash != "" || known.load == e.facts.load) {
		known.load = e.facts.load
		return known, ""
	}
	data, err := e.tree.Read(e.module.base + name)
	if err != nil {
		return nil, fmt.Sprintf("The file %q cannot be read: %v.", name, err)
	}
	c = &content{hash: entry.Hash, load: e.facts.load, data: data}
	e.contents[name] = c
	return c, ""
}

// fullStop ends a sentence that may have gone on with a suggestion.
func fullStop(rest string) string {
	if rest == "" {
		return "."
	}
	return rest
}

// forgetContents drops what this load has not used.
func (l *Loader) forgetContents() {
	maps.DeleteFunc(l.contents, func(_ string, c *content) bool { return c.load != l.facts.load })
}
