package gate_test

import (
	"fmt"
	"testing"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

// A commit is judged before it is followed, and an environment may have thousands
// of models: of the 50 ms from a commit to its plan, policies take a part.
func BenchmarkDenials(b *testing.B) {
	cfg := sample()
	digits := cfg.Models[0]
	cfg.Models = nil
	for i := range 10_000 {
		m := *digits
		m.Name = fmt.Sprintf("model-%05d", i)
		m.Address.Name = m.Name
		cfg.Models = append(cfg.Models, &m)
		v := *cfg.Versions[0]
		v.Model = m.Name
		cfg.Versions = append(cfg.Versions, &v)
	}
	for i := range 18 {
		cfg.Policies = append(cfg.Policies, &spec.Policy{
			Name: fmt.Sprintf("p%d", i), For: spec.KindModel, Where: compare(expr.Eq, ref("model.card.risk"), "high"), Require: compare(expr.Gt, length("model.owners"), 0.0),
		})
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			if denied := gate.DeniedModels(cfg, now); len(denied) != 0 {
				b.Fatal("denied")
			}
		}
	})
	b.Run("one changed", func(b *testing.B) {
		var d gate.Denials
		d.Models(cfg, now)
		for b.Loop() {
			m := *cfg.Models[0]
			cfg.Models[0] = &m
			if denied := d.Models(cfg, now); len(denied) != 0 {
				b.Fatal("denied")
			}
		}
	})
}
