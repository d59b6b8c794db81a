package score

import (
	"fmt"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/spec"
)

// The measures of how a model is served: availability, scalability, consistency.

func availability(s *subject) []Point {
	m := s.model
	replicas := 0
	if m.Replicas >= 2 {
		replicas = 25
	}
	points := []Point{
		share("has a spare replica", 25, replicas, "declared with "+plural(m.Replicas, "replica"), "set replicas = 2 or more, so that one can fail"),
		s.gradual(),
		s.wayBack(),
		either("rollout guards the service", 15, s.guards(), "a check of the rollout watches errors or latency", "no check of the rollout watches errors or latency", "add a check with metric = error_ratio and a max"),
		either("has a fallback", 15, s.fallback(), "another model answers when it cannot", "nothing answers when it cannot", "add fallback = model.NAME to its route, where a simpler answer is better than none"),
		either("is restarted", 10, m.Container.Restart != spec.RestartNo, "the engine restarts it when it dies", "the engine does not restart it", "leave restart at unless_stopped"),
	}
	if s.seen == nil {
		return points
	}
	o := s.seen
	ready := 20
	if o.Replicas > 0 {
		ready = 20 * min(o.Ready, o.Replicas) / o.Replicas
	}
	calm := either("replicas keep running", 10, o.Restarts == 0, "no replica had to be restarted", plural(o.Restarts, "restart")+" of its replicas", "see the logs of its containers; memory and start-up are the usual reasons")
	return append(points,
		running(share("is ready", 20, ready, fmt.Sprintf("%d of %s ready", o.Ready, plural(o.Replicas, "replica")), "see fairlead status for what keeps the others")),
		running(calm))
}

// gradual is how a new version takes over.
func (s *subject) gradual() Point {
	const what, of, raise = "changes step by step", 20, "add a rollout block with strategy = canary"
	switch r := s.model.Rollout; {
	case r == nil:
		return Point{What: what, Of: of, Reason: "a new version replaces the old one at once when it is healthy", Raise: raise}
	case r.Strategy == spec.Recreate:
		return Point{What: what, Of: of, Reason: "the old version is stopped before the new one starts", Raise: raise}
	default:
		return Point{What: what, Got: of, Of: of, Reason: "a new version comes by " + string(r.Strategy)}
	}
}

func (s *subject) wayBack() Point {
	var kept time.Duration
	if s.model.Rollout != nil {
		kept = s.model.Rollout.KeepPrevious
	}
	return either("can go back at once", 15, kept > 0, fmt.Sprintf("the previous version is kept for %s", kept), "the previous version is removed at once", `add keep_previous = "1h" to the rollout`)
}

func (s *subject) guards() bool {
	if s.model.Rollout == nil {
		return false
	}
	for _, c := range s.model.Rollout.Checks {
		switch c.Metric {
		case spec.ErrorRatio, spec.LatencyP50, spec.LatencyP90, spec.LatencyP99:
			return true
		default:
		}
	}
	return false
}

func (s *subject) fallback() bool {
	for i := range s.model.Routes {
		if s.model.Routes[i].Fallback != "" {
			return true
		}
	}
	return false
}

func scalability(s *subject) []Point {
	m := s.model
	c := &m.Container
	hostile := s.tied()
	return []Point{
		either("CPU is bounded", 20, c.Resources.CPUs > 0, fmt.Sprintf("each replica takes at most %g CPUs", c.Resources.CPUs), "a replica may take all CPUs of its host", "add cpus to its resources, so that the plan knows what fits"),
		either("memory is bounded", 20, c.Resources.Memory > 0, "each replica has a limit of memory", "a replica may take all memory of its host", "add memory to its resources, so that the plan knows what fits"),
		either("more of it can run", 20, hostile == "", "nothing ties a replica to one host or one place", hostile, "keep state outside of the container, in its artifact or behind a service"),
		either("load is bounded", 20, s.limited(), "a route bounds the rate or the concurrency", "no route bounds what callers may ask for", "add a limit block to its routes"),
		either("new replicas are warm", 10, m.Warmup != nil, "a new replica is warmed up before it is eligible", "the first callers of a new replica wait for it to warm up", "add a warmup block with a recorded request"),
		either("speaks a standard protocol", 10, m.Protocol == spec.OpenInference, "it speaks the Open Inference Protocol, which clients balance and probe", "it speaks a protocol of its own", "serve it by a server of the Open Inference Protocol"),
	}
}

// tied says what keeps a second replica from running beside the first one; "" for
// nothing.
func (s *subject) tied() string {
	c := &s.model.Container
	if c.HostNetwork {
		return "it takes a port of the host itself"
	}
	if len(c.Devices) > 0 {
		return "it takes the device " + c.Devices[0] + " of one host"
	}
	for i := range c.Mounts {
		if mount := &c.Mounts[i]; mount.Type != spec.MountTmpfs && !mount.ReadOnly {
			return "it writes to " + mount.Target + ", which its replicas share"
		}
	}
	return ""
}

func (s *subject) limited() bool {
	for i := range s.model.Routes {
		if l := s.model.Routes[i].Limit; l != nil && (l.Rate > 0 || l.Concurrency > 0) {
			return true
		}
	}
	return false
}

func consistency(s *subject) []Point {
	m := s.model
	points := []Point{
		either("image is fixed", 20, s.pinned(), "what was reviewed is what runs", "what a tag means is found out when it is deployed, not when it is reviewed", "name the image by its digest"),
		either("server is checked", 20, m.Signature != nil, "a candidate whose server tells another interface is refused", "a server with another interface would be served", "add a signature block"),
		either("files stay as they are", 15, m.Container.ReadOnlyRoot, "a replica cannot change its own files", "a replica can change its own files", "set read_only = true"),
		either("has no more rights than it needs", 15, s.confined() == "", "it has no rights beside those of any container", s.confined(), "take them back, or run it where nothing else runs"),
		either("version is the registry's", 15, s.version != nil, "what it serves is the version that the registry has", noEntry, publishIt),
		s.obeys(),
	}
	if s.seen == nil {
		return points
	}
	o := s.seen
	// During a rollout the two differ, as they should.
	same := o.Error == "" && (o.Phase == "rolling" || o.Phase == "steady" && o.Wanted == o.Serving)
	why := o.Reason
	if o.Error != "" {
		why = o.Error
	}
	if why == "" {
		why = "it is " + o.Phase
	}
	return append(points, running(either("runs what Git wants", 30, same, "what serves is what Git wants, or on its way there", "what serves is not what Git wants: "+why, "see fairlead status and fairlead rollout show "+m.Name)))
}

func (s *subject) confined() string {
	c := &s.model.Container
	switch {
	case c.Privileged:
		return "it is privileged, and so root on its host"
	case len(c.Capabilities) > 0:
		return "it has the capability " + strings.Join(c.Capabilities, ", ")
	case c.HostNetwork:
		return "it is in the network of its host"
	default:
		return ""
	}
}

// obeys is whether all policies about the model pass.
func (s *subject) obeys() Point {
	const what, of = "obeys the policies", 15
	results := gate.Policies(s.cfg.Policies, s.cfg.Environment, gate.ModelFacts(s.cfg, s.model, s.now))
	passed, open := 0, ""
	for i := range results {
		if results[i].Outcome == gate.Passed {
			passed++
		} else if open == "" {
			open = results[i].Name
		}
	}
	switch {
	case len(results) == 0:
		return Point{What: what, Of: of, Reason: "no policy is about it", Raise: "write down what is asked of every model; examples/policies has a start"}
	case open == "":
		return Point{What: what, Got: of, Of: of, Reason: "it passes " + plural(len(results), "check") + " of policies"}
	default:
		return share(what, of, of*passed/len(results), fmt.Sprintf("it passes %d of %s of policies; %s does not hold", passed, plural(len(results), "check"), open), "fairlead policy check says what to do")
	}
}
