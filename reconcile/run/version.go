package run

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/spec"
)

// Version is the entry of the registry for what the run made, apart from the number,
// the artifact's reference and the card, which the caller knows.
func (r *Run) Version(now time.Time) (*spec.Version, error) {
	p := r.Definition.Publish
	if p == nil {
		return nil, fmt.Errorf("pipeline %s publishes nothing", r.Pipeline)
	}
	digests := r.Digests(p.Artifact)
	if len(digests) != 1 {
		return nil, fmt.Errorf("publish.artifact is %s, which is not one output", describeInput(p.Artifact))
	}
	definition, err := json.Marshal(&r.Definition)
	if err != nil {
		return nil, fmt.Errorf("write the definition of %s: %w", r.Pipeline, err)
	}
	v := &spec.Version{
		Model: p.Model.ServedName(), Created: now.UTC().Truncate(time.Second), Pipeline: r.Pipeline, Run: r.ID, Commit: r.Commit,
		Params: r.Params, Metrics: r.VersionMetrics(), Tolerance: p.Tolerance, Definition: string(definition),
		Data: map[string]string{}, Steps: map[string]spec.VersionStep{}, Card: p.Card,
	}
	for _, digest := range digests {
		v.Content = digest
	}
	if p.Profile != nil {
		for _, digest := range r.Digests(*p.Profile) {
			v.Profile = digest
		}
	}
	for _, n := range r.Producers(p.Artifact) {
		v.Steps[n.ID] = r.versionStep(n)
		for _, in := range r.Step(n).Inputs {
			if in.Kind == spec.InputDataset {
				v.Data[in.Name] = r.Datasets[in.Name].Digest
			}
		}
	}
	v.Gates = gate.ForVersion(r.Gates)
	return v, nil
}

func (r *Run) versionStep(n *Node) spec.VersionStep {
	s := spec.VersionStep{Image: r.Images[r.Step(n).Image].Pin, Key: n.Key, Values: n.Values, Inputs: map[string]string{}}
	if n.KeyOf == nil {
		return s
	}
	for name, digests := range n.KeyOf.Inputs {
		for variant, digest := range digests {
			key := name
			if variant != "" {
				key += "/" + variant
			}
			s.Inputs[key] = digest
		}
	}
	return s
}

// VersionMetrics are those by which the published version is known: the ones that
// publish names, or else those of the artifact's own step, and over them those of
// the steps that the gates ask about.
func (r *Run) VersionMetrics() map[string]float64 {
	p := r.Definition.Publish
	metrics := map[string]float64{}
	take := func(in spec.Input) {
		for _, n := range r.sources(in) {
			maps.Copy(metrics, n.Metrics)
		}
	}
	if p.Metrics != nil {
		take(*p.Metrics)
		return metrics
	}
	take(p.Artifact)
	for _, g := range r.Definition.Gates {
		for _, path := range g.Require.Refs() {
			if len(path) < 3 || path[2] != "metrics" {
				continue
			}
			switch path[0] {
			case "step":
				take(spec.Input{Kind: spec.InputStep, Name: path[1]})
			case "select":
				take(spec.Input{Kind: spec.InputSelect, Name: path[1]})
			}
		}
	}
	return metrics
}
