package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/audit"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// meanings say what a broken rule tells about what happened.
var meanings = map[audit.Rule]string{
	audit.RuleEntry:     "a commit that fairlead did not make is in the journal",
	audit.RuleChain:     "entries were joined, cut off or taken out: the journal does not lead back to its first entry",
	audit.RuleSignature: "somebody without the daemon's key wrote that entry, or changed it later",
	audit.RuleJournal:   "an entry of another environment was put into this journal",
	audit.RuleTree:      "files were changed that the entry says nothing about",
	audit.RuleRecord:    "what was decided and what is kept of it differ: one of the two was changed",
	audit.RuleTime:      "entries were put into another order, or their times were changed",
	audit.RuleAuthor:    "somebody else than fairlead made the commit",
	audit.RuleObject:    "a part of the repository is missing or damaged: a disk, or somebody who removed it",
	audit.RuleHead:      "entries that were there are missing now: the journal was cut off, rewritten or replaced",
	audit.RuleReplace:   "git log shows another history than there is",
}

// AuditReport prints what a verification found. heads and keys tell whether it was asked
// for any.
func (v *View) AuditReport(r *audit.Report, environment string, heads, keys bool) error {
	out := &printer{v: v}
	out.line("Journal of %s: branch %s of %s", v.paint(bold, environment), r.Branch, r.Repository)
	if r.Head.Commit == "" {
		out.line("  entries   none")
	} else {
		out.line("  entries   %d, from %s to %s", r.Head.Entries, moment(r.First), moment(r.Head.At))
		out.line("  newest    %s", r.Head.Commit)
	}
	for _, use := range r.Signed {
		out.line("  signed    %d by %s", use.Entries, use.Key)
	}
	if r.Unsigned > 0 {
		out.line("  unsigned  %d", r.Unsigned)
	}
	for _, h := range r.Heads {
		out.headFound(&h)
	}
	out.line("")
	out.problems(r)
	if !keys {
		out.line("%s Without --journal-signers it is not known who wrote the entries: whoever can push could have made them all.", v.paint(yellow, "!"))
	}
	if !heads {
		out.line("%s Without --head nobody sees whether the newest entries were removed, or all was replaced. Keep one out of reach: fairlead audit head", v.paint(yellow, "!"))
	}
	for _, note := range r.Notes {
		if !strings.HasPrefix(note, "no key was named") && !strings.HasPrefix(note, "no head was given") { // said above, with what to do
			out.line("%s %s", v.paint(yellow, "!"), note)
		}
	}
	out.verdict(r, heads && keys)
	return out.flush()
}

func (p *printer) headFound(h *audit.HeadFound) {
	source := ""
	if h.Source != "" && h.Source != "--head" {
		source = ", from " + h.Source
	}
	if h.Entry == 0 {
		p.line("  head      %s%s: %s", short(h.Commit), source, p.v.paint(red, "not found"))
		return
	}
	p.line("  head      %s%s: entry %d", short(h.Commit), source, h.Entry)
}

func short(commit string) string { return commit[:min(len(commit), 12)] }

// shownProblems is how many problems are printed: one rewritten entry makes every later
// one bad.
const shownProblems = 20

func (p *printer) problems(r *audit.Report) {
	var rules []audit.Rule
	for i := range r.Problems {
		problem := &r.Problems[i]
		if !slices.Contains(rules, problem.Rule) {
			rules = append(rules, problem.Rule)
		}
		if i < shownProblems {
			p.line("%s %s", p.v.paint(red, "✗"), problem)
		}
	}
	if more := len(r.Problems) + r.More - shownProblems; more > 0 {
		p.line("%s and %d more; --json lists them", p.v.paint(red, "✗"), more)
	}
	if len(rules) == 0 {
		return
	}
	p.line("")
	p.line("What that means:")
	for _, rule := range rules {
		p.line("  %-10s %s", rule, meanings[rule])
	}
	p.line("")
}

func (p *printer) verdict(r *audit.Report, whole bool) {
	switch n := len(r.Problems) + r.More; {
	case n == 1:
		p.line("%s The journal is not what it was. 1 problem.", p.v.paint(red, "✗"))
	case n > 1:
		p.line("%s The journal is not what it was. %d problems; the first entry that is named is where to look.", p.v.paint(red, "✗"), n)
	case whole:
		p.line("%s Nothing was changed, removed, added or put into another order.", p.v.paint(green, "✓"))
	default:
		p.line("%s Nothing is wrong with what could be checked.", p.v.paint(green, "✓"))
	}
}

// AuditHead prints the newest entry, in the form that a verification reads.
func (v *View) AuditHead(h audit.Head) error {
	text, err := h.Encode()
	if err != nil {
		return err
	}
	_, err = v.Out.Write(text)
	return err
}

// AuditRows writes rows as JSON Lines, or as a table with commas.
func (v *View) AuditRows(rows []audit.Row, csv bool) error {
	if csv {
		return audit.WriteCSV(v.Out, rows)
	}
	return audit.WriteJSONLines(v.Out, rows)
}

// Approval prints who let a version in.
func (v *View) Approval(a *app.VersionApproval) error {
	out := &printer{v: v}
	name := v.paint(bold, a.Model+" "+a.Version)
	approved, merged := approvers(a)
	switch {
	case len(approved) > 0:
		out.line("%s in %s was approved by %s.", name, a.Environment, join(approved))
	case len(merged) > 0:
		out.line("%s in %s was merged by %s. No other approval is known.", name, a.Environment, join(merged))
	default:
		out.line("%s came into %s. Who approved it, the journal does not know.", name, a.Environment)
	}
	out.known("commit", strings.TrimRight(shortID(a.Commit)+"  "+a.Subject, " "))
	if a.Repo != journal.RootRepo {
		out.known("of", a.Repo)
	}
	if a.Author == "" && a.Commit != "" {
		out.known("author", "not in the journal; see git show "+shortID(a.Commit))
	}
	out.known("author", a.Author)
	out.known("signer", signer(a))
	for i := range a.Pulls {
		pull := &a.Pulls[i]
		text := fmt.Sprintf("#%d by %s  %s", pull.Number, cmp.Or(pull.Author, "somebody"), pull.URL)
		out.known("pull", text)
		for _, approval := range pull.Approvals {
			text := fmt.Sprintf("%s, %s", approval.By, moment(approval.At))
			if len(approval.Rules) > 0 {
				text += ", for " + strings.Join(approval.Rules, ", ")
			}
			out.known("approved", text)
		}
		if pull.MergedBy != "" {
			out.known("merged", fmt.Sprintf("%s, as %s", pull.MergedBy, shortID(pull.Merged)))
		}
	}
	if !a.Accepted.IsZero() {
		out.known("followed", fmt.Sprintf("%s, trust %s", moment(a.Accepted), cmp.Or(a.Trust, "off")))
	}
	out.rolled(a)
	for _, note := range a.Notes {
		out.line("%s %s", v.paint(yellow, "Note:"), note)
	}
	return out.flush()
}

// endings are the ways in which a rollout ends, in words.
var endings = map[journal.Action]string{
	journal.ActionPromote: "promoted", journal.ActionRollback: "rolled back", journal.ActionReturn: "back to the release before", journal.ActionAbort: "aborted",
	journal.ActionSupersede: "superseded by a newer one", journal.ActionFail: "failed",
}

// rolled tells how the version was introduced.
func (p *printer) rolled(a *app.VersionApproval) {
	p.known("began", fmt.Sprintf("%s, as revision %s", moment(a.Started), a.Revision))
	for _, o := range a.Orders {
		p.known("order", fmt.Sprintf("%s by %s, %s: %s", o.What, o.Actor, moment(o.At), o.Reason))
	}
	for _, e := range a.Evidence {
		p.known("evidence", fmt.Sprintf("%s %s: %s", e.Check, e.Outcome, firstLine(e.Text)))
	}
	switch {
	case a.Outcome != nil:
		what := cmp.Or(endings[journal.Action(a.Outcome.What)], a.Outcome.What)
		p.known("ended", fmt.Sprintf("%s, %s: %s", what, moment(a.Outcome.At), firstLine(a.Outcome.Reason)))
	case a.Promoted.IsZero():
		p.known("ended", "not yet")
	}
}

// known is a line with its name; nothing where nothing is known.
func (p *printer) known(name, text string) {
	if text != "" {
		p.line("  %-9s %s", name, text)
	}
}

// approvers are those whose approval let it in, and those who merged it, each once.
func approvers(a *app.VersionApproval) (approved, merged []string) {
	add := func(to []string, name string) []string {
		if name == "" || slices.Contains(to, name) {
			return to
		}
		return append(to, name)
	}
	for i := range a.Pulls {
		for _, approval := range a.Pulls[i].Approvals {
			approved = add(approved, approval.By)
		}
		merged = add(merged, a.Pulls[i].MergedBy)
	}
	return approved, merged
}

func signer(a *app.VersionApproval) string {
	switch {
	case a.Signer == "" && a.Key == "":
		return ""
	case a.Key == "":
		return a.Signer
	default:
		return fmt.Sprintf("%s, %s", cmp.Or(a.Signer, "nobody that is known"), a.Key)
	}
}

// join lists names as in a sentence.
func join(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
