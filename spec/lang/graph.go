package lang

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// link checks what steps read of each other, and orders them by it.
func (d *pipelineDecoder) link() {
	for _, c := range d.children("step") {
		sd := d.steps[c.n.label]
		d.linkInputs(sd)
		d.linkAfter(sd)
		for _, f := range sd.facts {
			d.checkFact(sd.section, f, sd)
		}
		slices.Sort(sd.step.After)
		sd.step.After = slices.Compact(sd.step.After)
	}
	d.checkCycles()
	d.checkSize()
}

// maxNodes is the most containers that a run may have, with all variants: a run is
// stored whole after each change.
const maxNodes = 4096

func (d *pipelineDecoder) checkSize() {
	total := 0
	for _, s := range d.p.Steps {
		n := 1
		for _, axis := range s.Matrix {
			n = product(n, len(axis.Values))
		}
		if s.Search != nil {
			n = s.Search.Trials
		}
		total += min(n, maxVariants*maxNodes)
	}
	if total > maxNodes {
		d.errorf(d.n.rng, "Too many containers", "A run would have %d containers, with all variants, and %d is the most. Split the pipeline, or try fewer combinations.", total, maxNodes)
	}
}

func (d *pipelineDecoder) linkInputs(sd *stepDecoder) {
	a := sd.n.args["inputs"]
	if a == nil || a.broken {
		return
	}
	for _, t := range a.targets {
		input, ok := d.input(sd.section, a, t, sd)
		if !ok {
			continue
		}
		if sd.step.Inputs == nil {
			sd.step.Inputs = map[string]spec.Input{}
		}
		sd.step.Inputs[t.as] = input
	}
}

// input checks what is read: a dataset, or an output. reader is the step that
// reads it, nil where it is the pipeline itself.
func (d *pipelineDecoder) input(c section, a *arg, t target, reader *stepDecoder) (spec.Input, bool) {
	in := spec.Input{Kind: spec.InputKind(t.kind), Name: t.name, Output: t.output}
	var of *stepDecoder
	switch in.Kind {
	case spec.InputDataset:
		name, ok := d.dataset(a, t)
		in.Name = name
		return in, ok
	case spec.InputStep:
		of = d.knownStep(c, t.name, t)
	case spec.InputSelect:
		sel := d.knownSelect(c, t.name, t)
		if sel == nil {
			return in, false
		}
		of = d.steps[sel.Of]
	}
	if of == nil {
		return in, false
	}
	if reader == nil && in.Kind == spec.InputStep && varied(of.step) {
		c.errorf(t.rng, "Several variants", "step.%s (at %s) has several results, and one is needed here. Choose with a select block, and write select.NAME.%s.", t.name, of.step.Pos, t.output)
		return in, false
	}
	return in, d.checkOutput(c, t, of) && d.depend(c, reader, of, t)
}

func (d *pipelineDecoder) checkOutput(c section, t target, of *stepDecoder) bool {
	outputs := of.step.Outputs
	word := t.kind + "." + t.name
	switch {
	case slices.Contains(outputs, t.output):
		return true
	case of.has("outputs") && !of.evaluates("outputs"): // reported there
	case len(outputs) == 0:
		c.errorf(t.rng, "Unknown output", "step.%s (at %s) declares no outputs. Add them to it: outputs = [\"NAME\"].", of.step.Name, of.step.Pos)
	case t.output == "":
		c.errorf(t.rng, "Incomplete reference", "Which output of step.%s? Write %s.%s.", of.step.Name, word, strings.Join(outputs, " or "+word+"."))
	default:
		c.errorf(t.rng, "Unknown output", "step.%s (at %s) has no output %q. It has %s.%s", of.step.Name, of.step.Pos, t.output, strings.Join(outputs, ", "), didYouMean(t.output, outputs))
	}
	return false
}

// depend notes that a step waits for another one. What is of an exit step comes
// too late for all others.
func (d *pipelineDecoder) depend(c section, reader, of *stepDecoder, t target) bool {
	if of.step.Exit {
		c.errorf(t.rng, "Exit step comes last", "step.%s (at %s) runs when all others have ended and gates are judged, so nothing can wait for it. Remove exit = true there, or this reference.", of.step.Name, of.step.Pos)
		return false
	}
	if reader != nil && !reader.step.Exit {
		reader.needs = append(reader.needs, need{of.step.Name, t.kind + "." + t.name, t.rng})
	}
	return true
}

func (d *pipelineDecoder) linkAfter(sd *stepDecoder) {
	a := sd.n.args["after"]
	if a == nil || a.broken {
		return
	}
	for _, t := range a.targets {
		of := d.knownStep(sd.section, t.name, t)
		if of == nil || !d.depend(sd.section, sd, of, t) {
			continue
		}
		sd.step.After = append(sd.step.After, of.step.Name)
	}
}

// checkCycles reports steps that wait for each other, as a path with every
// position; each circle once.
func (d *pipelineDecoder) checkCycles() {
	const open, done = 1, 2
	const most = 8 // circles that are reported
	state := map[string]int{}
	found := 0
	var way []need
	var visit func(name string)
	visit = func(name string) {
		state[name] = open
		for _, n := range d.steps[name].needs {
			way = append(way, n)
			switch state[n.step] {
			case open:
				if found++; found <= most {
					d.cycle(way)
				}
			case done:
			default:
				visit(n.step)
			}
			way = way[:len(way)-1]
		}
		state[name] = done
	}
	for _, name := range names(d.steps) {
		if state[name] == 0 {
			visit(name)
		}
	}
}

// cycle reports a way whose last need is for a step that is on it.
func (d *pipelineDecoder) cycle(way []need) {
	last := way[len(way)-1]
	from := 0
	for i := len(way) - 2; i >= 0; i-- {
		if way[i].step == last.step {
			from = i + 1
			break
		}
	}
	var lines []string
	at := last.step
	for _, n := range way[from:] {
		lines = append(lines, fmt.Sprintf("    step.%s waits for %s at %s:%d", at, n.word, n.rng.Filename, n.rng.Start.Line))
		at = n.step
	}
	const most = 24 // lines
	if n := len(lines); n > most {
		lines = slices.Concat(lines[:most/2], []string{fmt.Sprintf("    ... and %d more ...", n-most)}, lines[n-most/2:])
	}
	d.errorf(last.rng, "Steps in a circle", "No step of these could ever start:\n%s\nBreak the circle at one of these places.", strings.Join(lines, "\n"))
}

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
