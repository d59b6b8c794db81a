package app

import (
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// RefusalStatus is one reason why the newest commit of a repo is not followed.
type RefusalStatus struct {
	Repo    string   `json:"repo"` // root, or the name of an include
	Head    string   `json:"head"` // commit that is refused
	Subject string   `json:"subject,omitempty"`
	Rule    string   `json:"rule"`
	Pos     spec.Pos `json:"declared,omitzero"` // of the rule
	Commit  string   `json:"commit,omitempty"`  // that breaks it
	Path    string   `json:"path,omitempty"`    // "" if it is about no path
	Reason  string   `json:"reason"`
	Remedy  string   `json:"remedy,omitempty"`
	// Waiting: nothing is wrong with it but that approvals are missing.
	Waiting bool `json:"waiting,omitempty"`
}

// refusals are all reasons against the newest commits, those of the root first.
func (s *Site) refusals() []RefusalStatus {
	var all []RefusalStatus
	if s.own != nil && s.own.gate != nil {
		all = refusalsOf(s.own.gate.Refusals())
	}
	for _, r := range s.includedRepos() {
		all = append(all, refusalsOf(r.gate.Refusals())...)
	}
	return all
}

func refusalsOf(refusals []*reconcile.Refusal) []RefusalStatus {
	var all []RefusalStatus
	for _, r := range refusals {
		all = append(all, RefusalStatus{
			Repo: r.Repo, Head: r.Head.ID, Subject: r.Head.Subject, Rule: r.Rule, Pos: r.Pos, Commit: r.Commit, Path: r.Path,
			Reason: r.Reason, Remedy: r.Remedy, Waiting: r.Waiting,
		})
	}
	return all
}
