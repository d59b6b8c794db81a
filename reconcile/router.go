package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fairlead/fairlead/spec"
)

// Router steers requests to replicas and tells which of them are healthy: the
// gateway. The endpoint is the address (host:port) of its admin listener, which
// changes when the gateway's container does.
//
// All calls are safe for concurrent use, authenticated, and end in bounded time.
// While the daemon is away the gateway goes on with the last table.
type Router interface {
	// Push replaces the whole table. It returns once every request that starts
	// from now on is routed by the new one; open requests finish undisturbed.
	// table.Version must be the gateway's version plus one, else the error
	// wraps ErrStaleTable and nothing changed. Repeating a Push whose answer was
	// lost succeeds.
	Push(ctx context.Context, endpoint string, table Table) error
	// Table returns the table that is in force. A gateway that never got one
	// returns the zero Table.
	Table(ctx context.Context, endpoint string) (Table, error)
	// Report returns the state of the replicas. With since = 0 it returns at
	// once; else it waits until the report's Sequence differs from since, or for
	// wait at the most, and returns the newest.
	Report(ctx context.Context, endpoint string, since uint64, wait time.Duration) (Report, error)
}

// Errors of a Router that a caller decides by.
var (
	ErrStaleTable        = errors.New("the gateway has a newer routing table")
	ErrRouterUnavailable = errors.New("the gateway does not answer")
)

// Table is the routing table: everything that the gateway needs to know. It is
// replaced as a whole.
type Table struct {
	FormatVersion int           `json:"format_version"` // TableFormat
	Version       uint64        `json:"version"`        // goes up by one with each Push; 0: no table yet
	Models        []RoutedModel `json:"models"`         // sorted by Name
}

// TableFormat is the FormatVersion that this program writes and reads.
const TableFormat = 2

// RoutedModel is one model as the gateway sees it.
type RoutedModel struct {
	Name      string           `json:"name"`
	Protocol  spec.Protocol    `json:"protocol"`
	Routes    []RoutedPath     `json:"routes,omitempty"`
	Revisions []RoutedRevision `json:"revisions"` // sorted by Revision
	// Candidate is the revision that a rollout introduces; "" if none. The
	// hash of a sticky caller falls on it when it is below the candidate's
	// weight, so callers only ever move to it while that rises. One that is not
	// listed, since none of its replicas can be reached, takes nothing.
	Candidate string         `json:"candidate,omitempty"`
	Sticky    *spec.Sticky   `json:"sticky,omitempty"`
	Match     *spec.Match    `json:"match,omitempty"`  // callers that go to Candidate whatever its weight
	Mirror    *spec.Mirror   `json:"mirror,omitempty"` // requests that are copied to Candidate
	Outputs   []ScoredOutput `json:"outputs,omitempty"`
}

// ScoredOutput is an output tensor whose values the gateway samples, for their
// distribution, and compares when it mirrors.
type ScoredOutput struct {
	Name     string `json:"name"`
	Datatype string `json:"datatype"`
}

// Equal compares by content; a nil slice equals an empty one.
func (m RoutedModel) Equal(o RoutedModel) bool {
	return m.Name == o.Name && m.Protocol == o.Protocol &&
		m.Candidate == o.Candidate && equal(m.Sticky, o.Sticky) && equal(m.Match, o.Match) && equal(m.Mirror, o.Mirror) &&
		slices.Equal(m.Outputs, o.Outputs) &&
		slices.EqualFunc(m.Routes, o.Routes, RoutedPath.Equal) &&
		slices.EqualFunc(m.Revisions, o.Revisions, RoutedRevision.Equal)
}

// equal compares what two pointers point to; nil equals nil only.
func equal[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// Equal compares by content; a nil slice equals an empty one.
func (r RoutedRevision) Equal(o RoutedRevision) bool {
	return r.Revision == o.Revision && r.Weight == o.Weight && r.Health == o.Health &&
		slices.Equal(r.Replicas, o.Replicas)
}

// Find returns the revision's entry, or nil.
func (m *RoutedModel) Find(revision string) *RoutedRevision {
	if m == nil {
		return nil
	}
	for i := range m.Revisions {
		if m.Revisions[i].Revision == revision {
			return &m.Revisions[i]
		}
	}
	return nil
}

// Serving returns the revision that takes requests, or "" if none does. With
// weights on several it is the one with the most, and of equal ones not the candidate.
func (m *RoutedModel) Serving() string {
	if m == nil {
		return ""
	}
	best := RoutedRevision{}
	for _, r := range m.Revisions {
		if r.Weight > best.Weight || r.Weight == best.Weight && r.Weight > 0 && best.Revision == m.Candidate {
			best = r
		}
	}
	return best.Revision
}

// HealthProbe says how the gateway probes a replica: GET Path, 200 is healthy.
type HealthProbe struct {
	Path     string        `json:"path"`
	Interval time.Duration `json:"interval"` // nanoseconds
	Timeout  time.Duration `json:"timeout"`
}

// DefaultRequestTimeout bounds a request on a route that has no Timeout, in a
// gateway that was started without another limit. So whoever drains a replica
// knows when its last request is over; streams and websockets alone may go on.
const DefaultRequestTimeout = 5 * time.Minute

// RoutedPath is one route of the published listener.
type RoutedPath struct {
	Host  string `json:"host,omitempty"`
	Path  string `json:"path"`
	Strip bool   `json:"strip,omitempty"`
	// Timeout bounds a request; 0 stands for the gateway's own limit, which is
	// DefaultRequestTimeout unless the gateway was started with another.
	Timeout  time.Duration `json:"timeout,omitempty"`
	Fallback string        `json:"fallback,omitempty"`

	Limit *spec.RouteLimit `json:"limit,omitempty"`
	Auth  *RoutedAuth      `json:"auth,omitempty"`
}

// Equal compares by content.
func (p RoutedPath) Equal(o RoutedPath) bool {
	return p.Host == o.Host && p.Path == o.Path && p.Strip == o.Strip && p.Timeout == o.Timeout && p.Fallback == o.Fallback &&
		equal(p.Limit, o.Limit) && p.Auth.equal(o.Auth)
}

// RoutedAuth is who may use a route, as the gateway needs to know it. It holds no
// secret: keys are only there as hashes, and token keys are public ones.
type RoutedAuth struct {
	KeyHashes []string `json:"key_hashes,omitempty"` // SHA-256 of each API key, hexadecimal, sorted
	Issuer    string   `json:"issuer,omitempty"`     // of tokens; "": no token is taken
	Audience  string   `json:"audience,omitempty"`
	Keys      string   `json:"keys,omitempty"` // JSON Web Key Set
}

func (a *RoutedAuth) equal(o *RoutedAuth) bool {
	return a == o || a != nil && o != nil && slices.Equal(a.KeyHashes, o.KeyHashes) &&
		a.Issuer == o.Issuer && a.Audience == o.Audience && a.Keys == o.Keys
}

// RoutedRevision is one revision of a model and its share of the requests.
type RoutedRevision struct {
	Revision string `json:"revision"`
	// Weight is the share in percent. A revision of weight 0 is probed and
	// drained, and takes no new request. The weights of a model that serves add
	// up to 100; a model with all weights 0 answers 503.
	Weight int `json:"weight"`
	// Health is part of the revision, not of the model: a commit may change the
	// image together with its health path, and the replicas of the old revision
	// must stay healthy by their own.
	Health   HealthProbe     `json:"health"`
	Replicas []RoutedReplica `json:"replicas"` // sorted by ID
}

// RoutedReplica is one container behind the gateway.
type RoutedReplica struct {
	ID      string `json:"id"`              // container id
	Address string `json:"address"`         // ip:port
	Drain   bool   `json:"drain,omitempty"` // no new request; probed no more
	// Cold: probed, but not given requests yet. Its contract is not verified, or
	// it is not warm.
	Cold bool `json:"cold,omitempty"`
}

// Report is what the gateway knows about the replicas of its table, and of those
// that have left it while requests to them are still open.
type Report struct {
	Sequence     uint64                   `json:"sequence"` // changes whenever health, readiness or drain state of a replica does; never 0
	TableVersion uint64                   `json:"table_version"`
	Replicas     map[string]ReplicaHealth `json:"replicas"` // by container id
	// Warning is what an operator should know about the gateway itself, for
	// example that it could not keep its table on disk.
	Warning string `json:"warning,omitempty"`
}

// ReplicaHealth is the gateway's view of one replica. Durations instead of
// timestamps: the gateway's clock and the daemon's need not agree. Nothing is
// claimed about the health of a replica that drains: Healthy is false, and only
// InFlight counts.
type ReplicaHealth struct {
	Healthy    bool          `json:"healthy"`
	HealthyFor time.Duration `json:"healthy_for"` // without a break; 0 if not healthy
	InFlight   int           `json:"in_flight"`
	LastError  string        `json:"last_error,omitempty"` // of the last failed probe, or why it is ejected
	// Ejected: healthy by its probe, but it failed requests that its peers
	// answered, so for a while it gets none but trials.
	Ejected bool `json:"ejected,omitempty"`
}
