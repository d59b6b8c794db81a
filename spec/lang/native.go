package lang

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/schema"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// nativeBody reads a body in HCL's own syntax into n.
func (r *reader) nativeBody(body *hclsyntax.Body, n *node) {
	attributes := make([]*hclsyntax.Attribute, 0, len(body.Attributes))
	for _, attribute := range body.Attributes {
		attributes = append(attributes, attribute)
	}
	slices.SortFunc(attributes, func(a, b *hclsyntax.Attribute) int {
		return cmp.Compare(a.SrcRange.Start.Byte, b.SrcRange.Start.Byte)
	})
	n.args = slices.Grow(n.args, len(attributes))
	for _, attribute := range attributes {
		def, known := r.argumentNamed(n, attribute.Name, attribute.NameRange)
		if !known {
			continue
		}
		a := newArg(n, def, attribute.Name, attribute.NameRange, attribute.SrcRange)
		n.args.set(r.argument(a, attribute.Expr, r.recovered && unread(attribute.Expr)))
	}
	for _, block := range body.Blocks {
		def := n.schema.Block(block.Type)
		if def == nil {
			r.unknownBlock(n, block.Type, block.TypeRange)
			continue
		}
		b := r.open(n, def, block.Labels, block.DefRange(), labelRange(block.LabelRanges, block.TypeRange))
		if b == nil {
			continue
		}
		b.end = block.CloseBraceRange
		r.nativeBody(block.Body, b)
	}
}

// unread tells whether a part of an expression could not be read. HCL puts a value there
// that is not known, which nothing that was read is.
func unread(expr hclsyntax.Expression) (found bool) {
	_ = hclsyntax.VisitAll(expr, func(n hclsyntax.Node) hcl.Diagnostics {
		literal, is := n.(*hclsyntax.LiteralValueExpr)
		found = found || is && !literal.Val.IsKnown()
		return nil
	})
	return found
}

func labelRange(labels []hcl.Range, otherwise hcl.Range) hcl.Range {
	if len(labels) == 0 {
		return otherwise
	}
	return labels[0]
}

// argumentNamed finds the argument in the table; if there is none it says what
// the person may have meant.
func (r *reader) argumentNamed(n *node, name string, at hcl.Range) (*schema.Argument, bool) {
	if n.schema.Free {
		if !validIdentifier(name) {
			r.errorf(at, n.place, "Invalid name", "%q cannot be written behind a dot. Names start with a letter and hold letters, digits, _ and -.", name)
			return nil, false
		}
		return nil, true
	}
	if def := n.schema.Argument(name); def != nil {
		return def, true
	}
	if b := n.schema.Block(name); b != nil {
		r.errorf(at, n.place, "Block expected", "%s is a block here, not an argument. Write it without the equals sign:\n    %s {\n      ...\n    }", name, headerOf(b))
		return nil, false
	}
	if hint := misplaced(n.schema, name); hint != "" {
		r.errorf(at, n.place, "Unknown argument", "%s has no argument %q. %s", blockWords(n), name, hint)
		return nil, false
	}
	r.errorf(at, n.place, "Unknown argument", "%s has no argument %q.%s", blockWords(n), name, didYouMean(name, argumentNames(n.schema)))
	return nil, false
}

// unknownBlock says what the person may have meant by a block that the table
// does not have there.
func (r *reader) unknownBlock(n *node, name string, at hcl.Range) {
	if def := n.schema.Argument(name); def != nil {
		r.errorf(at, n.place, "Argument expected", "%s is an argument here, not a block. Write it with an equals sign: %s = %s", name, name, example(def))
		return
	}
	if n.schema.Name == "" {
		if tool := toolOf(name); tool != "" {
			r.errorf(at, n.place, "File of another tool", "A %q block belongs to %s, not to Fairlead. Keep such files outside of the path that Fairlead reads (--path).", name, tool)
			return
		}
	}
	if name == "dynamic" {
		r.errorf(at, n.place, "Unknown block", "There are no dynamic blocks. Repeat the whole %s with for_each, or write the blocks out.", cmp.Or(n.schema.Name, "block"))
		return
	}
	if hint := misplaced(n.schema, name); hint != "" {
		r.errorf(at, n.place, "Unknown block", "%s cannot hold a %q block. %s", blockWords(n), name, hint)
		return
	}
	r.errorf(at, n.place, "Unknown block", "%s cannot hold a %q block.%s", blockWords(n), name, didYouMean(name, blockNames(n.schema)))
}

// misplaced tells where a name belongs that is right, but elsewhere.
func misplaced(b *schema.Block, name string) string {
	var homes []string
	var find func(at *schema.Block, path string)
	find = func(at *schema.Block, path string) {
		for _, nested := range at.Blocks {
			here := strings.TrimPrefix(path+"."+nested.Name, ".")
			if nested.Argument(name) != nil {
				homes = append(homes, here)
			}
			if nested.Name == name {
				homes = append(homes, cmp.Or(path, "the file, outside of any block"))
			}
			if nested.Name != "environment" { // what it holds are overlays of the others
				find(nested, here)
			}
		}
	}
	find(b, b.Name)
	if len(homes) == 0 {
		return ""
	}
	return "It belongs into " + strings.Join(homes, " or ") + "."
}

// toolOf names the tool whose files have such a block at the top.
func toolOf(block string) string {
	switch block {
	case "resource", "data", "module", "provider", "terraform", "output", "import", "ephemeral":
		return "Terraform or OpenTofu"
	case "source", "build", "packer":
		return "Packer"
	case "job":
		return "Nomad"
	case "target", "group":
		return "Docker Bake"
	case "project", "app", "runner":
		return "Waypoint"
	case "terragrunt", "dependency", "dependencies", "remote_state", "generate", "unit", "stack":
		return "Terragrunt"
	case "plugin", "rule", "config", "tflint":
		return "TFLint"
	case "listener", "storage", "seal", "vault", "auto_auth":
		return "Vault"
	default:
		return ""
	}
}

// open starts a nested block: it checks the label and that the block may stand
// there once more. It returns nil if the block must be skipped.
func (r *reader) open(parent *node, def *schema.Block, labels []string, header, at hcl.Range) *node {
	b := &node{place: parent.place, schema: def, rng: header, end: header}
	switch {
	case def.Label == "" && len(labels) > 0:
		r.errorf(at, parent.place, "Block takes no label", "A %s block takes no label. Write %s { ... }.", def.Name, def.Name)
		return nil
	case def.Label != "" && len(labels) == 0:
		r.errorf(at, parent.place, "Block needs a label", "A %s block needs its %s as label. Write %s { ... }.", def.Name, def.Label, headerOf(def))
		return nil
	case def.Label != "" && len(labels) > 1:
		r.errorf(at, parent.place, "Block takes one label", "A %s block takes one label, its %s. Write %s { ... }.", def.Name, def.Label, headerOf(def))
		return nil
	case def.Label != "":
		b.label = labels[0]
		if problem := labelProblem(def.LabelRule, b.label); problem != "" {
			r.errorf(at, parent.place, "Invalid label", "%s", problem)
			return nil
		}
	}
	if parent.schema.Name == "" || parent.schema.Name == "environment" {
		b.place = placeOf(def, b.label)
	}
	if twin := duplicateIn(parent, b); twin != nil {
		r.errorf(header, parent.place, "Duplicate block", "%s stands here already, at %s. %s", blockWords(b), specPos(twin.rng), duplicateRemedy(def))
		return nil
	}
	parent.blocks = append(parent.blocks, b)
	return b
}

// duplicateIn returns the block that forbids b beside it. What stands at the
// level of files is compared when all files are together.
func duplicateIn(parent, b *node) *node {
	if parent.schema.Name == "" || isList(b) || b.schema.Adds {
		return nil
	}
	for _, sibling := range parent.blocks {
		if sibling.schema == b.schema && sibling.label == b.label {
			return sibling
		}
	}
	return nil
}

func duplicateRemedy(def *schema.Block) string {
	if def.Label != "" {
		return "Give one of them another label, or remove it."
	}
	return "It may stand once: merge the two."
}

func placeOf(def *schema.Block, label string) place {
	switch {
	case def.Label == "":
		return place{block: def.Name}
	case def.Name == "variable":
		return place{address: "var." + label, block: def.Name + ` "` + label + `"`}
	default:
		return place{address: def.Name + "." + label, block: def.Name + ` "` + label + `"`}
	}
}

func labelProblem(rule schema.LabelRule, label string) string {
	switch rule {
	case schema.LabelName:
		if !spec.ValidName(label) {
			return "A name starts with a lower-case letter and holds a-z, 0-9, _ and -, at most 63 of them: it becomes part of container names and URLs."
		}
	case schema.LabelID:
		if !validIdentifier(label) {
			return "A name starts with a letter and holds letters, digits, _ and -, so that it can be written behind a dot."
		}
	case schema.LabelPath:
		if !absolutePath(label) {
			return "The label is a path in the container: absolute, without . and .. in it, such as \"/cache\"."
		}
	case schema.LabelText:
		if label == "" {
			return "The label must not be empty."
		}
	}
	return ""
}

func headerOf(b *schema.Block) string {
	if b.Label == "" {
		return b.Name
	}
	return b.Name + ` "` + strings.ToUpper(b.Label) + `"`
}

// blockWords names a block at the start of a sentence.
func blockWords(n *node) string {
	switch {
	case n.schema.Name == "":
		return "A spec file"
	case n.label == "":
		return "A " + n.schema.Name + " block"
	default:
		return n.schema.Name + ` "` + n.label + `"`
	}
}

func example(a *schema.Argument) string {
	switch {
	case a.Example != "":
		return a.Example
	case a.Default != "":
		return a.Default
	case len(a.Keywords) > 0:
		return a.Keywords[0]
	default:
		return "..."
	}
}

func argumentNames(b *schema.Block) []string {
	names := make([]string, 0, len(b.Arguments)+len(b.Blocks))
	for _, a := range b.Arguments {
		names = append(names, a.Name)
	}
	return append(names, blockNames(b)...)
}

func blockNames(b *schema.Block) []string {
	names := make([]string, 0, len(b.Blocks))
	for _, n := range b.Blocks {
		names = append(names, n.Name)
	}
	return names
}
