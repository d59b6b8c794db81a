package lang

import "github.com/fairlead/fairlead/spec"

// move is a moved block and what it says.
type move struct {
	spec.Moved
	node *node
}

// decodeHistory decodes moved and removed blocks, and checks that what they say
// about the past fits to what is declared now.
func (e *evaluator) decodeHistory(cfg *spec.Config) {
	var moves []move
	gone := map[spec.Address]spec.Pos{} // every address that a block speaks of as past
	for _, n := range e.symbols.moved {
		s := section{ev: e, n: n, sc: &scope{}}
		from, ok := s.address("from")
		to, good := s.address("to")
		if !ok || !good {
			continue
		}
		switch {
		case from == to:
			s.errorf(n.rng, "Moved to itself", "from and to are the same. Remove the block.")
			continue
		case !s.gone(from, gone):
			continue
		}
		m := spec.Moved{From: from, To: to, Pos: specPos(n.rng)}
		cfg.Moved = append(cfg.Moved, m)
		moves = append(moves, move{m, n})
	}
	for _, n := range e.symbols.removed {
		s := section{ev: e, n: n, sc: &scope{}}
		from, ok := s.address("from")
		destroy := s.boolean("destroy")
		if !ok || !s.gone(from, gone) {
			continue
		}
		cfg.Removed = append(cfg.Removed, spec.Removed{From: from, Destroy: destroy, Pos: specPos(n.rng)})
	}
	e.checkMoves(moves, cfg.Includes)
}

// gone checks that an address is not declared any more and that no other block
// speaks of it.
func (s section) gone(from spec.Address, gone map[spec.Address]spec.Pos) bool {
	rng := s.n.args.get("from").targets[0].rng
	if twin, spoken := gone[from]; spoken {
		s.errorf(rng, "Moved or removed twice", "The block at %s speaks of %s already. One of the two must go.", twin, from)
		return false
	}
	gone[from] = specPos(s.n.rng)
	declared := s.ev.declares(from)
	if declared == nil {
		return true
	}
	s.errorf(rng, "Still declared", "%s is declared, at %s. A %s block is about a model that is not there any more: remove that model or this block.", from, specPos(declared.rng), s.n.schema.Name)
	return false
}

// declares returns the block that declares an address in any environment, as
// far as its instances are known.
func (e *evaluator) declares(a spec.Address) *node {
	base := e.symbols.models[a.Name]
	if base == nil {
		return nil
	}
	n := e.merged(base)
	if n.args.get("for_each") == nil {
		if a.Key == "" {
			return n
		}
		return nil
	}
	scopes, ok := e.instances(n)
	if !ok {
		return nil
	}
	for _, sc := range scopes {
		if sc.key == a.Key && a.Key != "" {
			return n
		}
	}
	return nil
}

// checkMoves follows each chain of moves to its end, which must be declared.
func (e *evaluator) checkMoves(moves []move, includes []*spec.Include) {
	next := make(map[spec.Address]spec.Address, len(moves))
	from := make(map[spec.Address]spec.Moved, len(moves)) // by where they lead
	for _, m := range moves {
		next[m.From] = m.To
	}
	for _, m := range moves {
		if twin, taken := from[m.To]; taken {
			e.errorf(m.node.rng, m.node.place, "Moved to one place", "The block at %s moves %s to %s too. Two models cannot become one.", twin.Pos, twin.From, m.To)
			continue
		}
		from[m.To] = m.Moved
		rng := m.node.args.get("to").targets[0].rng
		switch end, found := follow(next, m.To); {
		case !found:
			e.errorf(rng, m.node.place, "Moved in a circle", "The moved blocks lead from %s back to itself. Remove those that are not true any more.", m.From)
		case ofInclude(includes, end.Name):
			e.movedThere = append(e.movedThere, move{spec.Moved{From: m.From, To: end}, m.node})
		case e.declares(end) == nil && !e.symbols.incomplete:
			e.errorf(rng, m.node.place, "Moved to nowhere", "Nothing declares %s.%s If the model is gone for good, write a removed block instead.", end, didYouMean(end.Name, names(e.symbols.models)))
		}
	}
}

// follow goes from move to move to the last address; false if there is no last.
func follow(next map[spec.Address]spec.Address, a spec.Address) (spec.Address, bool) {
	for range len(next) + 1 {
		further, moved := next[a]
		if !moved {
			return a, true
		}
		a = further
	}
	return a, false
}
