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

// OfPipeline tells what becomes of the policies about a pipeline, the datasets that it
// reads and the model that it publishes. They are judged with its gates before a run publishes.
func OfPipeline(cfg *spec.Config, p *spec.Pipeline, now time.Time) []Result {
	subjects := []Subject{PipelineFacts(cfg, p, now)}
	for _, name := range datasetsOf(p) {
		if d := dataset(cfg, name); d != nil {
			subjects = append(subjects, DatasetFacts(cfg, d, now))
		}
	}
	if p.Publish != nil {
		if m := cfg.Model(p.Publish.Model.ServedName()); m != nil {
			subjects = append(subjects, ModelFacts(cfg, m, now))
		}
	}
	return Policies(cfg.Policies, cfg.Environment, subjects...)
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

// ReportFormat is the FormatVersion of a Report.
const ReportFormat = "1.0"

// Report is what became of the policies of a config repo in its environments.
type Report struct {
	FormatVersion string              `json:"format_version"`
	Environments  []EnvironmentReport `json:"environments"`
	OK            bool                `json:"ok"` // no hard policy denies anything
}

// EnvironmentReport is what became of the policies in one environment.
type EnvironmentReport struct {
	Environment string   `json:"environment"`
	Policies    int      `json:"policies"`
	Results     []Result `json:"results"`
}

// ReportOf judges the policies of one Config for each environment.
func ReportOf(configs []*spec.Config, now time.Time) Report {
	r := Report{FormatVersion: ReportFormat, Environments: make([]EnvironmentReport, 0, len(configs)), OK: true}
	for _, cfg := range configs {
		results := Check(cfg, now)
		for i := range results {
			r.OK = r.OK && (results[i].Level != spec.LevelHard || !results[i].Denies())
		}
		if results == nil {
			results = []Result{}
		}
		r.Environments = append(r.Environments, EnvironmentReport{Environment: cfg.Environment, Policies: len(cfg.Policies), Results: results})
	}
	return r
}
