package app

import (
	"cmp"
	"context"
	"fmt"

	"github.com/fairlead/fairlead/reconcile"
)

// redactedForge blots the values of secrets out of all that is written to a forge, so that
// nothing that is written there has to think of it. A pull request that names no base is
// into the branch that is followed.
type redactedForge struct {
	reconcile.Forge
	redact func(string) string
	base   func() string
}

// OpenPull implements reconcile.Forge.
func (f redactedForge) OpenPull(ctx context.Context, p reconcile.NewPull) (reconcile.Pull, error) {
	p.Title, p.Body = f.redact(p.Title), f.redact(p.Body)
	if p.Base = cmp.Or(p.Base, f.base()); p.Base == "" {
		return reconcile.Pull{}, fmt.Errorf("%w: the repository was not read yet, so it is not known which branch is its default one", reconcile.ErrUnavailable)
	}
	return f.Forge.OpenPull(ctx, p)
}

// EditPull implements reconcile.Forge.
func (f redactedForge) EditPull(ctx context.Context, number int, title, body string) error {
	return f.Forge.EditPull(ctx, number, f.redact(title), f.redact(body))
}

// Comment implements reconcile.Forge.
func (f redactedForge) Comment(ctx context.Context, number int, marker, body string) error {
	return f.Forge.Comment(ctx, number, marker, f.redact(body))
}

// Status implements reconcile.Forge.
func (f redactedForge) Status(ctx context.Context, commit string, c reconcile.CommitStatus) (bool, error) {
	c.Text, c.Summary = f.redact(c.Text), f.redact(c.Summary)
	annotations := make([]reconcile.Annotation, 0, len(c.Annotations))
	for _, a := range c.Annotations {
		a.Title, a.Message = f.redact(a.Title), f.redact(a.Message)
		annotations = append(annotations, a)
	}
	c.Annotations = annotations
	return f.Forge.Status(ctx, commit, c)
}

// redactedProposals does the same for commits.
type redactedProposals struct {
	reconcile.Proposals
	redact func(string) string
}

// Propose implements reconcile.Proposals.
func (r redactedProposals) Propose(ctx context.Context, p reconcile.Proposal) (reconcile.Proposed, error) {
	p.Message = r.redact(p.Message)
	return r.Proposals.Propose(ctx, p)
}
