package app

import (
	"context"

	"github.com/fairlead/fairlead/reconcile/review"
	"github.com/fairlead/fairlead/spec"
)

// PlanReport is Plan in the form that a pull request shows. Specs that do not load are
// part of it, and so is an engine that does not answer; the error says that there was
// nothing to plan.
func (s *Site) PlanReport(ctx context.Context) (*review.Report, error) {
	snapshot, err := s.Source.Latest(ctx)
	if err != nil {
		return nil, err
	}
	r := &review.Report{FormatVersion: review.FormatVersion, Environment: s.Config.Environment, Head: snapshot.Tree.Commit().ID, Root: s.Config.Path}
	nothing := spec.NewTree(spec.Commit{}, nil) // every policy counts as new
	return r, newPlanner(s).fill(ctx, r, nothing, snapshot.Tree)
}
