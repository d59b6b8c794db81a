package run

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/fairlead/fairlead/spec"
)

// Fingerprint is the hash of all that Git says about what a pipeline does: its
// definition, and of the datasets that it reads where they are and the content of
// those in the repo. Positions, words for people, the schedule and the triggers do
// not count.
func Fingerprint(p *spec.Pipeline, datasets []*spec.Dataset) string {
	bare := *p
	bare.Pos, bare.Description, bare.Owners, bare.Schedule, bare.On = spec.Pos{}, "", nil, nil, nil
	bare.Steps = without(p.Steps, func(s *spec.Step) { s.Pos = spec.Pos{} })
	bare.Selects = without(p.Selects, func(s *spec.Select) { s.Pos = spec.Pos{} })
	bare.Gates = without(p.Gates, func(g *spec.Gate) { g.Pos = spec.Pos{} })
	if p.Publish != nil {
		publish := *p.Publish
		publish.Pos = spec.Pos{}
		bare.Publish = &publish
	}
	contents := map[string][]string{}
	for _, d := range datasets {
		if Reads(p, d.Name) {
			sum := sha256.Sum256(d.Source.Data)
			contents[d.Name] = []string{string(d.Source.Kind), d.Source.Location, d.Digest, hex.EncodeToString(sum[:])}
		}
	}
	return hash([]any{bare, contents})
}

// without copies what is changed in the copies.
func without[T any](list []*T, change func(*T)) []*T {
	copies := make([]*T, 0, len(list))
	for _, item := range list {
		c := *item
		change(&c)
		copies = append(copies, &c)
	}
	return copies
}

// Reads tells whether a step of the pipeline reads the dataset.
func Reads(p *spec.Pipeline, dataset string) bool {
	for _, s := range p.Steps {
		for _, in := range s.Inputs {
			if in.Kind == spec.InputDataset && in.Name == dataset {
				return true
			}
		}
	}
	return false
}
