package notify

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/spec"
)

// Scene is what the messages of one daemon have in common. Its methods word messages;
// they are pure.
type Scene struct {
	Environment  string
	Installation string // owner of the daemon
	// JournalHead is the newest commit of the journal.
	JournalHead string
	// CommitURL is the page of a commit of the config repo; nil: there is none.
	CommitURL func(commit string) string
}

// message begins a message of an event about a subject, which is model.digits or the
// like.
func (s Scene) message(event spec.NotifyEvent, subject string, owners []string, at time.Time) reconcile.Message {
	return reconcile.Message{
		Event: event, Severity: SeverityOf(event), Subject: subject, Owners: owners, At: at,
		Environment: s.Environment, Installation: s.Installation, JournalHead: s.JournalHead,
		Thread: s.key(subject), Facts: map[string]string{},
	}
}

// key names something of this environment to the receivers of all.
func (s Scene) key(parts ...string) string {
	return strings.Join(append([]string{"fairlead", s.Installation, s.Environment}, parts...), "/")
}

// link points at a commit of the config repo, if its page is known.
func (s Scene) link(m *reconcile.Message, commit string) {
	if commit == "" {
		return
	}
	m.Facts["commit"] = commit
	if s.CommitURL != nil {
		m.URL = s.CommitURL(commit)
	}
}

// Decided words a decision as the journal has it, with the record behind it. ok is
// false of a decision that is no news to anybody. What people decided about a rollout
// resolves what was complained of it.
func (s Scene) Decided(e *journal.Entry, owners []string) (m reconcile.Message, ok bool) {
	switch {
	case e.Model != "":
		m, ok = s.rollout(e, owners)
	case e.Pipeline != "":
		m, ok = s.runEnded(e, owners)
	case e.Proposal != "":
		m, ok = s.proposal(e, owners)
	}
	if !ok {
		return reconcile.Message{}, false
	}
	if m.Key == "" {
		m.Key = s.key(m.Subject, string(e.Action), e.At.UTC().Format(time.RFC3339Nano))
	}
	if m.Text == "" {
		m.Text = e.Reason
	}
	if m.Facts["commit"] == "" && e.Commit != "" {
		url := m.URL
		s.link(&m, e.Commit)
		m.URL = cmp.Or(url, m.URL)
	}
	fill(m.Facts, "from", e.From, "to", e.To, "version", e.Version, "run", e.Run)
	if e.Actor != journal.Daemon {
		fill(m.Facts, "actor", e.Actor)
	}
	return m, true
}

// fill adds the facts that are there.
func fill(facts map[string]string, pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			facts[pairs[i]] = pairs[i+1]
		}
	}
}

// over says of a decision why nothing is left to complain of.
var over = map[journal.Action]string{
	journal.ActionApprove:   "approved; nobody has to decide any more",
	journal.ActionAbort:     "the rollout was aborted; nobody has to decide any more",
	journal.ActionSupersede: "a newer revision took the place of the candidate",
	journal.ActionRetry:     "the rejected revision may be started again",
	journal.ActionRemove:    "it is not in Git any more",
}

// rollout words a decision about a model.
func (s Scene) rollout(e *journal.Entry, owners []string) (reconcile.Message, bool) {
	about := func(event spec.NotifyEvent, format string, args ...any) reconcile.Message {
		m := s.message(event, "model."+e.Model, owners, e.At)
		m.Title = e.Model + ": " + fmt.Sprintf(format, args...)
		return m
	}
	candidate := release(e.To, e.Version)
	switch e.Action {
	case journal.ActionStart:
		m := about(spec.NotifyRolloutStarted, "rollout of %s started", candidate)
		m.Text = e.Reason + steps(e.Record)
		return m, true
	case journal.ActionPromote:
		m := about(spec.NotifyPromoted, "%s is promoted and takes all of the traffic", candidate)
		m.Resolves = true
		return m, true
	case journal.ActionRollback:
		return s.rolledBack(e, about)
	case journal.ActionReturn:
		m := about(spec.NotifyRolledBack, "back from %s to %s, which was still there", named(e.Record, e.From), candidate)
		if e.Record != nil && e.Record.Rejection(e.From) == nil {
			// Git asked for it: nothing is wrong with what it went back to.
			m.Severity = spec.SeverityInfo
		}
		return m, true
	case journal.ActionFail:
		m := about(spec.NotifyRolledBack, "the first deployment of %s failed", cmp.Or(candidate, e.From))
		return m, true
	case journal.ActionHold:
		m := about(spec.NotifyHeld, "rollout of %s is held at %d %%", candidate, e.Weight)
		m.Text = e.Reason + evidence(standing(e.Record)) + "\n\nIts share of the traffic stays as it is until somebody decides: promote, abort, or a new commit."
		m.Facts["weight"] = percent(e.Weight)
		return m, true
	case journal.ActionStep:
		return s.approvalWanted(e, about)
	case journal.ActionApprove, journal.ActionAbort, journal.ActionSupersede, journal.ActionRetry, journal.ActionRemove:
		m := about(spec.NotifyHeld, "%s", over[e.Action])
		m.Severity, m.Resolves = spec.SeverityInfo, true
		return m, true
	default:
		return reconcile.Message{}, false
	}
}

// rolledBack words a way back, with the numbers that it rests on.
func (s Scene) rolledBack(e *journal.Entry, about func(spec.NotifyEvent, string, ...any) reconcile.Message) (reconcile.Message, bool) {
	m := about(spec.NotifyRolledBack, "%s is rolled back", named(e.Record, e.From))
	if e.To != "" {
		m.Title += "; " + release(e.To, e.Version) + " serves"
	}
	m.Text = e.Reason
	if e.Record == nil {
		return m, true
	}
	r := e.Record.Rejection(e.From)
	if r == nil {
		return m, true
	}
	m.Text += evidence(r.Evidence) + "\n\nThis revision is not started again until somebody asks for it: revert the commit, or order a retry."
	if r.Commit != "" {
		s.link(&m, r.Commit)
	}
	fill(m.Facts, "cause", string(r.Cause), "rejected_version", r.Version, "weight", percent(r.Weight))
	if r.Step >= 0 {
		m.Facts["step"] = strconv.Itoa(r.Step + 1)
	}
	for _, v := range r.Evidence {
		if v.Outcome == judge.Fail {
			m.Facts["check."+v.Check] = v.Text
		}
	}
	return m, true
}

// approvalWanted words that a rollout has come to a step that waits for people.
func (s Scene) approvalWanted(e *journal.Entry, about func(spec.NotifyEvent, string, ...any) reconcile.Message) (reconcile.Message, bool) {
	if e.Record == nil || e.Record.Rollout == nil {
		return reconcile.Message{}, false
	}
	ro := e.Record.Rollout
	if ro.Step < 0 || ro.Step >= len(ro.Policy.Steps) || !ro.Policy.Steps[ro.Step].Approval || ro.Approved > ro.Step {
		return reconcile.Message{}, false
	}
	step := strconv.Itoa(ro.Step + 1)
	m := about(spec.NotifyApproval, "step %s of the rollout of %s waits for an approval", step, release(e.To, e.Version))
	m.Key = s.key(m.Subject, "approval", e.To, step)
	m.Text = e.Reason + evidence(standing(e.Record))
	fill(m.Facts, "step", step, "weight", percent(ro.Policy.Steps[ro.Step].Weight))
	return m, true
}

// runEnded words the end of a run that did not succeed; one that did resolves that, and
// so does the end of the pipeline.
func (s Scene) runEnded(e *journal.Entry, owners []string) (reconcile.Message, bool) {
	if e.Action == journal.ActionRemove {
		m := s.message(spec.NotifyRunFailed, "pipeline."+e.Pipeline, owners, e.At)
		m.Title, m.Severity, m.Resolves = e.Pipeline+": "+over[e.Action], spec.SeverityInfo, true
		return m, true
	}
	if e.Action != journal.ActionEnd {
		return reconcile.Message{}, false
	}
	outcome, _, _ := strings.Cut(e.Reason, ":")
	m := s.message(spec.NotifyRunFailed, "pipeline."+e.Pipeline, owners, e.At)
	m.Title = fmt.Sprintf("%s: run %s %s", e.Pipeline, e.Run, outcome)
	switch outcome {
	case "failed":
	case "denied":
		m.Title = fmt.Sprintf("%s: run %s is denied by a gate", e.Pipeline, e.Run)
	case "succeeded":
		m.Severity, m.Resolves = spec.SeverityInfo, true
		return m, true
	default:
		return reconcile.Message{}, false // cancelled: somebody wanted it
	}
	if e.PipelineRecord == nil || e.PipelineRecord.Last == nil || e.PipelineRecord.Last.Run != e.Run {
		return m, true
	}
	last := e.PipelineRecord.Last
	m.Text = e.Reason + ungated(last.Gates)
	fill(m.Facts, "trigger", last.Trigger, "took", last.At.Sub(last.Started).Round(time.Second).String())
	return m, true
}

// proposal words a proposal that waits for people; that it was concluded resolves
// nothing, since it complains of nothing.
func (s Scene) proposal(e *journal.Entry, owners []string) (reconcile.Message, bool) {
	if e.Action != journal.ActionPropose || e.ProposalRecord == nil || e.ProposalRecord.Open == nil {
		return reconcile.Message{}, false
	}
	r, open := e.ProposalRecord, e.ProposalRecord.Open
	subject := "proposal." + e.Proposal
	if r.Model != "" {
		subject = "model." + r.Model
	}
	m := s.message(spec.NotifyProposed, subject, owners, e.At)
	// One that is brought up to date is the same proposal, until it wants something else.
	m.Key = s.key("proposal", e.Proposal, open.Wish)
	m.Title = "proposed: " + open.Title
	m.Text = e.Reason
	if open.URL == "" {
		m.Text += "\n\nThere is no pull request: review and merge the branch " + open.Branch + "."
	}
	m.URL = open.URL
	fill(m.Facts, "kind", string(r.Kind), "branch", open.Branch, "commit", open.Commit)
	if open.Pull > 0 {
		m.Facts["pull"] = strconv.Itoa(open.Pull)
	}
	return m, true
}

// Refused words a commit that is not followed. One that only waits for approvals is
// told as wanting them. owners are those of what the commit touches, as far as that is
// known.
func (s Scene) Refused(r *reconcile.Refusal, owners []string, at time.Time) reconcile.Message {
	event, title := spec.NotifyRefused, "commit %s is refused: %s"
	if r.Waiting {
		event, title = spec.NotifyApproval, "commit %s waits for its review: %s"
	}
	m := s.message(event, "repo."+cmp.Or(r.Repo, journal.RootRepo), owners, at)
	m.Title = fmt.Sprintf(title, r.Head.Short(), r.Reason)
	m.Key = s.key(m.Subject, string(event), r.Head.ID, r.Rule)
	m.Text = r.Error() + "\n\nWhat runs stays as it is until a good commit takes the place of this one."
	s.link(&m, r.Head.ID)
	fill(m.Facts, "rule", r.Rule, "path", r.Path, "author", r.Head.Author, "subject", r.Head.Subject)
	if r.Commit != r.Head.ID {
		fill(m.Facts, "breaks_at", r.Commit)
	}
	return m
}

// Accepted words that a commit of a repo is followed: it resolves what was refused
// before it, and is no news to anybody else.
func (s Scene) Accepted(repo, commit string, owners []string, at time.Time) reconcile.Message {
	m := s.message(spec.NotifyRefused, "repo."+cmp.Or(repo, journal.RootRepo), owners, at)
	m.Severity, m.Resolves = spec.SeverityInfo, true
	m.Title = fmt.Sprintf("commit %.12s is followed", commit)
	m.Text = "What was refused before it is overtaken."
	m.Key = s.key(m.Subject, "accepted", commit)
	s.link(&m, commit)
	return m
}

// Unusable words a commit that is signed and reviewed as it has to be, and cannot be
// followed for what is in it: it does not load, or a guard refuses it.
func (s Scene) Unusable(repo string, commit spec.Commit, reason string, owners []string, at time.Time) reconcile.Message {
	m := s.message(spec.NotifyRefused, "repo."+cmp.Or(repo, journal.RootRepo), owners, at)
	first, _, _ := strings.Cut(reason, "\n")
	m.Title = fmt.Sprintf("commit %s cannot be followed: %s", commit.Short(), first)
	m.Key = s.key(m.Subject, "unusable", commit.ID)
	m.Text = reason + "\n\nWhat runs stays as it is until a good commit takes the place of this one."
	s.link(&m, commit.ID)
	fill(m.Facts, "author", commit.Author, "subject", commit.Subject)
	return m
}

// DriftHealed words that the engine differed from Git through nobody's decision, and
// that it was put right. what says what was done, a line for each: it tells one drift
// from another.
func (s Scene) DriftHealed(model string, owners []string, what []string, at time.Time) reconcile.Message {
	m := s.message(spec.NotifyDriftHealed, "model."+model, owners, at)
	m.Thread = "" // it is over when it is told
	m.Title = model + ": what runs had drifted from Git, and is put right"
	m.Text = "- " + strings.Join(what, "\n- ")
	m.Key = s.key(m.Subject, "drift", strings.Join(what, ";"))
	return m
}

// Settled words that Git wants what serves, so that nothing of a model is left to
// complain of; it is no news to anybody else.
func (s Scene) Settled(model string, owners []string, at time.Time) reconcile.Message {
	m := s.message(spec.NotifyHeld, "model."+model, owners, at)
	m.Severity, m.Resolves = spec.SeverityInfo, true
	m.Title = model + ": Git wants what serves"
	m.Key = s.key(m.Subject, "settled", at.UTC().Format(time.RFC3339Nano))
	return m
}

// Tampered words that the journal is not what it was: somebody who should not has written
// to it or taken something away. kind is what was found, a name, and finding tells one such
// thing from another. Each kind has a thread of its own: that one is put right says nothing
// of the others.
func (s Scene) Tampered(kind, finding, what string, at time.Time) reconcile.Message {
	m := s.message(spec.NotifyTampered, "journal."+kind, nil, at)
	m.Title = "the journal of " + s.Environment + " may have been tampered with"
	m.Text = what
	m.Key = s.key(m.Subject, "tampered", finding)
	return m
}

// Untampered words that what Tampered has told of this kind is put right.
func (s Scene) Untampered(kind, what string, at time.Time) reconcile.Message {
	m := s.message(spec.NotifyTampered, "journal."+kind, nil, at)
	m.Severity, m.Resolves = spec.SeverityInfo, true
	m.Title = "the journal of " + s.Environment + " is put right"
	m.Text = what
	m.Key = s.key(m.Subject, "untampered", at.UTC().Format(time.RFC3339Nano))
	return m
}

// HeadKept words whether the newest entry of the journal is kept out of reach: without
// that, nobody can tell later whether entries were removed from its end.
func (s Scene) HeadKept(kept bool, what string, at time.Time) reconcile.Message {
	m := s.message(spec.NotifyTampered, "journal.head", nil, at)
	m.Text = what
	m.Key = s.key(m.Subject, "unkept")
	if kept {
		m.Severity, m.Resolves = spec.SeverityInfo, true
		m.Key = s.key(m.Subject, "kept", at.UTC().Format(time.RFC3339Nano))
		m.Title = "the head of the journal of " + s.Environment + " is kept again"
		return m
	}
	m.Severity = spec.SeverityWarning
	m.Title = "the head of the journal of " + s.Environment + " is not kept"
	return m
}
