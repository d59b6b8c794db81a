package cli

import (
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/gitdir"
)

// siteFlags are the flags of every command that touches an environment.
type siteFlags struct {
	app.Config
	config  string
	daemon  string // URL of an API over TCP
	vars    []string
	varFile string
	// verifies: signersFlag was given by hand, or by the environment.
	verifies bool
}

// register adds the flags that say which environment is meant.
func (f *siteFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.config, "config", "", "HCL `FILE` with values for any of these flags, for example interval = \"1m\"")
	flags.StringVar(&f.Environment, "environment", "", "`NAME` of the environment (default \"default\")")
	flags.StringVar(&f.Data, "data", "", "`DIR` for state, clone and socket (default: a directory per environment below "+defaultDataHelp+")")
	flags.StringVar(&f.Owner, "owner", "", "`NAME` of this installation; it never touches containers of another owner (default \"fairlead\")")
}

const defaultDataHelp = "/var/lib/fairlead, or ~/.local/state/fairlead"

// registerLanguage adds the flags that decide what the specs mean.
func (f *siteFlags) registerLanguage(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.vars, "var", nil, "value of a variable, `NAME=VALUE`; may be repeated; wins over --var-file and FAIRLEAD_VAR_NAME")
	flags.StringVar(&f.varFile, "var-file", "", "HCL `FILE` with values of variables, NAME = VALUE")
}

// registerEngine adds the flags of every command that looks at what runs.
func (f *siteFlags) registerEngine(flags *pflag.FlagSet) {
	flags.StringVar(&f.Engine, "engine", "", "`ADDRESS` of the Docker Engine (default: DOCKER_HOST, or its usual socket)")
	flags.StringVar(&f.SecretsDir, "secrets-dir", "", "`DIR` in memory for secret files of containers (default: below /run/fairlead, or XDG_RUNTIME_DIR)")
}

// registerSpecs adds the flags that decide what becomes of specs on this host:
// what they mean, what they may ask for, and where their parts come from.
func (f *siteFlags) registerSpecs(flags *pflag.FlagSet) {
	f.registerLanguage(flags)
	f.registerGateway(flags)
	f.registerRegistries(flags)
	flags.StringArrayVar(&f.Policy.Binds, "allow-bind", nil, "host `PATH` that specs may mount, with all below it; PATH:ro for reading only; may be repeated")
	flags.StringArrayVar(&f.Policy.Volumes, "allow-volume", nil, "`VOLUME` of the engine that specs may mount; may be repeated")
	flags.StringArrayVar(&f.Policy.Devices, "allow-device", nil, "host `DEVICE` that specs may use; may be repeated")
	flags.StringArrayVar(&f.Policy.Capabilities, "allow-capability", nil, "kernel `CAPABILITY` that specs may add; may be repeated")
	flags.BoolVar(&f.Policy.Privileged, "allow-privileged", false, "let specs run privileged containers, which are root on this host")
	flags.BoolVar(&f.Policy.HostNetwork, "allow-host-network", false, "let specs use the host's network")
	flags.Float64Var(&f.CPUOvercommit, "cpu-overcommit", 1, "how often each CPU may be promised, as `FACTOR`; models beyond that are not started")
	flags.IntVar(&f.GPUs, "gpus", 0, "`NUMBER` of GPUs of the engine's host (default: what the engine tells; where it does not, GPUs are not counted)")
	flags.BoolVar(&f.Policy.DenyGPUs, "deny-gpus", false, "refuse specs that ask for GPUs")
	flags.StringArrayVar(&f.AgeIdentities, "age-identity", nil, "`[NAME=]FILE` with the age identities that decrypt secrets of the repo, or of the include NAME, which no other key decrypts; a relative path with = in it begins with ./; may be repeated")
	flags.StringArrayVar(&f.Secrets.FileRoots, "secret-root", nil, "`DIR` below which secret files may lie (default /etc/fairlead/secrets); may be repeated")
	flags.StringArrayVar(&f.Secrets.EnvPrefixes, "secret-env-prefix", nil, "`PREFIX` of the names of secret environment variables (default FAIRLEAD_SECRET_); may be repeated")
}

// registerRegistries adds the flags for getting at registries.
func (f *siteFlags) registerRegistries(flags *pflag.FlagSet) {
	flags.StringVar(&f.DockerConfig, "docker-config", "", "`DIR` of the Docker client's config.json with the credentials of registries")
	flags.StringArrayVar(&f.InsecureRegistries, "insecure-registry", nil, "`HOST:PORT` of a registry of artifacts that is spoken to without TLS; may be repeated")
}

// registerGateway adds the flags that say how callers reach the models.
func (f *siteFlags) registerGateway(flags *pflag.FlagSet) {
	flags.StringVar(&f.Gateway, "gateway", "", "`HOST:PORT` on which the gateway answers (default \"0.0.0.0:8080\")")
	flags.StringVar(&f.GatewayBinary, "gateway-binary", "", "static Linux binary of Fairlead, a `FILE`, that the gateway's image is made of (default: this program)")
	flags.StringVar(&f.GatewayTLS.CertFile, "gateway-tls-cert", "", "`FILE` with the gateway's certificate and its chain (PEM); read again when it changes")
	flags.StringVar(&f.GatewayTLS.KeyFile, "gateway-tls-key", "", "`FILE` with its private key")
	flags.StringArrayVar(&f.GatewayTLS.Domains, "gateway-acme-domain", nil, "`DOMAIN` for which the gateway gets a certificate by ACME; the gateway's port has to be reached as its port 443; may be repeated")
	flags.StringVar(&f.GatewayTLS.Email, "gateway-acme-email", "", "`ADDRESS` that the certificate authority writes to")
	flags.StringVar(&f.GatewayTLS.Directory, "gateway-acme-directory", "", "`URL` of the authority's directory (default: Let's Encrypt)")
}

// registerAct adds the flags of commands that change what runs.
func (f *siteFlags) registerAct(flags *pflag.FlagSet) {
	flags.IntVar(&f.Parallel, "parallel", 8, "engine actions at one time")
	flags.BoolVar(&f.Limits.AllowEmpty, "allow-empty", false, "let a commit without any model empty the environment")
	flags.BoolVar(&f.Limits.AllowDestroy, "allow-destroy", false, "let a commit destroy any share of the models")
	flags.Float64Var(&f.Limits.MaxDestroy, "max-destroy", 0.5, "share of the models, 0 to 1, that one commit may destroy")
	flags.DurationVar(&f.Interval, "interval", 30*time.Second, "how often Git is polled and everything is listed")
	flags.StringVar(&f.MetricsURL, "metrics-url", "", "`URL` of a Prometheus that answers the checks of rollouts (default: a store of our own in --data)")
	flags.StringVar(&f.MetricsTokenFile, "metrics-token-file", "", "`FILE` with the bearer token for --metrics-url")
	flags.StringVar(&f.MetricsCAFile, "metrics-ca-file", "", "`FILE` with certificates to trust for --metrics-url, beside the system's")
	flags.DurationVar(&f.MetricsRetention, "metrics-retention", 24*time.Hour, "how long our own store keeps metrics")
	flags.DurationVar(&f.Audit, "audit-interval", 10*time.Minute, "how long details of a container are believed without an inspection")
}

// registerPipelines adds the flags of who runs pipelines.
func (f *siteFlags) registerPipelines(flags *pflag.FlagSet) {
	flags.IntVar(&f.PipelineParallel, "pipeline-parallel", 0, "steps of all pipelines at one time (default: as many as there are CPUs)")
	flags.StringVar(&f.LineageURL, "openlineage-url", "", "`URL` that runs are told to as OpenLineage events, for example http://marquez:5000/api/v1/lineage")
	flags.StringVar(&f.LineageKeyFile, "openlineage-key-file", "", "`FILE` with the bearer token for --openlineage-url")
}

// registerGit adds the flags for reading a repository.
func (f *siteFlags) registerGit(flags *pflag.FlagSet) {
	flags.StringVar(&f.Path, "path", "", "`DIR` of the repository that holds the specs (default: all of it)")
	f.registerGitAuth(flags)
}

// registerGitAuth adds the flags for getting at a repository.
func (f *siteFlags) registerGitAuth(flags *pflag.FlagSet) {
	auth := &f.GitAuth
	flags.StringVar(&auth.Username, "git-username", "", "user `NAME` for https, where the server wants one")
	flags.StringVar(&auth.TokenFile, "git-token-file", "", "`FILE` with the token or password for https")
	flags.StringVar(&auth.TokenEnv, "git-token-env", "", "`NAME` of an environment variable with the token, instead of a file")
	flags.DurationVar(&f.GitTimeout, "git-timeout", time.Minute, "`TIME` that one fetch may take; a first clone of a large repository needs more")
	flags.StringVar(&auth.CAFile, "git-ca-file", "", "`FILE` with certificates to trust beside the system's")
	flags.StringVar(&auth.KeyFile, "git-ssh-key", "", "private key `FILE` for ssh")
	flags.StringVar(&auth.KeyPassphraseFile, "git-ssh-passphrase-file", "", "`FILE` with the passphrase of the private key")
	flags.StringVar(&auth.KnownHostsFile, "git-known-hosts", "", "known_hosts `FILE` for ssh (default: the user's and the system's)")
}

// registerForge adds the flags that say where the repository is reviewed.
func (f *siteFlags) registerForge(flags *pflag.FlagSet) {
	forge := &f.Forge
	flags.StringVar(&forge.Kind, "forge", "", "`KIND` of the forge where the repository is reviewed: github, gitlab, gitea or forgejo")
	flags.StringVar(&forge.URL, "forge-url", "", "`URL` of the forge (default: the host of the repository)")
	flags.StringVar(&forge.Repo, "forge-repo", "", "`OWNER/NAME` of the repository on the forge (default: as in its URL)")
	flags.StringVar(&forge.TokenFile, "forge-token-file", "", "`FILE` with the token for the forge's API; read again when it changes")
	flags.StringVar(&forge.CAFile, "forge-ca-file", "", "`FILE` with certificates to trust for the forge, beside the system's")
	flags.Int64Var(&forge.AppID, "forge-app-id", 0, "`ID` of a GitHub App, in place of a token")
	flags.Int64Var(&forge.AppInstallation, "forge-app-installation", 0, "`ID` of the App's installation (default: the one of the repository)")
	flags.StringVar(&forge.AppKeyFile, "forge-app-key-file", "", "`FILE` with the private key of the GitHub App")
	flags.BoolVar(&f.Forge.PlanForks, "plan-forks", false, "plan pull requests from forks, too: what they declare is evaluated here, and their images are looked up")
}

// registerReview adds the flags of a daemon that takes part in reviews.
func (f *siteFlags) registerReview(flags *pflag.FlagSet) {
	f.registerForge(flags)
	flags.BoolVar(&f.Forge.Review, "review", true, "show plans on pull requests, and what became of commits, where there is a forge")
	flags.StringVar(&f.TrustFile, "trust", "", "HCL `FILE` with the operator's trust block: the root of trust, and a floor for that of the repository")
	flags.StringArrayVar(&f.Webhooks, "webhook", nil, "endpoint `NAME=KIND:FILE`: POST /hooks/NAME, signed with the secret in FILE, wakes the daemon; KIND is github, gitlab, gitea, forgejo or standard; may be repeated")
	flags.StringVar(&f.WebhookListen, "webhook-listen", "", "`HOST:PORT` for webhooks alone (default: beside the API of --listen)")
	flags.BoolVar(&f.NotifyPrivate, "notify-private", false, "let notifiers of the repository reach private networks and this host")
	f.registerJournalKey(flags)
	flags.StringVar(&f.JournalHead, "journal-head", "", "`FILE` that the newest entry of the journal is written to, for \"fairlead audit verify --head\": best out of this host's reach")
}

// registerJournalKey adds the flags of who writes to the journal.
func (f *siteFlags) registerJournalKey(flags *pflag.FlagSet) {
	flags.StringVar(&f.JournalKey, "journal-key", "", "SSH private key `FILE` that signs the journal and proposals")
	flags.StringVar(&f.JournalKeyPassphrase, "journal-key-passphrase-file", "", "`FILE` with the passphrase of --journal-key")
	f.registerSigners(flags)
}

// signersFlag names the keys of a journal.
const signersFlag = "journal-signers"

// registerSigners adds the flags that say whose journal it is.
func (f *siteFlags) registerSigners(flags *pflag.FlagSet) {
	flags.StringVar(&f.JournalSigners, signersFlag, "", "`FILE` with the public keys of who signs the journal, as in a .pub file, authorized_keys or allowed_signers; no other's entries are believed (default: any)")
	flags.StringArrayVar(&f.SignedSince, "journal-signed-since", nil, "full `[ENV=]ID` of the entry after which all of the journal has to be signed, of this environment or of one that is promoted from; may be repeated (default: the first)")
}

// target is what plan and apply are pointed at.
type target struct {
	dir string // a directory as it is, or
	url string // a repository
	ref string // and the revision of it to look at
}

// parseTarget reads DIR or URL@REF. A directory that exists is one, whatever its
// name holds.
func parseTarget(arg string) target {
	if info, err := os.Stat(arg); err == nil && info.IsDir() {
		return target{dir: arg}
	}
	at := strings.LastIndex(arg, "@")
	if at < 0 {
		return target{url: arg}
	}
	if gitdir.Is(arg[:at]) {
		return target{url: arg[:at], ref: arg[at+1:]}
	}
	// In https://user@host/repo and git@host:repo the @ belongs to the host.
	start := 0
	if scheme := strings.Index(arg, "://"); scheme >= 0 {
		start = scheme + len("://")
	}
	authority := start + strings.IndexAny(arg[start:], "/:")
	if authority < start || at < authority {
		return target{url: arg}
	}
	return target{url: arg[:at], ref: arg[at+1:]}
}
