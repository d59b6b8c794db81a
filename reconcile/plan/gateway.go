package plan

import (
	"fmt"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// diffGateway compares the gateway, of which there is one.
func diffGateway(d *reconcile.Desired, running []*reconcile.Container) *Change {
	t := d.Gateway
	if t == nil {
		return nil
	}
	c := &Change{Address: spec.Address{Kind: spec.KindGateway}, To: t.Revision, Replicas: [2]int{len(running), 1}}
	if len(running) == 0 {
		c.Action = Create
		c.Reasons = []string{fmt.Sprintf("no gateway runs in environment %s", d.Scope.Environment)}
		c.Fields = []Field{{Path: "listen", New: fmt.Sprintf("%s:%d", t.Host, t.Port)}}
		return c
	}
	g := running[0]
	switch {
	case len(running) > 1:
		c.Action, c.Reasons = Heal, []string{fmt.Sprintf("%d gateways exist", len(running))}
	case g.Revision != t.Revision:
		c.Action, c.From = Replace, g.Revision
		c.Reasons = []string{"its address, its key or its table format changed; requests fail for the moment between the two, as both need the same port"}
	case g.Name != d.Scope.GatewayName():
		c.Action, c.Reasons = Heal, []string{fmt.Sprintf("it was renamed to %s", g.Name)}
	case g.State != reconcile.StateRunning && g.State != reconcile.StateRestarting:
		c.Action, c.Reasons = Heal, []string{fmt.Sprintf("it is %s", g.State)}
	case g.State == reconcile.StateRunning && g.Address == "":
		c.Action, c.Reasons = Heal, []string{"it is not connected to the network"}
	default:
		return nil
	}
	return c
}
