package lang

import (
	"slices"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

// policy decodes a policy block.
func (s section) policy(a spec.Address, _ bool) *spec.Policy {
	p := &spec.Policy{
		Address: a, Name: a.ServedName(), Pos: specPos(s.n.rng), Description: s.str("description"),
		For: spec.Kind(s.keyword("for")), Level: spec.GateLevel(s.keyword("level")), Message: s.str("message"), Regulation: s.str("regulation"),
	}
	p.Where = s.judgement("where", p.For)
	p.Require = s.judgement("require", p.For)
	return p
}

// judgement is a condition on one object of a kind.
func (s section) judgement(name string, of spec.Kind) expr.Expr {
	x, facts := s.condition(name, true)
	for _, f := range facts {
		if of != "" && f.path[0] != string(of) {
			s.errorf(f.rng, "Fact not known here", "The policy judges each %s by itself, so it can read %s.FACT, and not %s.", of, of, f)
			continue
		}
		s.knownFact(f, f.path[0], f.word(1))
	}
	if name == "require" && x.Op != "" && len(facts) == 0 && !slices.Contains(s.ev.meter.unlike, s.at(name)) {
		s.ev.warnf(s.at(name), s.n.place, "Policy without evidence", "The condition reads no fact, so the outcome is the same for all. Refer to what is judged, such as %s.owners.", of)
	}
	return x
}
