package lang

import "github.com/fairlead/fairlead/spec"

// decodeHistory decodes moved and removed blocks, and checks that what they say
// about the past fits to what is declared now.
func (e *evaluator) decodeHistory(cfg *spec.Config) {
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
		cfg.Moved = append(cfg.Moved, spec.Moved{From: from, To: to, Pos: specPos(n.rng)})
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
	e.checkMoves(cfg)
}

// gone checks that an address is not declared any more and that no other block
// speaks of it.
func (s section) gone(from spec.Address, gone map[spec.Address]spec.Pos) bool {
	rng := s.n.args["from"].targets[0].rng
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
	if n.args["for_each"] == nil {
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
func (e *evaluator) checkMoves(cfg *spec.Config) {
	next := make(map[spec.Address]spec.Address, len(cfg.Moved))
	ends := make(map[spec.Address]spec.Moved, len(cfg.Moved))
	for _, m := range cfg.Moved {
		next[m.From] = m.To
	}
	for i, m := range cfg.Moved {
		n := e.symbols.moved[min(i, len(e.symbols.moved)-1)]
		for _, candidate := range e.symbols.moved {
			if specPos(candidate.rng) == m.Pos {
				n = candidate
			}
		}
		if twin, taken := ends[m.To]; taken {
			e.errorf(n.rng, n.place, "Moved to one place", "The block at %s moves %s to %s too. Two models cannot become one.", twin.Pos, twin.From, m.To)
			continue
		}
		ends[m.To] = m
		to := m.To
		steps := 0
		for {
			further, moved := next[to]
			if !moved || steps > len(next) {
				break
			}
			to = further
			steps++
		}
		rng := n.args["to"].targets[0].rng
		switch {
		case steps > len(next):
			e.errorf(rng, n.place, "Moved in a circle", "The moved blocks lead from %s back to itself. Remove those that are not true any more.", m.From)
		case e.declares(to) == nil && !e.symbols.incomplete:
			e.errorf(rng, n.place, "Moved to nowhere", "Nothing declares %s.%s If the model is gone for good, write a removed block instead.", to, didYouMean(to.Name, names(e.symbols.models)))
		}
	}
}
