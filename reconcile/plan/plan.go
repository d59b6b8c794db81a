package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/capacity"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// FormatVersion is the version of a Plan's JSON form. Minor versions add, major
// versions break.
const FormatVersion = "1.0"

// Plan is everything that differs, in the order in which people read it.
type Plan struct {
	FormatVersion string      `json:"format_version"`
	Environment   string      `json:"environment"`
	Owner         string      `json:"owner"`
	Commit        spec.Commit `json:"commit"`
	Changes       []Change    `json:"changes"`
	Unchanged     int         `json:"unchanged"` // objects that are as Git wants them
	Running       int         `json:"running"`   // models that have containers now
	Summary       Summary     `json:"summary"`
	Notes         []string    `json:"notes,omitempty"`
}

// Empty tells whether nothing is left to do.
func (p *Plan) Empty() bool { return len(p.Changes) == 0 }

// Change is one object that is not as Git wants it.
type Change struct {
	Address spec.Address `json:"address"`
	Action  Action       `json:"action"`
	Reasons []string     `json:"reasons"`
	Fields  []Field      `json:"fields,omitempty"`
	Pos     spec.Pos     `json:"declared,omitzero"`
	// From and To are the revisions of a replace; To alone that of a create.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Replicas are the containers that run now, and that should run.
	Replicas [2]int `json:"replicas"`
	// Problem is why nothing is started for the change as things are; "" if it
	// goes ahead.
	Problem string `json:"problem,omitempty"`
	// Rollout is how the new revision of a replace will take over; nil where it
	// does so as soon as it is healthy.
	Rollout *Rollout `json:"rollout,omitempty"`
}

// Action is what will happen to an object.
type Action string

// The actions.
const (
	Create  Action = "create"
	Replace Action = "replace" // new containers first, then the old ones go
	Update  Action = "update"  // in place
	Heal    Action = "heal"    // was altered by hand, or did not get all the way up
	Destroy Action = "destroy"
	Forget  Action = "forget"  // left running, no longer looked after
	Blocked Action = "blocked" // Git wants something that cannot be done now
	Hold    Action = "hold"    // Git wants a release that was rejected, so nothing is done
)

// Field is one argument that changes.
type Field struct {
	Path     string `json:"path"` // as in HCL: env.THREADS, resources.memory
	Old      string `json:"old,omitempty"`
	New      string `json:"new,omitempty"`
	Replaces bool   `json:"replaces,omitempty"` // needs new containers
	// Sensitive: the value belongs to a secret; Old and New are empty.
	Sensitive bool `json:"sensitive,omitempty"`
}

// Summary counts the changes by action.
type Summary struct {
	Create  int `json:"create"`
	Replace int `json:"replace"`
	Update  int `json:"update"`
	Heal    int `json:"heal"`
	Destroy int `json:"destroy"`
	Forget  int `json:"forget"`
	Blocked int `json:"blocked"`
	Hold    int `json:"hold"`
	// Problems counts the changes that have one, whatever their action.
	Problems int `json:"problems,omitempty"`
}

// Only is the plan without the changes that are not to be kept, and without what is said
// about all of them.
func (p *Plan) Only(keep func(*Change) bool) *Plan {
	only := &Plan{FormatVersion: p.FormatVersion, Environment: p.Environment, Owner: p.Owner, Commit: p.Commit, Changes: []Change{}}
	for i := range p.Changes {
		if c := &p.Changes[i]; keep(c) {
			only.add(c)
		}
	}
	return only
}

// Observed is what a Diff compares with.
type Observed struct {
	Containers []reconcile.Container
	View       reconcile.RouterView
	// Host is what the engine has room for; the zero Host is not checked.
	Host capacity.Host
	// Records are what was decided about the models before; models may be
	// missing in it, and it may be nil.
	Records map[string]journal.Record
}

// record is what was decided about a model; nil if nothing is known.
func (o *Observed) record(name string) *journal.Record {
	if r, known := o.Records[name]; known {
		return &r
	}
	return nil
}

// Diff compares. It reads no clock: now serves to tell a replica that is still
// coming up from one that should long be up.
func Diff(d *reconcile.Desired, o *Observed, now time.Time) *Plan {
	p := &Plan{FormatVersion: FormatVersion, Environment: d.Scope.Environment, Owner: d.Scope.Owner, Commit: d.Commit, Changes: []Change{}}
	byModel, gateways := group(d, o.Containers)
	p.Running = len(byModel)
	p.add(diffGateway(d, gateways))
	entries := routed(&o.View)
	for name, t := range d.Targets { // in any order: the changes are sorted below
		p.add(diffModel(d, t, o.record(name), byModel[name], entries[name], now))
		delete(byModel, name)
	}
	for name, err := range d.Unbound {
		p.add(blocked(d, name, err, len(byModel[name])))
		delete(byModel, name)
	}
	for name, containers := range byModel {
		p.add(gone(d, name, containers))
	}
	slices.SortStableFunc(p.Changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Address.Kind, b.Address.Kind), cmp.Compare(a.Address.String(), b.Address.String()))
	})
	p.room(d, o)
	p.note(d, o)
	return p
}

func (p *Plan) add(c *Change) {
	if c == nil {
		p.Unchanged++
		return
	}
	p.Changes = append(p.Changes, *c)
	switch c.Action {
	case Create:
		p.Summary.Create++
	case Replace:
		p.Summary.Replace++
	case Update:
		p.Summary.Update++
	case Heal:
		p.Summary.Heal++
	case Destroy:
		p.Summary.Destroy++
	case Forget:
		p.Summary.Forget++
	case Blocked:
		p.Summary.Blocked++
	case Hold:
		p.Summary.Hold++
	}
}

// group sorts the containers by the model that they count for.
func group(d *reconcile.Desired, containers []reconcile.Container) (byModel map[string][]*reconcile.Container, gateways []*reconcile.Container) {
	byModel = make(map[string][]*reconcile.Container, len(d.Targets))
	for i := range containers {
		c := &containers[i]
		switch {
		case c.State == reconcile.StateRemoving, c.Kind == spec.KindStep: // runs look after their own
		case c.Kind == spec.KindGateway:
			gateways = append(gateways, c)
		default:
			name := d.ModelOf(c)
			byModel[name] = append(byModel[name], c)
		}
	}
	return byModel, gateways
}

// routed finds the entries of the gateway's table in force by their models, as
// far as it is known.
func routed(view *reconcile.RouterView) map[string]*reconcile.RoutedModel {
	if !view.Known {
		return nil
	}
	entries := make(map[string]*reconcile.RoutedModel, len(view.Table.Models))
	for i := range view.Table.Models {
		entries[view.Table.Models[i].Name] = &view.Table.Models[i]
	}
	return entries
}

// gone is the change of a model that runs but is not in Git.
func gone(d *reconcile.Desired, name string, containers []*reconcile.Container) *Change {
	c := &Change{Address: spec.Address{Kind: spec.KindModel, Name: name}, Action: Destroy, Replicas: [2]int{len(containers), 0}, From: containers[0].Revision}
	if d.Forgotten[name] {
		// Said once by its block in Git; there is nothing to do about it.
		return nil
	}
	c.Reasons = []string{fmt.Sprintf("model.%s is not in Git at %s", name, d.Commit.Short())}
	return c
}

func blocked(d *reconcile.Desired, name string, err error, running int) *Change {
	c := &Change{
		Address: spec.Address{Kind: spec.KindModel, Name: name}, Action: Blocked,
		Reasons: []string{err.Error()}, Replicas: [2]int{running, running},
	}
	if m := d.Config.Model(name); m != nil {
		c.Address, c.Pos, c.Replicas[1] = m.Address, m.Pos, m.Replicas
	}
	return c
}

// note adds what is worth knowing but changes nothing.
func (p *Plan) note(d *reconcile.Desired, o *Observed) {
	for i := range o.Containers {
		c := &o.Containers[i]
		if c.Kind == spec.KindGateway && d.Gateway != nil && c.ImageID != "" && c.ImageID != d.Gateway.Image.Pin {
			p.Notes = append(p.Notes, fmt.Sprintf("the gateway runs another build of Fairlead and serves on; to upgrade it, remove its container (%s) at a quiet moment: it comes back at once", c.Name))
		}
	}
	for _, moved := range d.Config.Moved {
		old := moved.From.ServedName()
		if !slices.ContainsFunc(o.Containers, func(c reconcile.Container) bool { return c.Model == old }) {
			p.Notes = append(p.Notes, fmt.Sprintf("%s: nothing runs under the name %s any more; the moved block may go", moved.Pos, moved.From))
		}
	}
	var images []string
	for _, t := range d.Targets {
		if t.Image.Note != "" {
			images = append(images, fmt.Sprintf("%s: %s", t.Model.Address, t.Image.Note))
		}
	}
	slices.Sort(images)
	p.Notes = append(p.Notes, images...)
}
