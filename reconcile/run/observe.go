package run

import (
	"fmt"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// observe looks at a container that should run.
func (m *machine) observe(n *Node, stopping bool) {
	s := m.run.Step(n)
	c := m.container(n)
	switch {
	case m.missing(n):
		m.lost(n)
	case c != nil && over(c.State):
		m.exited(n, c)
	case stopping:
		n.Cause, n.Reason, n.Phase = "", m.run.Reason, NodeStopping
	case timeoutOf(s) > 0:
		limit := timeoutOf(s)
		if at := n.Launched.Add(limit); m.now.Before(at) {
			m.wakeAt(at)
		} else {
			n.Cause, n.Reason, n.Phase = spec.CauseTimeout, fmt.Sprintf("it took longer than its timeout of %s", limit), NodeStopping
		}
	}
}

func timeoutOf(s *spec.Step) time.Duration {
	if s.Exit && s.Timeout == 0 {
		return exitTimeout
	}
	return s.Timeout
}

// over tells whether a container has ended.
func over(state reconcile.ContainerState) bool {
	return state == reconcile.StateExited || state == reconcile.StateDead
}

func (m *machine) lost(n *Node) {
	m.attemptFailed(n, spec.CauseEngine, "its container is gone; somebody, or the engine, removed it")
}

// exited reads how a process ended.
func (m *machine) exited(n *Node, c *reconcile.Container) {
	n.ExitCode, n.Finished = c.ExitCode, c.Finished
	if !c.Started.IsZero() {
		n.Started = c.Started
	}
	switch {
	case c.OOMKilled:
		m.attemptFailed(n, spec.CauseOOM, "it was killed for want of memory; raise resources.memory"+limitText(m.run.Step(n).Container.Resources.Memory))
	case c.State == reconcile.StateDead:
		m.attemptFailed(n, spec.CauseEngine, "the engine could not end its container in order")
	case c.ExitCode != 0:
		m.attemptFailed(n, spec.CauseExit, fmt.Sprintf("it ended with exit code %d%s%s", c.ExitCode, codeText(c.ExitCode), perhapsMemory(c.ExitCode, m.run.Step(n).Container.Resources.Memory)))
	default:
		n.Phase = NodeCollecting
	}
}

func limitText(memory int64) string {
	if memory == 0 {
		return ""
	}
	return fmt.Sprintf(", which is %d MiB", memory>>20)
}

// killed is the exit code of a process that SIGKILL ended.
const killed = 128 + 9

// perhapsMemory is a hint where a step with a limit was killed, and not by its run. An
// engine that learns of the end before the cause says nothing of memory: seen with
// Docker Engine 20.10 under load.
func perhapsMemory(code int, limit int64) string {
	if code != killed || limit == 0 {
		return ""
	}
	return "; perhaps for want of memory, which the engine does not always tell: raise resources.memory" + limitText(limit)
}

// codeText explains the codes that are no program's own, by the words of the shell
// and of docker run.
func codeText(code int) string {
	switch {
	case code == 126:
		return ": its command cannot be executed"
	case code == 127:
		return ": its command was not found"
	case code > 128 && code <= 128+64:
		return fmt.Sprintf(": signal %d", code-128)
	default:
		return ""
	}
}

// observeStop waits for the end of a container that was told to stop.
func (m *machine) observeStop(n *Node) {
	c := m.container(n)
	// While it is not known whether it ever came up, the command has to tell.
	if n.Launched.IsZero() || !m.in.Listed || !m.in.ListedAt.After(n.Launched) || c != nil && !over(c.State) {
		return
	}
	if c != nil {
		n.ExitCode, n.Finished = c.ExitCode, c.Finished
	}
	m.stopped(n)
}

// stopped ends an attempt that was stopped: for the cause that stands there, or, with
// none, because the run ends.
func (m *machine) stopped(n *Node) {
	if n.Cause == "" {
		n.Phase = NodeCancelled
		if n.Finished.IsZero() {
			n.Finished = m.now
		}
		return
	}
	m.attemptFailed(n, n.Cause, n.Reason)
}
