package plan

import (
	"fmt"
)

// kept: the release before is kept for an instant way back.
func (m *modelDiff) kept(revision string) bool {
	return m.record != nil && m.record.Previous != nil && m.record.Previous.Revision == revision
}

// rejected tells whether Git wants a release that is in the ledger. Then nothing
// is done, and the change says why.
func (m *modelDiff) rejected() bool {
	want := m.target.Revision
	if m.record == nil || m.record.Rollout != nil || m.record.Stable == nil || m.record.Stable.Revision == want {
		return false
	}
	why := m.record.Rejection(want)
	if why == nil {
		return false
	}
	m.change.Action, m.change.From = Hold, m.record.Stable.Revision
	m.change.Reasons = []string{
		fmt.Sprintf("revision %s was rejected (%s): %s", want, why.Cause, why.Reason),
		fmt.Sprintf("revision %s serves on; change Git, or `fairlead rollout retry %s`", m.record.Stable.Revision, m.target.Model.Name),
	}
	return true
}

// underWay says how far the rollout of what Git wants is; empty if there is none.
func (m *modelDiff) underWay() string {
	if m.record == nil || m.record.Rollout == nil || m.record.Rollout.Candidate.Revision != m.target.Revision {
		return ""
	}
	ro := m.record.Rollout
	switch {
	case ro.Held != "":
		return fmt.Sprintf("its rollout stands at %d %%: %s", ro.Weight, ro.Held)
	case ro.Step < 0:
		return "its rollout is under way: the replicas are made ready"
	}
	return fmt.Sprintf("its rollout is under way: step %d of %d, %d %%", ro.Step+1, len(ro.Policy.Steps), ro.Weight)
}
