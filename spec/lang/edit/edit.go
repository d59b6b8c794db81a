// Package edit writes into a config repo: it sets arguments of blocks where people
// have written them, and writes the entries of the registry.
//
// An edit keeps what it does not mean: order, comments, indentation and every token
// beside the new value. A file in the canonical layout has that layout afterwards, so
// spaces that align its lines may change; any other file keeps every byte.
package edit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// Change sets one argument to a text.
type Change struct {
	Address spec.Address // of the block: model.digits
	// Environment is the one for which the value shall hold: where its overlay has
	// the argument, it is changed there. "": outside of all overlays.
	Environment string
	Argument    string // version, image, artifact, artifact_path, ...
	Value       string
}

// Apply makes the changes one after the other, and returns the new content of the
// files that differ, by path. The tree has to be one that loads; whether the result
// does is for the caller to check. Where a person has to make a change, because the
// value is computed or stands for several objects, the error is a *ByHandError.
func Apply(tree spec.Tree, changes []Change) (map[string][]byte, error) {
	r := &repo{tree: tree, edited: map[string][]byte{}}
	for _, c := range changes {
		if err := r.apply(c); err != nil {
			return nil, fmt.Errorf("set %s of %s: %w", c.Argument, c.Address, err)
		}
	}
	return r.edited, nil
}

// ByHandError says that an argument can only be changed by a person, and how.
type ByHandError struct {
	Address    spec.Address
	Argument   string
	Value      string   // that it should have
	Pos        spec.Pos // of the argument, or of the block
	Expression string   // as it is written there, on one line; "" for none
	Remedy     string   // what to do
}

func (e *ByHandError) Error() string {
	if e.Expression == "" {
		return fmt.Sprintf("%s: %s", e.Pos, e.Remedy)
	}
	return fmt.Sprintf("%s: it is computed there, %s = %s; %s", e.Pos, e.Argument, e.Expression, e.Remedy)
}

// repo is a tree with the edits made so far.
type repo struct {
	tree   spec.Tree
	edited map[string][]byte
}

// apply makes one change, and looks that it is there.
func (r *repo) apply(c Change) error {
	at, err := r.find(c)
	if err != nil {
		return err
	}
	was, there := at.arguments[c.Argument]
	if there && was.plain && was.text == c.Value {
		return nil
	}
	var content []byte
	switch {
	case there && !was.plain:
		return r.byHand(c, at, was)
	case there:
		content = at.replace(was, c.Value)
	default:
		content = at.insert(c.Argument, c.Value)
	}
	r.edited[at.file] = content
	after, err := r.find(c)
	if err != nil {
		return fmt.Errorf("after the edit: %w", err)
	}
	if now := after.arguments[c.Argument]; !now.plain || now.text != c.Value {
		return fmt.Errorf("%s: the edit did not bring the value %q about; set it by hand", at.pos(), c.Value)
	}
	return nil
}

// read is the content of a file as it is by now.
func (r *repo) read(path string) ([]byte, error) {
	if content, edited := r.edited[path]; edited {
		return content, nil
	}
	return r.tree.Read(path)
}

// blocks are all blocks of the address: outside of overlays, and in those of one
// environment.
type blocks struct{ base, over []*block }

// find returns the block in which the argument takes effect, or belongs.
func (r *repo) find(c Change) (*block, error) {
	all, err := r.blocks(c)
	switch {
	case err != nil:
		return nil, err
	case len(all.base) == 0:
		return nil, fmt.Errorf("no spec file declares it; it may have been renamed or removed meanwhile")
	case len(all.base) > 1, len(all.over) > 1:
		twins := slices.Concat(all.base, all.over)
		return nil, fmt.Errorf("it is declared more than once, at %s and %s", twins[0].pos(), twins[1].pos())
	}
	base, over := all.base[0], (*block)(nil)
	if name, included := includedFrom(base.file); included {
		return nil, &ByHandError{
			Address: c.Address, Argument: c.Argument, Value: c.Value, Pos: base.pos(),
			Remedy: fmt.Sprintf("it is declared in the included repo %s; set %s to %q there", name, c.Argument, c.Value),
		}
	}
	if len(all.over) == 1 {
		over = all.over[0]
	}
	for _, b := range []*block{base, over} {
		if b == nil {
			continue
		}
		if each, repeated := b.arguments["for_each"]; repeated {
			return nil, &ByHandError{
				Address: c.Address, Argument: c.Argument, Value: c.Value, Pos: b.at(each),
				Remedy: fmt.Sprintf("the block stands for several instances, for_each = %s, so its %s is that of all of them; set %s to %q by hand where it comes from", each.source, c.Argument, c.Argument, c.Value),
			}
		}
	}
	if over != nil && (over.has(c.Argument) || !base.has(c.Argument) && (over.has("version") || over.has("artifact"))) {
		return over, nil
	}
	return base, nil
}

// blocks looks through all files.
func (r *repo) blocks(c Change) (blocks, error) {
	var found blocks
	if c.Address.Name == "" || c.Argument == "" {
		return found, errors.New("the change names no block, or no argument")
	}
	for _, f := range r.tree.Files() {
		parse := parserOf(f.Path)
		if parse == nil {
			continue
		}
		src, err := r.read(f.Path)
		if err != nil {
			return found, fmt.Errorf("read %s: %w", f.Path, err)
		}
		if !bytes.Contains(src, []byte(c.Address.Name)) {
			continue // most files, in a large repo
		}
		top, err := parse(f.Path, src)
		if err != nil {
			return found, err
		}
		found.base = append(found.base, top.blocks(string(c.Address.Kind), c.Address.Name)...)
		if c.Environment == "" {
			continue
		}
		for _, environment := range top.blocks("environment", c.Environment) {
			found.over = append(found.over, environment.blocks(string(c.Address.Kind), c.Address.Name)...)
		}
	}
	return found, nil
}

// includedFrom is the name of the include that a file comes by.
func includedFrom(path string) (name string, included bool) {
	below, included := strings.CutPrefix(path, spec.IncludeDir)
	name, _, _ = strings.Cut(below, "/")
	return name, included
}

// parserOf is what reads a file of that name; nil: it is no spec file.
func parserOf(path string) func(path string, src []byte) (*block, error) {
	switch {
	case strings.HasSuffix(path, ".hcl.json"):
		return parseJSON
	case strings.HasSuffix(path, ".hcl"):
		return parseNative
	default:
		return nil
	}
}

// byHand explains a computed value, and leads to what it is computed from.
func (r *repo) byHand(c Change, at *block, was argument) error {
	remedy := fmt.Sprintf("write %s = %q there", c.Argument, c.Value)
	if origin := r.originOf(was); origin != "" {
		remedy += fmt.Sprintf(", or give %s this value (%s)", was.source, origin)
	}
	return &ByHandError{Address: c.Address, Argument: c.Argument, Value: c.Value, Pos: at.at(was), Expression: was.source, Remedy: remedy}
}

// originOf says where the variable or local is declared that is the whole value of
// an argument; "" where it is anything else.
func (r *repo) originOf(a argument) string {
	root, name, found := strings.Cut(a.source, ".")
	if !found || strings.ContainsAny(name, ".[( ") {
		return ""
	}
	return r.origin(root, name)
}

// origin says where var.NAME or local.NAME is declared; "" where that is not found.
func (r *repo) origin(root, name string) string {
	for _, f := range r.tree.Files() {
		parse := parserOf(f.Path)
		src, err := r.read(f.Path)
		if parse == nil || err != nil || !bytes.Contains(src, []byte(name)) {
			continue
		}
		top, err := parse(f.Path, src)
		if err != nil {
			continue
		}
		switch root {
		case "var":
			if declared := top.blocks("variable", name); len(declared) > 0 {
				return "declared at " + declared[0].pos().String() + "; what is set outside of the repo counts before its default"
			}
		case "local":
			for _, locals := range top.blocks("locals", "") {
				if a, here := locals.arguments[name]; here {
					return "at " + locals.at(a).String()
				}
			}
		}
	}
	return ""
}
