package trust

import (
	"context"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// Brought names who answers for a commit that is followed: who merged it on the forge, else
// whose key signed it; "" where neither is known. What a commit says of its author anybody
// may write.
func (g *Gate) Brought(ctx context.Context, commit string) string {
	g.mu.Lock()
	p, waits := g.pending[commit]
	g.mu.Unlock()
	if waits {
		return brought(p.record)
	}
	if r, err := g.accepted(ctx); err == nil && r.Accepted == commit {
		return brought(r)
	}
	return ""
}

func brought(r journal.RepoRecord) string {
	for _, p := range r.Pulls {
		if p.Merged == r.Accepted && p.MergedBy != "" {
			return p.MergedBy
		}
	}
	for _, c := range r.Commits {
		if c.ID == r.Accepted {
			return c.Signer
		}
	}
	return ""
}
