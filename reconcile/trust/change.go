package trust

import (
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// change is what a commit of the branch changes of all in which the head differs
// from the accepted commit. What is undone again needs nobody's approval.
type change struct {
	*reconcile.RawCommit
	paths   []string // from the top, below the configured path
	touched []Touched
	// codeowners are the paths of CODEOWNERS that it changes; trust: the trust block.
	codeowners []string
	trust      bool
}

// TrustAddress is the address of the trust block.
const TrustAddress = "trust"

// changes are those of each commit of the branch, oldest first.
func (j *judge) changes() []change {
	differs := make(map[string]bool, len(j.Evidence.Differs))
	for _, path := range j.Evidence.Differs {
		differs[path] = true
	}
	all := make([]change, len(j.line.branch))
	for i, c := range j.line.branch {
		all[i] = change{RawCommit: c, touched: j.Evidence.Commits[c.ID].Touched}
		all[i].trust = slices.ContainsFunc(all[i].touched, func(t Touched) bool { return t.Address == TrustAddress })
		for _, path := range c.Changed {
			all[i].add(path, differs, j.Evidence.Path)
		}
	}
	if last := len(all) - 1; last >= 0 {
		for _, path := range j.orphans() {
			all[last].add(path, differs, j.Evidence.Path)
		}
	}
	return all
}

func (c *change) add(path string, differs map[string]bool, top string) {
	if !differs[path] {
		return
	}
	if isCodeowners(path) {
		c.codeowners = append(c.codeowners, path)
	}
	if _, inside := below(top, path); inside {
		c.paths = append(c.paths, path)
	}
}

// orphans are paths that no commit of the branch owns up to. A merge into which the
// accepted commit came as a second parent hides what it undoes of it.
func (j *judge) orphans() []string {
	owned := make(map[string]bool)
	for _, c := range j.line.branch {
		for _, path := range c.Changed {
			owned[path] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(j.Evidence.Differs), func(path string) bool { return owned[path] })
}

// below returns a path as it is below the configured one.
func below(top, path string) (string, bool) {
	if top = strings.Trim(top, "/"); top == "" || top == "." {
		return path, true
	}
	return strings.CutPrefix(path, top+"/")
}

// concerned says which path makes a rule concern a change; "" where it is the change
// as a whole. Whatever changes the rules themselves concerns every rule.
func concerned(rule spec.ReviewRule, ch change, top string) (path string, concerns bool) {
	for _, path := range ch.paths {
		if inside, _ := below(top, path); matches(rule, inside) {
			return path, true
		}
	}
	for _, t := range ch.touched {
		if path, found := touches(rule, t); found {
			return path, true
		}
	}
	if rule.Owners && len(ch.codeowners) > 0 {
		return ch.codeowners[0], true
	}
	return "", ch.trust || !ch.ChangedAll
}

// touches says by which of the files that declare it an object is a matter of the
// rule.
func touches(rule spec.ReviewRule, t Touched) (path string, found bool) {
	if len(t.Paths) == 0 {
		return "", true
	}
	for _, path := range t.Paths {
		if matches(rule, path) {
			return path, true
		}
	}
	return "", false
}

// matches tells whether a path below the configured one is a matter of the rule. A
// glob that cannot be read matches everything.
func matches(rule spec.ReviewRule, path string) bool {
	return len(rule.Paths) == 0 || slices.ContainsFunc(rule.Paths, func(glob string) bool {
		glob = strings.TrimPrefix(strings.TrimPrefix(glob, "./"), "/")
		if strings.HasSuffix(glob, "/") {
			glob += "**"
		}
		matched, err := doublestar.Match(glob, path)
		return matched || err != nil
	})
}
