package registry

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// Difference is what tells two versions apart.
type Difference struct {
	From string `json:"from"` // MODEL@VERSION
	To   string `json:"to"`
	// Metrics are those of either, equal ones too: they are read side by side.
	Metrics []MetricChange `json:"metrics,omitempty"`
	// The others are what differs only, each sorted by Name.
	Params []Change `json:"params,omitempty"`
	Values []Change `json:"values,omitempty"` // of a matrix or search: train.hidden
	Data   []Change `json:"data,omitempty"`   // digests, by dataset
	Images []Change `json:"images,omitempty"` // by step
	Gates  []Change `json:"gates,omitempty"`  // outcomes
	// Other are artifact, content, commit, pipeline, profile, card and tolerance.
	Other []Change `json:"other,omitempty"`
	// Definition: the pipeline itself is another one.
	Definition bool `json:"definition,omitempty"`
	// Content: the files are the same, byte for byte.
	SameContent bool `json:"same_content"`
}

// Change is one thing that differs; nil is what is not there.
type Change struct {
	Name string `json:"name"`
	From any    `json:"from"`
	To   any    `json:"to"`
}

// MetricChange is one metric of two versions.
type MetricChange struct {
	Name string   `json:"name"`
	From *float64 `json:"from"` // nil: it was not measured
	To   *float64 `json:"to"`
	// Delta is To - From, where both were measured.
	Delta *float64 `json:"delta,omitempty"`
}

// Diff tells what changed from one version to another.
func Diff(from, to *spec.Version) *Difference {
	return &Difference{
		From: from.ID(), To: to.ID(), Metrics: metricChanges(from.Metrics, to.Metrics),
		Params: changes(from.Params, to.Params), Values: changes(valuesOf(from), valuesOf(to)),
		Data: changes(from.Data, to.Data), Images: changes(imagesOf(from), imagesOf(to)),
		Gates: changes(outcomes(from), outcomes(to)), Other: changes(otherFacts(from), otherFacts(to)),
		Definition: from.Definition != to.Definition, SameContent: from.Content == to.Content && from.Content != "",
	}
}

func metricChanges(from, to map[string]float64) []MetricChange {
	var all []MetricChange
	for _, name := range union(from, to) {
		c := MetricChange{Name: name}
		if was, there := from[name]; there {
			c.From = &was
		}
		if is, there := to[name]; there {
			c.To = &is
		}
		if c.From != nil && c.To != nil {
			delta := *c.To - *c.From
			c.Delta = &delta
		}
		all = append(all, c)
	}
	return all
}

func changes[V any](from, to map[string]V) []Change {
	var differ []Change
	for _, name := range union(from, to) {
		c := Change{Name: name}
		if was, there := from[name]; there {
			c.From = was
		}
		if is, there := to[name]; there {
			c.To = is
		}
		if !reflect.DeepEqual(c.From, c.To) {
			differ = append(differ, c)
		}
	}
	return differ
}

// union are the keys of both, sorted.
func union[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// stepOf is the step of a node: train of train.2. Which variant won is in its values,
// and not in its number.
func stepOf(node string) string {
	step, _, _ := strings.Cut(node, ".")
	return step
}

func imagesOf(v *spec.Version) map[string]string {
	images := map[string]string{}
	for node, s := range v.Steps {
		images[stepOf(node)] = s.Image
	}
	return images
}

func valuesOf(v *spec.Version) map[string]any {
	values := map[string]any{}
	for _, node := range slices.Sorted(maps.Keys(v.Steps)) {
		for name, value := range v.Steps[node].Values {
			values[stepOf(node)+"."+name] = value
		}
	}
	return values
}

func outcomes(v *spec.Version) map[string]string {
	all := map[string]string{}
	for _, g := range v.Gates {
		all[g.Name] = g.Outcome
	}
	return all
}

func otherFacts(v *spec.Version) map[string]any {
	facts := map[string]any{}
	for name, text := range map[string]string{
		"artifact": v.Artifact, "content": v.Content, "commit": v.Commit, "pipeline": v.Pipeline, "profile": v.Profile, "card": v.Card, "card_hash": v.CardHash,
	} {
		if text != "" {
			facts[name] = text
		}
	}
	if v.Tolerance != 0 {
		facts["tolerance"] = v.Tolerance
	}
	return facts
}

// Violation is an entry of the registry that did not stay as it was.
type Violation struct {
	ID      string   `json:"id"`      // MODEL@VERSION
	Pos     spec.Pos `json:"pos"`     // where it is, or where it was
	Removed bool     `json:"removed"` // it is gone
	Changed []string `json:"changed,omitempty"`
}

func (v *Violation) Error() string {
	if v.Removed {
		return fmt.Sprintf("%s: version %q is gone; what was published stays in the registry, so that what served can be told: take the block back", v.Pos, v.ID)
	}
	return fmt.Sprintf("%s: version %q is another one now: %s changed; an entry never changes once it is there: take it back, and publish a new version", v.Pos, v.ID, strings.Join(v.Changed, ", "))
}

// Immutable tells which entries of a registry are changed or gone in a later one, as
// *Violation each. New entries are fine, and so is one that moved to another file.
func Immutable(before, after []*spec.Version) []error {
	now := make(map[string]*spec.Version, len(after))
	for _, v := range after {
		now[v.ID()] = v
	}
	var violations []error
	for _, was := range before {
		is := now[was.ID()]
		if is == nil {
			violations = append(violations, &Violation{ID: was.ID(), Pos: was.Pos, Removed: true})
			continue
		}
		if changed := changedFields(was, is); len(changed) > 0 {
			violations = append(violations, &Violation{ID: was.ID(), Pos: is.Pos, Changed: changed})
		}
	}
	return violations
}

// changedFields names what differs between two entries of one version.
func changedFields(was, is *spec.Version) []string {
	var changed []string
	add := func(prefix string, list []Change) {
		for _, c := range list {
			changed = append(changed, prefix+c.Name)
		}
	}
	add("", changes(otherFacts(was), otherFacts(is)))
	if !was.Created.Equal(is.Created) {
		changed = append(changed, "created")
	}
	if was.Run != is.Run {
		changed = append(changed, "run")
	}
	add("params.", changes(was.Params, is.Params))
	add("data.", changes(was.Data, is.Data))
	add("metrics.", changes(was.Metrics, is.Metrics))
	add("step.", changes(steps(was), steps(is)))
	add("gate.", changes(gates(was), gates(is)))
	if was.Definition != is.Definition {
		changed = append(changed, "definition")
	}
	return changed
}

// steps are those of a version, where an empty map is as none.
func steps(v *spec.Version) map[string]spec.VersionStep {
	all := map[string]spec.VersionStep{}
	for name, s := range v.Steps {
		if len(s.Values) == 0 {
			s.Values = nil
		}
		if len(s.Inputs) == 0 {
			s.Inputs = nil
		}
		all[name] = s
	}
	return all
}

func gates(v *spec.Version) map[string]spec.VersionGate {
	all := map[string]spec.VersionGate{}
	for _, g := range v.Gates {
		all[g.Name] = g
	}
	return all
}
