package trust

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/fairlead/fairlead/spec"
)

// Diff lists the objects that differ between two configs, sorted by address: a
// variable in one file can change a model in another. Where something is declared,
// and in which order, makes no difference. Either may be nil, which declares nothing.
func Diff(older, newer *spec.Config) []Touched {
	before, after := declared(older), declared(newer)
	var all []Touched
	for _, address := range slices.Sorted(maps.Keys(union(before, after))) {
		was, is := before[address], after[address]
		if was != nil && is != nil && same(reflect.ValueOf(was.value), reflect.ValueOf(is.value)) {
			continue
		}
		t := Touched{Address: address}
		for _, o := range []*object{was, is} {
			if o == nil {
				continue
			}
			t.Paths = append(t.Paths, o.paths...)
			if o == was || was == nil {
				t.Owners = o.ownersIn(before, after)
			}
		}
		slices.Sort(t.Paths)
		t.Paths = slices.Compact(t.Paths)
		all = append(all, t)
	}
	return all
}

func union(a, b map[string]*object) map[string]*object {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// object is one block of a config, or several that belong together.
type object struct {
	value  any
	owners []string
	of     string // address of the object whose owners own it
	paths  []string
}

// ownersIn are its owners; of what is about another object, those which that one
// had before.
func (o *object) ownersIn(before, after map[string]*object) []string {
	switch {
	case o.of == "":
		return o.owners
	case before[o.of] != nil:
		return before[o.of].owners
	case after[o.of] != nil:
		return after[o.of].owners
	}
	return nil
}

// declared lists all that a config declares, by address.
func declared(c *spec.Config) map[string]*object {
	all := make(map[string]*object)
	if c == nil {
		return all
	}
	add := func(address string, value any, pos spec.Pos, owners []string, of string) {
		o := all[address]
		if o == nil {
			o = &object{owners: owners, of: of, value: []any(nil)}
			all[address] = o
		}
		o.value = append(o.value.([]any), value)
		if pos.File != "" {
			o.paths = append(o.paths, pos.File)
		}
	}
	for _, m := range c.Models {
		add(m.Address.String(), m, m.Pos, m.Owners, "")
	}
	for _, p := range c.Pipelines {
		add(p.Address.String(), p, p.Pos, p.Owners, "")
	}
	for _, d := range c.Datasets {
		add(d.Address.String(), d, d.Pos, d.Owners, "")
	}
	for _, p := range c.Policies {
		add(p.Address.String(), p, p.Pos, nil, "")
	}
	for _, s := range c.Simulations {
		add(s.Address.String(), s, s.Pos, nil, "")
	}
	for name, s := range c.Secrets {
		add("secret."+name, s, s.Pos, nil, "")
	}
	for _, n := range c.Notifiers {
		add("notifier."+n.Name, n, n.Pos, nil, "")
	}
	for _, p := range c.Promotions {
		add("promote."+p.Name, p, p.Pos, nil, "")
	}
	for _, i := range c.Includes {
		add("include."+i.Name, i, i.Pos, nil, "")
	}
	aboutOthers(c, add)
	if c.Trust != nil {
		add(TrustAddress, c.Trust, c.Trust.Pos, nil, "")
	}
	return all
}

// aboutOthers adds the blocks that change what becomes of an object elsewhere: its
// owners are theirs.
func aboutOthers(c *spec.Config, add func(address string, value any, pos spec.Pos, owners []string, of string)) {
	model := make(map[string]string, len(c.Models)) // address by served name
	for _, m := range c.Models {
		model[m.Name] = m.Address.String()
	}
	for _, v := range c.Versions {
		add("version."+v.ID(), v, v.Pos, nil, model[v.Model])
	}
	for _, a := range c.Approvals {
		add("approval."+a.Model, a, a.Pos, nil, model[a.Model])
	}
	for _, m := range c.Moved {
		add("moved."+m.From.String(), m, m.Pos, nil, m.From.String())
	}
	for _, r := range c.Removed {
		add("removed."+r.From.String(), r, r.Pos, nil, r.From.String())
	}
}

var (
	posType  = reflect.TypeFor[spec.Pos]()
	timeType = reflect.TypeFor[time.Time]()
)

// same compares values as reflect.DeepEqual does, but for positions, and for nil and
// empty, which are alike. What it cannot look into differs.
func same(a, b reflect.Value) bool {
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if a.Type() != b.Type() {
		return false
	}
	switch a.Type() {
	case posType:
		return true
	case timeType:
		if a.CanInterface() && b.CanInterface() {
			return a.Interface().(time.Time).Equal(b.Interface().(time.Time))
		}
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		if a.Kind() == reflect.Pointer && a.Pointer() == b.Pointer() {
			return true
		}
		return same(a.Elem(), b.Elem())
	case reflect.Struct:
		for i := range a.NumField() {
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		return sameMap(a, b)
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return a.IsNil() && b.IsNil()
	default:
		return a.Equal(b)
	}
}

func sameMap(a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for _, key := range a.MapKeys() {
		if !same(a.MapIndex(key), b.MapIndex(key)) {
			return false
		}
	}
	return true
}
