package trust

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// reviews refuses what was not reviewed as the rules ask.
func (j *judge) reviews() {
	if j.Evidence == nil {
		if j.Rules.Reviewed() && len(j.line.branch) > 0 {
			j.refuse(finding{rule: "trust.review", reason: "nothing is known of its reviews", remedy: "try again", waiting: true})
		}
		return
	}
	for _, ch := range j.changes() {
		reviewed := j.pulls(ch)
		for _, t := range j.Rules.each() {
			for i := range t.Reviews {
				rule := t.Reviews[i]
				path, concerns := concerned(rule, ch, j.Evidence.Path)
				if !concerns {
					continue
				}
				for _, f := range j.rule(rule, t, ch, reviewed) {
					if f.path == "" {
						f.path = path
					}
					f.rule, f.commit, f.pos = fmt.Sprintf("trust.review %q", rule.Name), ch.ID, rule.Pos
					j.refuse(f)
				}
			}
		}
		j.keep(ch, reviewed)
	}
}

// reviewed is what the pull requests of one commit are worth.
type reviewed struct {
	pulls []pull
	wrong []string // why others are worth nothing
}

// pull is a pull request that brought exactly what was reviewed.
type pull struct {
	PullEvidence
	authors   map[string]bool             // logins
	nameless  []string                    // addresses of authors of whom nobody knows who they are
	approvals map[string]reconcile.Review // by login; none by an author
	own       map[string]bool             // logins of authors who approved
	counted   map[string]map[string]bool  // login -> names of rules it was good for
}

// pulls are those of a commit of which the reviews count.
func (j *judge) pulls(ch change) reviewed {
	var r reviewed
	for _, evidence := range j.Evidence.Commits[ch.ID].Pulls {
		if why := j.unbound(ch, evidence); why != "" {
			r.wrong = append(r.wrong, fmt.Sprintf("pull request %d %s", evidence.Pull.Number, why))
			continue
		}
		p := pull{PullEvidence: evidence, counted: make(map[string]map[string]bool)}
		p.authors, p.nameless = j.authors(evidence)
		p.count()
		r.pulls = append(r.pulls, p)
	}
	return r
}

// unbound says why a pull request does not speak for a commit; "": it does.
func (j *judge) unbound(ch change, e PullEvidence) string {
	p := e.Pull
	switch {
	case p.State != reconcile.PullMerged:
		return "is not merged"
	case j.Evidence.Branch != "" && p.Base != j.Evidence.Branch:
		return fmt.Sprintf("went into %q, not into %q", p.Base, j.Evidence.Branch)
	case p.HeadSHA == "" || p.Author == "":
		return "is not known well enough: the forge does not tell its head and its author"
	case !has(e.Commits, p.HeadSHA):
		return "is not known well enough: the forge does not list all of its commits"
	case has(e.Commits, ch.ID) && j.line.by[p.HeadSHA] == nil:
		j.partial = true
		return "was reviewed as a whole up to " + short(p.HeadSHA) + ", which is not there"
	case has(e.Commits, ch.ID):
		return ""
	case len(ch.Parents) < 2 && e.Same:
		return ""
	case len(ch.Parents) < 2 && p.Merged != "" && j.line.by[p.Merged] == nil:
		j.partial = true
		return "was merged up to " + short(p.Merged) + ", which is not there"
	case len(ch.Parents) < 2:
		return "is not known to hold the same: " + e.NotSame
	case len(ch.Parents) > 2 || ch.Parents[1] != p.HeadSHA:
		return "was reviewed at " + short(p.HeadSHA) + ", and something else was merged"
	case !ch.Clean:
		return "was merged with changes that nobody reviewed, or that nobody can tell from such: bring the branch up to date with its base before it is merged"
	}
	return ""
}

// authors are the logins of all who wrote something of a pull request, and the
// addresses of those of whom neither the forge nor a signature tells who they are. Any
// of them may be whoever approved: an address is written by whoever makes the commit.
func (j *judge) authors(e PullEvidence) (known map[string]bool, nameless []string) {
	known = map[string]bool{login(e.Pull.Author): true}
	for _, c := range e.Commits {
		who := login(c.Author)
		signer, sure := j.signer(c.ID)
		known[who], known[signer], known[login(c.Committer)] = true, true, true
		if who == "" && !sure {
			nameless = append(nameless, strings.ToLower(strings.TrimSpace(c.Email)))
		}
	}
	delete(known, "")
	slices.Sort(nameless)
	return known, slices.Compact(nameless)
}

// signer is the login of who signed a commit; sure: it is good, and of one who signs
// what they wrote, as a forge does not.
func (j *judge) signer(id string) (who string, sure bool) {
	check := j.Checks[id].By
	if check.State != reconcile.SignatureGood {
		return "", false
	}
	s, err := named(j.Rules.Signers(), check.Signer)
	if err != nil {
		return "", false
	}
	when, known := j.Evidence.Aside[id]
	if c := j.line.by[id]; c != nil {
		when, known = c.When, true
	}
	return signerLogin(s), known && s.Role != spec.SignerForge && j.signed("commit "+short(id), id, when) == nil
}

// count finds the approvals: of each person the newest word that is not a comment,
// about exactly the head that was merged.
func (p *pull) count() {
	p.approvals, p.own = make(map[string]reconcile.Review), make(map[string]bool)
	words := slices.Clone(p.Reviews)
	slices.SortStableFunc(words, func(a, b reconcile.Review) int { return a.At.Compare(b.At) })
	newest := make(map[string]reconcile.Review)
	for _, w := range words {
		if w.State != reconcile.ReviewCommented {
			newest[login(w.By)] = w
		}
	}
	for who, w := range newest {
		good := who != "" && w.State == reconcile.ReviewApproved && w.Official && !w.Stale && w.Commit == p.Pull.HeadSHA
		switch {
		case good && p.authors[who]:
			p.own[who] = true
		case good:
			p.approvals[who] = w
		}
	}
}

// need is a list of people of whom some have to approve.
type need struct {
	names   []string
	anybody bool        // who may review, whatever the names
	in      *spec.Trust // whose groups are meant
	many    int
	what    string // that it is about
	path    string
}

// rule judges one rule for one change that it concerns.
func (j *judge) rule(rule spec.ReviewRule, t *spec.Trust, ch change, r reviewed) []finding {
	evidence, known := j.Evidence.Commits[ch.ID]
	const push = "bring it by a pull request; what was pushed can be undone, which nobody has to approve"
	switch {
	case j.Evidence.NoForge:
		return []finding{{reason: "commit " + short(ch.ID) + " needs a review, and there is no forge that knows of any", remedy: "tell the daemon of the forge, or take the rule away"}}
	case !known:
		return []finding{{reason: "nothing is known of the reviews of " + short(ch.ID), remedy: "try again", waiting: true}}
	case evidence.Err != nil:
		return []finding{{reason: fmt.Sprintf("the forge cannot tell of the reviews of %s: %v", short(ch.ID), evidence.Err), remedy: "the daemon asks again by itself", waiting: true}}
	case len(r.pulls) == 0 && len(r.wrong) == 0:
		return []finding{{reason: "commit " + short(ch.ID) + " did not come from a pull request", remedy: push}}
	case len(r.pulls) == 0:
		return []finding{{reason: "of commit " + short(ch.ID) + ", " + strings.Join(r.wrong, "; "), remedy: push}}
	}
	if rule.Owners && !ch.ChangedAll {
		return []finding{{reason: "commit " + short(ch.ID) + " changes too many files to tell whose they are", remedy: "split it"}}
	}
	var best []finding
	for i := range r.pulls {
		wrong := j.needs(rule, t, ch, &r.pulls[i])
		if len(wrong) == 0 {
			return nil
		}
		if best == nil || len(wrong) < len(best) {
			best = wrong
		}
	}
	return best
}

// needs judges one pull request by one rule.
func (j *judge) needs(rule spec.ReviewRule, t *spec.Trust, ch change, p *pull) []finding {
	needs := j.ownership(rule, ch)
	many := rule.Approvals
	if len(ch.codeowners) > 0 && rule.Owners {
		many = max(many, 1) // or else owners could be taken away without anybody's word
	}
	if many > 0 {
		// In t, so that a repo cannot say who is in a group of the operator.
		needs = append(needs, need{names: rule.From, anybody: len(rule.From) == 0, in: t, many: many, what: "the change"})
	}
	var wrong []finding
	for _, n := range needs {
		wrong = append(wrong, p.need(n, rule.Name, resolve(n.names, n.in, j.Evidence.Teams))...)
	}
	return wrong
}

// ownership are the needs of owners: of the objects that are a matter of the rule,
// and of the paths that CODEOWNERS gives somebody.
func (j *judge) ownership(rule spec.ReviewRule, ch change) []need {
	if !rule.Owners {
		return nil
	}
	var all []need
	for _, t := range ch.touched {
		path, found := touches(rule, t)
		if (found || ch.trust) && len(t.Owners) > 0 {
			all = append(all, need{names: t.Owners, in: j.Rules.groups(), many: 1, what: t.Address, path: path})
		}
	}
	seen := make(map[string]bool)
	paths := slices.Concat(ch.paths, ch.codeowners)
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		inside, _ := below(j.Evidence.Path, path)
		if !matches(rule, inside) && !slices.Contains(ch.codeowners, path) && !ch.trust {
			continue
		}
		for _, owners := range j.Evidence.Owners.Of(path) {
			if key := strings.Join(owners, " "); !seen[key] {
				seen[key] = true
				all = append(all, need{names: owners, in: j.Rules.groups(), many: 1, what: path + " (CODEOWNERS)", path: path})
			}
		}
	}
	return all
}

// need judges whether enough of those who may have approved. Each author of whom
// nobody knows who it is may be one of them.
func (p *pull) need(n need, rule string, from people) []finding {
	var who []string
	for login := range p.approvals {
		if n.anybody || from.logins[login] {
			who = append(who, login)
		}
	}
	many := n.many + len(p.nameless)
	if len(who) >= many {
		for _, login := range who {
			if p.counted[login] == nil {
				p.counted[login] = make(map[string]bool)
			}
			p.counted[login][rule] = true
		}
		return nil
	}
	reason := fmt.Sprintf("pull request %d needs %d more %s for %s", p.Pull.Number, many-len(who), plural(many-len(who), "approval"), n.what)
	if !n.anybody {
		reason += " of " + strings.Join(n.names, ", ")
	}
	reason += " at " + short(p.Pull.HeadSHA)
	for _, own := range slices.Sorted(maps.Keys(p.own)) {
		reason += "; that of " + own + " does not count, who is an author"
	}
	for _, address := range p.nameless[:min(len(p.nameless), 3)] {
		reason += fmt.Sprintf("; who wrote as %q is not known, and may be one of those who approved: one more has to, unless a signer signs such commits or an account of the forge has that address", address)
	}
	for _, why := range from.unknown {
		reason += "; " + why
	}
	return []finding{{reason: reason, path: n.path, remedy: "have it approved on " + p.Pull.URL + ", which also counts after it was merged", waiting: true}}
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// keep notes the pull requests of a change for the journal.
func (j *judge) keep(ch change, r reviewed) {
	for i := range r.pulls {
		p := &r.pulls[i]
		kept := journal.AcceptedPull{
			Number: p.Pull.Number, URL: p.Pull.URL, Author: p.Pull.Author,
			Head: p.Pull.HeadSHA, Merged: ch.ID, MergedBy: p.Pull.MergedBy,
		}
		for _, who := range slices.Sorted(maps.Keys(p.approvals)) {
			a := p.approvals[who]
			kept.Approvals = append(kept.Approvals, journal.Approver{By: a.By, At: a.At, Rules: slices.Sorted(maps.Keys(p.counted[who]))})
		}
		for _, t := range ch.touched {
			kept.Objects = append(kept.Objects, t.Address)
		}
		j.accepted = append(j.accepted, kept)
	}
}
