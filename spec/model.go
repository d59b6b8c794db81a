package spec

import "time"

// Model is a served model. It splits in two: what needs new containers when it
// changes (all that RevisionInputs of package reconcile names: image, command,
// env, secrets, resources, ...) and what changes in place (replicas, routes,
// health, rollout, description).
type Model struct {
	Address     Address
	Name        string // Address.ServedName()
	Pos         Pos    // of the model block
	Description string
	Owners      []string
	Version     string // the team's own version of the model, a label for people

	Image    string    // reference as written: name:tag, or name@sha256:...
	Artifact *Artifact // nil if not declared
	Card     *Card     // nil if not declared
	License  string    // SPDX identifier; "" if not declared
	Update   *Update   // newer images that are proposed; nil: none are
	Protocol Protocol
	Port     int // the port on which the container listens
	Replicas int // 0 is allowed: declared, but nothing runs

	Container Container

	Signature *Signature // nil if not declared
	Health    Health
	Warmup    *Warmup // nil if not declared
	Metrics   *Scrape // nil if not declared
	Routes    []Route
	Rollout   *Rollout // nil if not declared: replaced at once when healthy
}

// Protocol is what the model server speaks.
type Protocol string

// The protocols.
const (
	// OpenInference is the Open Inference Protocol v2 over REST; the gateway
	// routes /v2/models/NAME/... to such a model without any route block.
	OpenInference Protocol = "open_inference"
	// HTTP is any other HTTP server; only its routes reach it.
	HTTP Protocol = "http"
)

// Container is what the container of a model may be told. Mounts, Devices,
// Capabilities, Privileged and HostNetwork are requests: the operator's policy
// on the daemon's host grants or denies them.
type Container struct {
	Entrypoint   []string // nil: the image's own
	Command      []string // nil: the image's own
	Env          map[string]EnvValue
	SecretFiles  map[string]string // file name below /run/secrets -> secret name
	User         string            // "" : the image's own
	ReadOnlyRoot bool
	Resources    Resources
	Restart      RestartPolicy
	StopTimeout  time.Duration // from SIGTERM to SIGKILL
	Logs         Logs

	Mounts       []Mount
	Devices      []string // host device paths
	Capabilities []string // added to none, without the CAP_ prefix
	Privileged   bool
	HostNetwork  bool
}

// EnvValue is one environment variable: a literal, or the value of a secret.
type EnvValue struct {
	Value  string
	Secret string // name of a secret; Value is empty then
}

// Resources limits one container. Zero means the engine's default, except PIDs,
// which is always limited.
type Resources struct {
	CPUs    float64 // cores
	Memory  int64   // bytes; swap is limited to the same, so there is none on top
	Shm     int64   // bytes of /dev/shm
	PIDs    int64
	GPUs    GPUs
	Ulimits map[string]Ulimit // by name: nofile, memlock, ...
}

// GPUs asks for graphics processors by count or by id.
type GPUs struct {
	Count int      // -1: all of them
	IDs   []string // device ids or indexes; Count is 0 then
}

// Ulimit is one resource limit of setrlimit(2).
type Ulimit struct{ Soft, Hard int64 }

// RestartPolicy is what the engine itself does when the process ends. Fairlead
// heals on top of it, so "no" is allowed.
type RestartPolicy string

// The restart policies.
const (
	RestartUnlessStopped RestartPolicy = "unless_stopped" // the default
	RestartOnFailure     RestartPolicy = "on_failure"
	RestartNo            RestartPolicy = "no"
)

// Logs bounds the json-file log of one container.
type Logs struct {
	MaxSize  int64 // bytes of one file
	MaxFiles int
}

// Mount is a request for a file system in the container.
type Mount struct {
	Type     MountType
	Source   string // volume name or absolute host path; empty for tmpfs
	Target   string // absolute path in the container
	ReadOnly bool
	Size     int64 // bytes, tmpfs only
}

// MountType is the kind of a Mount.
type MountType string

// The mount types.
const (
	MountVolume MountType = "volume"
	MountBind   MountType = "bind"
	MountTmpfs  MountType = "tmpfs"
)

// Signature is the declared interface of a model in Open Inference terms.
type Signature struct {
	Inputs, Outputs []Tensor
}

// Tensor is one input or output of a model.
type Tensor struct {
	Name     string
	Datatype string // BOOL, INT64, FP32, BYTES, ...
	Shape    []int64
}

// Health says when a replica is good. The gateway probes it, from inside the
// network of the environment.
type Health struct {
	Path       string        `json:"path,omitzero"`        // GET; only 200 is healthy
	Interval   time.Duration `json:"interval,omitzero"`    // between two probes of one replica
	Timeout    time.Duration `json:"timeout,omitzero"`     // of one probe
	MinHealthy time.Duration `json:"min_healthy,omitzero"` // healthy without a break for so long, then ready
	Deadline   time.Duration `json:"deadline,omitzero"`    // from start to ready
}

// Warmup is recorded traffic for a fresh replica, sent before it is eligible.
type Warmup struct {
	Request []byte // body of one inference request
	Count   int
}

// Scrape is the endpoint where every replica of the model tells metrics of its
// own, in the text form of Prometheus. The labels model, revision and replica are
// added to what it says.
type Scrape struct {
	Path     string
	Port     int // of the container
	Interval time.Duration
}

// Route is one way into a model from the gateway's published port.
type Route struct {
	Host     string // "" matches every host
	Path     string // prefix, matched on whole segments
	Strip    bool   // remove Path before forwarding
	Timeout  time.Duration
	Fallback string      // served name of the model that answers when this one cannot; "" for none
	Limit    *RouteLimit // nil: no limit
	Auth     *RouteAuth  // nil: open to everybody
	Pos      Pos
}

// RouteLimit bounds what one route lets through. Above it the answer is 429 with
// Retry-After.
type RouteLimit struct {
	Rate        float64 // requests per second; 0: any
	Burst       int     // requests above the rate that are let through at once
	Concurrency int     // requests at a time; 0: any
}

// RouteAuth says who may use a route: whoever brings one of the keys, or a token
// that the issuer signed. Either is enough.
type RouteAuth struct {
	APIKeys []string // names of secrets; each holds one key
	JWT     *JWT     // nil: no tokens
}

// JWT says which tokens (RFC 7519) are good: signed by a key of the set, from the
// issuer, for the audience, and not expired.
type JWT struct {
	Issuer   string
	Audience string
	Keys     []byte // JSON Web Key Set (RFC 7517) of public keys, as PublicKeys returns it
}
