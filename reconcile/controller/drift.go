package controller

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// drift is what had to be put right at a model about which nothing was decided: a
// replica that somebody removed, renamed or paused. It is told when all is well again.
type drift struct {
	// at is the target at which the model was steady last, and which it still has.
	at     *reconcile.Target
	healed []string
}

// same: nothing that Git says about the model has changed in between.
func (d *drift) same(t *reconcile.Target) bool {
	return d.at != nil && t != nil && d.at.Revision == t.Revision && d.at.Model == t.Model
}

// noteDrift keeps what is put right, and tells of it in the end.
func (l *loop) noteDrift(o *object, address spec.Address, commands []rollout.Command) {
	target := l.desired.Targets[string(o.key)]
	if o.ledger.record.Rollout != nil || !o.drift.same(target) {
		o.drift = drift{}
	}
	if o.decision.Phase == rollout.Steady {
		if len(o.drift.healed) > 0 {
			l.emit(Event{Type: DriftHealed, Address: address, Commit: l.desired.Commit.ID, Message: strings.Join(o.drift.healed, "\n")})
		}
		o.drift = drift{at: target}
		return
	}
	if o.drift.at == nil {
		return
	}
	for _, c := range commands {
		switch c.Verb {
		case rollout.Launch, rollout.Start, rollout.Rename, rollout.Update:
			if text := fmt.Sprintf("%s %s: %s", c.Verb, c.Name, c.Reason); !slices.Contains(o.drift.healed, text) {
				o.drift.healed = append(o.drift.healed, text)
			}
		case rollout.Retire, rollout.Verify, rollout.WarmUp:
		}
	}
}
