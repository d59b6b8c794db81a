package lang

import (
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/hashicorp/hcl/v2"
)

// module is a part of a composition: the root, or one included repo. A Loader reads
// one module; that of the root has one for each include.
type module struct {
	include *spec.Include // nil: the root
	base    string        // directory of the tree below which its files are, with a / at its end; "": all of it
}

// name is that of the include; "" for the root.
func (m module) name() string {
	if m.include == nil {
		return ""
	}
	return m.include.Name
}

// own reports whether a file of the tree is the module's. What lies below .fairlead
// is mounted there, and of the root no more than the mounts are left out.
func (m module) owns(path string) bool {
	below, inside := strings.CutPrefix(path, m.base)
	if m.include == nil {
		return inside && !strings.HasPrefix(below, spec.IncludeDir)
	}
	return inside && !strings.HasPrefix(below, ".fairlead/")
}

// files are those of the tree at which the module's may be.
func (m module) files(all []spec.File) []spec.File {
	if m.base == "" {
		return all
	}
	from := sort.Search(len(all), func(i int) bool { return all[i].Path >= m.base })
	to := from
	for to < len(all) && strings.HasPrefix(all[to].Path, m.base) {
		to++
	}
	return all[from:to]
}

// LoadModule reads the tree of one included repo by itself, as it would be in the
// composition: what it may declare, and under which names. Its trust is in the
// Config. The Config is nil if there is an error.
func (l *Loader) LoadModule(tree spec.Tree, include *spec.Include, o Options) (*spec.Config, diag.Diagnostics) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, cfg := l.part("alone:"+include.Name, module{include: include}).load(tree, o.ofModule())
	diags := finish(e.diags, o)
	if diags.HasErrors() {
		return nil, diags
	}
	return cfg, diags
}

// ofModule are the options for an included repo, which values from outside do not
// reach.
func (o Options) ofModule() Options {
	o.Variables = nil
	return o
}

// part is the Loader of a module. It is kept, so that a later load costs what has
// changed.
func (l *Loader) part(key string, m module) *Loader {
	p := l.parts[key]
	if p == nil || !slices.Equal(p.module.include.Allow, m.include.Allow) { // which blocks were judged by
		p = NewLoader()
		if l.parts == nil {
			l.parts = map[string]*Loader{}
		}
		l.parts[key] = p
	}
	p.module = m
	return p
}

// compose loads the includes, and merges what they declare.
func (l *Loader) compose(e *evaluator, cfg *spec.Config) {
	e.warnUnknownMounts()
	l.forgetParts(cfg.Includes)
	if len(cfg.Includes) == 0 || !e.composable {
		return // of an include that is wrong, all that follows would be noise
	}
	e.checkPrefixes(cfg.Includes)
	for _, i := range cfg.Includes {
		m := module{include: i, base: i.Mount()}
		if len(m.files(e.all)) == 0 {
			e.notMounted(i)
			continue
		}
		part, of := l.part("mounted:"+i.Name, m).load(e.tree, e.options.ofModule())
		e.diags = append(e.diags, part.diags...)
		e.parts = append(e.parts, part)
		if of != nil {
			e.checkSharedRoutes(cfg, part)
			merge(cfg, of)
		}
	}
	sorted(cfg)
	e.checkMovedThere(cfg)
}

// forgetParts drops what was read of repos that are not included any more.
func (l *Loader) forgetParts(includes []*spec.Include) {
	maps.DeleteFunc(l.parts, func(key string, _ *Loader) bool {
		_, name, _ := strings.Cut(key, ":")
		return !slices.ContainsFunc(includes, func(i *spec.Include) bool { return i.Name == name })
	})
}

// checkMovedThere checks moves of the root's models into an include: with such a
// block containers are kept when a team takes its model into a repo of its own.
func (e *evaluator) checkMovedThere(cfg *spec.Config) {
	for _, m := range e.movedThere {
		if cfg.Model(m.To.ServedName()) == nil {
			e.errorf(m.node.args.get("to").targets[0].rng, m.node.place, "Moved to nowhere", "The include declares no %s. Correct the name, or remove the block if the model is gone.", m.To)
		}
	}
}

func (e *evaluator) notMounted(i *spec.Include) {
	rng, p := e.includeRange(i), place{address: "include." + i.Name, block: "include"}
	if e.options.WithoutIncludes {
		e.warnf(rng, p, "Include left out", "The repo of include %q is not here, so nothing that it declares is known.", i.Name)
		return
	}
	e.errorf(rng, p, "Include without files", "Nothing of include %q is here: the repo could not be fetched, or has no files below its path. What it declares would be removed, so nothing is changed. In a plain directory no include is; the daemon fetches them, and so does fairlead plan of a commit: fairlead plan DIR@REF, or URL@REF.", i.Name)
}

// warnUnknownMounts warns of files that no include brings.
func (e *evaluator) warnUnknownMounts() {
	mounted := module{base: spec.IncludeDir}.files(e.all)
	warned := ""
	for _, f := range mounted {
		name, _, _ := strings.Cut(strings.TrimPrefix(f.Path, spec.IncludeDir), "/")
		known := slices.ContainsFunc(names(e.symbols.includes), func(label string) bool {
			return name == label || strings.HasPrefix(name, label+"-")
		})
		if name != warned && !known && !e.symbols.incomplete {
			warned = name
			e.warnf(fileRange(f.Path), place{}, "Files of no include", "No include %q is declared, so what lies below %s%s is ignored. Directories of that name are for the files of included repos; remove it.", name, spec.IncludeDir, name)
		}
	}
}

// checkSharedRoutes refuses a route of the root that an include has, too.
func (e *evaluator) checkSharedRoutes(cfg *spec.Config, part *evaluator) {
	theirs := map[[2]string]*spec.Model{}
	for _, d := range part.decoded {
		for _, r := range d.model.Routes {
			theirs[[2]string{r.Host, r.Path}] = d.model
		}
	}
	for _, d := range e.decoded {
		for i, r := range d.model.Routes {
			if twin := theirs[[2]string{r.Host, r.Path}]; twin != nil && r.Path != "" {
				e.errorf(d.node.children("route")[i].rng, d.node.place, "Duplicate route", "%s has this host and path already, at %s, and a request can go to one model only. What lies below %s belongs to the include %q.", twin.Address, twin.Pos, part.module.include.RoutePath(), part.module.include.Name)
			}
		}
	}
}

// checkModule checks what only an included repo must keep to.
func (e *evaluator) checkModule() {
	i := e.module.include
	if i == nil {
		return
	}
	for _, declared := range append(e.symbols.ofModules(), approvalsByPlace(e.symbols)) {
		for _, name := range names(declared) {
			n := declared[name]
			e.checkPrefix(n.label, n.rng, n.place)
		}
	}
	for _, n := range slices.Concat(e.symbols.moved, e.symbols.removed) {
		for _, side := range []string{"from", "to"} {
			if a := n.args.get(side); a != nil && !a.broken && len(a.targets) > 0 {
				e.checkPrefix(a.targets[0].name, a.targets[0].rng, n.place)
			}
		}
	}
	e.refuse(e.symbols.policies, "Policies judge all that is composed, so they are declared in the root.")
	e.refuse(e.symbols.notifiers, "Who is told of what is decided in the root, whose secrets that may take.")
	e.refuse(e.symbols.includes, "What is composed is decided in the root.")
	for _, n := range e.symbols.promotions {
		e.refuseBlock(n, "What is promoted from one environment to another is decided in the root.")
	}
	for _, name := range names(e.symbols.secrets) {
		e.checkModuleSecret(e.symbols.secrets[name])
	}
}

// approvalsByPlace are the approvals in a form like that of other objects.
func approvalsByPlace(s *symbols) map[string]*node {
	all := map[string]*node{}
	for _, n := range s.approvals {
		all[specPos(n.rng).String()] = n
	}
	return all
}

func (e *evaluator) checkPrefix(name string, at hcl.Range, p place) {
	if i := e.module.include; !strings.HasPrefix(name, i.Prefix) {
		e.errorf(at, p, "Name outside of the prefix", "What this repo declares is known as %s... where it is included, so that it cannot touch what others declare. Write %s%s.", i.Prefix, i.Prefix, name)
	}
}

func (e *evaluator) refuse(declared map[string]*node, why string) {
	for _, name := range names(declared) {
		e.refuseBlock(declared[name], why)
	}
}

func (e *evaluator) refuseBlock(n *node, why string) {
	e.errorf(n.rng, n.place, "Not in an included repo", "%s Remove the block, or ask whoever keeps the root for it.", why)
}

// checkModuleSecret refuses secrets of the host: which repo gets those is for the
// operator to say, and the operator trusts the root.
func (e *evaluator) checkModuleSecret(base *node) {
	for _, n := range []*node{base, e.symbols.over[base.address]} {
		if n == nil {
			continue
		}
		for _, source := range []string{"file", "env"} {
			if a := n.args.get(source); a != nil {
				e.errorf(a.rng, *a.place, "Secret of the host", "What lies on the daemon's host is for the root alone. Encrypt the value for the daemon's key and keep it in this repo: age = file(...), or sops = \"PATH\".")
			}
		}
	}
}

// checkModuleRoutes keeps routes below the path of the prefix.
func (e *evaluator) checkModuleRoutes() {
	i := e.module.include
	if i == nil {
		return
	}
	top := i.RoutePath()
	for _, d := range e.decoded {
		for k, r := range d.model.Routes {
			if r.Path == "" || r.Path == top || strings.HasPrefix(r.Path, top+"/") {
				continue
			}
			n := d.node.children("route")[k]
			e.errorf(section{ev: e, n: n}.at("path"), d.node.place, "Route outside of the prefix", "The routes of this repo lie below %s where it is included, whatever their host. Write %s%s.", top, top, strings.TrimSuffix(r.Path, "/"))
		}
	}
}
