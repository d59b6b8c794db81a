package lang

import (
	"cmp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the program runs where there is no zone file

	"github.com/adhocore/gronx"
	"github.com/fairlead/fairlead/spec"
	"github.com/zclconf/go-cty/cty"
)

// pipelineDecoder decodes one instance of a pipeline block. Steps, selections and
// what refers to them are decoded first, each by itself, and checked against each
// other when all are there.
type pipelineDecoder struct {
	section
	cfg *spec.Config
	// enabled: what the pipeline refers to must be there, too.
	enabled bool
	p       *spec.Pipeline
	steps   map[string]*stepDecoder
	selects map[string]*spec.Select
	params  map[string]bool
}

func (s section) pipeline(cfg *spec.Config, a spec.Address, enabled bool) *spec.Pipeline {
	d := &pipelineDecoder{
		section: s, cfg: cfg, enabled: enabled, steps: map[string]*stepDecoder{}, selects: map[string]*spec.Select{}, params: map[string]bool{},
		p: &spec.Pipeline{
			Address: a, Name: a.ServedName(), Pos: specPos(s.n.rng),
			Description: s.str("description"), Owners: s.stringList("owners"),
			Schedule: s.schedule(), Concurrency: spec.RunConcurrency(s.keyword("concurrency")),
			Parallel: s.integer("parallel"), Timeout: s.duration("timeout"),
		},
	}
	d.p.On = d.triggers()
	d.decodeParams()
	d.decodeSteps()
	d.decodeSelects()
	d.link()
	d.decodeGates()
	d.p.Publish = d.publish()
	return d.p
}

// schedule checks cron expression and zone, so that a slip shows in review and not
// in the night for which it was meant.
func (s section) schedule() *spec.Schedule {
	c, declared := s.child("schedule")
	if !declared {
		return nil
	}
	sched := &spec.Schedule{Cron: c.str("cron"), Zone: c.str("zone"), Missed: spec.MissedPolicy(c.keyword("missed")), Jitter: c.duration("jitter")}
	if c.has("cron") && c.evaluates("cron") && !validCron(sched.Cron) {
		c.errorf(c.at("cron"), "Invalid schedule", "A schedule has five fields: minute, hour, day of the month, month, weekday. \"0 3 * * 1\" is each Monday at 3:00; \"*/15 * * * *\" every quarter of an hour. Or write @hourly, @daily, @weekly, @monthly or @yearly.")
	}
	if sched.Zone == "Local" || sched.Zone == "" && c.evaluates("zone") {
		c.errorf(c.at("zone"), "Unknown time zone", "The zone must be the same wherever the daemon runs. Write an IANA name, such as \"Europe/Berlin\".")
	} else if _, err := time.LoadLocation(sched.Zone); err != nil {
		c.errorf(c.at("zone"), "Unknown time zone", "There is no such zone. Write an IANA name, such as \"Europe/Berlin\" or \"UTC\".")
	}
	return sched
}

// validCron takes what crontab(5) takes. The library knows more forms, which
// nobody would expect here.
func validCron(text string) bool {
	if strings.HasPrefix(text, "@") {
		return slices.Contains([]string{"@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@annually"}, strings.ToLower(text))
	}
	return len(strings.Fields(text)) == 5 && len(text) < 256 && gronx.IsValid(text)
}

func (d *pipelineDecoder) triggers() []spec.Trigger {
	a := d.n.args.get("on")
	if a == nil || a.broken {
		return nil
	}
	var on []spec.Trigger
	for _, k := range a.keywords {
		t := spec.Trigger{Kind: spec.TriggerKind(k.word)}
		switch {
		case t.Kind == spec.TriggerManual: // always
		case slices.Contains(on, t):
			d.errorf(k.rng, "Duplicate trigger", "The trigger is in the list already.")
		default:
			on = append(on, t)
		}
	}
	for _, t := range a.targets {
		name, ok := d.dataset(a, t)
		trigger := spec.Trigger{Kind: spec.TriggerDataset, Dataset: name}
		switch {
		case !ok:
		case slices.Contains(on, trigger):
			d.errorf(t.rng, "Duplicate trigger", "The trigger is in the list already.")
		case d.inVolume(name):
			d.errorf(t.rng, "Volume as trigger", "Nobody tells when the content of a volume changes, so it cannot start a run. Use a schedule, or keep the data in a registry or at an address.")
		default:
			on = append(on, trigger)
		}
	}
	return on
}

// inVolume tells whether a dataset is in a volume of the engine.
func (d *pipelineDecoder) inVolume(dataset string) bool {
	return slices.ContainsFunc(d.cfg.Datasets, func(other *spec.Dataset) bool {
		return other.Name == dataset && other.Source.Kind == spec.SourceVolume
	})
}

// dataset is the served name of a dataset that is named.
func (d *pipelineDecoder) dataset(a *arg, t target) (string, bool) {
	address, ok := d.targetAddress(a, t)
	if !ok {
		return "", false
	}
	r := reference{ref{root: t.kind, name: t.name, key: address.Key}, t.rng}
	return address.ServedName(), d.requireDataset(address, r)
}

func (d *pipelineDecoder) requireDataset(a spec.Address, r reference) bool {
	found := slices.ContainsFunc(d.cfg.Datasets, func(ds *spec.Dataset) bool { return ds.Address == a })
	if !d.enabled {
		found = d.ev.symbols.datasets[a.Name] != nil
	}
	return d.ev.requireObject(found, a, r, d.n.place)
}

func (d *pipelineDecoder) requireModel(a spec.Address, r reference) bool {
	if !d.enabled && d.ev.symbols.models[a.Name] != nil {
		d.ev.noteObject(a)
		return true
	}
	return d.ev.requireModel(d.cfg, a, r, d.n.place)
}

func (d *pipelineDecoder) decodeParams() {
	for _, c := range d.children("param") {
		p := spec.Param{Name: c.n.label, Type: spec.ParamType(c.keyword("type")), Description: c.str("description")}
		p.Default = c.paramDefault(&p.Type)
		d.params[p.Name] = true
		d.p.Params = append(d.p.Params, p)
		if p.Default == nil && !c.has("default") && (d.n.child("schedule") != nil || len(d.p.On) > 0) {
			c.errorf(c.n.rng, "Parameter without value", "The pipeline starts by itself, and then nobody gives the parameter a value. Write default = ..., or let people alone start the pipeline.")
		}
	}
	slices.SortFunc(d.p.Params, func(a, b spec.Param) int { return cmp.Compare(a.Name, b.Name) })
}

// paramDefault is the default, and makes sure that the type is that of it.
func (s section) paramDefault(declared *spec.ParamType) any {
	defer func() { *declared = cmp.Or(*declared, spec.ParamString) }()
	if !s.has("default") {
		return nil
	}
	v, ok := s.typed("default")
	if !ok {
		return nil
	}
	value, isScalar := scalar(v)
	if !isScalar {
		s.errorf(s.at("default"), "Wrong type", "A parameter is a string, a number or a bool, and this is %s.", kindOf(v))
		return nil
	}
	of := map[cty.Type]spec.ParamType{cty.String: spec.ParamString, cty.Number: spec.ParamNumber, cty.Bool: spec.ParamBool}[v.Type()]
	if *declared == "" {
		*declared = of
	}
	if of != *declared {
		s.errorf(s.at("default"), "Wrong type", "The default is %s, and the parameter is of the type %s.", kindOf(v), *declared)
	}
	return value
}

// scalar is a string, a float64 or a bool.
func scalar(v cty.Value) (any, bool) {
	if v.IsNull() {
		return nil, false
	}
	switch v.Type() {
	case cty.String:
		return v.AsString(), true
	case cty.Number:
		f, _ := v.AsBigFloat().Float64()
		return f, true
	case cty.Bool:
		return v.True(), true
	default:
		return nil, false
	}
}

func (d *pipelineDecoder) decodeSteps() {
	children := d.children("step")
	if len(children) == 0 {
		d.errorf(d.n.rng, "Pipeline without steps", "A pipeline does nothing without steps. For example:\n    step \"train\" {\n      image   = \"digits-train:1\"\n      outputs = [\"model\"]\n    }")
	}
	for _, c := range children {
		sd := c.pipelineStep()
		d.steps[sd.step.Name] = sd
		d.p.Steps = append(d.p.Steps, sd.step)
	}
	slices.SortFunc(d.p.Steps, func(a, b *spec.Step) int { return cmp.Compare(a.Name, b.Name) })
}

func (d *pipelineDecoder) decodeSelects() {
	for _, c := range d.children("select") {
		sel := &spec.Select{Name: c.n.label, Pos: specPos(c.n.rng)}
		sel.Metric, sel.Minimize = c.objective()
		d.selects[sel.Name] = sel
		if sd := d.stepNamed(c, "of"); sd != nil {
			sel.Of = sd.step.Name
			at := c.n.args.get("of").targets[0].rng
			switch {
			case !varied(sd.step) && !sd.broken:
				c.errorf(at, "Nothing to select", "step.%s (at %s) has one result only: it has neither matrix nor search. Read it as step.%s, and remove the select block.", sel.Of, sd.step.Pos, sel.Of)
			case sd.step.Metrics == "" && !sd.has("metrics"):
				c.errorf(at, "Step without metrics", "step.%s (at %s) writes no metrics, so its variants cannot be compared. Add metrics = \"metrics.json\" to it.", sel.Of, sd.step.Pos)
			}
		}
		d.p.Selects = append(d.p.Selects, sel)
	}
	slices.SortFunc(d.p.Selects, func(a, b *spec.Select) int { return cmp.Compare(a.Name, b.Name) })
}

// objective is the metric that is best at its largest, or at its smallest.
func (s section) objective() (metric string, minimize bool) {
	largest, smallest := s.str("maximize"), s.str("minimize")
	if s.has("maximize") == s.has("minimize") {
		s.errorf(s.n.rng, "One metric needed", "Which is the best? Write maximize = \"METRIC\" or minimize = \"METRIC\", one of the two.")
		return "", false
	}
	if largest == "" && smallest == "" && s.evaluates("maximize") && s.evaluates("minimize") {
		s.errorf(s.n.rng, "One metric needed", "The name of the metric is empty. Write the name that it has in the metrics of the step.")
	}
	return largest + smallest, s.has("minimize")
}

// varied tells whether a step runs in several variants.
func varied(s *spec.Step) bool { return len(s.Matrix) > 0 || s.Search != nil }

// stepNamed is the step that an argument names, or nil if that was reported.
func (d *pipelineDecoder) stepNamed(c section, name string) *stepDecoder {
	address, ok := c.address(name)
	if !ok {
		return nil
	}
	return d.knownStep(c, address.Name, c.n.args.get(name).targets[0])
}

func (d *pipelineDecoder) knownStep(c section, name string, t target) *stepDecoder {
	sd := d.steps[name]
	if sd == nil {
		c.errorf(t.rng, "Unknown step", "The pipeline has no step %q.%s", name, didYouMean(name, names(d.steps)))
	}
	return sd
}

func (d *pipelineDecoder) knownSelect(c section, name string, t target) *spec.Select {
	sel := d.selects[name]
	if sel == nil {
		c.errorf(t.rng, "Unknown selection", "The pipeline has no select block %q.%s", name, didYouMean(name, names(d.selects)))
	}
	return sel
}
