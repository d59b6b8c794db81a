package rollout

import (
	"fmt"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// GatewayInput is the gateway as it was observed.
type GatewayInput struct {
	Scope      reconcile.Scope
	Target     *reconcile.GatewayTarget // nil: there should be none
	Containers []reconcile.Container    // of kind gateway
	Failed     map[string]int           // commands on a container that failed in a row
}

// StepGateway decides the next move of the gateway. There is one, and it holds
// the published port, so another revision cannot start beside it: the old one is
// retired first.
func StepGateway(state State, in GatewayInput, now time.Time) Decision {
	s := &stepper{Input: Input{Scope: in.Scope, Containers: in.Containers, Failed: in.Failed, View: &reconcile.RouterView{}}, now: now}
	s.out.State = State{Starts: state.Starts, Draining: state.Draining}
	if in.Target != nil {
		s.out.Want = 1
	}
	var keep *reconcile.Container
	leaving := false
	for i := range in.Containers {
		c := &in.Containers[i]
		reason := s.gatewayFault(c, in.Target, keep != nil)
		switch {
		case c.State == reconcile.StateRemoving:
			leaving = true
		case reason != "":
			leaving = true
			s.command(Command{Verb: Retire, ContainerID: c.ID, Name: c.Name, Grace: gatewayGrace, Reason: reason})
		default:
			keep = c
		}
	}
	switch {
	case keep != nil:
		s.mendGateway(keep)
	case in.Target != nil && !leaving:
		s.command(Command{Verb: Launch, Ordinal: 1, Name: in.Scope.GatewayName(), Reason: "no gateway runs"})
	}
	s.forgetStarts()
	s.gatewayStatus(keep)
	return s.out
}

const gatewayGrace = 15 * time.Second

// gatewayFault says why a gateway must go; empty if it may stay.
func (s *stepper) gatewayFault(c *reconcile.Container, t *reconcile.GatewayTarget, another bool) string {
	switch {
	case t == nil:
		return "the environment is taken down"
	case c.Revision != t.Revision:
		return "its address, its key or its table format changed"
	case another:
		return "there is another gateway"
	case c.State == reconcile.StateDead, s.Failed[c.ID] >= giveUpAfter && c.State != reconcile.StateRunning:
		return "it cannot be started again"
	}
	return ""
}

func (s *stepper) mendGateway(c *reconcile.Container) {
	name := s.Scope.GatewayName()
	if c.Name != name {
		s.command(Command{Verb: Rename, ContainerID: c.ID, Name: name, Reason: fmt.Sprintf("it was renamed to %s", c.Name)})
	}
	switch c.State {
	case reconcile.StateCreated:
		s.start(c, name, "it was created but not started")
	case reconcile.StateExited:
		s.start(c, name, exitReason(c))
	case reconcile.StatePaused:
		s.command(Command{Verb: Start, ContainerID: c.ID, Name: name, Reason: "it was paused"})
	case reconcile.StateRunning:
		if c.Address == "" {
			s.command(Command{Verb: Update, ContainerID: c.ID, Name: name, Reason: "it was disconnected from its network"})
		}
	case reconcile.StateRestarting, reconcile.StateRemoving, reconcile.StateDead:
	}
}

func (s *stepper) gatewayStatus(keep *reconcile.Container) {
	switch {
	case len(s.out.Commands) > 0:
		s.out.Phase, s.out.Reason = Rolling, fmt.Sprintf("%s %s: %s", s.out.Commands[0].Verb, s.out.Commands[0].Name, s.out.Commands[0].Reason)
	case keep == nil && s.out.Want == 0:
		s.out.Phase = Steady
	case keep != nil && keep.State == reconcile.StateRunning:
		s.out.Phase, s.out.Ready = Steady, 1
	case keep != nil && (keep.Restarts > loopAfter || s.out.State.Starts[keep.ID].Count > loopAfter):
		s.out.Phase, s.out.Reason = Degraded, "it keeps ending: "+exitReason(keep)
	default:
		s.out.Phase, s.out.Reason = Rolling, "it is starting"
	}
}
