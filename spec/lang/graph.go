package lang

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
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

// maxTextFactor is how many times the text of the definition a run may hold: each
// variant keeps its own environment and command.
const maxTextFactor = 16

func (d *pipelineDecoder) checkSize() {
	total, text, perRun := 0, 0, 0
	for _, s := range d.p.Steps {
		n := 1
		for _, axis := range s.Matrix {
			n = product(n, len(axis.Values))
		}
		if s.Search != nil {
			n = s.Search.Trials
		}
		n = min(n, maxVariants*maxNodes)
		total += n
		size := stepText(s)
		text += size
		perRun += size * n
	}
	if total > maxNodes {
		d.errorf(d.n.rng, "Too many containers", "A run would have %d containers, with all variants, and %d is the most. Split the pipeline, or try fewer combinations.", total, maxNodes)
	}
	switch most := d.ev.limits.TextBytes; {
	case text > most:
		d.errorf(d.n.rng, "Pipeline too large", "Its environment variables and commands have %d bytes together, and %d is the most: each run keeps them. Give the steps long text as a dataset.", text, most)
	case perRun > most*maxTextFactor:
		d.errorf(d.n.rng, "Pipeline too large", "With all variants its environment variables and commands have %d bytes together, and %d is the most: each run keeps them. Give the steps long text as a dataset.", perRun, most*maxTextFactor)
	}
}

func stepText(s *spec.Step) int {
	text := exprText(s.When)
	for _, v := range s.Env {
		text += exprText(v.Expr)
	}
	for _, word := range s.Command {
		text += exprText(word)
	}
	return text
}

// exprText is the number of bytes of text in an expression.
func exprText(e expr.Expr) int {
	n := len(e.Source) + valueText(e.Value)
	for _, arg := range e.Args {
		n += exprText(arg)
	}
	return n
}

func valueText(v any) int {
	n := 1
	switch v := v.(type) {
	case string:
		n = len(v)
	case []any:
		for _, item := range v {
			n += valueText(item)
		}
	case map[string]any:
		for key, item := range v {
			n += len(key) + valueText(item)
		}
	}
	return n
}

func (d *pipelineDecoder) linkInputs(sd *stepDecoder) {
	a := sd.n.args.get("inputs")
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
	a := sd.n.args.get("after")
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
