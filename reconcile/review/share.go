package review

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
)

// Share leaves of a report what is about one included repository: who reads that one may
// not read what others declare. Places are as they are in that repository.
func (r *Report) Share(i *spec.Include) {
	r.Include = i.Name
	foreign := func(name string) bool { return !strings.HasPrefix(name, i.Prefix) }
	if r.Plan != nil {
		r.Plan = r.Plan.Only(func(c *plan.Change) bool { return !foreign(c.Address.ServedName()) })
		for n := range r.Plan.Changes {
			r.Plan.Changes[n].Pos = at(i, r.Plan.Changes[n].Pos)
		}
	}
	r.Declared = slices.DeleteFunc(r.Declared, func(d Declared) bool { return foreign(d.Address.ServedName()) })
	for n := range r.Declared {
		r.Declared[n].Pos = at(i, r.Declared[n].Pos)
	}
	r.Pipelines = slices.DeleteFunc(r.Pipelines, func(p run.Preview) bool { return foreign(p.Pipeline) })
	r.Policies = slices.DeleteFunc(r.Policies, func(p PolicyResult) bool { return Foreign(i, &p.Result) })
	for n := range r.Policies {
		r.Policies[n].Pos = at(i, r.Policies[n].Pos) // of the root's: it has no line to show
	}
	if r.Error != "" {
		r.Error = "the composition with this commit cannot be planned; whoever keeps the root repository sees the reason in `fairlead plan`"
	}
	r.Notes = nil
	r.share(i)
}

// share leaves the diagnostics of the repository, and that there are others.
func (r *Report) share(i *spec.Include) {
	own, others := r.Diagnostics[:0:0], 0
	for _, d := range r.Diagnostics {
		below, inside := "", false
		if d.Range != nil {
			below, inside = strings.CutPrefix(d.Range.Filename, i.Mount())
		}
		switch {
		case inside:
			place := *d.Range
			place.Filename = below
			d.Range = &place
			own = append(own, d)
		case d.Severity == diag.Error.String():
			others++
		}
	}
	if others > 0 {
		own = append(own, diag.JSONDiagnostic{
			Severity: diag.Error.String(), Summary: "Does not compose",
			Detail: "With this commit the composition that includes this repository does not load. Whoever keeps the root repository sees the reason in `fairlead validate`.",
		})
	}
	r.Diagnostics = own
}

// at is a place as it is in the repository; none where it is in another one.
func at(i *spec.Include, pos spec.Pos) spec.Pos {
	below, inside := strings.CutPrefix(pos.File, i.Mount())
	if !inside {
		return spec.Pos{}
	}
	pos.File = below
	return pos
}

// Foreign tells whether what a policy judged is none of an include's.
func Foreign(i *spec.Include, r *gate.Result) bool {
	return !strings.HasPrefix(subject(r.Subject), i.Prefix)
}

// subject is the name of what a policy judged: digits of model.digits.
func subject(address string) string {
	if _, name, found := strings.Cut(address, "."); found {
		address = name
	}
	name, _, _ := strings.Cut(address, "@")
	return name
}
