package gate

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	"github.com/fairlead/fairlead/spec"
)

// Denials tells which models hard policies deny, commit after commit. What it found
// about a model it keeps while nothing that policies can see of it has changed, so
// that the cost of a commit is that of what changed. The zero Denials is ready; it
// is not for concurrent use.
type Denials struct {
	environment string
	policies    []*spec.Policy // hard ones about models
	datasets    []*spec.Dataset
	dated       bool // a policy asks for an age, which changes by itself
	judged      map[string]judgedModel
}

// judgedModel is what was found about a model.
type judgedModel struct {
	model   *spec.Model // loaders keep the pointer of one that is as it was
	version *spec.Version
	denied  error
}

// DeniedModels is Denials.Models once.
func DeniedModels(cfg *spec.Config, now time.Time) map[string]error {
	return new(Denials).Models(cfg, now)
}

// Models tells, by served name, which models a hard policy denies, and why. Such a
// model stays as it is: what runs goes on, and nothing of it is changed.
//
// Soft policies about models do not count here. Who merges a commit in spite of
// them, where the plan shows them, has overridden them.
func (d *Denials) Models(cfg *spec.Config, now time.Time) map[string]error {
	hard := hardAboutModels(cfg.Policies)
	if len(hard) == 0 {
		*d = Denials{}
		return nil
	}
	before := d.judged
	if d.dated || d.environment != cfg.Environment || !reflect.DeepEqual(d.policies, hard) || !reflect.DeepEqual(d.datasets, cfg.Datasets) {
		before = nil
	}
	*d = Denials{
		environment: cfg.Environment, policies: hard, datasets: cfg.Datasets, dated: slices.ContainsFunc(hard, asksForAge),
		judged: make(map[string]judgedModel, len(cfg.Models)),
	}
	denied := map[string]error{}
	for _, m := range cfg.Models {
		v := VersionOf(cfg, m)
		found, known := before[m.Name]
		if !known || found.model != m || found.version != v && !reflect.DeepEqual(found.version, v) {
			found = judgedModel{m, v, denies(cfg, hard, m, now)}
		}
		d.judged[m.Name] = found
		if found.denied != nil {
			denied[m.Name] = found.denied
		}
	}
	return denied
}

func hardAboutModels(policies []*spec.Policy) []*spec.Policy {
	var hard []*spec.Policy
	for _, p := range policies {
		if p.For == spec.KindModel && cmp.Or(p.Level, spec.LevelHard) == spec.LevelHard {
			hard = append(hard, p)
		}
	}
	return hard
}

// asksForAge tells whether what a policy says can change with the time alone.
func asksForAge(p *spec.Policy) bool {
	age := []string{"model", "lineage", "age_days"}
	for _, path := range slices.Concat(p.Where.Refs(), p.Require.Refs()) {
		n := min(len(path), len(age)) // a reference to a whole has its parts in it
		if slices.Equal(path[:n], age[:n]) {
			return true
		}
	}
	return false
}

// denies is a DeniedError, or nil.
func denies(cfg *spec.Config, hard []*spec.Policy, m *spec.Model, now time.Time) error {
	s := ModelFacts(cfg, m, now)
	facts := s.in(cfg.Environment)
	var by []Result
	for _, p := range hard {
		applies, open := applies(p, facts)
		if !applies {
			continue
		}
		// What holds is not explained: that costs more than all the rest.
		if holds, err := p.Require.Holds(facts); open != nil || err != nil || !holds {
			by = append(by, about(p, m.Address, facts, open))
		}
	}
	if len(by) == 0 {
		return nil
	}
	return &DeniedError{Subject: m.Address, By: by}
}
