package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/spec"
)

// Target is a model bound to content: its image is pinned, its secrets have
// versions, so its revision is known. Targets are immutable; the same *Target
// means that nothing about the model changed.
type Target struct {
	Model    *spec.Model
	Image    Image
	Inputs   RevisionInputs
	Revision string
	// KeyHashes are the SHA-256 sums, in hexadecimal, of the secrets that are API
	// keys of its routes, by the secret's name. They change in place.
	KeyHashes map[string]string
}

// NewTarget binds a model. versions holds the version of every secret that the
// model uses, by the secret's name: a keyed hash, never a value.
func NewTarget(m *spec.Model, image Image, versions map[string]string) *Target {
	in := revisionInputs(m, image, versions)
	return &Target{Model: m, Image: image, Inputs: in, Revision: in.Revision()}
}

// RevisionInputs is everything that needs new containers when it changes. It is
// kept as JSON in a label of each container, so that a plan can say which
// argument changed from what to what, with nothing but the engine at hand.
//
// Every field is omitted when zero: a field added by a later Fairlead does not
// change the revision of models that do not use it.
type RevisionInputs struct {
	Image        string                `json:"image,omitzero"` // the pin
	Port         int                   `json:"port,omitzero"`
	Entrypoint   []string              `json:"entrypoint,omitempty"`
	Command      []string              `json:"command,omitempty"`
	Env          map[string]string     `json:"env,omitempty"`
	SecretEnv    map[string]SecretUse  `json:"secret_env,omitempty"`
	SecretFiles  map[string]SecretUse  `json:"secrets,omitempty"`
	User         string                `json:"user,omitzero"`
	ReadOnlyRoot bool                  `json:"read_only,omitzero"`
	CPUs         float64               `json:"cpus,omitzero"`
	Memory       int64                 `json:"memory,omitzero"`
	Shm          int64                 `json:"shm,omitzero"`
	PIDs         int64                 `json:"pids,omitzero"`
	GPUCount     int                   `json:"gpus,omitzero"`
	GPUIDs       []string              `json:"gpu_ids,omitempty"`
	Ulimits      map[string][2]int64   `json:"ulimits,omitempty"`
	Restart      spec.RestartPolicy    `json:"restart,omitzero"`
	LogMaxSize   int64                 `json:"log_max_size,omitzero"`
	LogMaxFiles  int                   `json:"log_max_files,omitzero"`
	Mounts       map[string]MountInput `json:"mounts,omitempty"` // by target
	Devices      []string              `json:"devices,omitempty"`
	Capabilities []string              `json:"capabilities,omitempty"`
	Privileged   bool                  `json:"privileged,omitzero"`
	HostNetwork  bool                  `json:"host_network,omitzero"`

	Artifact       string `json:"artifact,omitzero"`      // digest
	ArtifactTarget string `json:"artifact_path,omitzero"` // directory in the container
	// ArtifactRef is where the artifact can be had. It goes with the inputs so that
	// a release can be made again, but the same bytes from elsewhere need no new
	// containers: it is no part of the revision.
	ArtifactRef string `json:"artifact_ref,omitzero"`
}

// SecretUse is a secret in a revision: its name, and a keyed hash of its value
// that changes when the value does and tells nothing else.
type SecretUse struct {
	Secret  string `json:"secret"`
	Version string `json:"version"`
}

// MountInput is a mount in a revision.
type MountInput struct {
	Type     spec.MountType `json:"type"`
	Source   string         `json:"source,omitzero"`
	ReadOnly bool           `json:"read_only,omitzero"`
	Size     int64          `json:"size,omitzero"`
}

func revisionInputs(m *spec.Model, image Image, versions map[string]string) RevisionInputs {
	c := m.Container
	in := RevisionInputs{
		Image: image.Pin, Port: m.Port,
		Entrypoint: c.Entrypoint, Command: c.Command,
		User: c.User, ReadOnlyRoot: c.ReadOnlyRoot,
		CPUs: c.Resources.CPUs, Memory: c.Resources.Memory, Shm: c.Resources.Shm, PIDs: c.Resources.PIDs,
		GPUCount: c.Resources.GPUs.Count, GPUIDs: c.Resources.GPUs.IDs,
		Restart: c.Restart, LogMaxSize: c.Logs.MaxSize, LogMaxFiles: c.Logs.MaxFiles,
		Devices: c.Devices, Capabilities: c.Capabilities, Privileged: c.Privileged, HostNetwork: c.HostNetwork,
	}
	if a := m.Artifact; a != nil {
		in.Artifact, in.ArtifactTarget, in.ArtifactRef = a.Digest, a.Target, a.Ref
	}
	for name, v := range c.Env {
		if v.Secret != "" {
			put(&in.SecretEnv, name, SecretUse{v.Secret, versions[v.Secret]})
			continue
		}
		put(&in.Env, name, v.Value)
	}
	for file, secret := range c.SecretFiles {
		put(&in.SecretFiles, file, SecretUse{secret, versions[secret]})
	}
	for name, u := range c.Resources.Ulimits {
		put(&in.Ulimits, name, [2]int64{u.Soft, u.Hard})
	}
	for _, mount := range c.Mounts {
		put(&in.Mounts, mount.Target, MountInput{mount.Type, mount.Source, mount.ReadOnly, mount.Size})
	}
	return in
}

// put sets a key of a map that may still be nil: an empty map would be another
// JSON document than none.
func put[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
}

// Revision is the content hash of the inputs: 12 hex digits of the SHA-256 of
// their JSON, whose map keys are sorted. 48 bits keep names short; a collision
// would have to happen between two revisions of one model.
func (in RevisionInputs) Revision() string {
	in.ArtifactRef = ""
	sum := sha256.Sum256(in.encode())
	return hex.EncodeToString(sum[:6])
}

func (in RevisionInputs) encode() []byte {
	data, err := json.Marshal(in)
	if err != nil { // only a NaN or an infinity could do that, and no spec can hold one
		panic(fmt.Sprintf("reconcile: encode revision inputs: %v", err))
	}
	return data
}

// ParseInputs reads the inputs label of a container. The zero value and false
// come back where the label is absent or of a form that this program does not
// know.
func ParseInputs(label string) (RevisionInputs, bool) {
	var in RevisionInputs
	if label == "" || json.Unmarshal([]byte(label), &in) != nil {
		return RevisionInputs{}, false
	}
	return in, true
}

// UsedSecrets returns the names of the secrets that a model needs: those of its
// containers, which are part of the revision, and the keys of its routes, which
// only the gateway gets, as hashes, and which change in place.
func UsedSecrets(m *spec.Model) map[string]bool {
	used := map[string]bool{}
	for _, v := range m.Container.Env {
		if v.Secret != "" {
			used[v.Secret] = true
		}
	}
	for _, secret := range m.Container.SecretFiles {
		used[secret] = true
	}
	for _, route := range m.Routes {
		if route.Auth == nil {
			continue
		}
		for _, secret := range route.Auth.APIKeys {
			used[secret] = true
		}
	}
	return used
}

// Replica returns what the ordinal-th replica of the target is created from, but
// for the directory of its artifact, which is added where it is known. Without
// secrets the result is good for Runtime.Vet only.
func (s Scope) Replica(t *Target, ordinal int, commit string, secrets map[string]spec.Sensitive) ContainerSpec {
	m := t.Model
	c := ContainerSpec{
		Name:      s.ReplicaName(m.Name, t.Revision, ordinal),
		Image:     t.Image,
		Container: m.Container,
		EnvValues: t.Inputs.Env,
		Labels: map[string]string{
			LabelOwner:       s.Owner,
			LabelEnvironment: s.Environment,
			LabelKind:        string(spec.KindModel),
			LabelModel:       m.Name,
			LabelRevision:    t.Revision,
			LabelReplica:     strconv.Itoa(ordinal),
			LabelCommit:      commit,
			LabelImage:       t.Image.Ref,
			LabelPort:        strconv.Itoa(m.Port),
			LabelInputs:      string(t.Inputs.encode()),
		},
	}
	c.SecretEnv = reveal(t.Inputs.SecretEnv, secrets)
	c.SecretFiles = reveal(t.Inputs.SecretFiles, secrets)
	return c
}

func reveal(uses map[string]SecretUse, secrets map[string]spec.Sensitive) map[string]spec.Sensitive {
	if len(uses) == 0 {
		return nil
	}
	values := make(map[string]spec.Sensitive, len(uses))
	for name, use := range uses {
		values[name] = secrets[use.Secret]
	}
	return values
}

// GatewayTarget is the gateway that the scope should have.
type GatewayTarget struct {
	Image    Image
	Host     string // address of the host to listen on
	Port     int    // of the host
	Token    spec.Sensitive
	TLS      GatewayTLS
	Revision string
}

// GatewayTLS is the certificate that the gateway shows; the zero value is none:
// requests come in the clear.
type GatewayTLS struct {
	// CertFile and KeyFile are files of the host, in one directory. The gateway
	// reads them again when they change, so a renewal does not interrupt it.
	CertFile, KeyFile string
	// Domains are those for which a certificate is got by ACME (RFC 8555), in
	// place of files. Authorities ask at port 443 of each.
	Domains   []string
	Email     string
	Directory string // URL of the authority's directory; "": Let's Encrypt
}

// flags are those of the gateway's command.
func (t GatewayTLS) flags() []string {
	var flags []string
	if t.CertFile != "" {
		flags = append(flags, "--tls-cert", GatewayCertDir+"/"+filepath.Base(t.CertFile), "--tls-key", GatewayCertDir+"/"+filepath.Base(t.KeyFile))
	}
	for _, domain := range t.Domains {
		flags = append(flags, "--acme-domain", domain)
	}
	if len(t.Domains) > 0 {
		flags = append(flags, "--acme-storage", gatewayTableDir+"/acme")
	}
	if t.Email != "" {
		flags = append(flags, "--acme-email", t.Email)
	}
	if t.Directory != "" {
		flags = append(flags, "--acme-directory", t.Directory)
	}
	return flags
}

// directory is where the files are on the host.
func (t GatewayTLS) directory() string {
	if t.CertFile == "" {
		return ""
	}
	return filepath.Dir(t.CertFile)
}

// Ports of the gateway inside its container, and the flags it is started with.
const (
	GatewayPort      = 8080
	GatewayAdminPort = 9901
	gatewayTokenFile = "admin_token"
	gatewayTableDir  = "/var/lib/fairlead"
	// GatewayCertDir is where ContainerSpec.Certificates is mounted.
	GatewayCertDir = "/etc/fairlead/tls"
)

// NewGatewayTarget binds the gateway. Its revision is made of its address, the
// version of its token and the table format, but not of the binary: an upgrade
// of the daemon must not interrupt traffic, and two gateways cannot hold the
// same port. A gateway of an older build serves on until somebody removes it.
func NewGatewayTarget(image Image, host string, port int, token spec.Sensitive, tokenVersion string, tls GatewayTLS) *GatewayTarget {
	inputs := fmt.Appendf(nil, "%s\n%d\n%s\n%d", host, port, tokenVersion, TableFormat)
	for _, flag := range tls.flags() {
		inputs = fmt.Appendf(inputs, "\n%s", flag)
	}
	sum := sha256.Sum256(append(inputs, tls.directory()...))
	return &GatewayTarget{Image: image, Host: host, Port: port, Token: token, TLS: tls, Revision: hex.EncodeToString(sum[:6])}
}

// Gateway returns what the gateway's container is created from.
func (s Scope) Gateway(t *GatewayTarget, commit string) ContainerSpec {
	return ContainerSpec{
		Name:  s.GatewayName(),
		Image: t.Image,
		Labels: map[string]string{
			LabelOwner:       s.Owner,
			LabelEnvironment: s.Environment,
			LabelKind:        string(spec.KindGateway),
			LabelRevision:    t.Revision,
			LabelCommit:      commit,
			LabelImage:       t.Image.Ref,
			LabelPort:        strconv.Itoa(GatewayPort),
		},
		Container: spec.Container{
			Command: append([]string{
				"gateway",
				"--listen", fmt.Sprintf(":%d", GatewayPort),
				"--admin", fmt.Sprintf(":%d", GatewayAdminPort),
				"--table", gatewayTableDir + "/table.json",
				"--token-file", "/run/secrets/" + gatewayTokenFile,
			}, t.TLS.flags()...),
			ReadOnlyRoot: true,
			Resources:    spec.Resources{PIDs: 512},
			Restart:      spec.RestartUnlessStopped,
			StopTimeout:  15 * time.Second,
			Logs:         spec.Logs{MaxSize: 10 << 20, MaxFiles: 3},
		},
		SecretFiles: map[string]spec.Sensitive{gatewayTokenFile: t.Token},
		Publish:     []Publish{{Host: t.Host, HostPort: t.Port, ContainerPort: GatewayPort}},
		Volumes:     map[string]string{s.GatewayName(): gatewayTableDir},

		Certificates: t.TLS.directory(),
	}
}

// ReadLabels fills the fields of an observed container that come from its
// labels. Labels are somebody else's input as soon as a container was made by
// hand: what does not parse is left zero.
func (c *Container) ReadLabels(labels map[string]string) {
	c.Kind = spec.Kind(labels[LabelKind])
	c.Model = labels[LabelModel]
	c.Revision = labels[LabelRevision]
	c.Replica, _ = strconv.Atoi(labels[LabelReplica])
	c.Commit = labels[LabelCommit]
	c.ImageRef = labels[LabelImage]
	c.Port, _ = strconv.Atoi(labels[LabelPort])
	c.Inputs = labels[LabelInputs]
	c.Pipeline = labels[LabelPipeline]
	c.Run = labels[LabelRun]
	c.Node = labels[LabelNode]
	c.Attempt, _ = strconv.Atoi(labels[LabelAttempt])
}

// Desired is what should run in a scope: a Config bound to content.
type Desired struct {
	Scope   Scope
	Commit  spec.Commit
	Config  *spec.Config
	Targets map[string]*Target // by served name
	// Unbound are the models that could not be bound, and why: they stay as
	// they are until they can.
	Unbound map[string]error
	Gateway *GatewayTarget
	// MovedFrom gives the new served name of every old one.
	MovedFrom map[string]string
	// Forgotten are served names of removed models whose containers stay.
	Forgotten map[string]bool
	// Secrets are the values that the targets use, by name.
	Secrets map[string]spec.Sensitive
	// SecretVersions are the versions of Secrets, as RevisionInputs have them.
	SecretVersions map[string]string
}

// ModelOf returns the served name that a container counts for: that of its
// label, or the new name of a moved model.
func (d *Desired) ModelOf(c *Container) string {
	if to, moved := d.MovedFrom[c.Model]; moved {
		return to
	}
	return c.Model
}

// RouterView is what the gateway last said, and when.
type RouterView struct {
	// Known: the gateway answers. While it does not, nothing that takes traffic
	// is touched: we cannot know what it would break.
	Known  bool
	Table  Table // in force
	Report Report
	At     time.Time // when Report arrived
}

// Model returns the entry of the table in force, or nil.
func (v *RouterView) Model(name string) *RoutedModel {
	i, found := slices.BinarySearchFunc(v.Table.Models, name, func(m RoutedModel, name string) int {
		return strings.Compare(m.Name, name)
	})
	if !found {
		return nil
	}
	return &v.Table.Models[i]
}

// HealthyFor is how long a replica has been healthy without a break, as of now;
// ok is false if it is not healthy, or not known.
func (v *RouterView) HealthyFor(id string, now time.Time) (d time.Duration, ok bool) {
	h, known := v.Report.Replicas[id]
	if !v.Known || !known || !h.Healthy {
		return 0, false
	}
	return h.HealthyFor + max(now.Sub(v.At), 0), true
}
