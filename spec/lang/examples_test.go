package lang

import (
	"testing"

	"github.com/fairlead/fairlead/spec/schema"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// What the reference shows can be copied: it parses, is laid out as the formatter
// does it, and holds nothing that the table has not.
func TestExamplesOfTheReferenceAreRight(t *testing.T) {
	l := NewLoader()
	var visit func(path string, b *schema.Block)
	visit = func(path string, b *schema.Block) {
		if b.Example != "" {
			if got := string(hclwrite.Format([]byte(b.Example))); got != b.Example {
				t.Errorf("%s: the layout is not that of fmt:\n%s", path, got)
			}
			r := &reader{meter: l.meter, limits: DefaultLimits(), src: []byte(b.Example)}
			root := &node{schema: &schema.Block{Blocks: []*schema.Block{b}}}
			if !r.file(root, "example.hcl") || r.diags.HasErrors() {
				t.Errorf("%s: %v\n%s", path, r.diags.Err(), b.Example)
			}
		}
		for _, a := range b.Arguments {
			if a.Example == "" {
				continue
			}
			if _, diags := hclsyntax.ParseExpression([]byte(a.Example), "example.hcl", hcl.InitialPos); diags.HasErrors() {
				t.Errorf("%s.%s: %v", path, a.Name, diags)
			}
		}
		for _, n := range b.Blocks {
			if b.Name != "environment" {
				visit(path+"."+n.Name, n)
			}
		}
	}
	visit("", l.root)
}
