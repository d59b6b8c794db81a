package lang

import (
	"cmp"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// stepDecoder is a step with what is to be checked when all steps are known.
type stepDecoder struct {
	section
	step  *spec.Step
	facts []factRef
	needs []need
	// broken: its variants could not be read, so nothing follows from how many
	// there are.
	broken bool
}

// need is a step that another one waits for.
type need struct {
	step string
	word string // as it is written: step.train, select.best
	rng  hcl.Range
}

// maxVariants is the most that a matrix may make.
const maxVariants = 256

// pipelineStep decodes a step by itself.
func (s section) pipelineStep() *stepDecoder {
	step := &spec.Step{
		Name: s.n.label, Pos: specPos(s.n.rng), Image: s.image(), Outputs: s.outputs(),
		Metrics: s.metricsFile(), Matrix: s.matrix(), Search: s.search(), Exit: s.boolean("exit"),
		Retries: s.integer("retries"), RetryOn: s.causes(), Backoff: s.duration("backoff"), MaxBackoff: s.duration("max_backoff"),
		Timeout: s.duration("timeout"), NoCache: !s.boolean("cache"), MaxAge: s.duration("max_age"), Network: s.boolean("network"),
		MaxLog: s.int64("max_log"), MaxOutput: s.int64("max_output"), Container: s.confined(),
	}
	step.Container.Restart = spec.RestartNo
	d := &stepDecoder{section: s, step: step, broken: s.has("matrix") && step.Matrix == nil}
	step.Env = d.env()
	step.Command = d.command()
	when, facts := s.condition("when", false)
	step.When, d.facts = when, append(d.facts, facts...)
	d.check()
	return d
}

func (d *stepDecoder) check() {
	step := d.step
	if step.Search != nil && d.has("matrix") {
		d.errorf(d.at("matrix"), "Contradictory arguments", "A step has a matrix, which runs every combination, or a search, which chooses. Remove one of the two.")
	}
	if step.Search != nil && step.Metrics == "" && !d.has("metrics") {
		d.errorf(d.n.child("search").rng, "Step without metrics", "A search learns from the metrics of the step, and it writes none. Add metrics = \"metrics.json\".")
	}
	if d.evaluates("backoff") && d.evaluates("max_backoff") && step.Backoff > step.MaxBackoff {
		d.errorf(d.at("max_backoff"), "Contradictory values", "backoff is above max_backoff, so the first wait would be longer than the longest.")
	}
	if d.has("retry_on") && step.Retries == 0 && d.evaluates("retries") {
		d.errorf(d.at("retry_on"), "Contradictory arguments", "Nothing is repeated: retries is 0. Write retries = 2, or remove the argument.")
	}
	if step.NoCache && d.has("max_age") {
		d.errorf(d.at("max_age"), "Contradictory arguments", "With cache = false no earlier result is taken, of any age. Remove one of the two.")
	}
	for _, m := range step.Container.Mounts {
		for _, reserved := range []string{"/in", "/out"} {
			if m.Target == reserved || strings.HasPrefix(m.Target, reserved+"/") {
				d.errorf(d.mountAt(m.Target), "Reserved path", "A step finds its inputs below /in, and writes its outputs below /out. Mount elsewhere.")
			}
		}
	}
	if step.Exit && varied(step) {
		d.errorf(d.at("exit"), "Contradictory arguments", "An exit step runs once, at the end. Remove matrix and search, or exit.")
	}
}

func (s section) mountAt(target string) hcl.Range {
	for _, c := range s.children("mount") {
		if c.n.label == target {
			return c.n.rng
		}
	}
	return s.n.rng
}

func (s section) outputs() []string {
	list := s.stringList("outputs")
	for i, name := range list {
		at := s.itemAt("outputs", i)
		switch {
		case !validIdentifier(name):
			s.errorf(at, "Invalid name", "An output is the name of a directory below /out: it starts with a letter and holds letters, digits, _ and -.")
		case contains(s.ev.known["step"], name):
			s.errorf(at, "Reserved name", "step.%s.%s is a fact of the step. Give the output another name.", s.n.label, name)
		case slices.Contains(list[:i], name):
			s.errorf(at, "Duplicate output", "The output is in the list already.")
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (s section) metricsFile() string {
	file := s.str("metrics")
	if file == "" {
		return ""
	}
	if clean, problem := repoPath(file); problem != "" || clean != file {
		s.errorf(s.at("metrics"), "Invalid path", "metrics names a file below /out, such as \"metrics.json\": no leading / and no .. in it.")
		return ""
	}
	if slices.Contains(s.stringList("outputs"), path.Clean(file)) {
		s.errorf(s.at("metrics"), "Contradictory arguments", "%q is an output, and so a directory. Write metrics = \"%s/metrics.json\" for a file in it.", file, file)
	}
	return file
}

// matrix reads { name = [values] }.
func (s section) matrix() []spec.Axis {
	members := s.elements("matrix")
	var axes []spec.Axis
	variants := 1
	for _, name := range names(members) {
		at := s.memberAt("matrix", name)
		if !validIdentifier(name) {
			s.errorf(at, "Invalid name", "A name starts with a letter and holds letters, digits, _ and -, so that it can be written behind a dot.")
			return nil
		}
		values, ok := s.choices(members[name], at, "matrix")
		if !ok {
			return nil
		}
		axes = append(axes, spec.Axis{Name: name, Values: values})
		variants = product(variants, len(values))
	}
	if v, ok := s.typed("matrix"); ok && !v.IsNull() && v.Type().IsObjectType() && v.LengthInt() == 0 {
		s.errorf(s.at("matrix"), "Empty matrix", "The matrix has no values, so the step would never run. Write { NAME = [VALUES] }, or remove the argument.")
	}
	if variants > maxVariants {
		s.errorf(s.at("matrix"), "Too many variants", "The matrix makes %d combinations, and %d is the most. Take fewer values, or a search block, which tries some of them.", variants, maxVariants)
	}
	return axes
}

// choices are values to choose from: strings, numbers or bools, each once.
func (s section) choices(v cty.Value, at hcl.Range, name string) ([]any, bool) {
	if t := v.Type(); v.IsNull() || !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		s.errorf(at, "Wrong type", "%s takes a list of values in brackets, and this is %s.", name, kindOf(v))
		return nil, false
	}
	if v.LengthInt() == 0 {
		s.errorf(at, "Empty list", "There is nothing to choose from. Write [VALUE, ...].")
		return nil, false
	}
	var list []any
	for it := v.ElementIterator(); it.Next(); {
		_, item := it.Element()
		value, ok := scalar(item)
		switch {
		case !ok:
			s.errorf(at, "Wrong type", "A value is a string, a number or a bool, and one of these is %s.", kindOf(item))
			return nil, false
		case slices.Contains(list, value):
			s.errorf(at, "Duplicate value", "A value stands in the list twice, and would be tried twice for nothing. Remove one.")
			return nil, false
		}
		list = append(list, value)
	}
	return list, true
}

func (s section) causes() []spec.StepCause {
	a := s.n.args.get("retry_on")
	if a == nil || a.broken {
		return nil
	}
	list := make([]spec.StepCause, 0, len(a.keywords))
	for _, k := range a.keywords {
		if !slices.Contains(list, spec.StepCause(k.word)) {
			list = append(list, spec.StepCause(k.word))
		}
	}
	return list
}

func (s section) search() *spec.Search {
	c, declared := s.child("search")
	if !declared {
		return nil
	}
	x := &spec.Search{
		Method: spec.SearchMethod(c.keyword("method")), Trials: c.integer("trials"), Parallel: c.integer("parallel"), Seed: c.int64("seed"),
	}
	x.Metric, x.Minimize = c.objective()
	for _, dim := range c.children("dimension") {
		x.Space = append(x.Space, dim.dimension())
	}
	if len(x.Space) == 0 {
		c.errorf(c.n.rng, "Nothing to search", "A search chooses values, and none is declared. For example:\n    dimension \"rate\" {\n      min = 0.0001\n      max = 0.1\n      log = true\n    }")
	}
	slices.SortFunc(x.Space, func(a, b spec.Dimension) int { return cmp.Compare(a.Name, b.Name) })
	return x
}

func (s section) dimension() spec.Dimension {
	d := spec.Dimension{Name: s.n.label, Min: s.float("min"), Max: s.float("max"), Log: s.boolean("log"), Integer: s.boolean("integer")}
	if s.has("values") {
		if v, ok := s.typed("values"); ok {
			d.Values, _ = s.choices(v, s.at("values"), "values")
		}
		for _, name := range []string{"min", "max", "log", "integer"} {
			if s.has(name) {
				s.errorf(s.at(name), "Contradictory arguments", "A dimension is a list of values, or a range. Remove values, or the others.")
				break
			}
		}
		return d
	}
	switch {
	case !s.has("min") || !s.has("max"):
		s.errorf(s.n.rng, "Missing argument", "A range needs min and max. For a choice write values = [...].")
	case !s.evaluates("min") || !s.evaluates("max"):
	case d.Min >= d.Max:
		s.errorf(s.at("max"), "Contradictory values", "min must be below max.")
	case d.Log && d.Min <= 0:
		s.errorf(s.at("min"), "Contradictory values", "The logarithm varies evenly only above 0. Raise min, or remove log.")
	case d.Integer && (d.Min != math.Trunc(d.Min) || d.Max != math.Trunc(d.Max)):
		s.errorf(s.n.rng, "Number not whole", "With integer = true min and max are whole numbers.")
	}
	return d
}
