package controller

import (
	"cmp"
	"slices"

	"github.com/fairlead/fairlead/reconcile"
)

// table puts the entries of all models together. One model's entry never keeps
// the others from being routed: what contradicts is left out.
func (l *loop) table() reconcile.Table {
	c := composer{routes: map[[2]string]bool{}, models: map[string]bool{}}
	for _, wanted := range []bool{true, false} {
		for _, o := range l.objects {
			if o.key == gatewayKey || (l.desired.Targets[string(o.key)] != nil) != wanted {
				continue
			}
			entry := l.entry(o)
			if entry != o.judged {
				o.judged, o.unroutable = entry, acceptable(entry)
			}
			if o.unroutable != nil {
				if entry = l.view.Model(string(o.key)); acceptable(entry) != nil {
					entry = nil
				}
			}
			if entry != nil {
				c.add(*entry)
			}
		}
	}
	return c.table(l.view.Table.Version + 1)
}

// entry is what an object wants to be routed by; before its first decision that
// is what is in force.
func (l *loop) entry(o *object) *reconcile.RoutedModel {
	if to := l.movedTo(o); to != nil {
		return l.routedAsBefore(o, to)
	}
	if o.decision.Phase == "" {
		return l.view.Model(string(o.key))
	}
	return o.decision.Entry
}

// composer makes a table of entries. Those of models that Git wants come first:
// a way in that a commit gives from one model to another is the new one's at
// once, and not only when the old one is gone.
type composer struct {
	entries []reconcile.RoutedModel
	routes  map[[2]string]bool // host and path that are taken
	models  map[string]bool
}

// add takes an entry in, without the routes that are taken.
func (c *composer) add(m reconcile.RoutedModel) {
	m.Routes = slices.DeleteFunc(slices.Clone(m.Routes), func(r reconcile.RoutedPath) bool { return c.routes[[2]string{r.Host, r.Path}] })
	for _, r := range m.Routes {
		c.routes[[2]string{r.Host, r.Path}] = true
	}
	c.models[m.Name] = true
	c.entries = append(c.entries, m)
}

// acceptable tells whether a gateway takes an entry by itself. One that it would
// not take must not reach the table: the whole of it would be refused.
func acceptable(m *reconcile.RoutedModel) error {
	if m == nil {
		return nil
	}
	alone := reconcile.Table{FormatVersion: reconcile.TableFormat, Version: 1, Models: []reconcile.RoutedModel{withoutFallbacks(*m, nil)}}
	return alone.Validate()
}

func (c *composer) table(version uint64) reconcile.Table {
	for i := range c.entries {
		c.entries[i] = withoutFallbacks(c.entries[i], c.models)
	}
	slices.SortFunc(c.entries, func(a, b reconcile.RoutedModel) int { return cmp.Compare(a.Name, b.Name) })
	return reconcile.Table{FormatVersion: reconcile.TableFormat, Version: version, Models: c.entries}
}

// withoutFallbacks leaves out fallbacks to models that are not there.
func withoutFallbacks(m reconcile.RoutedModel, there map[string]bool) reconcile.RoutedModel {
	stale := func(r reconcile.RoutedPath) bool { return r.Fallback != "" && !there[r.Fallback] }
	if !slices.ContainsFunc(m.Routes, stale) {
		return m
	}
	m.Routes = slices.Clone(m.Routes)
	for i := range m.Routes {
		if stale(m.Routes[i]) {
			m.Routes[i].Fallback = ""
		}
	}
	return m
}
