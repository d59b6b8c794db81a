package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/spec"
)

// Scope is what one daemon owns on an engine. Objects of another owner or
// environment do not exist for it.
type Scope struct {
	Owner       string // the installation, "fairlead" unless the operator says otherwise
	Environment string
}

// NetworkName is the one bridge network of the scope. The "." keeps the parts
// apart: no name may contain it.
func (s Scope) NetworkName() string { return s.Owner + "." + s.Environment }

// GatewayName is the name of the gateway's container, and of its volume.
func (s Scope) GatewayName() string { return s.NetworkName() + ".gateway" }

// ReplicaName is the deterministic name of a model's replica. Two creates of the
// same replica collide on it, which is how a create whose answer was lost is
// found again instead of leaking.
func (s Scope) ReplicaName(model, revision string, ordinal int) string {
	return s.NetworkName() + "." + model + "." + revision + "." + strconv.Itoa(ordinal)
}

// StepName is the name of the container of one attempt at a node of a run.
func (s Scope) StepName(run, node string, attempt int) string {
	return s.NetworkName() + ".run." + run + "." + node + "." + strconv.Itoa(attempt)
}

// Labels that every object of Fairlead carries. Labels of a container cannot
// change after its creation, so nothing that changes in place is among them.
const (
	LabelOwner       = "io.fairlead.owner"
	LabelEnvironment = "io.fairlead.environment"
	LabelKind        = "io.fairlead.kind" // model, gateway or step
	LabelModel       = "io.fairlead.model"
	LabelRevision    = "io.fairlead.revision"
	LabelReplica     = "io.fairlead.replica" // ordinal, from 1
	LabelCommit      = "io.fairlead.commit"  // the commit that created it
	LabelImage       = "io.fairlead.image"   // the reference as written in the spec
	LabelPort        = "io.fairlead.port"    // on which the model listens
	LabelInputs      = "io.fairlead.inputs"  // RevisionInputs as JSON

	LabelPipeline = "io.fairlead.pipeline"
	LabelRun      = "io.fairlead.run"
	LabelNode     = "io.fairlead.node"    // step, and variant: train, train[2]
	LabelAttempt  = "io.fairlead.attempt" // from 1
)

// Runtime runs containers: a Docker Engine.
//
// Nothing without the labels of the Scope that the provider was made for is ever
// listed, changed or removed, whatever its name. All calls are safe for
// concurrent use and end in bounded time. An error that may pass by itself
// (engine away, time-out) wraps ErrUnavailable; a request that the operator's
// policy forbids is a *DeniedError and was not sent.
//
// Every mutating call is idempotent in the sense that repeating it after a lost
// answer gives the same end: Create adopts, Start of a running container and
// Remove of an absent one succeed.
type Runtime interface {
	// Engine describes the engine. It is the cheapest call that proves that the
	// engine answers.
	Engine(ctx context.Context) (Engine, error)

	// Resolve pins an image reference to content, with no effect on the engine.
	// A reference with a digest is pinned as it stands, without any call. For a
	// tag the registry is asked, unless the image exists only locally: then it
	// is pinned by its image id. The error wraps ErrImageNotFound where neither
	// the engine nor the registry knows the image.
	Resolve(ctx context.Context, ref string) (Image, error)

	// SelfImage returns the pinned image that holds Fairlead's own binary, from
	// which the gateway runs, with no effect on the engine.
	SelfImage(ctx context.Context) (Image, error)

	// EnsureImage makes the image available on the engine: present, pulled with
	// the user's registry credentials, or for the self image loaded. progress
	// may be nil. A call for an image that is present changes nothing.
	EnsureImage(ctx context.Context, image Image, progress func(PullProgress)) error

	// List returns every container of the scope, of any state, sorted by Name.
	// With a model or a run in the filter only those of it. It makes one list call;
	// details that the list does not carry are fetched once per container and cached
	// until it changes, an event or the audit interval drops them.
	List(ctx context.Context, filter Filter) ([]Container, error)

	// Vet tells without any call whether the operator's policy and the
	// provider's own checks allow the container: nil or a *DeniedError that
	// lists every denied field.
	Vet(c ContainerSpec) error

	// EnsureNetwork creates the network of the scope if it is absent.
	EnsureNetwork(ctx context.Context) error

	// Create creates the container, and returns its id. It does not start it.
	// Where a container of the scope has the name already: one of the same
	// revision that was never started is adopted, any other is an error that
	// wraps ErrNameTaken. A container outside of the scope is never touched:
	// the error says whose it is.
	Create(ctx context.Context, c ContainerSpec) (id string, err error)
	// Start starts a created or exited container; a paused one goes on. Where the
	// secret files of the container are lost the error wraps ErrMustReplace.
	Start(ctx context.Context, id string) error
	// Rename gives the container its name back.
	Rename(ctx context.Context, id, name string) error
	// Update brings the limits that an engine can change in place (cpus, memory,
	// pids, restart policy) back to those of the spec, and the network. The error
	// wraps ErrMustReplace where the engine cannot do that in place.
	Update(ctx context.Context, id string, c ContainerSpec) error
	// Stop sends SIGTERM, then SIGKILL after the grace period.
	Stop(ctx context.Context, id string, grace time.Duration) error
	// Remove removes the container, running or not, with its anonymous volumes.
	// Named volumes are never removed.
	Remove(ctx context.Context, id string) error
	// RemoveNetwork removes the network of the scope if it exists.
	RemoveNetwork(ctx context.Context) error
	// RemoveVolume removes a named volume of the scope, with what is in it, if it
	// exists. One without the labels of the scope is left alone: that is an error.
	RemoveVolume(ctx context.Context, name string) error

	// Logs returns the last lines of a container's output, both streams, for
	// error messages. Output is bounded to 64 KiB.
	Logs(ctx context.Context, id string, lines int) (string, error)

	// Follow copies the output of a container, both streams, to w as it comes, from
	// its beginning as far as the engine still has it, until the container ends or
	// ctx does. It does not wait for a slow w longer than ctx lasts: one write may be
	// under way then, and none begins after it. An engine that breaks the stream off
	// is an error; to go on from there is up to the caller.
	Follow(ctx context.Context, id string, w io.Writer) error

	// Events wakes the reconciler when a container of the scope changes. The
	// channel closes when ctx ends, not before: a lost stream is opened again
	// inside, with back-off, and counts as a change of everything.
	Events(ctx context.Context) Hints
}

// Waiter is what a Runtime may do beside: it tells that a container has ended at
// once and for one call. Without it a List after a hint tells the same, later.
type Waiter interface {
	// Wait returns when a container that was started has ended, at once if it has
	// ended already. One that never ran, or is removed meanwhile, is an error.
	Wait(ctx context.Context, id string) (Exit, error)
}

// Exit is how a container ended.
type Exit struct {
	Code      int
	OOMKilled bool
	Finished  time.Time // by the engine's clock
}

// Errors of a Runtime that a caller decides by.
var (
	ErrUnavailable   = errors.New("the container engine is not available")
	ErrImageNotFound = errors.New("image not found")
	ErrNameTaken     = errors.New("container name is taken")
	// ErrMustReplace: only removing the container and creating it anew helps.
	ErrMustReplace = errors.New("the container must be replaced")
)

// DeniedError says that a container asks for what the operator's policy does not
// grant.
type DeniedError struct {
	Container string
	Denials   []Denial
}

// Denial is one field that the policy does not grant.
type Denial struct {
	Field  string // as in the spec: mount, devices, privileged, ...
	Value  string
	Remedy string // the serve setting that would grant it
}

// Error lists every denial.
func (e *DeniedError) Error() string {
	msg := fmt.Sprintf("%s asks for what this host's policy does not grant", e.Container)
	for _, d := range e.Denials {
		msg += fmt.Sprintf("; %s = %s (%s)", d.Field, d.Value, d.Remedy)
	}
	return msg
}

// Engine describes the container engine.
type Engine struct {
	ID         string // stable identity of the engine
	Version    string
	APIVersion string // negotiated
	CPUs       int
	Memory     int64 // bytes
	GPUs       int   // 0 where the engine does not tell
}

// Image is a reference pinned to content.
type Image struct {
	Ref string `json:"ref"` // as written in the spec
	// Pin is what runs: NAME@sha256:... from a registry, or the bare image id
	// sha256:... of an image that exists only on this engine.
	Pin string `json:"pin"`
	// LocalOnly: Pin is an image id; there is nowhere to pull it from.
	LocalOnly bool `json:"local_only,omitempty"`
	// Self: the image that holds Fairlead's own binary.
	Self bool `json:"self,omitempty"`
	// Note tells what a person should know, for example that the registry could
	// not be asked and the local copy was taken.
	Note string `json:"note,omitempty"`
}

// PullProgress is the state of a pull.
type PullProgress struct {
	Image       string
	Done, Total int64 // bytes; Total is 0 while unknown
}

// Filter narrows a List. The zero value lists the whole scope.
type Filter struct {
	Model string
	Run   string // of the steps' containers
}

// ContainerSpec is all that one container is created from.
type ContainerSpec struct {
	Name   string
	Labels map[string]string // the scope's and the object's labels
	Image  Image
	spec.Container
	// EnvValues holds every environment variable; those of secrets stay wrapped.
	EnvValues map[string]string
	SecretEnv map[string]spec.Sensitive
	// SecretFiles go to /run/secrets/NAME, read-only, mode 0444.
	SecretFiles map[string]spec.Sensitive
	Publish     []Publish // the gateway only
	// Volumes are the provider's own named volumes, by name -> target; the
	// operator's policy is for what specs ask for and does not look at them.
	Volumes map[string]string
	// Binds are directories of the host that the daemon itself made: artifacts, the
	// inputs and outputs of a step. As with Volumes the policy does not look at
	// them. The engine must be that of the daemon's own host.
	Binds []Bind
	// NoNetwork: the container gets no network but its own loopback.
	NoNetwork bool
	// Certificates is a directory of the host that the gateway reads its
	// certificate from; "" for none. It is the operator's own, so the policy does
	// not look at it.
	Certificates string
}

// Bind mounts a directory of the host, without what is mounted below it.
type Bind struct {
	Source   string // absolute path on the host
	Target   string // absolute path in the container
	ReadOnly bool
}

// Publish maps a port of the host to one of the container.
type Publish struct {
	Host          string // address of the host to listen on
	HostPort      int
	ContainerPort int
}

// Container is an observed container of the scope.
type Container struct {
	ID       string
	Name     string
	Kind     spec.Kind
	Model    string // label, empty for the gateway
	Revision string // label
	Replica  int    // label
	Commit   string // label
	ImageRef string // label: the reference as written
	Port     int    // label
	Inputs   string // label
	Pipeline string // label, of a step
	Run      string // label, of a step
	Node     string // label, of a step
	Attempt  int    // label, of a step
	ImageID  string
	State    ContainerState
	ExitCode int       // of an exited container, or of one that waits for its restart
	Started  time.Time // zero if never started
	Finished time.Time // zero if it runs or never ran
	// Restarts counts the engine's own restarts.
	Restarts  int
	OOMKilled bool
	// Address is the IP on the network of the scope, "" if it has none.
	Address string
	// Limits are what docker update can change by hand.
	Limits Limits
}

// ContainerState is the engine's word for what a container does.
type ContainerState string

// The states.
const (
	StateCreated    ContainerState = "created"
	StateRunning    ContainerState = "running"
	StatePaused     ContainerState = "paused"
	StateRestarting ContainerState = "restarting"
	StateRemoving   ContainerState = "removing"
	StateExited     ContainerState = "exited"
	StateDead       ContainerState = "dead"
)

// Limits are the settings of a container that an engine lets anybody change
// while it runs. Providers report and compare them in this normal form.
type Limits struct {
	NanoCPUs int64
	Memory   int64
	PIDs     int64
	Restart  spec.RestartPolicy
}

// LimitsOf is the normal form of what a spec asks for.
func LimitsOf(c spec.Container) Limits {
	return Limits{
		NanoCPUs: int64(c.Resources.CPUs * 1e9),
		Memory:   c.Resources.Memory,
		PIDs:     c.Resources.PIDs,
		Restart:  c.Restart,
	}
}

// Difference says in one line how l differs from want, for people.
func (l Limits) Difference(want Limits) string {
	var parts []string
	if l.NanoCPUs != want.NanoCPUs {
		parts = append(parts, fmt.Sprintf("cpus %g, declared %g", float64(l.NanoCPUs)/1e9, float64(want.NanoCPUs)/1e9))
	}
	if l.Memory != want.Memory {
		parts = append(parts, fmt.Sprintf("memory %d bytes, declared %d", l.Memory, want.Memory))
	}
	if l.PIDs != want.PIDs {
		parts = append(parts, fmt.Sprintf("pids %d, declared %d", l.PIDs, want.PIDs))
	}
	if l.Restart != want.Restart {
		parts = append(parts, fmt.Sprintf("restart %s, declared %s", l.Restart, want.Restart))
	}
	return strings.Join(parts, "; ")
}
