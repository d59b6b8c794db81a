package simulate

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// World is one model, what runs of it, and what was decided about it. Fields may
// be changed between two calls of Step: that is how things go wrong.
type World struct {
	Now    time.Time
	Scope  reconcile.Scope
	Name   string
	Target *reconcile.Target // nil: the model is not in Git
	Commit string

	Record     journal.Record
	State      rollout.State
	Containers []reconcile.Container
	Table      reconcile.Table
	Journal    []journal.Entry

	GatewayAway bool
	NoRoom      string
	Lacks       string
	Approvals   []*spec.Approval // that stand in Git
	// Sick tells why a replica is not healthy; "" if it is.
	Sick func(c *reconcile.Container) string
	// Contract tells why a replica is not what the model declares.
	Contract func(c *reconcile.Container) string
	// Launched may alter a container that was just started, for example so that
	// it has ended again.
	Launched func(c *reconcile.Container)
	// Measure answers a measurement.
	Measure func(m rollout.Measurement, now time.Time) judge.Reading
	// Elapse is told of the time that passes while the table is in force.
	Elapse func(table *reconcile.Table, from, to time.Time)

	readings  map[string]judge.Reading
	inspected map[string]rollout.Inspection
	healthy   map[string]time.Time
	created   int
	moved     bool // by the last Step
}

// New makes a world in which nothing runs.
func New(name string, now time.Time) *World {
	return &World{
		Now: now, Name: name, Scope: reconcile.Scope{Owner: "fairlead", Environment: "simulated"}, Commit: "c0ffee",
		readings: map[string]judge.Reading{}, inspected: map[string]rollout.Inspection{}, healthy: map[string]time.Time{},
	}
}

// View is what the gateway says.
func (w *World) View() reconcile.RouterView {
	view := reconcile.RouterView{Known: !w.GatewayAway, At: w.Now, Table: w.Table}
	view.Report = reconcile.Report{Sequence: 1, TableVersion: w.Table.Version, Replicas: map[string]reconcile.ReplicaHealth{}}
	for i := range w.Containers {
		c := &w.Containers[i]
		sick := w.sickness(c)
		if sick != "" {
			delete(w.healthy, c.ID)
			view.Report.Replicas[c.ID] = reconcile.ReplicaHealth{LastError: sick}
			continue
		}
		if _, known := w.healthy[c.ID]; !known {
			w.healthy[c.ID] = w.Now
		}
		view.Report.Replicas[c.ID] = reconcile.ReplicaHealth{Healthy: true, HealthyFor: w.Now.Sub(w.healthy[c.ID])}
	}
	return view
}

func (w *World) sickness(c *reconcile.Container) string {
	if c.State != reconcile.StateRunning {
		return "connection refused"
	}
	if w.Sick != nil {
		return w.Sick(c)
	}
	return ""
}

// Input is what Step would be called with now.
func (w *World) Input(view *reconcile.RouterView) rollout.Input {
	in := rollout.Input{
		Name: w.Name, Intent: rollout.Serve, Target: w.Target, Scope: w.Scope, Containers: slices.Clone(w.Containers), View: view,
		Record: w.Record, Commit: w.Commit, Readings: w.readings, Inspected: w.inspected, NoRoom: w.NoRoom, Lacks: w.Lacks, Approvals: w.Approvals, ApprovedBy: "ann <ann@example.com>",
	}
	if w.Target == nil {
		in.Intent = rollout.Destroy
	}
	return in
}

// Step decides once and carries the decision out. It tells whether anything
// happened.
func (w *World) Step() (d rollout.Decision, moved bool) {
	defer func() { w.moved = moved }()
	view := w.View()
	d = rollout.Step(w.State, w.Input(&view), w.Now)
	w.State = d.State
	if d.Transition != nil {
		w.journal(d.Transition)
		return d, true
	}
	for _, c := range d.Commands {
		w.act(c)
	}
	moved = len(d.Commands) > 0
	for _, m := range d.Measure {
		if w.Measure != nil {
			w.readings[m.Check.Name] = w.Measure(m, w.Now)
			moved = true
		}
	}
	return d, w.publish(d.Entry) || moved
}

func (w *World) journal(e *journal.Entry) {
	w.Journal = append(w.Journal, *e)
	w.Record = journal.Record{}
	if e.Record != nil {
		w.Record = *e.Record
	}
}

// Order gives a person's order.
func (w *World) Order(a rollout.Act) error {
	a.Model = w.Name
	e, err := rollout.Order(w.Record, a, w.Commit, w.Now)
	if err != nil {
		return err
	}
	w.journal(e)
	w.pass(w.Now.Add(time.Second)) // people take their time
	return nil
}

// publish puts an entry in force.
func (w *World) publish(entry *reconcile.RoutedModel) bool {
	if w.GatewayAway {
		return false
	}
	var models []reconcile.RoutedModel
	if entry != nil {
		models = []reconcile.RoutedModel{*entry}
	}
	if slices.EqualFunc(models, w.Table.Models, reconcile.RoutedModel.Equal) {
		return false
	}
	w.Table = reconcile.Table{FormatVersion: reconcile.TableFormat, Version: w.Table.Version + 1, Models: models}
	return true
}

func (w *World) act(c rollout.Command) {
	at := slices.IndexFunc(w.Containers, func(have reconcile.Container) bool { return have.ID == c.ContainerID })
	switch c.Verb {
	case rollout.Launch:
		w.launch(c)
	case rollout.Start:
		w.Containers[at].State, w.Containers[at].Started = reconcile.StateRunning, w.Now
		w.Containers[at].Address = fmt.Sprintf("10.0.0.%d", at+1)
		if w.Launched != nil {
			w.Launched(&w.Containers[at])
		}
	case rollout.Rename:
		w.Containers[at].Name = c.Name
	case rollout.Update:
		w.Containers[at].Limits = reconcile.LimitsOf(c.Target.Model.Container)
	case rollout.Verify, rollout.WarmUp:
		w.inspect(c, &w.Containers[at])
	case rollout.Retire:
		w.Containers = slices.Delete(w.Containers, at, at+1)
	}
}

func (w *World) launch(command rollout.Command) {
	w.created++
	s := w.Scope.Replica(command.Target, command.Ordinal, w.Commit, nil)
	c := reconcile.Container{
		ID: fmt.Sprintf("%s-%d", command.Target.Revision, w.created), Name: s.Name, State: reconcile.StateRunning, Started: w.Now,
		Address: fmt.Sprintf("10.0.%d.%d", w.created/250, w.created%250+1), Limits: reconcile.LimitsOf(s.Container),
	}
	c.ReadLabels(s.Labels)
	if w.Launched != nil {
		w.Launched(&c)
	}
	w.Containers = append(w.Containers, c)
}

func (w *World) inspect(command rollout.Command, c *reconcile.Container) {
	known := w.inspected[c.ID]
	if w.Contract != nil && w.Contract(c) != "" {
		known.Broken = w.Contract(c)
	} else {
		known.Verified, known.Warm = true, command.Verb == rollout.WarmUp
	}
	w.inspected[c.ID] = known
}

// Run steps until done says so, letting time pass whenever nothing else happens.
// It returns the last decision, and false if nothing more will happen or limit
// has passed.
func (w *World) Run(limit time.Duration, done func(*World, rollout.Decision) bool) (rollout.Decision, bool) {
	end := w.Now.Add(limit)
	for {
		d, moved := w.Step()
		if done != nil && done(w, d) {
			return d, true
		}
		if moved {
			continue
		}
		if d.Wake.IsZero() || d.Wake.After(end) {
			w.pass(end)
			return d, done == nil
		}
		w.pass(d.Wake)
	}
}

// pass lets time pass. A wake in the past passes a moment, so that a machine that
// spins comes to its end too.
func (w *World) pass(to time.Time) {
	if !to.After(w.Now) {
		to = w.Now.Add(time.Millisecond)
	}
	if w.Elapse != nil {
		w.Elapse(&w.Table, w.Now, to)
	}
	w.Now = to
}

// Idle is for Run: until no rollout is under way and nothing is left to do.
func Idle(w *World, d rollout.Decision) bool {
	return w.Record.Rollout == nil && !w.moved && (d.Phase == rollout.Steady || d.Phase == rollout.Held || d.Phase == rollout.Degraded)
}
