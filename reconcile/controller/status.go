package controller

import (
	"cmp"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// StatusFormat is the version of a Status's JSON form.
const StatusFormat = "1.0"

// Status is what the daemon knows and thinks, for people and programs.
type Status struct {
	FormatVersion string        `json:"format_version"`
	Environment   string        `json:"environment"`
	Owner         string        `json:"owner"`
	Commit        spec.Commit   `json:"commit"` // that is followed
	Source        SourceStatus  `json:"source"`
	Engine        EngineStatus  `json:"engine"`
	Gateway       GatewayStatus `json:"gateway"`
	Journal       JournalStatus `json:"journal"`
	Metrics       MetricsStatus `json:"metrics"`
	Models        []ModelStatus `json:"models"`
	// Converged: what runs is what Git wants, and the gateway routes by it.
	Converged bool `json:"converged"`
}

// SourceStatus is how the config repo is doing.
type SourceStatus struct {
	Fetched time.Time `json:"fetched,omitzero"` // last success
	Commit  string    `json:"commit,omitempty"` // newest, followed or not
	Error   string    `json:"error,omitempty"`
	Stale   bool      `json:"stale,omitempty"` // the last good revision is followed instead of the newest
	// Refused: the newest commit does not load, or the guard refused it.
	Refused bool     `json:"refused,omitempty"`
	Notes   []string `json:"notes,omitempty"`
	// Behind are the includes whose newest commit is not followed.
	Behind []string `json:"behind,omitempty"`
}

// EngineStatus is how the container engine is doing.
type EngineStatus struct {
	Error string `json:"error,omitempty"`
}

// GatewayStatus is how the gateway is doing.
type GatewayStatus struct {
	Phase  rollout.Phase `json:"phase,omitempty"`
	Reason string        `json:"reason,omitempty"`
	Admin  string        `json:"admin,omitempty"` // address of the admin listener
	Table  uint64        `json:"table"`           // version in force
	Error  string        `json:"error,omitempty"`
	// Failures counts the failed acts on its container in a row.
	Failures int    `json:"failures,omitempty"`
	Listens  string `json:"listens,omitempty"`
}

// ModelStatus is how one model is doing.
type ModelStatus struct {
	Address  spec.Address  `json:"address"`
	Name     string        `json:"name"`
	Phase    rollout.Phase `json:"phase"`
	Reason   string        `json:"reason,omitempty"`
	Error    string        `json:"error,omitempty"` // of the last act, or why it cannot be bound
	Since    time.Time     `json:"since,omitzero"`  // of the phase
	Version  string        `json:"version,omitempty"`
	Image    string        `json:"image,omitempty"`
	Artifact string        `json:"artifact,omitempty"` // that Git wants
	Revision string        `json:"revision,omitempty"` // that Git wants
	Serving  string        `json:"serving,omitempty"`  // that takes the requests
	Ready    int           `json:"ready"`
	Replicas int           `json:"replicas"`
	// Failures counts the failed acts in a row.
	Failures int      `json:"failures,omitempty"`
	Declared spec.Pos `json:"declared,omitzero"`

	// What was decided about it.
	Stable   *ReleaseStatus   `json:"stable,omitempty"`
	Previous *PreviousStatus  `json:"previous,omitempty"`
	Rollout  *RolloutStatus   `json:"rollout,omitempty"`  // under way
	Rejected []RejectedStatus `json:"rejected,omitempty"` // oldest first
	Last     *journal.Ended   `json:"last,omitempty"`     // how the last rollout ended
	// Restarts counts the rollouts in a row that a newer revision superseded.
	Restarts int `json:"restarts,omitempty"`
	// ReplicaRestarts counts the restarts of replicas, by revision.
	ReplicaRestarts map[string]int `json:"replica_restarts,omitempty"`
}

// Failed tells whether the model needs a person, or a new commit.
func (m *ModelStatus) Failed() bool { return m.Phase == rollout.Degraded || m.Error != "" }

// Failed tells whether the gateway needs a person.
func (g *GatewayStatus) Failed() bool { return g.Phase == rollout.Degraded || g.Error != "" }

func (s *Status) converged() bool {
	if s.Commit.ID == "" && s.Source.Fetched.IsZero() || s.Models == nil || s.Source.Refused ||
		s.Engine.Error != "" || s.Gateway.Phase != rollout.Steady || s.Gateway.Error != "" {
		return false
	}
	return !slices.ContainsFunc(s.Models, func(m ModelStatus) bool { return m.Phase != rollout.Steady || m.Error != "" })
}

func (l *loop) noteSource(s *synced) {
	src := &l.status.Source
	before, commit := src.Error, src.Commit
	if s.commit.ID != "" {
		src.Commit = s.commit.ID
	}
	src.Notes, src.Behind, src.Error, src.Refused = s.notes, s.behind, "", s.loadErr
	if s.err == nil {
		src.Stale = s.stale
		if !s.stale {
			src.Fetched = time.Now()
		}
		if before != "" && !s.stale {
			l.emit(Event{Type: SourceRecovered, Commit: s.commit.ID, Message: "the source can be read again"})
		}
		if s.desired != nil || l.desired != nil {
			l.status.Commit = s.commit
		}
		if s.stale {
			src.Error = before
		}
		return
	}
	src.Error = s.err.Error()
	if before == src.Error && commit == src.Commit { // a newer commit may have the same mistake
		return
	}
	kind := SourceFailed
	if s.loadErr {
		kind = CommitRefused
	}
	l.emit(Event{Type: kind, Commit: s.commit.ID, Message: s.err.Error(), Err: s.err})
}

func (l *loop) modelStatus(now time.Time) []ModelStatus {
	objects := make([]*object, 0, len(l.objects))
	for _, o := range l.objects {
		if o.key != gatewayKey {
			objects = append(objects, o)
		}
	}
	slices.SortFunc(objects, func(a, b *object) int { return cmp.Compare(a.key, b.key) })
	models := make([]ModelStatus, 0, len(objects))
	for _, o := range objects {
		d := &o.decision
		m := ModelStatus{
			Address: l.address(o), Name: string(o.key), Phase: d.Phase, Reason: d.Reason, Since: o.phaseSince,
			Serving: d.Serving, Ready: d.Ready, Replicas: d.Want, Failures: o.failures,
		}
		if t := l.desired.Targets[m.Name]; t != nil {
			m.Version, m.Image, m.Revision, m.Declared = t.Model.Version, t.Image.Ref, t.Revision, t.Model.Pos
			m.Artifact = t.Inputs.ArtifactRef
		}
		if err := l.desired.Unbound[m.Name]; err != nil {
			m.Phase, m.Error = rollout.Degraded, err.Error()
		} else if err := cmp.Or(o.err, o.ledger.err, o.unroutable, o.supply.trouble()); err != nil {
			m.Error = err.Error()
		}
		if m.Phase == "" {
			m.Phase, m.Since = rollout.Rolling, now
			if !l.journal.open {
				m.Reason = "what was decided before is not known until the journal is open"
			}
		}
		o.recordStatus(&m)
		models = append(models, m)
	}
	return models
}

func (l *loop) gatewayStatus() GatewayStatus {
	g := GatewayStatus{Admin: l.endpoint, Table: l.view.Table.Version, Error: l.status.Gateway.Error}
	o := l.objects[gatewayKey]
	if o == nil {
		return g
	}
	g.Phase, g.Reason, g.Failures = o.decision.Phase, o.decision.Reason, o.failures
	if o.err != nil {
		g.Error = o.err.Error()
	}
	if l.desired != nil && l.desired.Gateway != nil {
		g.Listens = l.c.opts.Binder.listens()
	}
	return g
}
