package run

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

// Input is what a Step goes by: what came of commands, what runs, what people and
// the rest of the world say. Everything in it may be absent; a Step then goes as far
// as it can without.
type Input struct {
	// Answers are what came of commands since the last Step.
	Answers []Answer
	// Containers are those of the run, if Listed, as they were at some moment after
	// ListedAt.
	Listed     bool
	ListedAt   time.Time
	Containers []reconcile.Container
	// Unsettled: what Outside says of the versions that are live is not known yet.
	Unsettled bool
	// Slots is how many more nodes may begin now.
	Slots int
	// Busy are keys of the cache that other runs are computing.
	Busy map[string]bool
	// Outside are facts that the run itself does not have: live, model, dataset.
	Outside expr.Facts
	// Policies are the results of the policies that are for the pipeline, the model
	// that it publishes and the datasets that it reads.
	Policies []gate.Result
	Cancel   *Order
}

// Command is an effect that should be under way. Step names it again until its
// Answer has come, so that a daemon that was killed in between goes on; carrying it
// out twice must do no harm.
type Command struct {
	Kind    CommandKind
	Node    string // "" for the run as a whole
	Attempt int
	Key     string // of CommandLook
}

// CommandKind is what a Command does.
type CommandKind string

// The kinds of command.
const (
	CommandPrepare CommandKind = "prepare" // pin images, fetch and check datasets
	CommandLook    CommandKind = "look"    // into the cache
	CommandStart   CommandKind = "start"   // bring image and inputs, create and start the container
	CommandWatch   CommandKind = "watch"   // keep its log, see how much it writes
	CommandStop    CommandKind = "stop"    // SIGTERM, then SIGKILL
	CommandCollect CommandKind = "collect" // store its outputs, read its metrics
	CommandTidy    CommandKind = "tidy"    // remove container and work directory of an attempt
	CommandPublish CommandKind = "publish" // store the version, and propose it
)

// Answer is what came of a Command.
type Answer struct {
	Command
	Err error
	// Transient: trying again may help.
	Transient bool
	// Cause of a failed attempt, of CommandCollect and CommandWatch.
	Cause       spec.StepCause
	Prepared    *Prepared
	Hit         *Result // of CommandLook; nil: a miss
	Outputs     map[string]reconcile.Content
	Metrics     map[string]float64
	Publication *Publication
}

// Prepared is what a run needs to know before its first step.
type Prepared struct {
	Images   map[string]reconcile.Image
	Datasets map[string]Dataset
	Secrets  map[string]string // versions
}

// New returns a run that has not begun. params are those that were given; the
// error names one that is unknown, missing or of another type.
func New(id string, p *spec.Pipeline, params map[string]any, now time.Time) (*Run, error) {
	filled, err := fillParams(p, params)
	if err != nil {
		return nil, err
	}
	return &Run{
		FormatVersion: Format, ID: id, Pipeline: p.Name, Definition: *p, Params: filled,
		Phase: Preparing, Nodes: nodesOf(p), Created: now,
	}, nil
}

const (
	// patience is how long it is tried again what the run does as a whole, where that may
	// pass by itself: a remote that is away over night costs no training.
	patience = 12 * time.Hour
	// firstWait is the wait after the first failure; each next one is twice as long.
	firstWait = time.Second
	maxWait   = time.Minute
	// exitTimeout is that of an exit step which declares none: neither the run's timeout
	// nor a person ends it.
	exitTimeout = time.Hour
)

// Step moves a run on as far as the input lets it, and returns what should be under
// way now, and when to look again at the latest (zero: nothing is due by time). It
// changes the run it is given; the caller stores it before it carries anything out.
func Step(r *Run, in Input, now time.Time) (commands []Command, wake time.Time) {
	m := &machine{run: r, in: in, now: now}
	if r.Phase != Queued && r.Began.IsZero() {
		r.Began = now
	}
	for _, answer := range in.Answers {
		m.take(answer)
	}
	m.cancel()
	m.expire()
	// Each phase may end at once, when there is nothing to do in it.
	for before := Phase(""); before != r.Phase; {
		before = r.Phase
		m.advance()
	}
	m.tidy()
	return m.commands, m.wake
}

// cancel ends the run because a person, or a newer run, wants it. A version that is
// being proposed is proposed: then it is too late.
func (m *machine) cancel() {
	r, order := m.run, m.in.Cancel
	if order == nil || r.Outcome != "" || r.Phase == Done || m.proposing() {
		return
	}
	r.Cancelled = order
	r.Reason = ""
	r.end(Cancelled, cancelReason(order))
}

// proposing tells whether a version has been proposed, or may be just now: then the run
// cannot end in any other way before the answer has come.
func (m *machine) proposing() bool {
	r := m.run
	return r.Phase == Publishing && (r.Published != nil || !m.now.Before(r.RetryAt))
}

// Drop ends a run that was queued and never began.
func Drop(r *Run, order *Order, now time.Time) {
	r.Cancelled = order
	r.end(Cancelled, cancelReason(order))
	r.skipTo(Done)
	for _, n := range r.Nodes {
		if !n.Phase.Ended() {
			n.Phase, n.Reason = NodeCancelled, "the run never began"
		}
	}
	r.Finished = now
}

func cancelReason(o *Order) string {
	text := "cancelled"
	if o.Actor != "" {
		text += " by " + o.Actor
	}
	if o.Reason != "" {
		text += ": " + o.Reason
	}
	return text
}

// machine is one Step at work.
type machine struct {
	run      *Run
	in       Input
	now      time.Time
	facts    expr.Facts
	active   map[string]*Node // nodes that hold a slot, by key
	commands []Command
	wake     time.Time
}

func (m *machine) command(c Command) { m.commands = append(m.commands, c) }

// wakeAt keeps the earliest time.
func (m *machine) wakeAt(at time.Time) {
	if m.wake.IsZero() || at.Before(m.wake) {
		m.wake = at
	}
}

// end decides how the run ends. The first word counts.
func (r *Run) end(o Outcome, reason string) {
	if r.Outcome == "" {
		r.Outcome, r.Reason = o, reason
	}
}

// take applies what came of a command. Answers to questions that nobody asks any
// more are passed over.
func (m *machine) take(a Answer) {
	r := m.run
	if a.Node != "" {
		if n := r.Nodes[a.Node]; n != nil {
			m.takeNode(n, a)
		}
		return
	}
	switch {
	case a.Kind == CommandPrepare && r.Phase == Preparing:
		if m.failed(a, "prepare") {
			return
		}
		p := a.Prepared
		r.Images, r.Datasets, r.Secrets = p.Images, p.Datasets, p.Secrets
		r.Phase, r.Started = Running, m.now
	case a.Kind == CommandPublish && r.Phase == Publishing:
		if m.failed(a, "publish") {
			return
		}
		r.Published = a.Publication
	}
}

// failed notes a failure of the run as a whole.
func (m *machine) failed(a Answer, what string) bool {
	r := m.run
	if a.Err == nil {
		r.Tries, r.RetryAt, r.TriedSince = 0, time.Time{}, time.Time{}
		return false
	}
	if r.Tries++; r.Tries == 1 {
		r.TriedSince = m.now
	}
	if a.Transient && m.now.Sub(r.TriedSince) < patience {
		r.RetryAt = m.now.Add(min(firstWait<<min(r.Tries-1, 10), maxWait))
		r.Reason = fmt.Sprintf("%s: attempt %d: %v", what, r.Tries, a.Err)
		return true
	}
	r.Reason = ""
	r.end(Failed, fmt.Sprintf("%s: %v", what, a.Err))
	return true
}

// expire ends a run that takes too long.
func (m *machine) expire() {
	r := m.run
	limit := r.Definition.Timeout
	if limit == 0 || r.Began.IsZero() || r.Outcome != "" || r.Phase == Done || m.proposing() {
		return
	}
	if at := r.Began.Add(limit); m.now.Before(at) {
		m.wakeAt(at)
		return
	}
	r.end(Failed, fmt.Sprintf("it took longer than the %s that its timeout allows", limit))
}

// advance does what the phase asks for.
func (m *machine) advance() {
	r := m.run
	switch r.Phase {
	case Queued: // the caller begins it
	case Preparing:
		switch {
		case r.Outcome != "":
			r.skipTo(Exiting)
		case m.now.Before(r.RetryAt):
			m.wakeAt(r.RetryAt)
		default:
			m.command(Command{Kind: CommandPrepare})
		}
	case Running:
		m.nodes(false)
		if m.ended(false) {
			r.Phase = Judging
		}
	case Judging:
		if m.in.Unsettled {
			return // what is live is not known yet
		}
		if r.Judged.IsZero() {
			r.Judged = m.now
		}
		m.judge()
	case Publishing:
		m.publish()
	case Exiting:
		m.nodes(true)
		if m.ended(true) && !m.litter() {
			r.Phase, r.Finished = Done, m.now
		}
	case Done:
	}
}

// skipTo goes to a phase over nodes that never began.
func (r *Run) skipTo(p Phase) {
	for _, n := range r.Nodes {
		if !r.Step(n).Exit && !n.Phase.Ended() {
			n.Phase, n.Reason = NodeCancelled, "the run ended before"
		}
	}
	r.Phase = p
}

// ended tells whether every exit step, or every other, has ended.
func (m *machine) ended(exit bool) bool {
	for _, n := range m.run.Nodes {
		if m.run.Step(n).Exit == exit && !n.Phase.Ended() {
			return false
		}
	}
	return true
}

func (m *machine) litter() bool {
	for _, n := range m.run.Nodes {
		if len(n.Litter) > 0 {
			return true
		}
	}
	return false
}

// judge decides what came of the steps, and whether the gates let it be published.
func (m *machine) judge() {
	r := m.run
	m.facts = r.Facts(m.in.Outside)
	if failed := m.failures(); r.Outcome == "" && len(failed) > 0 {
		r.end(Failed, strings.Join(failed, "; "))
	}
	if r.Outcome != "" {
		r.Phase = Exiting
		return
	}
	if r.Reproduces != "" { // what it makes was judged when it was published
		r.end(Succeeded, "")
		r.Phase = Exiting
		return
	}
	var results []gate.Result
	for _, g := range r.Definition.Gates {
		results = append(results, gate.Judge(g, m.facts))
	}
	if r.Definition.Publish != nil {
		results = append(results, m.in.Policies...)
	}
	r.Gates = gate.WithOverrides(results, r.Overrides)
	var denied []string
	for _, g := range gate.Denied(r.Gates) {
		denied = append(denied, g.String())
	}
	switch {
	case len(denied) > 0:
		r.end(Denied, strings.Join(denied, "; "))
		r.Phase = Exiting
	case r.Definition.Publish == nil:
		r.end(Succeeded, "")
		r.Phase = Exiting
	default:
		r.Phase = Publishing
	}
}

// failures are the nodes because of which the run fails, with their reasons. A trial
// of a search may fail as long as another one succeeds.
func (m *machine) failures() []string {
	var reasons []string
	for _, n := range m.run.Order() {
		s := m.run.Step(n)
		if s.Exit || n.Phase != NodeFailed {
			continue
		}
		if s.Search != nil && slices.ContainsFunc(m.run.Of(s.Name), func(t *Node) bool { return t.Phase == NodeSucceeded }) {
			continue
		}
		reasons = append(reasons, n.ID+": "+n.Reason)
	}
	const shown = 3
	if len(reasons) > shown {
		reasons = append(reasons[:shown], fmt.Sprintf("and %d more", len(reasons)-shown))
	}
	return reasons
}

// publish proposes the version, where there is something to propose.
func (m *machine) publish() {
	r := m.run
	p := r.Definition.Publish
	switch {
	case r.Published != nil:
		r.end(Succeeded, "")
		r.Phase = Exiting
	case r.Outcome != "":
		r.Phase = Exiting
	case r.Digests(p.Artifact) == nil:
		r.end(Succeeded, "nothing was published: there is no "+describeInput(p.Artifact)+"; its step was skipped")
		r.Phase = Exiting
	case m.now.Before(r.RetryAt):
		m.wakeAt(r.RetryAt)
	default:
		m.command(Command{Kind: CommandPublish})
	}
}

// tidy removes what attempts left behind that have ended.
func (m *machine) tidy() {
	for _, n := range m.run.Order() {
		for _, attempt := range n.Litter {
			if attempt != n.Attempt || n.Phase.Ended() || n.Phase == NodeBackoff || n.Phase == NodeReady {
				m.command(Command{Kind: CommandTidy, Node: n.ID, Attempt: attempt})
			}
		}
	}
}

// Summary is the run in one line.
func (r *Run) Summary() Summary {
	s := Summary{
		ID: r.ID, Pipeline: r.Pipeline, Trigger: r.Trigger, Commit: r.Commit, Phase: r.Phase, Outcome: r.Outcome, Reason: r.Reason,
		Created: r.Created, Started: r.Started, Finished: r.Finished, Steps: len(r.Nodes),
	}
	for _, n := range r.Nodes {
		if n.Phase.Ended() {
			s.Ended++
		}
		if n.From != "" {
			s.Cached++
		}
	}
	if r.Published != nil {
		s.Version = r.Published.Version
	}
	return s
}

// Clone is a copy that a Step of the original does not change.
func (r *Run) Clone() *Run {
	c := *r
	c.Gates = slices.Clone(r.Gates)
	c.Nodes = make(map[string]*Node, len(r.Nodes))
	for id, n := range r.Nodes {
		node := *n
		node.Litter, node.Past = slices.Clone(n.Litter), slices.Clone(n.Past)
		c.Nodes[id] = &node
	}
	return &c
}
