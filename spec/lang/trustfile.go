package lang

import (
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/schema"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// ParseTrust reads the operator's file, which is the root of trust: one trust block,
// or what would stand in it, and nothing else. There is nothing to refer to in it:
// keys are written out. The result is nil if there is an error.
func ParseTrust(data []byte, filename string) (trust *spec.Trust, diags diag.Diagnostics) {
	defer func() {
		if p := recover(); p != nil {
			trust, diags = nil, diag.Diagnostics{bug(p, filename)}
		}
	}()
	limits := DefaultLimits()
	e := &evaluator{
		symbols: &symbols{}, meter: &meter{limits: limits}, limits: limits, functions: functions(limits),
		memo: map[ref]*result{}, args: map[argKey]*argResult{},
	}
	r := &reader{meter: e.meter, limits: limits, src: data}
	n := r.trustFile(filename)
	if n != nil && !r.diags.HasErrors() {
		r.literal(n)
	}
	if n == nil || r.diags.HasErrors() {
		return nil, unique(r.diags)
	}
	trust = section{ev: e, n: n, sc: &scope{}}.trust()
	if diags = unique(e.diags); diags.HasErrors() {
		return nil, diags
	}
	return trust, diags
}

// trustFile reads the file as a trust block, whether that is written around it or
// not.
func (r *reader) trustFile(filename string) *node {
	block := schema.Root().Block("trust")
	if !r.admit(filename) {
		return nil
	}
	if isJSON(filename) {
		r.errorf(fileRange(filename), place{}, "Not a native file", "The root of trust is written in HCL's own syntax, as people read it. Write trust { ... } into a file whose name ends in .hcl.")
		return nil
	}
	parsed, diags := hclsyntax.ParseConfig(r.src, filename, hcl.InitialPos)
	r.syntax(diags)
	body, isNative := parsed.Body.(*hclsyntax.Body)
	if !isNative || diags.HasErrors() {
		return nil
	}
	top := &node{schema: &schema.Block{Blocks: []*schema.Block{block}}, rng: fileRange(filename)}
	if len(body.Attributes) > 0 || len(body.Blocks) == 0 || block.Block(body.Blocks[0].Type) != nil {
		n := &node{place: place{block: block.Name}, schema: block, rng: fileRange(filename), end: body.EndRange}
		r.nativeBody(body, n)
		return n
	}
	r.nativeBody(body, top)
	if len(top.blocks) > 1 {
		reportTwin(&r.reporter, top.blocks[1], top.blocks[0])
	}
	if len(top.blocks) == 0 {
		return nil
	}
	return top.blocks[0]
}

// literal refuses references, which would have nothing to refer to.
func (r *reader) literal(n *node) {
	for _, a := range sortedArgs(n) {
		if len(a.refs) > 0 {
			r.errorf(a.refs[0].rng, *a.place, "Reference not allowed", "The operator's file stands by itself, and there is nothing to refer to in it. Write the value itself.")
		}
	}
	for _, b := range n.blocks {
		r.literal(b)
	}
}
