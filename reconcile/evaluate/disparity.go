package evaluate

import (
	"fmt"

	"github.com/fairlead/fairlead/reconcile/tabular"
)

// Tau is how far a disparity may be off 1, the four fifths that Aequitas and the US
// Uniform Guidelines on Employee Selection Procedures use.
const Tau = 0.8

// disparities compares each group that is large enough with the reference group:
// the one that is named, or the largest.
func (f *Fairness) disparities(reference string) error {
	at := -1
	for i := range f.Groups {
		switch {
		case reference != "" && f.Groups[i].Name != reference:
		case at < 0 || f.Groups[i].Rows > f.Groups[at].Rows:
			at = i
		}
	}
	if at < 0 {
		var names []string
		for i := range f.Groups {
			names = append(names, f.Groups[i].Name)
		}
		return fmt.Errorf("%s has no group %s to compare with; there are %s", f.Sensitive, tabular.Clip(reference), tabular.Names(names))
	}
	f.Reference = f.Groups[at].Name
	for i := range f.Groups {
		f.Groups[i].disparities(&f.Groups[at], int64(f.MinGroup))
	}
	return nil
}

func (g *Group) disparities(reference *Group, least int64) {
	for _, m := range []struct {
		name     string
		part, of func(*Group) int64
	}{
		{"pprev", func(g *Group) int64 { return g.tp + g.fp }, func(g *Group) int64 { return g.Rows }},
		{"tpr", func(g *Group) int64 { return g.tp }, func(g *Group) int64 { return g.tp + g.fn }},
		{"fpr", func(g *Group) int64 { return g.fp }, func(g *Group) int64 { return g.fp + g.tn }},
		{"fnr", func(g *Group) int64 { return g.fn }, func(g *Group) int64 { return g.tp + g.fn }},
		{"fdr", func(g *Group) int64 { return g.fp }, func(g *Group) int64 { return g.tp + g.fp }},
		{"for", func(g *Group) int64 { return g.fn }, func(g *Group) int64 { return g.tn + g.fn }},
	} {
		ofGroup, ofReference := m.of(g), m.of(reference)
		if ofGroup < least || ofReference < least || m.part(reference) == 0 {
			continue // nothing can be told, or divided by
		}
		value := float64(m.part(g)) / float64(ofGroup) / (float64(m.part(reference)) / float64(ofReference))
		g.Disparities = append(g.Disparities, Disparity{Rate: m.name, Value: value, Fair: value >= Tau && value <= 1/Tau})
	}
}
