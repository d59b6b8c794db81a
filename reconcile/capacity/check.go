package capacity

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// Host is what there is to be given out.
type Host struct {
	// Engine tells its CPUs, memory and GPUs; what it does not tell (0) is not
	// checked.
	Engine reconcile.Engine
	// Overcommit is how often each CPU may be promised; 0 stands for once.
	Overcommit float64
}

// room is the limit in each resource.
func (h Host) room() Size {
	return Size{
		NanoCPUs: int64(math.Round(float64(h.Engine.CPUs) * cmp.Or(h.Overcommit, 1) * 1e9)),
		Memory:   h.Engine.Memory,
		GPUs:     int64(h.Engine.GPUs),
	}
}

// Check says for each model that the host has no room for, by its served name,
// why not. A model that is not in the result may go ahead.
func Check(h Host, d *reconcile.Desired, containers []reconcile.Container, records map[string]journal.Record) map[string]string {
	return Admit(h, Demands(h.Engine, d, containers, records))
}

// Admit gives the room out, and returns the reasons of those that get none. The
// order of demands does not matter.
func Admit(h Host, demands []Demand) map[string]string {
	if h.fitsAll(demands) {
		return nil
	}
	l := &ledger{host: h, room: h.room(), granted: make(map[string]Size, len(demands)), refused: map[string]string{}}
	demands = slices.SortedFunc(slices.Values(demands), func(a, b Demand) int { return cmp.Compare(a.Model, b.Model) })
	for _, d := range demands {
		l.granted[d.Model] = d.Held
		l.used = l.used.plus(d.Held)
		if d.Leaving {
			l.leaving = l.leaving.plus(d.Held)
		}
		if d.Steps {
			l.steps = l.steps.plus(d.Held)
		}
	}
	wants := []func(*Demand) (Size, bool){
		func(d *Demand) (Size, bool) { return d.need(), d.UnderWay },
		func(d *Demand) (Size, bool) { return d.Stable.plus(d.Previous), d.Running },
		func(d *Demand) (Size, bool) { return d.need(), d.Running },
		func(d *Demand) (Size, bool) { return d.need(), !d.Running },
	}
	for _, want := range wants {
		for i := range demands {
			if need, due := want(&demands[i]); due {
				l.grant(&demands[i], need)
			}
		}
	}
	return l.refused
}

// fitsAll tells whether nobody has to stand back, which is nearly always so and
// cheap to find out.
func (h Host) fitsAll(demands []Demand) bool {
	var sum Size
	for i := range demands {
		sum = sum.plus(demands[i].Held.atLeast(demands[i].need()))
	}
	room := h.room()
	for _, r := range resources() {
		if limit := r.of(room); limit > 0 && r.of(sum) > limit {
			return false
		}
	}
	return true
}

// ledger is who was given what.
type ledger struct {
	host    Host
	room    Size
	used    Size
	leaving Size // part of used that comes free
	steps   Size // part of used that is not of models
	granted map[string]Size
	refused map[string]string
}

// grant gives a model what it needs beyond what it has, all or nothing.
func (l *ledger) grant(d *Demand, need Size) {
	others := l.used.minus(l.granted[d.Model])
	if short := l.short(d, need, others); short != nil {
		if l.refused[d.Model] == "" {
			l.refused[d.Model] = l.explain(d, need, others, short)
		}
		return
	}
	l.granted[d.Model] = l.granted[d.Model].atLeast(need)
	l.used = others.plus(l.granted[d.Model])
}

// short returns the resources that a need does not fit in. Where it is no more
// than the model has already, it fits: what runs is not put into question.
func (l *ledger) short(d *Demand, need, others Size) []resource {
	var short []resource
	for _, r := range resources() {
		room := r.of(l.room)
		if room > 0 && r.of(need) > r.of(l.granted[d.Model]) && r.of(others)+r.of(need) > room {
			short = append(short, r)
		}
	}
	return short
}

// explain is the sentence for people.
func (l *ledger) explain(d *Demand, need, others Size, short []resource) string {
	var parts []string
	for _, r := range short {
		part := fmt.Sprintf("needs %s%s%s, the engine has %s", r.text(r.of(need)), r.noun, l.makeup(d, need, r), l.has(r))
		if steps := r.of(l.steps); steps > 0 {
			part += fmt.Sprintf(", %s taken by steps of pipelines", are(r.text(steps)))
		}
		if taken := r.of(others) - r.of(l.steps); taken > 0 {
			part += fmt.Sprintf(", %s taken by other models", are(r.text(taken)))
		}
		if free := r.of(l.leaving); free > 0 {
			part += fmt.Sprintf(" (%s of it by models that are not in Git any more, until they are gone)", r.text(free))
		}
		parts = append(parts, part)
	}
	return strings.Join(append(parts, l.remedies(d, need, others)...), "; ")
}

// has is what the engine has, and as what it is counted.
func (l *ledger) has(r resource) string {
	own := Host{Engine: l.host.Engine}.room()
	if text := r.text(r.of(own)); r.of(own) == r.of(l.room) {
		return text
	}
	return fmt.Sprintf("%s (counted as %s)", r.text(r.of(own)), decimal(float64(r.of(l.room))/1e9))
}

// makeup says what a need is made of, where that is more than one thing.
func (l *ledger) makeup(d *Demand, need Size, r resource) string {
	var parts []string
	both := need == d.need() && r.of(d.Candidate) > 0
	for _, part := range []struct {
		size  Size
		words string
		shown bool
	}{
		{d.Stable, "stable", true},
		{d.Candidate, "candidate", both},
		{d.Previous, "for the previous release, which is kept", true},
	} {
		if amount := r.of(part.size); part.shown && amount > 0 {
			parts = append(parts, r.text(amount)+" "+part.words)
		}
	}
	if len(parts) < 2 {
		return ""
	}
	list := " (" + strings.Join(parts, ", ") + ")"
	switch {
	case both && d.Recreate:
		return " for the larger of the two revisions" + list
	case both && r.of(d.Stable) > 0:
		return " while both revisions run" + list
	}
	return list
}

// remedies are what would help, as far as it is in the hands of who wrote the
// spec.
func (l *ledger) remedies(d *Demand, need, others Size) []string {
	if need != d.need() || d.Stable == (Size{}) {
		return nil
	}
	var remedies []string
	if !d.Recreate && d.Candidate != (Size{}) && l.short(d, d.Stable.atLeast(d.Candidate).plus(d.Previous), others) == nil {
		remedies = append(remedies, "strategy = recreate would fit")
	}
	if d.Previous != (Size{}) && l.short(d, need.minus(d.Previous), others) == nil {
		remedies = append(remedies, "it fits once the previous release is kept no longer")
	}
	return remedies
}
