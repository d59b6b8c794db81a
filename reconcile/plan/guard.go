package plan

import (
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/reconcile"
)

// Limits bound what one commit may destroy without being asked for it.
type Limits struct {
	// AllowEmpty lets a commit without any model empty the environment.
	AllowEmpty bool
	// AllowDestroy lets a commit destroy any share of the models.
	AllowDestroy bool
	// MaxDestroy is the share of the running models, 0 to 1, that a commit may
	// destroy. Up to two models are always allowed.
	MaxDestroy float64
}

// TrailerAllowDestroy is the commit trailer that allows a mass delete, so that
// the permission is reviewed together with the change: "Fairlead-Allow-Destroy:
// yes".
const TrailerAllowDestroy = "Fairlead-Allow-Destroy"

// alwaysAllowed is how many models any commit may destroy: in a small repo one
// model is a large share.
const alwaysAllowed = 2

// Guard refuses a plan that looks like an accident: an empty desired state, or
// one that destroys a large share of all models at once. It returns nil, or an
// error that says how to let the plan pass.
func Guard(p *Plan, d *reconcile.Desired, limits Limits) error {
	wanted := len(d.Targets) + len(d.Unbound)
	if p.Summary.Destroy == 0 || allowedByCommit(d) {
		return nil
	}
	if wanted == 0 && !limits.AllowEmpty {
		return fmt.Errorf("refused: %s declares no model at all, and %d run; nothing was changed. If the environment is meant to be emptied, say --allow-empty, or put the trailer %q on the commit",
			d.Commit.Short(), p.Summary.Destroy, TrailerAllowDestroy+": yes")
	}
	if wanted == 0 || limits.AllowDestroy || p.Summary.Destroy <= alwaysAllowed {
		return nil
	}
	if share := float64(p.Summary.Destroy) / float64(p.Running); share > limits.MaxDestroy {
		return fmt.Errorf("refused: %s would destroy %d of the %d models that run (%.0f %%, the limit is %.0f %%); nothing was changed. If that is meant, say --allow-destroy, or put the trailer %q on the commit",
			d.Commit.Short(), p.Summary.Destroy, p.Running, 100*share, 100*limits.MaxDestroy, TrailerAllowDestroy+": yes")
	}
	return nil
}

func allowedByCommit(d *reconcile.Desired) bool {
	for _, value := range d.Commit.Trailers[TrailerAllowDestroy] {
		if strings.EqualFold(value, "yes") {
			return true
		}
	}
	return false
}
