package lang

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/hashicorp/hcl/v2"
)

// maxIncludes is the most repos that one composes.
const maxIncludes = 64

// Includes reads just the include blocks of the root, before anything is mounted.
// The result is nil if there is an error.
func (l *Loader) Includes(tree spec.Tree, o Options) ([]*spec.Include, diag.Diagnostics) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.evaluator(tree, o)
	var list []*spec.Include
	func() {
		defer l.recovered(e)
		if l.open(e) {
			list = e.decodeIncludes()
		}
	}()
	diags := finish(e.diags, o)
	if diags.HasErrors() {
		return nil, diags
	}
	return list, diags
}

// decodeIncludes decodes the include blocks, and checks that each has names of its
// own.
func (e *evaluator) decodeIncludes() []*spec.Include {
	list := decodeAll(e, spec.KindInclude, section.include)
	if len(list) > maxIncludes {
		e.errorf(e.symbols.includes[names(e.symbols.includes)[0]].rng, place{}, "Too many includes", "The repo includes %d others, and %d is the most. Compose some of them in a repo of their own.", len(list), maxIncludes)
	}
	for i, a := range list {
		for _, b := range list[:i] {
			if short, long := plainPrefix(a.Prefix), plainPrefix(b.Prefix); short != "" && long != "" && (strings.HasPrefix(short, long) || strings.HasPrefix(long, short)) {
				e.errorf(e.includeRange(a), place{}, "Overlapping prefixes", "The prefix %q overlaps with %q, that of include %q at %s, so a name could belong to both. Give one of them another prefix.", a.Prefix, b.Prefix, b.Name, b.Pos)
			}
		}
	}
	return list
}

// plainPrefix is a prefix in the form that names and routes have in common.
func plainPrefix(prefix string) string { return strings.ReplaceAll(prefix, "-", "_") }

// includeRange is where an include is declared.
func (e *evaluator) includeRange(i *spec.Include) hcl.Range {
	for _, n := range e.symbols.includes {
		if specPos(n.rng) == i.Pos {
			return n.rng
		}
	}
	return noRange
}

var (
	// prefixForm leaves room for names behind it.
	prefixForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,30}[_-]$`)
	scpForm    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^\s:]+$`)
	refForm    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/+-]{0,254}$`)
)

func (s section) include(a spec.Address, _ bool) *spec.Include {
	i := &spec.Include{
		Name: a.ServedName(), Pos: specPos(s.n.rng), Repo: s.str("repo"), Ref: s.str("ref"), Prefix: s.str("prefix"), Token: s.secret("token"), Allow: s.grants(),
	}
	if i.Name == spec.RootName {
		s.errorf(s.n.rng, "Reserved name", "The journal calls the repo that includes others %s. Give the include another name.", spec.RootName)
	}
	s.checkRepo(i.Repo)
	if s.has("path") && s.evaluates("path") {
		i.Path = s.includePath()
	}
	if i.Ref != "" && (!refForm.MatchString(i.Ref) || strings.Contains(i.Ref, "..") || strings.Contains(i.Ref, "//") || strings.HasSuffix(i.Ref, "/") || strings.HasSuffix(i.Ref, ".lock")) {
		s.errorf(s.at("ref"), "Invalid ref", "ref is the name of a branch, such as \"main\", or the full id of a commit.")
	}
	if !s.has("prefix") {
		i.Prefix = strings.ReplaceAll(i.Name, "-", "_") + "_"
	}
	if (!s.has("prefix") || s.evaluates("prefix")) && (!prefixForm.MatchString(i.Prefix) || i.RoutePath() == "/") {
		s.errorf(s.at("prefix"), "Invalid prefix", "A prefix begins the names of all that the repo declares: a lower-case letter, then a-z, 0-9, _ and -, with _ or - at its end, and at most 32 of them, such as \"team_a_\".")
	}
	if c, declared := s.child("trust"); declared {
		i.Trust = c.trust()
	}
	return i
}

func (s section) includePath() string {
	text := s.str("path")
	if text == "." || text == "" {
		return ""
	}
	clean, problem := repoPath(text)
	if problem != "" {
		s.errorf(s.at("path"), "Invalid path", "The path is that of a directory, from the top of the included repo: no leading / or ~, no .. and no \\.")
	}
	return clean
}

// checkRepo checks the URL of a repo.
func (s section) checkRepo(repo string) {
	const forms = "https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH, or file:///PATH on the daemon's host"
	if !s.evaluates("repo") || scpForm.MatchString(repo) {
		return
	}
	u, err := url.Parse(repo)
	if err != nil {
		s.errorf(s.at("repo"), "Invalid URL", "This is no URL of a repo. Write %s.", forms)
		return
	}
	_, hasPassword := u.User.Password()
	switch {
	case hasPassword, u.User != nil && u.Scheme != "ssh":
		s.errorf(s.at("repo"), "Credential in the repo", "The URL holds a name or a password, and everybody who can read the repo could use it. Put it into a secret: token = secret.NAME.")
	case u.Scheme == "file" && u.Host == "" && absolutePath(u.Path):
	case u.Host == "" || strings.Trim(u.Path, "/") == "" || u.RawQuery != "" || u.Fragment != "", !slices.Contains([]string{"https", "http", "ssh"}, u.Scheme):
		s.errorf(s.at("repo"), "Invalid URL", "This is no URL of a repo. Write %s.", forms)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		s.ev.warnf(s.at("repo"), s.n.place, "Not encrypted", "What is fetched by http:// can be changed on its way, and the token can be read. Write https://.")
	}
}

// checkPrefixes refuses names of the root's own that belong to an include.
func (e *evaluator) checkPrefixes(includes []*spec.Include) {
	check := func(n *node, i *spec.Include) {
		instances := n.args.get("for_each") != nil && strings.HasPrefix(n.label+"-", i.Prefix)
		if !strings.HasPrefix(n.label, i.Prefix) && !instances {
			return
		}
		e.errorf(n.rng, n.place, "Name of an include", "Names that begin with %q are those of include %q, at %s. Give this %s another name.", i.Prefix, i.Name, i.Pos, n.schema.Name)
	}
	for _, i := range includes {
		for _, declared := range e.symbols.ofModules() {
			for _, name := range names(declared) {
				check(declared[name], i)
			}
		}
	}
}

// ofInclude tells whether a name belongs to an include.
func ofInclude(includes []*spec.Include, name string) bool {
	return slices.ContainsFunc(includes, func(i *spec.Include) bool { return strings.HasPrefix(name, i.Prefix) })
}

// ofModules are the kinds of object that an included repo can declare, too.
func (s *symbols) ofModules() []map[string]*node {
	return []map[string]*node{s.models, s.secrets, s.simulations, s.datasets, s.pipelines, s.versions}
}

// merge puts what an include declares beside what the root does. Names are apart by
// their prefixes, which was checked.
func merge(cfg, of *spec.Config) {
	cfg.Models = append(cfg.Models, of.Models...)
	for name, secret := range of.Secrets {
		cfg.Secrets[name] = secret
	}
	cfg.Simulations = append(cfg.Simulations, of.Simulations...)
	cfg.Datasets = append(cfg.Datasets, of.Datasets...)
	cfg.Pipelines = append(cfg.Pipelines, of.Pipelines...)
	cfg.Versions = append(cfg.Versions, of.Versions...)
	cfg.Approvals = append(cfg.Approvals, of.Approvals...)
	cfg.Moved = append(cfg.Moved, of.Moved...)
	cfg.Removed = append(cfg.Removed, of.Removed...)
}

// sorted brings a merged Config into its order.
func sorted(cfg *spec.Config) {
	slices.SortFunc(cfg.Models, func(a, b *spec.Model) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(cfg.Simulations, func(a, b *spec.Simulation) int {
		return strings.Compare(a.Address.ServedName(), b.Address.ServedName())
	})
	slices.SortFunc(cfg.Datasets, func(a, b *spec.Dataset) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(cfg.Pipelines, func(a, b *spec.Pipeline) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(cfg.Versions, compareVersions)
	slices.SortStableFunc(cfg.Approvals, compareApprovals)
}

func compareApprovals(a, b *spec.Approval) int {
	return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(a.Step, b.Step), cmp.Compare(a.Revision, b.Revision))
}
