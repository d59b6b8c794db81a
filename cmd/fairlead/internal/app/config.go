package app

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/providers/docker"
	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/providers/secret"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/capacity"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/lang"
)

// Config is what the operator wants. Zero fields take the defaults of
// WithDefaults.
type Config struct {
	// Where the specs are.
	Repo      string // URL, path of a repository, or a plain directory
	Branch    string
	Ref       string // a tag, branch or commit to look at once
	Path      string
	OnRewrite string
	GitAuth   git.Auth
	// GitTimeout bounds one fetch; zero: a minute.
	GitTimeout time.Duration

	// Where the repo is reviewed, and who may change it.
	Forge         ForgeConfig
	TrustFile     string   // HCL file with the operator's trust block; empty: only the repo's own counts
	Webhooks      []string // NAME=KIND:FILE, the endpoints below /hooks/
	WebhookListen string   // HOST:PORT for them alone; empty: beside the API of Listen
	NotifyPrivate bool     // notifiers may be in private networks, and on this host

	// The journal as an audit.
	JournalKey           string // SSH private key that signs it; empty: nobody signs
	JournalKeyPassphrase string // file
	JournalSigners       string // file with the public keys whose entries are taken from the remote
	// SignedSince are full ids of the entries after which all have to be signed, ID for the
	// journal of Environment and ENVIRONMENT=ID for that of another one. WithDefaults puts
	// them into JournalSignedSince, by environment.
	SignedSince        []string
	JournalSignedSince map[string]string
	JournalHead        string // file that the newest entry is written to

	// What is reconciled.
	Environment string
	Owner       string
	Variables   []lang.VariableValue

	// Where.
	Engine        string // address of the container engine
	Data          string // directory
	SecretsDir    string // directory, on a tmpfs where there is one
	Gateway       string // HOST:PORT on which models are reached
	GatewayTLS    reconcile.GatewayTLS
	GatewayBinary string // static Linux binary that the gateway's image is made of
	DockerConfig  string

	// How.
	Interval time.Duration
	Audit    time.Duration
	Parallel int
	Limits   plan.Limits
	Policy   docker.Policy
	Secrets  secret.Options
	// AgeIdentities are files with keys, FILE for the root's secrets and NAME=FILE for
	// those of the include NAME. WithDefaults puts them into Secrets.
	AgeIdentities []string

	// What the host has, where the engine does not tell or tells too little.
	GPUs          int     // 0: as many as the engine tells
	CPUOvercommit float64 // how often each CPU may be promised to containers; 0: once

	// Where the checks of rollouts find their numbers.
	MetricsURL       string        // of a Prometheus elsewhere; empty: the embedded store
	MetricsTokenFile string        // bearer token for it
	MetricsCAFile    string        // certificates to trust beside the system's
	MetricsRetention time.Duration // of the embedded store

	// Pipelines.
	PipelineParallel   int      // steps of all pipelines at one time; 0: as many as CPUs
	InsecureRegistries []string // HOST:PORT of registries that are spoken to without TLS
	LineageURL         string   // that OpenLineage events are sent to; empty: none are
	LineageKeyFile     string   // bearer token for it
	Previews           bool     // a plan by hand says what runs would take from the cache, and fetches data for that

	// The HTTP API.
	Listen    string // HOST:PORT; empty: only the unix socket
	TokenFile string // bearer token for the API over TCP

	Version string
}

// WithDefaults fills in what was left open and checks the rest.
func (c Config) WithDefaults() (Config, error) {
	c.Owner = cmp.Or(c.Owner, "fairlead")
	c.Environment = cmp.Or(c.Environment, spec.DefaultEnvironment)
	c.Gateway = cmp.Or(c.Gateway, "0.0.0.0:8080")
	c.Interval = cmp.Or(c.Interval, 30*time.Second)
	c.Audit = cmp.Or(c.Audit, 10*time.Minute)
	c.Parallel = cmp.Or(c.Parallel, 8)
	c.PipelineParallel = cmp.Or(c.PipelineParallel, runtime.NumCPU())
	c.Data = cmp.Or(c.Data, filepath.Join(stateDir(), c.Environment))
	c.SecretsDir = cmp.Or(c.SecretsDir, filepath.Join(runtimeDir(c.Data), c.scope().NetworkName()))
	var errs []error
	for flag, name := range map[string]string{"owner": c.Owner, "environment": c.Environment} {
		if !spec.ValidName(name) {
			errs = append(errs, fmt.Errorf("--%s %q is not a name; use a-z, 0-9, _ and -, a letter first", flag, name))
		}
	}
	if _, _, err := c.gatewayAddress(); err != nil {
		errs = append(errs, err)
	}
	if on := git.OnRewrite(c.OnRewrite); on != "" && on != git.Follow && on != git.Refuse {
		errs = append(errs, fmt.Errorf("--on-rewrite %q is neither follow nor refuse", c.OnRewrite))
	}
	if c.Interval < time.Second {
		errs = append(errs, fmt.Errorf("--interval %s is too short; use 1s or more", c.Interval))
	}
	if c.Limits.MaxDestroy < 0 || c.Limits.MaxDestroy > 1 {
		errs = append(errs, fmt.Errorf("--max-destroy %g is not a share; use 0 to 1", c.Limits.MaxDestroy))
	}
	if c.CPUOvercommit < 0 || c.CPUOvercommit > 0 && c.CPUOvercommit < 1 {
		errs = append(errs, fmt.Errorf("--cpu-overcommit %g is below 1; each CPU can be promised once at least", c.CPUOvercommit))
	}
	if c.GPUs < 0 {
		errs = append(errs, fmt.Errorf("--gpus %d is no number of GPUs", c.GPUs))
	}
	if c.Parallel < 1 {
		errs = append(errs, fmt.Errorf("--parallel %d must be at least 1", c.Parallel))
	}
	if c.MetricsURL == "" && (c.MetricsTokenFile != "" || c.MetricsCAFile != "") {
		errs = append(errs, errors.New("--metrics-token-file and --metrics-ca-file are for the Prometheus of --metrics-url, which is missing"))
	}
	if c.MetricsRetention < 0 {
		errs = append(errs, fmt.Errorf("--metrics-retention %s is below zero", c.MetricsRetention))
	}
	errs = append(errs, c.checkTLS(), c.checkForge(), c.takeIdentities(), c.takeSignedSince())
	data, err := filepath.Abs(c.Data)
	if err != nil {
		errs = append(errs, fmt.Errorf("--data: %w", err))
	}
	c.Data = data
	return c, errors.Join(errs...)
}

// checkTLS checks the gateway's certificate, and makes its paths absolute: they
// are mounted.
func (c *Config) checkTLS() error {
	tls := &c.GatewayTLS
	switch files := tls.CertFile != "" || tls.KeyFile != ""; {
	case !files && len(tls.Domains) == 0 && (tls.Email != "" || tls.Directory != ""):
		return errors.New("--gateway-acme-email and --gateway-acme-directory are for --gateway-acme-domain, which is missing")
	case !files:
		return nil
	case len(tls.Domains) > 0:
		return errors.New("--gateway-tls-cert and --gateway-acme-domain are two ways to a certificate; take one")
	case tls.CertFile == "" || tls.KeyFile == "":
		return errors.New("--gateway-tls-cert and --gateway-tls-key belong together; one is missing")
	}
	for _, file := range []*string{&tls.CertFile, &tls.KeyFile} {
		path, err := filepath.Abs(*file)
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			return fmt.Errorf("the gateway's certificate: %w", err)
		}
		*file = path
	}
	return nil
}

// takeIdentities reads the names of the files with keys. What is before the first = is the
// name of an include where it can be one: with a / in it, it begins a path.
func (c *Config) takeIdentities() error {
	if len(c.AgeIdentities) == 0 {
		return nil
	}
	c.Secrets.AgeIdentities = map[string]string{}
	for _, text := range c.AgeIdentities {
		name, file, named := strings.Cut(text, "=")
		if !named || !spec.ValidName(name) {
			name, file = "", text
		}
		whose := "include " + name
		if name == "" || name == spec.RootName {
			name, whose = "", "the root"
		}
		switch before := c.Secrets.AgeIdentities[name]; {
		case file == "":
			return fmt.Errorf("--age-identity %q names no file; write FILE, or NAME=FILE for the include NAME", text)
		case before != "" && before != file:
			return fmt.Errorf("--age-identity names two files for %s, %s and %s; one file can hold several keys, each on its line", whose, before, file)
		}
		c.Secrets.AgeIdentities[name] = file
	}
	return nil
}

// Host is what the engine has room for, by its own word and the operator's.
func (c *Config) Host(engine reconcile.Engine) capacity.Host {
	engine.GPUs = cmp.Or(c.GPUs, engine.GPUs)
	return capacity.Host{Engine: engine, Overcommit: c.CPUOvercommit}
}

func (c *Config) scope() reconcile.Scope {
	return reconcile.Scope{Owner: c.Owner, Environment: c.Environment}
}

func (c *Config) gatewayAddress() (string, int, error) {
	host, port, err := net.SplitHostPort(c.Gateway)
	n, perr := strconv.Atoi(port)
	if err != nil || perr != nil || n < 1 || n > 65535 {
		return "", 0, fmt.Errorf("--gateway %q is not an address; write HOST:PORT, for example 0.0.0.0:8080", c.Gateway)
	}
	return cmp.Or(host, "0.0.0.0"), n, nil
}

// stateDir is where data directories are by default.
func stateDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/fairlead"
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "fairlead")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "fairlead")
	}
	return filepath.Join(home, ".local", "state", "fairlead")
}

// runtimeDir is in memory where the system has such a place, so that secret
// values do not reach a disk.
func runtimeDir(data string) string {
	if os.Geteuid() == 0 {
		if _, err := os.Stat("/run"); err == nil {
			return "/run/fairlead"
		}
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "fairlead")
	}
	return filepath.Join(data, "run")
}
