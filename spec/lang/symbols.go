package lang

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/schema"
)

// symbols is all that the files of a tree declare, by name, with the overlays
// of one environment beside it.
type symbols struct {
	settings     []*node // fairlead blocks
	approvals    []*node
	promotions   []*node
	trust        []*node // likewise at most one that is right
	variables    map[string]*node
	locals       map[string]*arg
	models       map[string]*node
	secrets      map[string]*node
	simulations  map[string]*node
	datasets     map[string]*node
	pipelines    map[string]*node
	policies     map[string]*node
	versions     map[string]*node
	notifiers    map[string]*node
	includes     map[string]*node
	modelOrder   []*node
	moved        []*node
	removed      []*node
	environments map[string][]*node

	over       map[string]*node // overlays of the environment, by address
	overLocals map[string]*arg

	// incomplete: a file could not be read, so that a name nobody declares may
	// stand in it.
	incomplete bool
}

// collect puts the blocks of all files together.
func collect(files []*file, r *reporter) *symbols {
	s := &symbols{
		variables: map[string]*node{}, locals: map[string]*arg{},
		models: make(map[string]*node, len(files)), secrets: map[string]*node{}, simulations: map[string]*node{},
		datasets: map[string]*node{}, pipelines: map[string]*node{}, policies: map[string]*node{}, versions: map[string]*node{}, notifiers: map[string]*node{}, includes: map[string]*node{}, environments: map[string][]*node{},
		modelOrder: make([]*node, 0, len(files)),
		over:       map[string]*node{}, overLocals: map[string]*arg{},
	}
	for _, f := range files {
		s.incomplete = s.incomplete || f.broken
		for _, n := range f.root.blocks {
			s.declare(n, r)
		}
	}
	return s
}

func (s *symbols) declare(n *node, r *reporter) {
	switch n.schema.Name {
	case "fairlead":
		s.settings = append(s.settings, n)
		if len(s.settings) > 1 {
			reportTwin(r, n, s.settings[0])
		}
	case "trust":
		s.trust = append(s.trust, n)
		if len(s.trust) > 1 {
			reportTwin(r, n, s.trust[0])
		}
	case "variable":
		once(s.variables, n.label, n, r)
	case "locals":
		for _, a := range sortedArgs(n) {
			s.declareLocal(s.locals, a, r)
		}
	case "model":
		if once(s.models, n.label, n, r) {
			s.modelOrder = append(s.modelOrder, n)
		}
	case "secret":
		once(s.secrets, n.label, n, r)
	case "simulation":
		once(s.simulations, n.label, n, r)
	case "dataset":
		once(s.datasets, n.label, n, r)
	case "pipeline":
		once(s.pipelines, n.label, n, r)
	case "policy":
		once(s.policies, n.label, n, r)
	case "version":
		once(s.versions, n.label, n, r)
	case "notifier":
		once(s.notifiers, n.label, n, r)
	case "include":
		once(s.includes, n.label, n, r)
	case "approval":
		s.approvals = append(s.approvals, n)
	case "promote":
		s.promotions = append(s.promotions, n)
	case "moved":
		s.moved = append(s.moved, n)
	case "removed":
		s.removed = append(s.removed, n)
	case "environment":
		s.environments[n.label] = append(s.environments[n.label], n)
	}
}

// once declares a name, unless another block has it.
func once(names map[string]*node, name string, n *node, r *reporter) bool {
	if twin := names[name]; twin != nil {
		reportTwin(r, n, twin)
		return false
	}
	names[name] = n
	return true
}

func reportTwin(r *reporter, n, twin *node) {
	r.errorf(n.rng, n.place, "Duplicate block", "%s is declared already, at %s. All files are read as one. %s", blockWords(n), specPos(twin.rng), duplicateRemedy(n.schema))
}

func (s *symbols) declareLocal(locals map[string]*arg, a *arg, r *reporter) {
	if twin := locals[a.name]; twin != nil {
		r.errorf(a.rng, *a.place, "Duplicate local", "local.%s is defined already, at %s. All files are read as one. Give one of them another name.", a.name, specPos(twin.rng))
		return
	}
	locals[a.name] = a
}

func sortedArgs(n *node) []*arg {
	args := slices.Clone(n.args)
	slices.SortFunc(args, func(a, b *arg) int { return cmp.Compare(a.rng.Start.Byte, b.rng.Start.Byte) })
	return args
}

// environmentNames are the declared environments, sorted.
func (s *symbols) environmentNames() []string {
	names := make([]string, 0, len(s.environments))
	for name := range s.environments {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// selectEnvironment takes the overlays of one environment, and checks those of
// all: an overlay of something that is not declared is a mistake in every
// environment. The result is the environment's name.
func (s *symbols) selectEnvironment(name string, r *reporter) (string, bool) {
	s.takeOverlays(name, r)
	known := s.environmentNames()
	switch {
	case len(known) == 0:
		if name == "" || name == spec.DefaultEnvironment || s.incomplete {
			return cmp.Or(name, spec.DefaultEnvironment), true
		}
		r.errorf(noRange, place{}, "Unknown environment", "The repo declares no environment, so there is only %q. Declare it:\n    environment %q {}", spec.DefaultEnvironment, name)
		return "", false
	case name == "":
		r.errorf(noRange, place{}, "Environment needed", "The repo declares environments. Choose one of them with --environment: %s.", strings.Join(known, ", "))
		return "", false
	case s.environments[name] == nil && !s.incomplete:
		r.errorf(noRange, place{}, "Unknown environment", "The repo declares no environment %q. Declared are %s.%s", name, strings.Join(known, ", "), didYouMean(name, known))
		return "", false
	}
	return name, true
}

// takeOverlays takes the overlays of one environment, and checks those of all.
func (s *symbols) takeOverlays(name string, r *reporter) {
	for _, env := range s.environmentNames() {
		over, locals := map[string]*node{}, map[string]*arg{}
		for _, n := range s.environments[env] {
			s.overlays(n, over, locals, r)
		}
		if env == name {
			s.over, s.overLocals = over, locals
		}
	}
}

// overlays adds what one environment block lays over the rest.
func (s *symbols) overlays(env *node, over map[string]*node, locals map[string]*arg, r *reporter) {
	for _, n := range env.blocks {
		if n.schema.Name == "locals" {
			for _, a := range sortedArgs(n) {
				s.declareLocal(locals, a, r)
			}
			continue
		}
		if !s.overlaid(n) && !s.incomplete {
			r.errorf(n.rng, n.place, "Overlay of nothing", "No file declares %s outside of an environment block, so there is nothing to overlay.%s To have it in one environment only, declare it with\n    enabled = env.name == %q",
				n.address, didYouMean(n.label, s.declared(n.schema)), env.label)
			continue
		}
		if twin := over[n.address]; twin != nil {
			r.errorf(n.rng, n.place, "Duplicate block", "The environment overlays %s already, at %s. Merge the two.", n.address, specPos(twin.rng))
			continue
		}
		over[n.address] = n
	}
}

func (s *symbols) overlaid(n *node) bool { return s.byKind(n.schema.Name)[n.label] != nil }

func (s *symbols) byKind(kind string) map[string]*node {
	switch kind {
	case "model":
		return s.models
	case "secret":
		return s.secrets
	case "simulation":
		return s.simulations
	case "dataset":
		return s.datasets
	case "pipeline":
		return s.pipelines
	case "policy":
		return s.policies
	case "notifier":
		return s.notifiers
	case "include":
		return s.includes
	default:
		return s.variables
	}
}

func (s *symbols) declared(b *schema.Block) []string { return names(s.byKind(b.Name)) }

func names[V any](m map[string]V) []string {
	list := make([]string, 0, len(m))
	for name := range m {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
