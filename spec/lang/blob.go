package lang

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fairlead/fairlead/spec"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// withFile is the function table with file(), which reads the tree of this
// load and nothing else.
func (e *evaluator) withFile(table map[string]function.Function) map[string]function.Function {
	all := maps.Clone(table)
	all["file"] = function.New(&function.Spec{
		Description: "The content of a text file of the config repo.",
		Params:      []function.Parameter{{Name: "path", Type: cty.String}},
		Type:        function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return e.readBlob(args[0].AsString())
		},
	})
	return all
}

// readBlob reads one file of the tree. Its path counts from the root of what
// Fairlead reads, wherever the spec stands that asks for it.
func (e *evaluator) readBlob(name string) (cty.Value, error) {
	clean := path.Clean(name)
	switch {
	case name == "" || strings.HasPrefix(name, "/") || strings.Contains(name, "\\") || clean == ".." || strings.HasPrefix(clean, "../"):
		return cty.DynamicVal, errors.New("a path of file() counts from the root of the config repo and cannot lead out of it: no leading / or ~, no .. and no \\")
	case clean == ".":
		return cty.DynamicVal, errors.New("the path names a directory")
	}
	e.noteBlob(clean)
	entry, found := e.blob(clean)
	if !found {
		return cty.DynamicVal, fmt.Errorf("there is no file %q in the config repo; the path counts from its root%s", clean, e.nearestFile(clean))
	}
	if entry.Size > int64(e.limits.TextBytes) {
		return cty.DynamicVal, fmt.Errorf("the file has %d bytes, and file() reads %d at the most", entry.Size, e.limits.TextBytes)
	}
	content, err := e.tree.Read(e.module.base + clean)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return cty.DynamicVal, fmt.Errorf("there is no file %q in the config repo", clean)
	case err != nil:
		return cty.DynamicVal, err
	case !utf8.Valid(content):
		return cty.DynamicVal, errors.New("the file is no text in UTF-8")
	}
	return cty.StringVal(string(content)), nil
}

// noteBlob notes for the cache that the content of a file was read, or its
// absence.
func (e *evaluator) noteBlob(name string) {
	r := ref{root: "file", name: name}
	hash, _ := e.fileHash(name)
	e.memo[r] = &result{value: hash, ok: true, done: true}
	if e.deps != nil {
		e.deps.saw(r, hash)
	}
}

func (e *evaluator) fileHash(name string) (cty.Value, bool) {
	entry, found := e.blob(name)
	if !found {
		return cty.NullVal(cty.String), true
	}
	return cty.StringVal(entry.Hash), true
}

func (e *evaluator) blob(name string) (spec.File, bool) {
	if !e.module.owns(e.module.base + name) {
		return spec.File{}, false
	}
	i, found := slices.BinarySearchFunc(e.files, e.module.base+name, func(f spec.File, name string) int { return strings.Compare(f.Path, name) })
	if !found {
		return spec.File{}, false
	}
	return e.files[i], true
}

// nearestFile suggests a file of the same name elsewhere, or of a similar name
// in the same place.
func (e *evaluator) nearestFile(name string) string {
	var same, near []string
	for _, f := range e.files {
		if !e.module.owns(f.Path) {
			continue
		}
		here := strings.TrimPrefix(f.Path, e.module.base)
		switch {
		case path.Base(here) == path.Base(name):
			same = append(same, here)
		case path.Dir(here) == path.Dir(name):
			near = append(near, here)
		}
	}
	if len(same) > 0 {
		return ". Did you mean " + same[0] + "?"
	}
	if hint := didYouMean(name, near); hint != "" {
		return "." + hint
	}
	return ""
}
