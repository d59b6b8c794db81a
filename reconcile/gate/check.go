package gate

import (
	"fmt"
	"strings"
	"time"

	"github.com/fairlead/fairlead/spec"
)

// Check tells what becomes of all policies of a Config, about all that they are for.
func Check(cfg *spec.Config, now time.Time) []Result {
	var subjects []Subject
	for _, m := range cfg.Models {
		subjects = append(subjects, ModelFacts(cfg, m, now))
	}
	for _, p := range cfg.Pipelines {
		subjects = append(subjects, PipelineFacts(cfg, p, now))
	}
	for _, d := range cfg.Datasets {
		subjects = append(subjects, DatasetFacts(cfg, d, now))
	}
	return Policies(cfg.Policies, cfg.Environment, subjects...)
}

// OfPipeline tells what becomes of the policies about a pipeline and about the
// datasets that it reads. They are judged with its gates before a run publishes.
func OfPipeline(cfg *spec.Config, p *spec.Pipeline, now time.Time) []Result {
	subjects := []Subject{PipelineFacts(cfg, p, now)}
	for _, name := range datasetsOf(p) {
		if d := dataset(cfg, name); d != nil {
			subjects = append(subjects, DatasetFacts(cfg, d, now))
		}
	}
	return Policies(cfg.Policies, cfg.Environment, subjects...)
}

// DeniedModels tells, by served name, which models a hard policy denies, and why.
// Such a model stays as it is: what runs goes on, and nothing of it is changed.
//
// Soft policies about models do not count here. Who merges a commit in spite of
// them, where the plan shows them, has overridden them.
func DeniedModels(cfg *spec.Config, now time.Time) map[string]error {
	if len(cfg.Policies) == 0 {
		return nil
	}
	denied := map[string]error{}
	for _, m := range cfg.Models {
		var by []Result
		for _, r := range Policies(cfg.Policies, cfg.Environment, ModelFacts(cfg, m, now)) {
			if r.Denies() && r.Level == spec.LevelHard {
				by = append(by, r)
			}
		}
		if len(by) > 0 {
			denied[m.Name] = &DeniedError{Subject: m.Address, By: by}
		}
	}
	return denied
}

// DeniedError says which policies deny an object.
type DeniedError struct {
	Subject spec.Address
	By      []Result // at least one
}

// Error implements error.
func (e *DeniedError) Error() string {
	parts := make([]string, len(e.By))
	for i := range e.By {
		parts[i] = e.By[i].reason()
	}
	return strings.Join(parts, "; and ")
}

// reason is why a policy denies: where it stands, what it found, what to do.
func (r *Result) reason() string {
	text := "policy." + r.Name
	if place := r.Pos.String(); place != "" {
		text += " (" + place + ")"
	}
	if r.Outcome == Missing {
		text += fmt.Sprintf(" denies it for want of evidence: %s", r.Detail)
	} else {
		text += fmt.Sprintf(" denies it: %s", r.Detail)
	}
	if r.Message != "" {
		text += "; " + strings.TrimSuffix(r.Message, ".")
	}
	if r.Regulation != "" {
		text += " (" + r.Regulation + ")"
	}
	return text
}
