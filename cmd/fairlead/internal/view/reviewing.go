package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/notify"
	"github.com/fairlead/fairlead/reconcile/proposer"
)

// refused says why the newest commits are not followed, and what to do.
func (p *printer) refused(refusals []app.RefusalStatus) {
	for i := range refusals {
		r := &refusals[i]
		mark := p.v.paint(red, "refused!")
		if r.Waiting {
			mark = p.v.paint(yellow, "waits   ")
		}
		repo := ""
		if r.Repo != journal.RootRepo {
			repo = " of " + r.Repo
		}
		p.line("  %s %s", mark, strings.TrimRight(fmt.Sprintf("commit %s%s  %s", shortID(r.Head), repo, r.Subject), " "))
		rule := r.Rule
		if pos := r.Pos.String(); pos != "" {
			rule += " (" + pos + ")"
		}
		p.line("           %s: %s", rule, r.Reason)
		if r.Commit != "" && r.Commit != r.Head {
			p.line("           commit: %s", shortID(r.Commit))
		}
		if r.Path != "" {
			p.line("           path: %s", r.Path)
		}
		if r.Remedy != "" {
			p.line("           to do: %s", r.Remedy)
		}
	}
}

// notFollowed says that the newest commit waits for people, if it does.
func (p *printer) notFollowed(refusals []app.RefusalStatus) bool {
	switch {
	case len(refusals) == 0:
		return false
	case slices.ContainsFunc(refusals, func(r app.RefusalStatus) bool { return !r.Waiting }):
		p.line("%s The newest commit is not followed: what runs stays as it is.", p.v.paint(red, "✗"))
	default:
		p.line("%s The newest commit waits for approvals.", p.v.paint(yellow, "…"))
	}
	return true
}

// proposals are those that wait for people, or cannot be made.
func (p *printer) proposals(all []proposer.Status, now time.Time) {
	first := true
	for i := range all {
		s := &all[i]
		text, ok := p.proposal(s, now)
		if !ok {
			continue
		}
		if first {
			p.line("")
			first = false
		}
		p.line("  proposal %s  %s", s.Key, text)
		if s.State == "open" && !s.Waits && s.Reason != "" {
			p.line("           %s %s", p.v.paint(yellow, "!"), firstLine(s.Reason))
		}
		if s.Error != "" {
			p.line("           %s", p.v.paint(red, firstLine(s.Error)))
		}
	}
}

func (p *printer) proposal(s *proposer.Status, now time.Time) (text string, ok bool) {
	switch {
	case s.State == "open":
		where := "merge the branch " + s.Branch
		if s.Include != "" {
			where += " of the repository of include " + s.Include
		}
		if s.URL != "" {
			where = s.URL
		}
		return fmt.Sprintf("%s %s, %s old: %s", p.v.paint(cyan, "↗"), s.Title, since(s.Since, now), where), true
	case s.State == "blocked" && (s.Reason != "" || s.Error != ""):
		return fmt.Sprintf("%s %s: %s", p.v.paint(yellow, "!"), cmp.Or(s.Title, string(s.Kind)), firstLine(cmp.Or(s.Reason, "it cannot be made"))), true
	}
	return "", false
}

// pulls are the pull requests that are planned.
func (p *printer) pulls(pulls []app.PullStatus) {
	if len(pulls) == 0 {
		return
	}
	p.line("")
	for i := range pulls {
		s := &pulls[i]
		name := fmt.Sprintf("#%d", s.Number)
		if s.Include != "" {
			name = s.Include + name
		}
		switch {
		case s.Error != "":
			p.line("  pull %s  %s %s", name, p.v.paint(red, "✗"), firstLine(s.Error))
		case s.Skipped != "":
			p.line("  pull %s  %s not planned: %s", name, p.v.paint(dim, "·"), s.Skipped)
		case s.Failed:
			p.line("  pull %s  %s %s", name, p.v.paint(red, "✗"), s.Headline)
		default:
			p.line("  pull %s  %s %s", name, p.v.paint(green, "✓"), s.Headline)
		}
	}
}

// notifiers are those that fail, or have something to look after. The others are of no
// interest.
func (p *printer) notifiers(all []notify.Status, now time.Time) {
	for i := range all {
		s := &all[i]
		if !s.FailingSince.IsZero() {
			waits := ""
			if s.Queue > 0 {
				waits = fmt.Sprintf("; %s wait", count(s.Queue, "message"))
				if s.Queue == 1 {
					waits = "; 1 message waits"
				}
			}
			p.trouble("notify", fmt.Sprintf("%s has failed for %s%s: %s", s.Name, since(s.FailingSince, now), waits, s.LastError))
		}
		for _, note := range s.Notes {
			p.line("  notify   %s: %s", s.Name, note)
		}
	}
}

// reviewChanges says what is news about proposals and refusals.
func reviewChanges(before, s *app.DaemonStatus) []string {
	var news []string
	say := func(format string, args ...any) { news = append(news, fmt.Sprintf(format, args...)) }
	for i := range s.Refusals {
		r := &s.Refusals[i]
		if slices.Contains(before.Refusals, *r) {
			continue
		}
		verb := "is refused by"
		if r.Waiting {
			verb = "waits, for"
		}
		say("commit %s %s %s: %s", shortID(r.Head), verb, r.Rule, firstLine(r.Reason))
	}
	for i := range s.Proposals {
		now := &s.Proposals[i]
		was := proposalOf(before.Proposals, now.Key)
		switch {
		case now.State == "open" && (was.State != "open" || was.Title != now.Title):
			say("proposal %s: %s, %s", now.Key, now.Title, cmp.Or(now.URL, "branch "+now.Branch))
		case now.State == "open" && now.URL != was.URL && now.URL != "":
			say("proposal %s: %s", now.Key, now.URL)
		case now.State == "open" && !now.Waits && now.Reason != "" && was.Reason != now.Reason:
			say("proposal %s: %s", now.Key, firstLine(now.Reason))
		case now.State == "blocked" && now.Reason != "" && (was.State != now.State || was.Reason != now.Reason):
			say("proposal %s is not made: %s", now.Key, firstLine(now.Reason))
		}
		if now.Error != "" && now.Error != was.Error {
			say("proposal %s: %s", now.Key, firstLine(now.Error))
		}
	}
	for i := range before.Proposals {
		was := &before.Proposals[i]
		now := proposalOf(s.Proposals, was.Key)
		if was.State != "open" || now.State == "open" || s.Standby != "" {
			continue
		}
		if now.Last != nil {
			say("proposal %s was %s: %s", was.Key, now.Last.Outcome, cmp.Or(now.Last.Reason, was.Title))
		} else {
			say("proposal %s is closed: %s", was.Key, was.Title)
		}
	}
	return news
}

// sourceTrouble is what is wrong with reading the repo, unless refusals tell it.
func sourceTrouble(s *app.DaemonStatus) string {
	if s.Source.Refused && len(s.Refusals) > 0 {
		return ""
	}
	return s.Source.Error
}

func proposalOf(all []proposer.Status, key string) *proposer.Status {
	i := slices.IndexFunc(all, func(s proposer.Status) bool { return s.Key == key })
	if i < 0 {
		return &proposer.Status{}
	}
	return &all[i]
}
