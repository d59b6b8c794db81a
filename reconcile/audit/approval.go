package audit

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// Approval answers who let a version of a model into an environment.
type Approval struct {
	FormatVersion int    `json:"format_version"`
	Model         string `json:"model"`
	Version       string `json:"version"`
	Revision      string `json:"revision"`
	// Entry is the decision to begin with it, and Started when that was. Promoted is when
	// it first took all of the traffic; zero: it never did.
	Entry    string    `json:"entry"`
	Started  time.Time `json:"started"`
	Promoted time.Time `json:"promoted,omitzero"`

	// Commit brought it: of Repo, which is the config repo (root) or one that it
	// includes. The rest is empty where the journal does not
	// know.
	Commit   string                 `json:"commit,omitempty"`
	Repo     string                 `json:"repo,omitempty"`
	Subject  string                 `json:"subject,omitempty"`
	Author   string                 `json:"author,omitempty"`
	Signer   string                 `json:"signer,omitempty"`
	Key      string                 `json:"key,omitempty"`
	Accepted time.Time              `json:"accepted,omitzero"` // when it came to be followed
	Trust    string                 `json:"trust,omitempty"`   // mode that it was judged by
	Pulls    []journal.AcceptedPull `json:"pulls,omitempty"`
	// Orders are what people ordered while it was introduced.
	Orders []Order `json:"orders,omitempty"`
	// Notes say what is not known, and what else to look at.
	Notes []string `json:"notes,omitempty"`
}

// ApprovalFormat is the FormatVersion of an Approval.
const ApprovalFormat = 1

// Order is an intervention of a person.
type Order struct {
	Entry  string    `json:"entry"`
	At     time.Time `json:"at"`
	What   string    `json:"what"`
	Actor  string    `json:"actor"`
	Reason string    `json:"reason,omitempty"`
}

// begins are the actions by which a version comes into an environment.
var begins = []journal.Action{journal.ActionStart, journal.ActionPromote, journal.ActionAdopt}

// WhoApproved looks for the first time that a version of a model came into the
// environment. entries are those about the model, newest first, and accepted those about
// config repos with their records. False: it never came.
func WhoApproved(entries, accepted []journal.Entry, model, version string) (Approval, bool) {
	a := Approval{FormatVersion: ApprovalFormat, Model: model, Version: version}
	var first *journal.Entry
	again := map[string]bool{} // other revisions under the same version
	for _, e := range slices.Backward(entries) {
		if e.Model != model || e.Version != version {
			continue
		}
		switch {
		case first == nil && slices.Contains(begins, e.Action):
			first = &e
		case first == nil:
			continue
		}
		if e.To != first.To {
			if e.Action == journal.ActionStart && !again[e.To] {
				again[e.To] = true
				a.Notes = append(a.Notes, fmt.Sprintf("%s %s came again as another revision, %s, on %s, by the commit %s", model, version, e.To, e.At.UTC().Format(time.RFC3339), short(e.DeclaredIn())))
			}
			continue
		}
		if e.Action == journal.ActionPromote && a.Promoted.IsZero() {
			a.Promoted = e.At.UTC()
		}
		if e.Actor != journal.Daemon {
			a.Orders = append(a.Orders, Order{Entry: e.ID, At: e.At.UTC(), What: string(e.Action), Actor: e.Actor, Reason: e.Reason})
		}
	}
	if first == nil {
		return Approval{}, false
	}
	a.Entry, a.Started, a.Revision, a.Commit = first.ID, first.At.UTC(), first.To, first.DeclaredIn()
	a.trace(NewProvenance(accepted), first.Action)
	return a, true
}

// trace fills in where the commit came from.
func (a *Approval) trace(known *Provenance, by journal.Action) {
	record := known.Brought(a.Commit, a.Model)
	switch {
	case a.Commit == "" && by == journal.ActionAdopt:
		a.Notes = append(a.Notes, "it was found running when fairlead came, so no commit brought it")
		return
	case record == nil:
		a.Notes = append(a.Notes, "the journal does not tell how the commit came to be followed: it is older than that, or no commit was noted then; commits are noted once the config repo has a trust block, trust { mode = off } at the least, or serve names the forge")
		return
	}
	a.Commit = record.Accepted
	c := commitIn(record, a.Commit)
	a.Repo, a.Subject, a.Author, a.Signer, a.Key = record.Repo, record.Subject, c.Author, c.Signer, c.Key
	a.Accepted, a.Trust, a.Pulls = record.Since.UTC(), record.Mode, pullsOf(record, a.Model)
	if c.Signer == "" {
		a.Notes = append(a.Notes, "it is not known who signed the commit")
	}
	if len(a.Pulls) == 0 {
		a.Notes = append(a.Notes, "no pull request is known that brought it")
	}
}
