package registry

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// ErrUnknown: there is nothing of that name.
var ErrUnknown = errors.New("not known")

// Role is what a release is to its model.
type Role string

// The roles.
const (
	Stable    Role = "stable"    // it takes the traffic
	Candidate Role = "candidate" // it is being introduced
	Previous  Role = "previous"  // it is kept for an instant way back
	Rejected  Role = "rejected"
	Declared  Role = "declared" // Git says that it shall serve
)

// Place is where a version is used.
type Place struct {
	Model    string `json:"model"` // served name
	Role     Role   `json:"role"`
	Revision string `json:"revision,omitempty"` // of a release
	Commit   string `json:"commit,omitempty"`   // of the config repo, that asked for it
	Weight   int    `json:"weight,omitempty"`   // percent of the requests
	Reason   string `json:"reason,omitempty"`   // of a rejection
}

// Lineage is what a release or a version was made from, and where it is used.
type Lineage struct {
	Model   string `json:"model"`
	Version string `json:"version,omitempty"`
	// Release is the one that was asked about; nil where a version was.
	Release *Place `json:"release,omitempty"`
	Image   string `json:"image,omitempty"` // of the release, pinned: the server around the artifact
	// Artifact is the digest of the model's files.
	Artifact string `json:"artifact,omitempty"`
	// Entry is that of the registry: commit, run, parameters, data, steps, metrics
	// and gates are in it. Nil where there is none, and Problem says why.
	Entry   *spec.Version `json:"entry,omitempty"`
	At      string        `json:"at,omitempty"` // file:line of the entry
	Problem string        `json:"problem,omitempty"`
	Data    []DataUse     `json:"data,omitempty"` // sorted by Dataset
	// Decisions are the journal's about this version and its run, newest first.
	Decisions []journal.Entry `json:"decisions,omitempty"`
	Approvals []Approval      `json:"approvals,omitempty"`
	Places    []Place         `json:"places,omitempty"`
}

// DataUse is a dataset that a version was made from.
type DataUse struct {
	Dataset string `json:"dataset"`
	Digest  string `json:"digest"`
	// Declared: a dataset of that name is in the repo, and Now its digest there, if it
	// is written down.
	Declared bool   `json:"declared"`
	Now      string `json:"now,omitempty"`
}

// Approval is a person's word about a version.
type Approval struct {
	Actor  string    `json:"actor"`
	What   string    `json:"what"` // the action in the journal, or the gate that was overridden
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

// Facts are what lineage is read from.
type Facts struct {
	Config  *spec.Config
	Records map[string]journal.Record
	// History is the journal's, newest first, or as much of it as is known.
	History []journal.Entry
}

// OfVersion is the lineage of an entry of the registry. The error wraps ErrUnknown if
// there is none.
func (f Facts) OfVersion(model, version string) (*Lineage, error) {
	v := f.entry(model, version)
	if v == nil {
		return nil, fmt.Errorf("%w: the registry has no %s@%s; fairlead model versions %s lists what there is", ErrUnknown, model, version, model)
	}
	l := &Lineage{Model: model, Version: version, Artifact: digestOf(v.Artifact)}
	f.complete(l, v)
	return l, nil
}

// OfRelease is the lineage of what a model runs: of the release with that revision,
// or of the stable one for "". The error wraps ErrUnknown if the journal knows none.
func (f Facts) OfRelease(model, revision string) (*Lineage, error) {
	record, known := f.Records[model]
	if !known {
		return nil, fmt.Errorf("%w: nothing was decided about model.%s", ErrUnknown, model)
	}
	for _, held := range releases(&record) {
		if revision == "" && held.role != Stable || revision != "" && held.release.Revision != revision {
			continue
		}
		place := held.place(model)
		l := &Lineage{Model: model, Version: held.release.Version, Release: &place, Image: held.release.Inputs.Image, Artifact: held.release.Inputs.Artifact}
		v, problem := f.versionOf(model, held.release)
		l.Problem = problem
		f.complete(l, v)
		return l, nil
	}
	if revision == "" {
		return nil, fmt.Errorf("%w: no release of model.%s is stable", ErrUnknown, model)
	}
	return nil, fmt.Errorf("%w: the journal has no release %s of model.%s any more; fairlead history tells what was", ErrUnknown, revision, model)
}

func (f Facts) entry(model, version string) *spec.Version {
	i := slices.IndexFunc(f.Config.Versions, func(v *spec.Version) bool { return v.Model == model && v.Version == version })
	if i < 0 {
		return nil
	}
	return f.Config.Versions[i]
}

// versionOf is the entry that a release runs. The artifact's digest decides, for a
// version's name may be written anywhere.
func (f Facts) versionOf(model string, r *journal.Release) (*spec.Version, string) {
	named := f.entry(model, r.Version)
	if r.Inputs.Artifact == "" {
		switch {
		case named != nil:
			return nil, fmt.Sprintf("the release runs the image alone, and not the artifact of %s", named.ID())
		default:
			return nil, "the release has no artifact: what it serves is in its image, which no run of Fairlead made"
		}
	}
	if named != nil && digestOf(named.Artifact) == r.Inputs.Artifact {
		return named, ""
	}
	var others []*spec.Version // a model may take another one's artifact
	for _, v := range f.Config.Versions {
		if digestOf(v.Artifact) == r.Inputs.Artifact {
			if v.Model == model {
				return v, ""
			}
			others = append(others, v)
		}
	}
	if len(others) > 0 {
		return others[0], ""
	}
	return nil, fmt.Sprintf("no version in the registry has the artifact %s", r.Inputs.Artifact)
}

// complete fills in what follows from the entry. v may be nil.
func (f Facts) complete(l *Lineage, v *spec.Version) {
	l.Entry = v
	if v != nil {
		l.Version, l.At = v.Version, v.Pos.String()
		for _, name := range slices.Sorted(maps.Keys(v.Data)) {
			use := DataUse{Dataset: name, Digest: v.Data[name]}
			if d := f.dataset(name); d != nil {
				use.Declared, use.Now = true, d.Digest
			}
			l.Data = append(l.Data, use)
		}
		for _, g := range v.Gates {
			if g.Actor != "" {
				l.Approvals = append(l.Approvals, Approval{Actor: g.Actor, What: "gate " + g.Name, Reason: g.Reason})
			}
		}
		l.Places = f.Places(v)
	}
	f.decisions(l)
}

// decisions adds what the journal says about the releases of the version, and about
// the run that made it.
func (f Facts) decisions(l *Lineage) {
	revisions := map[string]map[string]bool{} // by model
	note := func(p Place) {
		if p.Revision == "" {
			return
		}
		if revisions[p.Model] == nil {
			revisions[p.Model] = map[string]bool{}
		}
		revisions[p.Model][p.Revision] = true
	}
	if l.Release != nil {
		note(*l.Release)
	}
	for _, p := range l.Places {
		note(p)
	}
	for _, e := range f.History {
		ofRelease := e.To != "" && revisions[e.Model][e.To] || e.From != "" && revisions[e.Model][e.From]
		ofRun := l.Entry != nil && l.Entry.Run != "" && e.Pipeline == l.Entry.Pipeline && e.Run == l.Entry.Run
		if !ofRelease && !ofRun {
			continue
		}
		l.Decisions = append(l.Decisions, e)
		if e.Actor != "" && e.Actor != journal.Daemon && e.Action != journal.ActionRun && e.Action != journal.ActionEnd {
			what := string(e.Action)
			if e.Action == journal.ActionOverride {
				what = "gate " + e.To
			}
			a := Approval{Actor: e.Actor, What: what, Reason: e.Reason, At: e.At}
			// What the entry tells of a gate, the journal tells with its time.
			l.Approvals = slices.DeleteFunc(l.Approvals, func(b Approval) bool { return b.At.IsZero() && b.Actor == a.Actor && b.What == a.What })
			l.Approvals = append(l.Approvals, a)
		}
	}
}

func (f Facts) dataset(name string) *spec.Dataset {
	i := slices.IndexFunc(f.Config.Datasets, func(d *spec.Dataset) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return f.Config.Datasets[i]
}

// Places are where a version is used: in releases that the journal knows, and in what
// models declare. Sorted by model, the stable ones first.
func (f Facts) Places(v *spec.Version) []Place {
	digest := digestOf(v.Artifact)
	var places []Place
	for _, m := range f.Config.Models {
		if m.Artifact != nil && m.Artifact.Digest == digest && digest != "" {
			places = append(places, Place{Model: m.Name, Role: Declared})
		}
	}
	for model, record := range f.Records {
		for _, held := range releases(&record) {
			if held.release.Inputs.Artifact == digest && digest != "" {
				places = append(places, held.place(model))
			}
		}
	}
	order := []Role{Stable, Candidate, Previous, Declared, Rejected}
	slices.SortStableFunc(places, func(a, b Place) int {
		if a.Model != b.Model {
			return strings.Compare(a.Model, b.Model)
		}
		return slices.Index(order, a.Role) - slices.Index(order, b.Role)
	})
	return places
}

// held is a release that a record holds, and as what.
type held struct {
	role    Role
	release *journal.Release
	weight  int
	reason  string
}

func (h held) place(model string) Place {
	return Place{Model: model, Role: h.role, Revision: h.release.Revision, Commit: h.release.DeclaredIn(), Weight: h.weight, Reason: h.reason}
}

// releases are those that a record holds.
func releases(r *journal.Record) []held {
	var all []held
	weight := 100
	if r.Rollout != nil {
		weight -= r.Rollout.Weight
	}
	if r.Stable != nil {
		all = append(all, held{role: Stable, release: r.Stable, weight: weight})
	}
	if r.Rollout != nil {
		all = append(all, held{role: Candidate, release: &r.Rollout.Candidate, weight: r.Rollout.Weight})
	}
	if r.Previous != nil {
		all = append(all, held{role: Previous, release: &r.Previous.Release})
	}
	for i := range r.Rejected {
		all = append(all, held{role: Rejected, release: &r.Rejected[i].Release, reason: r.Rejected[i].Reason})
	}
	return all
}

// Uses is where data went: the versions that were made from it, and where they serve.
type Uses struct {
	Dataset string `json:"dataset,omitempty"` // served name; "" where only a digest is known
	Digest  string `json:"digest,omitempty"`  // that was asked for, or that is declared
	// Pipelines read the dataset now.
	Pipelines []string     `json:"pipelines,omitempty"`
	Versions  []VersionUse `json:"versions,omitempty"` // oldest first within a model
}

// VersionUse is a version that was made from the data.
type VersionUse struct {
	ID      string  `json:"id"` // MODEL@VERSION
	At      string  `json:"at,omitempty"`
	Dataset string  `json:"dataset"`
	Digest  string  `json:"digest"`  // with which it was made
	Current bool    `json:"current"` // that is the one that is declared now
	Places  []Place `json:"places,omitempty"`
}

// Uses follows data forward: a dataset by its name, or content by its digest. The
// error wraps ErrUnknown where neither the repo nor any version knows it.
func (f Facts) Uses(query string) (*Uses, error) {
	name := strings.TrimPrefix(query, "dataset.")
	u := &Uses{}
	declared := f.dataset(name)
	byDigest := strings.HasPrefix(query, "sha256:")
	if byDigest {
		u.Digest = query
		i := slices.IndexFunc(f.Config.Datasets, func(d *spec.Dataset) bool { return d.Digest == query })
		if i >= 0 {
			declared = f.Config.Datasets[i]
		}
	} else {
		u.Dataset = name
	}
	if declared != nil {
		u.Dataset, u.Digest = declared.Name, declared.Digest
		u.Pipelines = f.readers(declared.Name)
	}
	for _, v := range f.Config.Versions {
		for _, dataset := range slices.Sorted(maps.Keys(v.Data)) {
			digest := v.Data[dataset]
			if byDigest && digest != query || !byDigest && dataset != name {
				continue
			}
			now := f.dataset(dataset)
			u.Versions = append(u.Versions, VersionUse{
				ID: v.ID(), At: v.Pos.String(), Dataset: dataset, Digest: digest, Current: now != nil && now.Digest == digest, Places: f.Places(v),
			})
		}
	}
	if declared == nil && len(u.Versions) == 0 {
		return nil, fmt.Errorf("%w: neither the repo nor any version knows the data %q; name a dataset, or give its digest as sha256:HEX", ErrUnknown, query)
	}
	return u, nil
}

// readers are the pipelines that read a dataset.
func (f Facts) readers(dataset string) []string {
	var names []string
	for _, p := range f.Config.Pipelines {
		reads := slices.ContainsFunc(p.Steps, func(s *spec.Step) bool {
			for _, in := range s.Inputs {
				if in.Kind == spec.InputDataset && in.Name == dataset {
					return true
				}
			}
			return false
		})
		if reads {
			names = append(names, p.Name)
		}
	}
	return names
}
