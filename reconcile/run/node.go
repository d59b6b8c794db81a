package run

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/search"
	"github.com/fairlead/fairlead/spec"
)

// nodes moves the exit steps on, or all others.
func (m *machine) nodes(exit bool) {
	m.facts = m.run.Facts(m.in.Outside)
	m.active = map[string]*Node{}
	for _, n := range m.run.Nodes {
		if n.active() {
			m.active[n.Key] = n
		}
	}
	for _, n := range m.run.Order() {
		if m.run.Step(n).Exit != exit {
			continue
		}
		for before := NodePhase(""); before != n.Phase; {
			before = n.Phase
			m.node(n)
			if n.Phase.Ended() && before != n.Phase {
				m.facts = m.run.Facts(m.in.Outside)
			}
		}
	}
	m.act(exit)
}

// node does one transition of a node, if one is due.
func (m *machine) node(n *Node) {
	r := m.run
	stopping := r.Outcome != "" && !r.Step(n).Exit
	switch n.Phase {
	case NodeWaiting:
		if stopping {
			n.Phase, n.Reason = NodeCancelled, "the run ended before"
			return
		}
		m.consider(n)
	case NodeLooking, NodeBackoff, NodeReady:
		if stopping {
			n.Phase, n.Reason = NodeCancelled, "the run ended before"
			return
		}
		m.queue(n)
	case NodeStarting:
		if c := m.container(n); c != nil && c.State != reconcile.StateCreated {
			n.Phase, n.Launched = NodeRunning, m.now // a daemon before this one got so far
			n.Started = c.Started
		} else if stopping {
			n.Cause, n.Reason = "", r.Reason
			n.Phase = NodeStopping
		}
	case NodeRunning:
		m.observe(n, stopping)
	case NodeStopping:
		m.observeStop(n)
	case NodeCollecting, NodeSucceeded, NodeFailed, NodeSkipped, NodeCancelled:
	}
}

// act names the commands that the phases of the nodes ask for.
func (m *machine) act(exit bool) {
	for _, n := range m.run.Order() {
		if m.run.Step(n).Exit != exit {
			continue
		}
		c := Command{Node: n.ID, Attempt: n.Attempt}
		switch n.Phase {
		case NodeLooking:
			m.command(Command{Kind: CommandLook, Node: n.ID, Key: n.Key})
		case NodeStarting:
			c.Kind = CommandStart
			m.command(c)
		case NodeRunning:
			c.Kind = CommandWatch
			m.command(c)
		case NodeStopping:
			c.Kind = CommandStop
			m.command(c)
		case NodeCollecting:
			c.Kind = CommandCollect
			m.command(c)
		default: // nothing is under way
		}
	}
}

// consider decides about a node of which nothing was decided yet.
func (m *machine) consider(n *Node) {
	r, s := m.run, m.run.Step(n)
	for _, need := range Needs(&r.Definition, s) {
		if !m.stepEnded(need) {
			return
		}
	}
	if s.Search != nil && !m.trialDue(n, s) {
		return
	}
	if !s.Exit {
		if why := m.unmet(s); why != "" {
			n.Phase, n.Reason = NodeSkipped, why
			return
		}
	}
	facts := n.facts(m.facts)
	if !s.When.IsZero() {
		holds, err := s.When.Holds(facts)
		if err != nil {
			m.giveUp(n, spec.CauseData, fmt.Sprintf("its condition %s cannot be told: %v", s.When.Source, err))
			return
		}
		if !holds {
			n.Phase, n.Reason = NodeSkipped, "its condition does not hold: "+s.When.Source
			return
		}
	}
	parts, err := r.keyParts(n, facts)
	if err != nil {
		m.giveUp(n, spec.CauseData, err.Error())
		return
	}
	n.KeyOf, n.Key = &parts, parts.Key()
	n.Phase = NodeReady
	if (!s.NoCache && !r.Fresh || len(r.Chain) > 0) && !s.Exit {
		n.Phase = NodeLooking
	}
}

// trialDue tells whether the turn of a trial has come, and chooses its values. Which
// results it knows does not depend on which trial happens to end first, so that the
// same search makes the same trials again, from the cache.
func (m *machine) trialDue(n *Node, s *spec.Step) bool {
	var done []search.Trial
	for _, t := range m.run.Of(s.Name)[:max(n.Trial-max(s.Search.Parallel, 1)+1, 0)] {
		if !t.Phase.Ended() {
			return false
		}
		value, measured := t.Metrics[s.Search.Metric]
		done = append(done, search.Trial{Values: t.Values, Value: value, Failed: t.Phase != NodeSucceeded || !measured})
	}
	if n.Values == nil {
		n.Values = search.Suggest(*s.Search, n.Trial, done)
	}
	return true
}

func (m *machine) stepEnded(step string) bool {
	for _, n := range m.run.Of(step) {
		if !n.Phase.Ended() {
			return false
		}
	}
	return true
}

// unmet says why a step cannot run, or "". Where it reads nothing of another step it
// runs after that one was skipped, too.
func (m *machine) unmet(s *spec.Step) string {
	r := m.run
	for _, name := range slices.Sorted(maps.Keys(s.Inputs)) {
		in := s.Inputs[name]
		if r.Digests(in) == nil {
			return fmt.Sprintf("input %s needs %s, which is not there", name, describeInput(in))
		}
	}
	for _, need := range Needs(&r.Definition, s) {
		other := r.Definition.Step(need)
		for _, n := range r.Of(need) {
			switch {
			case n.Phase == NodeSucceeded, other.Search != nil && n.Phase == NodeFailed:
			case n.Phase == NodeSkipped && !reads(&r.Definition, s, need):
			default:
				return fmt.Sprintf("needs %s, which has %s", n.ID, n.Phase)
			}
		}
	}
	return ""
}

// queue brings a node from the cache's answer to its container.
func (m *machine) queue(n *Node) {
	switch {
	case n.Phase == NodeBackoff:
		if m.now.Before(n.RetryAt) {
			m.wakeAt(n.RetryAt)
			return
		}
		n.Phase = NodeReady
	case m.busy(n):
		n.Again = true
	case n.Phase == NodeLooking:
	case n.Again:
		n.Again, n.Phase = false, NodeLooking
	case m.in.Slots > 0 && m.room():
		m.in.Slots--
		n.Attempt++
		n.Litter = append(n.Litter, n.Attempt)
		m.active[n.Key] = n
		n.Phase, n.Launched, n.Started, n.Finished = NodeStarting, time.Time{}, time.Time{}, time.Time{}
		n.Cause, n.Reason, n.ExitCode = "", "", 0
	}
}

// busy tells whether the same is being computed now.
func (m *machine) busy(n *Node) bool {
	if m.run.Step(n).NoCache || m.run.Fresh {
		return false
	}
	if m.in.Busy[n.Key] {
		return true
	}
	other := m.active[n.Key]
	return other != nil && other != n && other.active()
}

// room tells whether the pipeline's own limit allows another node.
func (m *machine) room() bool {
	limit := m.run.Definition.Parallel
	if limit == 0 {
		return true
	}
	active := 0
	for _, n := range m.run.Nodes {
		if n.active() {
			active++
		}
	}
	return active < limit
}

// active tells whether the node holds a slot.
func (n *Node) active() bool {
	switch n.Phase {
	case NodeStarting, NodeRunning, NodeStopping, NodeCollecting:
		return true
	default:
		return false
	}
}

// Active is how many nodes hold a slot.
func (r *Run) Active() int {
	active := 0
	for _, n := range r.Nodes {
		if n.active() {
			active++
		}
	}
	return active
}

// Computing are the keys that the run computes now.
func (r *Run) Computing() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, n := range r.Nodes {
			if n.active() && !yield(n.Key) {
				return
			}
		}
	}
}

// container is that of the node's attempt, or nil.
func (m *machine) container(n *Node) *reconcile.Container {
	if !m.in.Listed {
		return nil
	}
	for i := range m.in.Containers {
		if c := &m.in.Containers[i]; c.Node == n.ID && c.Attempt == n.Attempt {
			return c
		}
	}
	return nil
}

// missing: the list was begun after the container was known to run, and does not
// hold it.
func (m *machine) missing(n *Node) bool {
	return m.in.Listed && m.in.ListedAt.After(n.Launched) && m.container(n) == nil
}

// takeNode applies what came of a command about a node.
func (m *machine) takeNode(n *Node, a Answer) {
	if a.Kind == CommandTidy {
		if a.Err == nil {
			n.Litter = slices.DeleteFunc(n.Litter, func(attempt int) bool { return attempt == a.Attempt })
		}
		return
	}
	if a.Kind == CommandLook {
		if n.Phase == NodeLooking && a.Key == n.Key {
			m.looked(n, a)
		}
		return
	}
	if a.Attempt != n.Attempt {
		return
	}
	switch {
	case a.Kind == CommandStart && n.Phase == NodeStarting:
		if a.Err != nil {
			m.startFailed(n, a)
			return
		}
		n.Phase, n.Launched, n.Started = NodeRunning, m.now, m.now
	case a.Kind == CommandStart && n.Phase == NodeStopping && a.Err == nil:
		n.Launched = m.now // it came up meanwhile: only a later list tells that it is gone
	case a.Kind == CommandWatch && n.Phase == NodeRunning && a.Err != nil && a.Cause != "":
		n.Cause, n.Reason, n.Phase = a.Cause, a.Err.Error(), NodeStopping
	case a.Kind == CommandStop && n.Phase == NodeStopping && errors.Is(a.Err, ErrNeverStarted):
		m.stopped(n)
	case a.Kind == CommandStop && n.Phase == NodeStopping && a.Err == nil && n.Launched.IsZero():
		n.Launched = m.now
	case a.Kind == CommandCollect && n.Phase == NodeCollecting:
		m.collected(n, a)
	}
}

// ErrNeverStarted answers a CommandStop for an attempt of which there is no
// container.
var ErrNeverStarted = errors.New("there is no container")

func (m *machine) startFailed(n *Node, a Answer) {
	if a.Transient {
		m.attemptFailed(n, spec.CauseEngine, fmt.Sprintf("it could not be started: %v", a.Err))
		return
	}
	n.Past = append(n.Past, m.attempt(n, spec.CauseEngine, a.Err.Error()))
	m.giveUp(n, spec.CauseEngine, fmt.Sprintf("it cannot be started: %v", a.Err))
}

// looked takes what the cache answered. A cache that cannot be read costs time only.
func (m *machine) looked(n *Node, a Answer) {
	hit, s := a.Hit, m.run.Step(n)
	switch {
	case hit == nil, s.MaxAge > 0 && m.now.Sub(hit.At) > s.MaxAge,
		(s.NoCache || m.run.Fresh) && !m.run.goesOnWith(hit.Run): // only what this run goes on with counts
		n.Phase = NodeReady
		return
	}
	n.Phase, n.From, n.Outputs, n.Metrics = NodeSucceeded, hit.Run, hit.Outputs, hit.Metrics
	n.Started, n.Finished = m.now, m.now
}

// goesOnWith tells whether this run resumes the other one, directly or not.
func (r *Run) goesOnWith(other string) bool { return slices.Contains(r.Chain, other) }

func (m *machine) collected(n *Node, a Answer) {
	if a.Err == nil {
		n.Phase, n.Outputs, n.Metrics, n.Cause, n.Reason = NodeSucceeded, a.Outputs, a.Metrics, "", ""
		return
	}
	cause := a.Cause
	if cause == "" {
		cause = spec.CauseEngine
	}
	m.attemptFailed(n, cause, a.Err.Error())
}

func (m *machine) attempt(n *Node, cause spec.StepCause, reason string) Attempt {
	if n.Finished.IsZero() {
		n.Finished = m.now
	}
	return Attempt{Attempt: n.Attempt, Started: n.Started, Finished: n.Finished, ExitCode: n.ExitCode, Cause: cause, Reason: reason}
}

// retried are the causes after which an attempt is repeated where nothing is
// declared: those that may pass by themselves.
var retried = []spec.StepCause{spec.CauseEngine, spec.CauseExit, spec.CauseTimeout}

// attemptFailed notes a failed attempt, and decides whether there is another.
func (m *machine) attemptFailed(n *Node, cause spec.StepCause, reason string) {
	s := m.run.Step(n)
	n.Past = append(n.Past, m.attempt(n, cause, reason))
	on := s.RetryOn
	if on == nil {
		on = retried
	}
	// An engine that was away is no fault of the step, so the first such failures
	// are free.
	tries, allowed := 0, s.Retries
	for _, past := range n.Past {
		if past.Cause == spec.CauseEngine && allowed < s.Retries+engineRetries {
			allowed++
		}
		tries++
	}
	stopping := m.run.Outcome != "" && !s.Exit
	if stopping || !slices.Contains(on, cause) || tries > allowed {
		m.giveUp(n, cause, reason)
		return
	}
	n.Phase, n.Cause, n.Reason = NodeBackoff, cause, reason
	n.RetryAt = m.now.Add(backoff(s, tries))
}

// engineRetries is how many failures of the engine do not count as retries.
const engineRetries = 10

// backoff is the wait after the n-th failure.
func backoff(s *spec.Step, n int) time.Duration {
	first, most := s.Backoff, s.MaxBackoff
	if first <= 0 {
		first = firstWait
	}
	if most <= 0 {
		most = max(first, maxWait)
	}
	return min(first<<min(n-1, 20), most)
}

func (m *machine) giveUp(n *Node, cause spec.StepCause, reason string) {
	n.Phase, n.Cause, n.Reason = NodeFailed, cause, reason
	if n.Finished.IsZero() && n.Attempt > 0 {
		n.Finished = m.now
	}
}
