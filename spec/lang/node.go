package lang

import (
	"slices"

	"github.com/fairlead/fairlead/spec/schema"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// node is one block as it was written: checked against the schema, nothing
// evaluated. Nodes are immutable, so a parsed file can be shared between loads;
// merging an overlay makes a new one.
type node struct {
	place
	schema *schema.Block
	label  string
	rng    hcl.Range // the block's header
	end    hcl.Range // where a missing argument would go
	args   arguments
	blocks []*node

	// memo is what the last load decoded from this block; only the Loader that
	// owns the file touches it, under its lock.
	memo *memo
}

// arg is one argument as it was written.
type arg struct {
	*place
	name   string
	schema *schema.Argument // nil where names are free
	rng    hcl.Range        // name and value
	// The end of the name, counted from the start of rng.
	nameBytes, nameColumns int32
	// expr is the value, under the guard of the evaluation budget.
	expr hclsyntax.Expression
	// refs are the objects that expr reads.
	refs []reference
	// json: written in a .hcl.json file, so messages speak of properties.
	json bool
	// broken: a diagnostic about the argument was given while reading, so
	// nothing that follows from it is worth saying.
	broken bool

	// Types that are read instead of evaluated leave what they read here.
	keywords []keyword
	targets  []target

	// source is the text of an expression, or of a part of one, of a type that may
	// be of facts.
	source func(hclsyntax.Expression) string
}

// keyword is one bare word.
type keyword struct {
	word string
	rng  hcl.Range
}

// target is what an argument of reference type points to.
type target struct {
	kind   string // model, dataset, step, check, ...
	name   string
	output string               // of a step or a selection, where one is named
	as     string               // the key in a map of references
	key    hclsyntax.Expression // of an instance, nil without
	refs   []reference          // that key reads
	rng    hcl.Range
}

// child returns the nested block that may stand only once, or nil.
func (n *node) child(name string) *node {
	for _, b := range n.blocks {
		if b.schema.Name == name {
			return b
		}
	}
	return nil
}

// children returns the nested blocks of one kind, in the order of the file.
func (n *node) children(name string) []*node {
	var found []*node
	for _, b := range n.blocks {
		if b.schema.Name == name {
			found = append(found, b)
		}
	}
	return found
}

// overlay returns base with what over says on top: an argument replaces, a
// labelled block merges by label, a block that stands once merges, a list of
// blocks without label replaces.
func overlay(base, over *node) *node {
	merged := *base
	merged.memo = nil
	merged.args = slices.Clone(base.args)
	for _, a := range over.args {
		merged.args.set(a)
	}
	merged.blocks = overlayBlocks(base.blocks, over.blocks)
	return &merged
}

func overlayBlocks(base, over []*node) []*node {
	merged := make([]*node, 0, len(base)+len(over))
	replaced := func(b *node) bool { // a list that the overlay has too
		for _, o := range over {
			if o.schema == b.schema && isList(o) {
				return true
			}
		}
		return false
	}
	for _, b := range base {
		if !replaced(b) {
			merged = append(merged, b)
		}
	}
next:
	for _, o := range over {
		for i, b := range merged {
			if !isList(o) && b.schema == o.schema && b.label == o.label {
				merged[i] = overlay(b, o)
				continue next
			}
		}
		merged = append(merged, o)
	}
	return merged
}

// isList tells whether blocks of this kind have nothing but their order to tell
// them apart.
func isList(n *node) bool { return n.schema.List() }
