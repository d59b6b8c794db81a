package score

import (
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// The measures of how a model came about: repeatability, maintainability, quality.

const (
	publishIt = "publish it by a pipeline, which writes what it was made of into versions/"
	noEntry   = "the registry has no entry of the version"
)

func repeatability(s *subject) []Point {
	points := []Point{
		either("image is fixed", 25, s.pinned(), "the image is named by its digest", "the image is "+s.model.Image+", a tag that can move", `name it by its digest: image = "NAME@sha256:..."`),
		s.weights(),
	}
	if s.version == nil {
		return append(points,
			Point{What: "lineage is recorded", Of: 25, Reason: noEntry, Raise: publishIt},
			Point{What: "run can be repeated", Of: 15, Reason: noEntry, Raise: publishIt},
			Point{What: "data is fixed", Of: 10, Reason: noEntry, Raise: publishIt},
			Point{What: "steps are fixed", Of: 10, Reason: noEntry, Raise: publishIt})
	}
	v := s.version
	fixed := len(v.Data) > 0
	for _, digest := range v.Data {
		fixed = fixed && digest != ""
	}
	moving := ""
	for name, step := range v.Steps {
		if !strings.Contains(step.Image, "@") && !strings.HasPrefix(step.Image, "sha256:") && (moving == "" || name < moving) {
			moving = name
		}
	}
	return append(points,
		either("lineage is recorded", 25, v.Run != "" && v.Commit != "", "version "+v.ID()+" says which run of which commit made it", "version "+v.ID()+" does not say which run of which commit made it", publishIt),
		either("run can be repeated", 15, v.Definition != "", "the pipeline is kept as it was run; fairlead reproduce "+v.ID()+" runs it again", "the pipeline is not kept with version "+v.ID(), publishIt),
		either("data is fixed", 10, fixed, fmt.Sprintf("%s of data kept with its digest", plural(len(v.Data), "set")), "the digests of the data are not all known", "read data by dataset blocks only"),
		either("steps are fixed", 10, len(v.Steps) > 0 && moving == "", "each step is kept with the digest of its image", noSteps(moving), publishIt))
}

func noSteps(moving string) string {
	if moving == "" {
		return "the steps are not kept with the version"
	}
	return "step " + moving + " is not kept with the digest of its image"
}

// weights is about what the model knows: in an artifact, or in its image.
func (s *subject) weights() Point {
	const what, of = "weights are fixed", 15
	if a := s.model.Artifact; a != nil {
		return either(what, of, a.Digest != "", "the artifact is named by its digest", "the artifact has no digest", "name the artifact by its digest")
	}
	return either(what, of, s.pinned(), "they are in the image, which is fixed", "they are in the image, which is not fixed", `fix the image, or give the model an artifact = "oci://...@sha256:..."`)
}

func (s *subject) pinned() bool { return strings.Contains(s.model.Image, "@") }

func maintainability(s *subject) []Point {
	m := s.model
	facts := 0
	if m.Card != nil {
		facts = len(m.Card.Facts)
	}
	return []Point{
		either("has owners", 20, len(m.Owners) > 0, "owned by "+strings.Join(m.Owners, ", "), "nobody is named who answers for it", `add owners = ["@team"]`),
		either("is described", 10, m.Description != "", "it has a description", "it has no description", "add a description: what it is for, in a sentence"),
		either("has a model card", 15, m.Card != nil, "it has a model card", "it has no model card", `write one, and add card = "PATH.md"`),
		either("card has facts", 10, facts > 0, "the front matter of the card has "+plural(facts, "fact")+" that policies can ask about", "there is no card with a front matter", "begin the card with a front matter: intended use, limits, risk"),
		either("has a license", 10, m.License != "", "licensed as "+m.License, "no license is declared", `add license = "..." with an SPDX identifier`),
		either("has a version", 10, m.Version != "", "its version is "+m.Version, "it has no version of its own", `add version = "1.0.0"`),
		either("has a signature", 15, m.Signature != nil, "inputs and outputs are declared", "nobody can read what it takes and gives", "add a signature block; fairlead oip check shows what the server tells"),
		either("tells metrics of its own", 10, m.Metrics != nil, "its own metrics are collected", "only what the gateway sees is known of it", "add a metrics block, where the server has an endpoint for Prometheus"),
	}
}

func quality(s *subject) []Point {
	points := []Point{
		s.measured(), s.gated(), s.compared(),
		either("rollout judges the answers", 20, s.judgesAnswers(), "a check compares what it answers, not only how fast", "no check of the rollout is about its answers", "add a check with a query of its own quality, score_shift, or shadow_agreement"),
		s.dataChecked(),
	}
	if s.seen == nil {
		return points
	}
	const what, of = "last rollout was good", 15
	ended := "the last rollout ended as " + strings.ReplaceAll(string(s.seen.Last), "_", " ")
	switch s.seen.Last {
	case journal.Promoted, journal.FastPromoted:
		points = append(points, running(Point{What: what, Got: of, Of: of, Reason: ended}))
	case journal.RolledBack, journal.FastRolledBack, journal.Failed:
		points = append(points, running(Point{What: what, Of: of, Reason: ended, Raise: "see fairlead rollout show " + s.model.Name + " for the evidence"}))
	default: // it says nothing about the model
	}
	return points
}

func (s *subject) measured() Point {
	const what, of, raise = "quality is measured", 20, "let a step of the pipeline evaluate it on data that it was not trained on"
	if s.version == nil {
		return Point{What: what, Of: of, Reason: noEntry, Raise: publishIt}
	}
	n := len(s.version.Metrics)
	return either(what, of, n > 0, "version "+s.version.ID()+" has "+plural(n, "metric"), "version "+s.version.ID()+" has no metrics", raise)
}

func (s *subject) gated() Point {
	const what, of, raise = "gates were passed", 25, "add gates to the pipeline, and publish the version through them"
	if s.version == nil {
		return Point{What: what, Of: of, Reason: noEntry, Raise: publishIt}
	}
	good, open := 0, ""
	for _, g := range s.version.Gates {
		if g.Outcome == string(gate.Passed) {
			good++
		} else if open == "" {
			open = g.Name + " " + g.Outcome
		}
	}
	all := len(s.version.Gates)
	if all == 0 {
		return Point{What: what, Of: of, Reason: "it was judged by no gate", Raise: raise}
	}
	reason := "it passed all of its gates (" + plural(all, "gate") + ")"
	if open != "" {
		reason = fmt.Sprintf("it passed %d of %s: %s", good, plural(all, "gate"), open)
	}
	return share(what, of, of*good/all, reason, "make a version that passes all of them")
}

// compared is whether the pipeline that makes the model asks how good the live one
// is.
func (s *subject) compared() Point {
	const what, of, raise = "is compared with the live one", 15, "add a gate such as step.evaluate.metrics.accuracy >= try(live.NAME.metrics.accuracy, 0) - 0.005"
	p := s.pipeline()
	if p == nil {
		return Point{What: what, Of: of, Reason: "no pipeline publishes it", Raise: publishIt}
	}
	for _, g := range p.Gates {
		for _, path := range g.Require.Refs() {
			if path[0] == "live" {
				return Point{What: what, Got: of, Of: of, Reason: "gate " + g.Name + " of pipeline " + p.Name + " compares them"}
			}
		}
	}
	return Point{What: what, Of: of, Reason: "no gate of pipeline " + p.Name + " compares them", Raise: raise}
}

// pipeline is the one that publishes the model, or nil.
func (s *subject) pipeline() *spec.Pipeline {
	for _, p := range s.cfg.Pipelines {
		if p.Publish != nil && p.Publish.Model == s.model.Address {
			return p
		}
	}
	return nil
}

func (s *subject) judgesAnswers() bool {
	if s.model.Rollout == nil {
		return false
	}
	for _, c := range s.model.Rollout.Checks {
		if c.Query != "" || c.Metric == spec.ScoreShift || c.Metric == spec.ShadowAgreement {
			return true
		}
	}
	return false
}

func (s *subject) dataChecked() Point {
	const what, of, raise = "data is checked", 20, "add expect blocks to the dataset: rows, and each column that matters"
	p := s.pipeline()
	if p == nil {
		return Point{What: what, Of: of, Reason: "no pipeline publishes it", Raise: publishIt}
	}
	all, checked, unchecked := 0, 0, ""
	for _, d := range s.cfg.Datasets {
		if !reads(p, d.Name) {
			continue
		}
		all++
		if len(d.Expect) > 0 {
			checked++
		} else if unchecked == "" {
			unchecked = d.Name
		}
	}
	switch {
	case all == 0:
		return Point{What: what, Of: of, Reason: "pipeline " + p.Name + " reads no dataset", Raise: raise}
	case unchecked == "":
		return Point{What: what, Got: of, Of: of, Reason: "all data of pipeline " + p.Name + " has expectations"}
	default:
		return share(what, of, of*checked/all, "dataset "+unchecked+" has no expectations", raise)
	}
}

func reads(p *spec.Pipeline, dataset string) bool {
	for _, s := range p.Steps {
		for _, in := range s.Inputs {
			if in.Kind == spec.InputDataset && in.Name == dataset {
				return true
			}
		}
	}
	return false
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
