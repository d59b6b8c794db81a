package lang

import (
	"cmp"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/schema"
	"github.com/zclconf/go-cty/cty/function"
)

// Options is what a load depends on beside the tree.
type Options struct {
	// Environment is the one to load. It may be empty only where the repo
	// declares none.
	Environment string
	// Variables are values from outside. Of several for one name the last counts.
	Variables []VariableValue
	// Version is that of this program, for required_version; "" meets any.
	Version string
	// Limits bounds the cost of a load. Zero fields take DefaultLimits.
	Limits Limits
	// WithoutIncludes leaves includes out that are not mounted, with a warning. What
	// they declare is missing in the Config then, so nothing may be removed by it.
	WithoutIncludes bool
}

// VariableValue is the value of a variable from outside of the repo.
type VariableValue struct {
	Name  string
	Value string // text for a string variable, else a literal as in HCL
	// Source says where it comes from, for messages: FAIRLEAD_VAR_registry,
	// --var, prod.vars.hcl:3. The value itself is shown in no message.
	Source string
}

// Loader reads config repos. It keeps what it has read, so that a load costs
// what has changed since the one before. It is safe for concurrent use; loads
// run one after the other.
type Loader struct {
	mu     sync.Mutex
	module module
	parts  map[string]*Loader // of the includes
	root   *schema.Block
	meter  *meter
	table  map[string]function.Function
	// limits that table and the parsed files were made under.
	limits Limits
	files  map[string]*file // by path, of the last tree
	facts  facts
	// contents are the files that datasets and models name, by path.
	contents map[string]*content
	// known are the names of facts by root, of the schema.
	known map[string][]string
	// reading is the file at hand, for the message should that go wrong.
	reading string
}

// NewLoader returns a Loader with nothing in its cache.
func NewLoader() *Loader {
	l := &Loader{root: schema.Root(), meter: &meter{}, contents: map[string]*content{}, known: map[string][]string{}}
	for _, root := range factRoots {
		l.known[root] = schema.FactsBelow(root)
	}
	return l
}

// Sources gives diagnostics the content of the tree's spec files, and of no
// others: a snippet shows whole lines.
func Sources(tree spec.Tree) diag.Sources {
	return func(name string) []byte {
		if !isSpec(name) {
			return nil
		}
		content, err := tree.Read(name)
		if err != nil {
			return nil
		}
		return content
	}
}

// Load reads all specs of the tree for one environment. It returns every
// mistake that it finds; the Config is nil if there is an error among them.
//
// Models that are the same as in an earlier load of this Loader are the same
// pointers, so that a caller can tell by == that nothing about a model changed.
// Whatever a Config holds is shared and must not be changed.
func (l *Loader) Load(tree spec.Tree, o Options) (*spec.Config, diag.Diagnostics) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, cfg := l.load(tree, o)
	diags := finish(e.diags, o)
	if diags.HasErrors() {
		return nil, diags
	}
	return cfg, diags
}

// finish makes what was found ready for people.
func finish(diags diag.Diagnostics, o Options) diag.Diagnostics {
	diags = unique(diags)
	for i := range diags {
		for _, v := range o.Variables {
			diags[i].Detail = withoutValue(diags[i].Detail, v)
		}
	}
	return diags
}

// withoutValue hides the value of a variable from outside. Functions and the
// parser put what they were given into their messages, and what comes from
// outside may be what nobody wanted in a log. Short values are words that occur
// anyway.
func withoutValue(s string, v VariableValue) string {
	const short = 6
	if len(v.Value) < short {
		return s
	}
	return strings.ReplaceAll(s, v.Value, "(value of var."+v.Name+")")
}

// unique leaves out repetitions: a mistake that several blocks run into is one
// mistake.
func unique(diags diag.Diagnostics) diag.Diagnostics {
	type identity struct {
		at      diag.Range
		summary string
		detail  string
	}
	seen := make(map[identity]bool, len(diags))
	var once diag.Diagnostics
	for _, d := range diags {
		id := identity{summary: d.Summary, detail: d.Detail}
		if d.Subject != nil {
			id.at = *d.Subject
		}
		if !seen[id] {
			seen[id] = true
			once = append(once, d)
		}
	}
	return once
}

// Environments returns the names of the environments that the tree declares,
// sorted, and what is wrong with its files by themselves.
func (l *Loader) Environments(tree spec.Tree, o Options) (names []string, diags diag.Diagnostics) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var r reporter
	defer func() {
		if p := recover(); p != nil {
			l.table = nil
			names, diags = nil, diag.Diagnostics{bug(p, l.reading)}
		}
	}()
	l.prepare(o)
	s := collect(l.readAll(tree.Files(), tree, &r), &reporter{})
	return s.environmentNames(), r.diags
}

// load does all the steps of a load that are possible.
func (l *Loader) load(tree spec.Tree, o Options) (*evaluator, *spec.Config) {
	e := l.evaluator(tree, o)
	var cfg *spec.Config
	func() {
		defer l.recovered(e)
		if !l.open(e) {
			return
		}
		read := e.config()
		if l.module.include == nil {
			l.compose(e, read)
		}
		e.checkApprovals(read)
		l.forgetContents()
		cfg = read
	}()
	return e, cfg
}

// evaluator starts a load.
func (l *Loader) evaluator(tree spec.Tree, o Options) *evaluator {
	l.prepare(o)
	all := tree.Files()
	return &evaluator{
		options: o, tree: tree, all: all, files: l.module.files(all), module: l.module, meter: l.meter, limits: l.limits,
		memo: map[ref]*result{}, args: map[argKey]*argResult{}, given: map[string]VariableValue{}, facts: &l.facts, contents: l.contents, known: l.known,
	}
}

// recovered makes a diagnostic of a panic.
func (l *Loader) recovered(e *evaluator) {
	if p := recover(); p != nil {
		l.table = nil // what the cache holds may be half done
		e.reporter, e.functions = reporter{diags: diag.Diagnostics{bug(p, l.reading)}}, nil
	}
}

// open reads the files and takes the environment; false if nothing else has a
// meaning.
func (l *Loader) open(e *evaluator) bool {
	l.facts.load++
	s := collect(l.readAll(e.files, e.tree, &e.reporter), &e.reporter)
	e.symbols = s
	if version := (&reporter{}); !checkVersion(s.settings, e.options.Version, version) {
		e.diags = version.diags // with another version, nothing else has a meaning
		return false
	}
	name, ok := e.environment()
	if !ok {
		return false
	}
	e.options.Environment = name
	e.functions = e.withFile(l.table)
	e.takeVariables()
	return true
}

// environment takes the overlays of the environment. Which there are is for the root
// to say: an included repo may have no word about this one.
func (e *evaluator) environment() (string, bool) {
	name := e.options.Environment
	if e.module.include == nil {
		return e.symbols.selectEnvironment(name, &e.reporter)
	}
	e.symbols.takeOverlays(name, &e.reporter)
	return cmp.Or(name, spec.DefaultEnvironment), true
}

// bug is the diagnostic for a panic. Parser, evaluator and functions are large,
// and what they read comes from whoever can open a pull request: a mistake of
// theirs must cost one load, not the daemon.
func bug(p any, reading string) diag.Diagnostic {
	d := diag.Diagnostic{
		Severity: diag.Error, Summary: "Bug in Fairlead",
		Detail: fmt.Sprintf("Reading the repo failed in a way that no repo should be able to cause: %v. What runs stays as it is. Please report it, with the files of the last commit.", p),
	}
	if reading != "" {
		d.Subject = diagRange(fileRange(reading))
	}
	return d
}

// prepare sets the limits of this load. What was read under others is dropped:
// it may hold what they forbid.
func (l *Loader) prepare(o Options) {
	limits := o.Limits.withDefaults()
	if l.table == nil || limits != l.limits {
		l.files, l.table, l.limits = map[string]*file{}, functions(limits), limits
	}
	*l.meter = meter{limits: limits}
	l.reading = ""
}

// readAll reads the spec files of the tree that were not read before.
func (l *Loader) readAll(entries []spec.File, tree spec.Tree, r *reporter) []*file {
	var total int64
	files := make([]*file, 0, len(entries))
	for _, entry := range entries {
		if !isSpec(entry.Path) || !l.module.owns(entry.Path) {
			continue
		}
		if total += entry.Size; total > l.limits.RepoBytes {
			r.errorf(fileRange(entry.Path), place{}, "Config repo too large", "The spec files up to this one have more than %d bytes together. Keep data in files of other types, or split the repo.", l.limits.RepoBytes)
			files = append(files, unreadable())
			break
		}
		f := l.files[entry.Path]
		if f == nil || f.hash != entry.Hash || entry.Hash == "" {
			src, err := tree.Read(entry.Path)
			if err != nil {
				r.errorf(fileRange(entry.Path), place{}, "Spec file not readable", "%s.", err)
				files = append(files, unreadable())
				continue
			}
			former := f
			l.reading = entry.Path
			f = l.read(entry.Path, entry.Hash, src, l.limits)
			l.reading = ""
			f.inherit(former)
			l.files[entry.Path] = f
		}
		files = append(files, f)
		r.diags = append(r.diags, f.report.diags...)
	}
	l.forget(files)
	return files
}

// forget drops files that are not in the tree any more.
func (l *Loader) forget(files []*file) {
	if len(l.files) == len(files) {
		return
	}
	inTree := make(map[*file]bool, len(files))
	for _, f := range files {
		inTree[f] = true
	}
	maps.DeleteFunc(l.files, func(_ string, f *file) bool { return !inTree[f] })
}
