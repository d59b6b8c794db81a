package plan

import (
	"slices"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/capacity"
)

// room marks the changes that the engine has no room for. A plan is about where
// things end: what only has to wait until another model has left Git is no
// problem, but worth knowing.
func (p *Plan) room(d *reconcile.Desired, o *Observed) {
	if p.Empty() {
		return
	}
	demands := capacity.Demands(o.Host.Engine, d, o.Containers, o.Records)
	now := capacity.Admit(o.Host, demands)
	if len(now) == 0 {
		return
	}
	staying := slices.DeleteFunc(demands, func(d capacity.Demand) bool { return d.Leaving || d.Steps })
	inTheEnd := capacity.Admit(o.Host, staying)
	for i := range p.Changes {
		c := &p.Changes[i]
		name := c.Address.ServedName()
		switch why := now[name]; {
		case c.Action == Blocked || c.Action == Hold || c.Action == Destroy || why == "":
		case inTheEnd[name] != "":
			c.Problem = "no room: " + inTheEnd[name]
			p.Summary.Problems++
		default:
			c.Reasons = append(c.Reasons, "waits for room: "+why)
		}
	}
}
