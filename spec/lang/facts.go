package lang

import "github.com/zclconf/go-cty/cty"

// fact is one value that was read. Thousands of models read the same few
// variables and locals, so they share one fact, and each load checks it once.
type fact struct {
	ref     ref
	value   cty.Value
	checked uint64 // the load that checked it last
	holds   bool
}

// facts are all that was read in the loads of a Loader.
type facts struct {
	load  uint64
	known map[ref][]*fact
	count int
}

// maxFacts bounds what is kept for sharing. Beyond it sharing starts anew, which
// costs a little time and nothing else.
const maxFacts = 100_000

// of returns the facts for what a recorder has seen.
func (f *facts) of(seen map[ref]cty.Value) []*fact {
	if len(seen) == 0 {
		return nil
	}
	list := make([]*fact, 0, len(seen))
	for r, v := range seen {
		list = append(list, f.intern(r, v))
	}
	return list
}

func (f *facts) intern(r ref, v cty.Value) *fact {
	for _, known := range f.known[r] {
		if known.value.RawEquals(v) {
			return known
		}
	}
	if f.count++; f.count > maxFacts || f.known == nil {
		f.known, f.count = map[ref][]*fact{}, 1
	}
	fresh := &fact{ref: r, value: v}
	f.known[r] = append(f.known[r], fresh)
	return fresh
}

// stillTrue tells whether everything that was read has the value that it had.
func (e *evaluator) stillTrue(list []*fact) bool {
	for _, f := range list {
		if f.checked != e.facts.load {
			f.checked = e.facts.load
			f.holds = e.holds(f)
		}
		if !f.holds {
			return false
		}
	}
	return true
}

// holds tells whether what a fact names has its value. If it has none, whoever
// reads it must say so, with the place where it is read; here nobody reads, so
// what was reported is taken back, and forgotten to be reported again.
func (e *evaluator) holds(f *fact) bool {
	diags, refs, args := len(e.diags), len(e.newRefs), len(e.newArgs)
	now, ok := e.resolve(reference{ref: f.ref}, place{}, nil)
	if ok {
		return now.RawEquals(f.value)
	}
	e.diags = e.diags[:diags]
	for _, r := range e.newRefs[refs:] {
		if res := e.memo[r]; res != nil && !res.ok {
			delete(e.memo, r)
		}
	}
	for _, id := range e.newArgs[args:] {
		if res := e.args[id]; res != nil && (!res.ok || res.converted && !res.finalOK) {
			delete(e.args, id)
		}
	}
	return false
}
