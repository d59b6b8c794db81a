package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// modelDiff collects what differs about one model.
type modelDiff struct {
	desired *reconcile.Desired
	target  *reconcile.Target
	record  *journal.Record        // nil: nothing is known
	current []*reconcile.Container // of the target's revision
	others  []*reconcile.Container // of any other
	change  Change
	drift   []string
}

func diffModel(d *reconcile.Desired, t *reconcile.Target, record *journal.Record, containers []*reconcile.Container, entry *reconcile.RoutedModel, now time.Time) *Change {
	m := modelDiff{desired: d, target: t, record: record}
	m.change = Change{Address: t.Model.Address, Pos: t.Model.Pos, To: t.Revision, Replicas: [2]int{len(containers), t.Model.Replicas}}
	for _, c := range containers {
		switch {
		case c.Revision == t.Revision:
			m.current = append(m.current, c)
		case m.kept(c.Revision): // as the policy wants it
		default:
			m.others = append(m.others, c)
		}
	}
	if m.rejected() {
		c := m.change
		return &c
	}
	m.replicas()
	m.altered(now)
	m.routing(entry)
	if !m.result() {
		return nil
	}
	c := m.change // a copy: so nearly all models, which are unchanged, cost no allocation
	return &c
}

// replicas compares the count, where no other revision is in play: a rollout
// brings its own count.
func (m *modelDiff) replicas() {
	if m.record != nil && m.record.Rollout != nil {
		return
	}
	have, want := len(m.current), m.target.Model.Replicas
	if have == 0 {
		for _, c := range m.others { // those that are to be replaced
			if c.Revision == m.others[0].Revision {
				have++
			}
		}
	}
	if have == want {
		return
	}
	if have < want && m.lost(have) {
		m.drift = append(m.drift, fmt.Sprintf("%d of %d replicas are gone", want-have, want))
		return
	}
	m.field("replicas", strconv.Itoa(have), strconv.Itoa(want))
}

// lost tells whether missing replicas were removed by hand: the ones that are
// there came from a commit of this very content, or have a gap in their numbers.
func (m *modelDiff) lost(have int) bool {
	highest := 0
	for _, c := range m.current {
		highest = max(highest, c.Replica)
		if c.Commit == m.desired.Commit.ID && c.Commit != "" {
			return true
		}
	}
	return highest > have
}

// altered finds what was changed by hand on containers of the target.
func (m *modelDiff) altered(now time.Time) {
	want := reconcile.LimitsOf(m.target.Model.Container)
	seen := map[int]string{}
	for _, c := range m.current {
		say := func(format string, args ...any) {
			m.drift = append(m.drift, fmt.Sprintf("replica %d ", c.Replica)+fmt.Sprintf(format, args...))
		}
		if name := m.desired.Scope.ReplicaName(c.Model, c.Revision, c.Replica); c.Name != name {
			say("was renamed to %s", c.Name)
		}
		if other, twice := seen[c.Replica]; twice {
			say("exists twice, as %s too", other)
		}
		seen[c.Replica] = c.Name
		if c.Limits != want {
			say("has other limits than declared: %s", c.Limits.Difference(want))
		}
		switch c.State {
		case reconcile.StateRunning:
			if c.Address == "" && !m.target.Model.Container.HostNetwork {
				say("is not connected to the network")
			}
		case reconcile.StateExited:
			say("ended %s (exit code %d)", ago(c.Finished, now), c.ExitCode)
		case reconcile.StateCreated:
			say("was created but not started")
		case reconcile.StatePaused, reconcile.StateDead:
			say("is %s", c.State)
		case reconcile.StateRestarting, reconcile.StateRemoving:
		}
	}
}

func ago(t, now time.Time) string {
	if t.IsZero() {
		return "some time ago"
	}
	return now.Sub(t).Round(time.Second).String() + " ago"
}

// routing compares with the gateway's table, as far as it is known.
func (m *modelDiff) routing(entry *reconcile.RoutedModel) {
	if entry == nil {
		return
	}
	model := m.target.Model
	if entry.Protocol != model.Protocol {
		m.field("protocol", string(entry.Protocol), string(model.Protocol))
	}
	m.routes(entry.Routes, m.target.RoutedPaths())
	want := reconcile.HealthProbe{Path: model.Health.Path, Interval: model.Health.Interval, Timeout: model.Health.Timeout}
	if in := entry.Find(m.target.Revision); in != nil && in.Health != want {
		m.fieldIf("health.path", in.Health.Path, model.Health.Path)
		m.fieldIf("health.interval", in.Health.Interval.String(), model.Health.Interval.String())
		m.fieldIf("health.timeout", in.Health.Timeout.String(), model.Health.Timeout.String())
	}
}

func (m *modelDiff) routes(old, asked []reconcile.RoutedPath) {
	if slices.EqualFunc(old, asked, reconcile.RoutedPath.Equal) {
		return
	}
	lines := func(routes []reconcile.RoutedPath) string {
		var out []string
		for _, r := range routes {
			line := r.Host + r.Path
			if r.Strip {
				line += " strip"
			}
			if r.Timeout > 0 {
				line += " timeout " + r.Timeout.String()
			}
			if r.Fallback != "" {
				line += " fallback model." + r.Fallback
			}
			if r.Limit != nil {
				line += fmt.Sprintf(" limit %g/s burst %d concurrency %d", r.Limit.Rate, r.Limit.Burst, r.Limit.Concurrency)
			}
			if r.Auth != nil {
				line += fmt.Sprintf(" auth %d api keys", len(r.Auth.KeyHashes))
				if r.Auth.Issuer != "" {
					line += " or a token of " + r.Auth.Issuer
				}
			}
			out = append(out, line)
		}
		return strings.Join(out, ", ")
	}
	m.field("route", lines(old), lines(asked))
}

func (m *modelDiff) fieldIf(path, was, is string) {
	if was != is {
		m.field(path, was, is)
	}
}

func (m *modelDiff) field(path, was, is string) {
	m.change.Fields = append(m.change.Fields, Field{Path: path, Old: was, New: is})
}

// result names the action: the one that matters most to whoever reviews it. It
// is false where there is nothing to do.
func (m *modelDiff) result() bool {
	c := &m.change
	switch {
	case len(m.current) == 0 && len(m.others) == 0 && m.target.Model.Replicas == 0:
		if len(c.Fields) == 0 {
			return false
		}
		c.Action = Update
	case len(m.current) == 0 && len(m.others) == 0:
		c.Action, c.Fields = Create, m.madeFrom()
		c.Reasons = append(c.Reasons, fmt.Sprintf("%s is in Git at %s and does not run", c.Address, m.desired.Commit.Short()))
	case len(m.others) > 0:
		m.replace()
	case len(c.Fields) > 0:
		c.Action = Update
		c.Reasons = append(c.Reasons, "changed in Git; needs no new container")
	case len(m.drift) > 0:
		c.Action = Heal
	default:
		return false
	}
	c.Reasons = append(c.Reasons, m.drift...)
	return true
}

// madeFrom is what a model that does not run yet will be.
func (m *modelDiff) madeFrom() []Field {
	model := m.target.Model
	fields := []Field{{Path: "image", New: m.target.Image.Ref}}
	if model.Artifact != nil {
		fields = append(fields, Field{Path: "artifact", New: model.Artifact.Ref})
	}
	return append(fields, Field{Path: "replicas", New: strconv.Itoa(model.Replicas)})
}

// brief is a digest as far as people read it.
func brief(digest string) string {
	algorithm, hex, _ := strings.Cut(digest, ":")
	switch {
	case digest == "":
		return "none"
	case len(hex) <= 12:
		return digest
	}
	return algorithm + ":" + hex[:12] + "…"
}

func (m *modelDiff) replace() {
	old := m.others[0]
	m.change.Action, m.change.From, m.change.Rollout = Replace, old.Revision, rolloutOf(m.target.Model)
	fields, known := changedInputs(old, m.target)
	switch {
	case m.underWay() != "":
		m.change.Reasons = append(m.change.Reasons, m.underWay())
	case len(m.current) > 0:
		m.change.Reasons = append(m.change.Reasons, fmt.Sprintf("the replacement of revision %s is not finished", old.Revision))
	case !known:
		m.change.Reasons = append(m.change.Reasons, fmt.Sprintf("revision %s runs, and does not tell what it was made from", old.Revision))
	default:
		m.change.Reasons = append(m.change.Reasons, "changed in Git; needs new containers")
	}
	for _, f := range fields {
		if f.Path == "artifact" {
			m.change.Reasons = append(m.change.Reasons, fmt.Sprintf("artifact %s → %s", brief(f.Old), brief(f.New)))
		}
	}
	m.change.Fields = append(fields, m.change.Fields...)
}
