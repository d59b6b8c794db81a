package lang

import (
	"reflect"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// memo is what one load made of a block, and what it read for it. It holds until
// the block, its overlay or something that was read changes.
type memo struct {
	// stale: the block was written anew since, so only its objects may be used
	// again, where they come out the same.
	stale   bool
	over    *node
	facts   []*fact
	enabled bool
	models  []*decoded
	objects []object // of every other kind of block
	report  reporter
}

// object is one instance of a block that is no model.
type object struct {
	served string
	value  any
}

// config decodes everything that is declared and checks it as a whole.
func (e *evaluator) config() *spec.Config {
	cfg := &spec.Config{
		Environment:  e.options.Environment,
		Environments: e.symbols.environmentNames(),
	}
	if e.module.include == nil {
		before, _ := e.diags.Count()
		cfg.Includes = e.decodeIncludes()
		after, _ := e.diags.Count()
		e.composable = after == before
	}
	e.checkUnread()
	e.checkModule()
	cfg.Secrets = e.decodeSecrets()
	all := e.decodeModels()
	e.decoded = all
	cfg.Models = make([]*spec.Model, 0, len(all))
	for _, d := range all {
		cfg.Models = append(cfg.Models, d.model)
	}
	e.checkRoutes(cfg, all)
	e.checkModuleRoutes()
	e.decodeSimulations(cfg)
	cfg.Datasets = decodeAll(e, spec.KindDataset, section.dataset)
	cfg.Pipelines = decodeAll(e, spec.KindPipeline, func(s section, a spec.Address, enabled bool) *spec.Pipeline { return s.pipeline(cfg, a, enabled) })
	cfg.Policies = decodeAll(e, spec.KindPolicy, section.policy)
	e.decodeVersions(cfg)
	cfg.Notifiers = decodeAll(e, spec.KindNotifier, section.notifier)
	cfg.Trust = e.decodeTrust()
	e.decodeApprovals(cfg)
	e.decodePromotions(cfg)
	e.decodeHistory(cfg)
	return cfg
}

// checkUnread evaluates what nothing may have read yet, so that its mistakes are
// found too.
func (e *evaluator) checkUnread() {
	for _, name := range names(e.symbols.variables) {
		e.resolve(reference{ref: ref{root: "var", name: name}}, place{}, nil)
		s := section{ev: e, n: e.merged(e.symbols.variables[name]), sc: &scope{}}
		s.str("description")
	}
	for _, name := range e.localNames() {
		e.resolve(reference{ref{root: "local", name: name}, e.localArg(name).nameRange()}, place{}, nil)
	}
}

func (e *evaluator) localArg(name string) *arg {
	if a := e.symbols.overLocals[name]; a != nil {
		return a
	}
	return e.symbols.locals[name]
}

// decodeModels decodes every model that is enabled, in the order of their
// names, and reports names that two of them share.
func (e *evaluator) decodeModels() []*decoded {
	all := make([]*decoded, 0, len(e.symbols.modelOrder))
	for _, base := range e.symbols.modelOrder {
		m := e.decodeBlock(base, e.decodeInstances)
		if m.enabled {
			all = append(all, m.models...)
		}
	}
	slices.SortFunc(all, func(a, b *decoded) int { return strings.Compare(a.model.Name, b.model.Name) })
	for i := 1; i < len(all); i++ {
		d, twin := all[i], all[i-1]
		if d.model.Name != twin.model.Name {
			continue
		}
		if d.node.rng.Filename < twin.node.rng.Filename || d.node.rng.Filename == twin.node.rng.Filename && d.node.rng.Start.Byte < twin.node.rng.Start.Byte {
			d, twin = twin, d
		}
		e.errorf(d.node.rng, d.node.place, "Duplicate name", "%s and %s (at %s) would both be served as %q. Rename one of them, or change the key.", d.model.Address, twin.model.Address, twin.model.Pos, d.model.Name)
	}
	return all
}

// decodeBlock decodes one block, or returns what an earlier load made of it if
// everything that it read is still the same.
func (e *evaluator) decodeBlock(base *node, decode func(*node, *memo)) *memo {
	over := e.symbols.over[base.address]
	if old := base.memo; old != nil && !old.stale && old.over == over && e.stillTrue(old.facts) {
		e.diags = append(e.diags, old.report.diags...)
		return old
	}
	n := base
	if over != nil {
		n = overlay(base, over)
	}
	fresh := &memo{over: over}
	rec := &recorder{}
	before := e.reporter
	e.reporter, e.deps = reporter{}, rec
	decode(n, fresh)
	fresh.report = e.reporter
	e.reporter, e.deps = before, nil
	e.diags = append(e.diags, fresh.report.diags...)
	if rec.partial || fresh.report.diags.HasErrors() {
		base.memo = nil
		return fresh
	}
	fresh.facts = e.facts.of(rec.seen)
	fresh.reuse(base.memo)
	base.memo = fresh
	return fresh
}

func (e *evaluator) decodeInstances(n *node, m *memo) {
	enabled, ok := e.enabled(n)
	scopes, good := e.instances(n)
	if !good {
		scopes = nil
	}
	m.enabled = ok && enabled
	for _, sc := range scopes {
		m.models = append(m.models, e.decodeModel(n, sc))
	}
}

// reuse keeps what came out the same in an earlier decoding, so that pointers
// stay.
func (m *memo) reuse(old *memo) {
	if old == nil {
		return
	}
	for _, d := range m.models {
		for _, o := range old.models {
			if o.model.Name == d.model.Name && reflect.DeepEqual(o.model, d.model) {
				d.model = o.model
				break
			}
		}
	}
	for i, d := range m.objects {
		for _, o := range old.objects {
			if o.served == d.served && reflect.DeepEqual(o.value, d.value) {
				m.objects[i] = o
				break
			}
		}
	}
}

// inherit gives the blocks of a file that was written anew what the former one
// was decoded to.
func (f *file) inherit(former *file) {
	if former == nil {
		return
	}
	memos := map[string]*memo{}
	for _, n := range former.root.blocks {
		if n.memo != nil {
			memos[n.address] = n.memo
		}
	}
	for _, n := range f.root.blocks {
		if old := memos[n.address]; old != nil && n.address != "" {
			n.memo = &memo{stale: true, models: old.models, objects: old.objects}
		}
	}
}

// checkRoutes checks what routes of all models are together.
func (e *evaluator) checkRoutes(cfg *spec.Config, all []*decoded) {
	type entry struct{ host, path string }
	taken := make(map[entry]*spec.Model, len(all))
	for _, d := range all {
		for i := range d.model.Routes {
			r := &d.model.Routes[i]
			if r.Path == "" {
				continue
			}
			at := entry{r.Host, r.Path}
			if twin := taken[at]; twin != nil {
				node := d.node.children("route")[i]
				e.errorf(node.rng, d.node.place, "Duplicate route", "%s has this host and path already, at %s, and a request can go to one model only. Change the host or the path of one of them.", twin.Address, routeAt(twin, r.Host, r.Path).Pos)
				continue
			}
			taken[at] = d.model
		}
		for _, f := range d.fallbacks {
			e.checkFallback(cfg, d, f)
		}
	}
}

// routeAt is the first route of a model with that host and path.
func routeAt(m *spec.Model, host, path string) spec.Route {
	i := slices.IndexFunc(m.Routes, func(r spec.Route) bool { return r.Host == host && r.Path == path })
	return m.Routes[i]
}

func (e *evaluator) checkFallback(cfg *spec.Config, d *decoded, f fallback) {
	rng := f.route.args.get("fallback").targets[0].rng
	if f.address == d.model.Address {
		e.errorf(rng, d.node.place, "Fallback to itself", "A model cannot answer for itself when it cannot answer. Name another model, or remove the argument.")
		return
	}
	e.requireModel(cfg, f.address, reference{ref{root: "model", name: f.address.Name, key: f.address.Key}, rng}, d.node.place)
}

// requireModel reports a reference to a model that is not served.
func (e *evaluator) requireModel(cfg *spec.Config, a spec.Address, r reference, p place) bool {
	m := cfg.Model(a.ServedName())
	return e.requireObject(m != nil && m.Address == a, a, r, p)
}
