package journal

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/plain"
	"github.com/fairlead/fairlead/spec"
)

// Whoever can push to the branch can write a record, where entries are not signed. So
// what is read of one is refused where no decision leads to it, and its texts, which go
// into pull requests, messages and terminals, lose what could pass for more than a text.

// sifter is a record.
type sifter interface{ sift(s *sieve) }

// sieve goes over the fields of a record. It keeps what is wrong with the first bad one.
type sieve struct{ bad error }

func (s *sieve) refuse(ok bool, field string, value any, what string) {
	if !ok && s.bad == nil {
		s.bad = fmt.Errorf("%s is %q, which is no %s", field, fmt.Sprint(value), what)
	}
}

func (s *sieve) revision(field, v string) {
	s.refuse(validRevision.MatchString(v), field, v, "revision")
}
func (s *sieve) commit(field, v string) { s.refuse(validCommit.MatchString(v), field, v, "commit") }

func (s *sieve) name(field, v string) {
	s.refuse(v == "" || spec.ValidName(v), field, v, "name")
}

func (s *sieve) run(field, v string) {
	s.refuse(v == "" || validRun.MatchString(v), field, v, "run of a pipeline")
}

func (s *sieve) number(field string, v, from, to int) {
	s.refuse(v >= from && v <= to, field, v, fmt.Sprintf("number from %d to %d", from, to))
}

const anyNumber = int(^uint(0) >> 1)

var validBranch = regexp.MustCompile(`^([^\x00-\x20\x7f~^:?*\[\\/-][^\x00-\x20\x7f~^:?*\[\\]{0,254})?$`)

func (s *sieve) branch(field, v string) {
	ok := validBranch.MatchString(v) && !strings.Contains(v, "..") && plain.Line(v) == v
	s.refuse(ok, field, v, "name of a branch")
}

// web is an address that people are sent to.
func (s *sieve) web(field, v string) {
	at, err := url.Parse(v)
	ok := v == "" || err == nil && (at.Scheme == "https" || at.Scheme == "http") && at.Host != "" && plain.Line(v) == v
	s.refuse(ok, field, v, "address that begins with https:// or http://")
}

// oneOf is a word of a closed set, or none.
func oneOf[W ~string](s *sieve, field string, v W, words ...W) {
	s.refuse(v == "" || slices.Contains(words, v), field, v, "word that this version of fairlead knows there")
}

// text makes texts printable lines. What Fairlead writes stays as it is.
func (s *sieve) text(texts ...*string) {
	for _, t := range texts {
		*t = strings.Map(plain.Rune, strings.ToValidUTF8(*t, ""))
	}
}

func (s *sieve) texts(list []string) {
	for i := range list {
		s.text(&list[i])
	}
}

// markdown keeps line breaks and tabs.
func (s *sieve) markdown(t *string) {
	*t = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return plain.Rune(r)
	}, strings.ToValidUTF8(*t, ""))
}

func (r *Record) sift(s *sieve) {
	if r.Stable != nil {
		r.Stable.sift(s, "stable")
	}
	if r.Previous != nil {
		r.Previous.sift(s, "previous")
	}
	if r.Rollout != nil {
		r.Rollout.sift(s)
	}
	for i := range r.Rejected {
		r.Rejected[i].sift(s)
	}
	if l := r.Last; l != nil {
		oneOf(s, "last.outcome", l.Outcome, Promoted, FastPromoted, RolledBack, FastRolledBack, Aborted, Superseded, Failed)
		s.revision("last.revision", l.Revision)
		s.text(&l.Version, &l.Reason)
	}
	s.number("restarts", r.Restarts, 0, anyNumber)
}

func (r *Release) sift(s *sieve, field string) {
	s.revision(field+".revision", r.Revision)
	s.commit(field+".commit", r.Commit)
	s.refuse(validInclude.MatchString(r.Include), field+".include", r.Include, "NAME@COMMIT")
	s.text(&r.Version, &r.Image)
}

func (r *Rollout) sift(s *sieve) {
	r.Candidate.sift(s, "rollout.candidate")
	s.number("rollout.step", r.Step, -1, max(len(r.Policy.Steps)-1, 0))
	s.number("rollout.weight", r.Weight, 0, 100)
	s.number("rollout.approved", r.Approved, 0, anyNumber)
	for check, evidence := range r.Checks {
		if evidence.Last != nil {
			siftVerdict(s, "rollout.checks."+check, evidence.Last)
		}
	}
	if r.Paused != nil {
		s.text(&r.Paused.Actor, &r.Paused.Reason)
	}
	s.text(&r.Held)
}

func (r *Rejection) sift(s *sieve) {
	r.Release.sift(s, "rejected")
	oneOf(s, "rejected.cause", r.Cause, CauseFailed, CauseDeadline, CauseAborted, CauseUndone)
	s.text(&r.Reason, &r.Actor)
	for i := range r.Evidence {
		siftVerdict(s, "rejected.evidence", &r.Evidence[i])
	}
}

func siftVerdict(s *sieve, field string, v *judge.Verdict) {
	oneOf(s, field+".outcome", v.Outcome, judge.Pass, judge.Fail, judge.Insufficient, judge.Error)
	s.text(&v.Check, &v.Text)
}

func (r *PipelineRecord) sift(s *sieve) {
	s.number("number", r.Number, 0, anyNumber)
	s.run("current", r.Current)
	s.text(&r.Schedule, &r.Fingerprint)
	if l := r.Last; l != nil {
		s.run("last.run", l.Run)
		s.commit("last.commit", l.Commit)
		s.text(&l.Outcome, &l.Reason, &l.Trigger)
		for i := range l.Gates {
			s.text(&l.Gates[i].Name, &l.Gates[i].Detail)
		}
	}
	for i := range r.Published {
		p := &r.Published[i]
		s.run("published.run", p.Run)
		s.name("published.model", p.Model)
		s.commit("published.commit", p.Commit)
		s.branch("published.branch", p.Branch)
		s.text(&p.Version, &p.Artifact, &p.Content, &p.Profile)
	}
}

func (r *RepoRecord) sift(s *sieve) {
	s.commit("accepted", r.Accepted)
	s.commit("before", r.Before)
	oneOf(s, "mode", spec.TrustMode(r.Mode), spec.TrustOff, spec.TrustHead, spec.TrustEvery)
	s.text(&r.URL, &r.Author, &r.Subject)
	for i := range r.Commits {
		c := &r.Commits[i]
		s.commit("commits.id", c.ID)
		s.text(&c.Author, &c.Signer, &c.Key)
	}
	for i := range r.Pulls {
		r.Pulls[i].sift(s)
	}
	if r.Rules != nil {
		s.commit("rules.since", r.Rules.Since)
	}
}

func (p *AcceptedPull) sift(s *sieve) {
	s.number("pulls.number", p.Number, 0, anyNumber)
	s.web("pulls.url", p.URL)
	s.commit("pulls.head", p.Head)
	s.commit("pulls.merged", p.Merged)
	s.text(&p.Author, &p.MergedBy)
	s.texts(p.Objects)
	for i := range p.Approvals {
		s.text(&p.Approvals[i].By)
		s.texts(p.Approvals[i].Rules)
	}
}

func (r *ProposalRecord) sift(s *sieve) {
	oneOf(s, "kind", r.Kind, ProposeRevert, ProposePromote, ProposeRetrain, ProposePin, ProposePromotion)
	s.name("model", r.Model)
	s.name("include", r.Include)
	if o := r.Open; o != nil {
		s.branch("open.branch", o.Branch)
		s.commit("open.base", o.Base)
		s.commit("open.commit", o.Commit)
		s.number("open.pull", o.Pull, 0, anyNumber)
		s.web("open.url", o.URL)
		s.text(&o.Wish, &o.Title)
		s.markdown(&o.Body)
	}
	for i := range r.Ended {
		e := &r.Ended[i]
		oneOf(s, "ended.outcome", e.Outcome, ProposalMerged, ProposalRejected, ProposalMoot, ProposalReplaced)
		s.number("ended.pull", e.Pull, 0, anyNumber)
		s.web("ended.url", e.URL)
		s.commit("ended.commit", e.Commit)
		s.text(&e.Wish, &e.Title, &e.By, &e.Reason)
	}
}
