package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"

	"github.com/fairlead/fairlead/reconcile"
)

// Options configure a Runtime. Only Scope is required.
type Options struct {
	// Host is the engine's address: unix:///path, tcp://host:port. The default is
	// DOCKER_HOST, else the engine's usual socket. TLS follows DOCKER_CERT_PATH
	// and DOCKER_TLS_VERIFY.
	Host  string
	Scope reconcile.Scope
	// Policy is what this host grants to specs. The zero value grants nothing.
	Policy Policy
	// SelfBinary is the static Linux binary that goes into the self image. The
	// default is the running one.
	SelfBinary string
	// SecretsDir holds the secret files of containers while these exist. It is
	// made with mode 0700. It should be on a tmpfs, so that values never reach a
	// disk; but what is lost with a reboot is written again only when Fairlead
	// replaces the container. Without it no container can have secret files.
	// Below it every engine has a directory of its own.
	SecretsDir string
	// ReadOnly is for a process that only looks: it neither writes nor deletes
	// secret files. Such a process runs beside the one that acts, and must not
	// clean up after it.
	ReadOnly bool
	// DockerConfig is the directory of the user's config.json, which holds the
	// credentials of registries. The default is DOCKER_CONFIG, else ~/.docker.
	DockerConfig string
	// AuditInterval bounds how long a detail of a container is believed without
	// being inspected again. The default is ten minutes.
	AuditInterval time.Duration
}

// Runtime is a reconcile.Runtime on a Docker Engine.
type Runtime struct {
	connection *connection
	options    Options
	scope      reconcile.Scope
	policy     judge
	details    *detailCache
	known      *knownContainers
	secrets    *secretFiles
	busy       *keyedLock // the images and the network that are being made
	self       selfImage
}

var (
	_ reconcile.Runtime = (*Runtime)(nil)
	_ reconcile.Waiter  = (*Runtime)(nil)
)

// How long a call of each kind may take. An engine under load starts and stops
// containers slowly; it answers questions fast.
const (
	queryLimit   = 30 * time.Second
	createLimit  = time.Minute
	startLimit   = 2 * time.Minute
	removeLimit  = time.Minute
	networkLimit = time.Minute
	loadLimit    = 5 * time.Minute
	// stopLimit comes on top of the container's own grace period.
	stopLimit = 30 * time.Second
	// registryLimit is short: a registry that is away must not hold up a commit
	// whose images are all here.
	registryLimit = 15 * time.Second
	// pullIdleLimit is the longest silence within a pull, whose whole length
	// nobody can know.
	pullIdleLimit = time.Minute
)

const defaultAuditInterval = 10 * time.Minute

// New returns a runtime. It makes no call: an engine that is away shows with the
// first one.
func New(options Options) (*Runtime, error) {
	if options.Scope.Owner == "" || options.Scope.Environment == "" {
		return nil, errors.New("docker: a scope needs an owner and an environment")
	}
	if err := options.Policy.validate(); err != nil {
		return nil, err
	}
	if options.AuditInterval <= 0 {
		options.AuditInterval = defaultAuditInterval
	}
	// The API version is never fixed, not even by DOCKER_API_VERSION: engines
	// drop old versions, and a fixed one stops working on the day of an upgrade.
	choices := []client.Opt{
		client.WithTLSClientConfigFromEnv(), client.WithHostFromEnv(), client.WithAPIVersionNegotiation(),
	}
	if options.Host != "" {
		choices = append(choices, client.WithHost(options.Host))
	}
	engine, err := newConnection(choices...)
	if err != nil {
		return nil, fmt.Errorf("docker: %w; write the engine's address as unix:///var/run/docker.sock or tcp://HOST:PORT", err)
	}
	host := engine.client().DaemonHost()
	if strings.HasPrefix(host, "ssh:") {
		return nil, fmt.Errorf("docker: %s: an engine over ssh is not supported; forward its socket with ssh -L and use unix://", host)
	}
	secrets, err := newSecretFiles(options.SecretsDir, options.ReadOnly)
	if err != nil {
		return nil, err
	}
	return &Runtime{
		connection: engine,
		options:    options,
		scope:      options.Scope,
		policy:     judge{policy: options.Policy, scope: options.Scope, host: hostFiles(host, secrets.base)},
		details:    newDetailCache(options.AuditInterval),
		known:      newKnownContainers(),
		secrets:    secrets,
		busy:       newKeyedLock(),
	}, nil
}

// Close releases the connections to the engine.
func (r *Runtime) Close() error { return r.connection.close() }

// Engine implements reconcile.Runtime.
func (r *Runtime) Engine(ctx context.Context) (reconcile.Engine, error) {
	var engine reconcile.Engine
	err := r.call(ctx, "describe the engine", queryLimit, func(ctx context.Context) error {
		info, err := r.connection.client().Info(ctx)
		if err != nil {
			return err
		}
		engine = reconcile.Engine{
			ID: info.ID, Version: info.ServerVersion, APIVersion: r.connection.client().ClientVersion(),
			CPUs: info.NCPU, Memory: info.MemTotal, GPUs: countGPUs(info.DiscoveredDevices),
		}
		return nil
	})
	return engine, err
}

// countGPUs counts the GPUs among the devices that an engine has found, as newer
// engines tell them, by their names in the Container Device Interface. A GPU is
// there by its number and perhaps once more by its serial; only the first counts.
func countGPUs(devices []system.DeviceInfo) int {
	numbers := map[string]bool{}
	for _, d := range devices {
		kind, number, _ := strings.Cut(d.ID, "=")
		if _, err := strconv.ParseUint(number, 10, 16); err == nil && strings.HasSuffix(kind, "/gpu") {
			numbers[d.ID] = true
		}
	}
	return len(numbers)
}

// call runs one exchange with the engine within the limit, and explains what went
// wrong with it.
func (r *Runtime) call(ctx context.Context, what string, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	return r.explain(ctx, what, do(ctx))
}

// hostFiles returns how to look at the files of the engine's host: nil for an
// engine on another one.
func hostFiles(daemonHost, secretsDir string) *localHost {
	socket, isUnix := strings.CutPrefix(daemonHost, "unix://")
	if !isUnix {
		return nil
	}
	return &localHost{private: []string{
		socket, "/var/run/docker.sock", "/run/containerd/containerd.sock", secretsDir,
	}}
}

// defaultDockerConfig is where the docker command keeps its configuration.
func defaultDockerConfig() string {
	if dir := os.Getenv("DOCKER_CONFIG"); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".docker")
}
