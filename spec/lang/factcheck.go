package lang

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// checkFact checks one reference to a fact; reader is the step that reads it, nil
// where that is a gate or the publish block.
func (d *pipelineDecoder) checkFact(c section, f factRef, reader *stepDecoder) {
	t := target{kind: f.path[0], name: f.name, rng: f.rng}
	switch t.kind {
	case "param":
		if !d.params[f.name] {
			c.errorf(f.rng, "Unknown parameter", "The pipeline has no param block %q.%s", f.name, didYouMean(f.name, names(d.params)))
		}
	case "matrix":
		d.checkVariant(c, f, reader)
	case "step":
		if of := d.knownStep(c, f.name, t); of != nil && d.checkStepFact(c, f, of) {
			d.waitFor(c, reader, of, t)
		}
	case "select":
		sel := d.knownSelect(c, f.name, t)
		if sel == nil || d.steps[sel.Of] == nil || !d.checkFactWord(c, f, d.steps[sel.Of]) {
			return
		}
		d.waitFor(c, reader, d.steps[sel.Of], t)
	case "dataset":
		if d.requireDataset(spec.Address{Kind: spec.KindDataset, Name: f.name, Key: f.key}, reference{ref{root: t.kind, name: f.name, key: f.key}, f.rng}) {
			c.knownFact(f, t.kind+"."+f.name, f.word(2))
		}
	case "live", "model":
		if d.requireModel(spec.Address{Kind: spec.KindModel, Name: f.name, Key: f.key}, reference{ref{root: t.kind, name: f.name, key: f.key}, f.rng}) {
			c.knownFact(f, t.kind+"."+f.name, f.word(2))
		}
	case "run":
		d.checkRunFact(c, f, reader)
	}
}

// waitFor makes a step that reads a fact wait until it is known.
func (d *pipelineDecoder) waitFor(c section, reader, of *stepDecoder, t target) {
	if d.depend(c, reader, of, t) && reader != nil && !reader.step.Exit {
		reader.step.After = append(reader.step.After, of.step.Name)
	}
}

// checkVariant checks matrix.NAME.
func (d *pipelineDecoder) checkVariant(c section, f factRef, reader *stepDecoder) {
	known := variantNames(reader.step)
	switch {
	case slices.Contains(known, f.name), reader.broken:
	case len(known) == 0:
		c.errorf(f.rng, "No variants here", "matrix.%s is known only in a step with matrix or search. Of the best variant of another step read select.NAME.values.%s.", f.name, f.name)
	default:
		c.errorf(f.rng, "Unknown matrix name", "The step has no values named %q. It has %s.%s", f.name, strings.Join(known, ", "), didYouMean(f.name, known))
	}
}

// variantNames are the names that the variants of a step have values for.
func variantNames(s *spec.Step) []string {
	var known []string
	for _, axis := range s.Matrix {
		known = append(known, axis.Name)
	}
	if s.Search != nil {
		for _, dim := range s.Search.Space {
			known = append(known, dim.Name)
		}
	}
	return known
}

func (d *pipelineDecoder) checkStepFact(c section, f factRef, of *stepDecoder) bool {
	if varied(of.step) {
		c.errorf(f.rng, "Several variants", "step.%s (at %s) runs once per combination, so it has no single value. Choose the best with a select block, and read that:\n    select \"best\" {\n      of       = step.%s\n      maximize = \"METRIC\"\n    }", of.step.Name, of.step.Pos, of.step.Name)
		return false
	}
	return d.checkFactWord(c, f, of)
}

// checkFactWord checks what is read of a step or a selection.
func (d *pipelineDecoder) checkFactWord(c section, f factRef, of *stepDecoder) bool {
	word, object := f.word(2), f.path[0]+"."+f.name
	switch {
	case word == "metrics" && of.step.Metrics == "" && !of.has("metrics"):
		c.errorf(f.rng, "Step without metrics", "step.%s (at %s) writes no metrics. Add metrics = \"metrics.json\" to it, the file below /out that it writes its figures to.", of.step.Name, of.step.Pos)
	case word == "values":
		return checkValue(c, f, of)
	case slices.Contains(of.step.Outputs, word):
		c.errorf(f.rng, "Output used as value", "%s.%s is files, and no value. A step takes it with inputs = { %s = %s.%s }.", object, word, word, object, word)
	default:
		return c.knownFact(f, object, word)
	}
	return false
}

// checkValue checks step.NAME.values.NAME, or that of a selection.
func checkValue(c section, f factRef, of *stepDecoder) bool {
	known, name := variantNames(of.step), f.word(3)
	switch {
	case of.broken, name == "" && len(known) > 0, slices.Contains(known, name):
		return true
	case len(known) == 0:
		c.errorf(f.rng, "No variants here", "step.%s (at %s) has neither matrix nor search, so there are no values that it was made with.", of.step.Name, of.step.Pos)
	default:
		c.errorf(f.rng, "Unknown matrix name", "The variants of step.%s have no values named %q. They have %s.%s", of.step.Name, name, strings.Join(known, ", "), didYouMean(name, known))
	}
	return false
}

// knownFact reports a fact that nothing ever has: a slip of the pen would deny for
// ever, and look like missing evidence.
func (s section) knownFact(f factRef, object, word string) bool {
	known := s.ev.known[f.path[0]]
	switch {
	case slices.Contains(known, word):
		return true
	case word == "":
		s.errorf(f.rng, "Incomplete reference", "What of %s? Readable are %s.", object, strings.Join(known, ", "))
	default:
		s.errorf(f.rng, "Unknown fact", "Nothing is known as %s.%s. Readable are %s.%s", object, word, strings.Join(known, ", "), didYouMean(word, known))
	}
	return false
}

// word is a part of the path, or "".
func (f factRef) word(i int) string {
	if i >= len(f.path) {
		return ""
	}
	return f.path[i]
}

func (d *pipelineDecoder) checkRunFact(c section, f factRef, reader *stepDecoder) {
	exit := reader != nil && reader.step.Exit
	switch {
	case !c.knownFact(f, "run", f.name):
	case (f.name == "outcome" || f.name == "reason") && !exit:
		c.errorf(f.rng, "Not known yet", "How the run ends is known when all steps have ended, so only a step with exit = true can read run.%s.", f.name)
	case f.name == "id" && reader != nil && !exit && !reader.step.NoCache:
		d.ev.warnf(f.rng, c.n.place, "Result never taken again", "run.id is another in each run, so no earlier result of step.%s ever fits. If that is meant, write cache = false.", reader.step.Name)
	}
}
