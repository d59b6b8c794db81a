package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/lang"
)

// siteFlags are the flags of every command that touches an environment.
type siteFlags struct {
	app.Config
	config  string
	vars    []string
	varFile string
}

// register adds the flags that say which environment is meant.
func (f *siteFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.config, "config", "", "HCL `file` with values for any of these flags, for example interval = \"1m\"")
	flags.StringVar(&f.Environment, "environment", "", "environment to reconcile (default \"default\")")
	flags.StringVar(&f.Data, "data", "", "`directory` for state, clone and socket (default: a directory per environment below "+defaultDataHelp+")")
	flags.StringVar(&f.Owner, "owner", "", "name of this installation; it never touches containers of another owner (default \"fairlead\")")
	f.registerLanguage(flags)
}

const defaultDataHelp = "/var/lib/fairlead, or ~/.local/state/fairlead"

// registerLanguage adds the flags that decide what the specs mean.
func (f *siteFlags) registerLanguage(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.vars, "var", nil, "value of a variable, `NAME=VALUE`; may be repeated; wins over --var-file and FAIRLEAD_VAR_NAME")
	flags.StringVar(&f.varFile, "var-file", "", "HCL `file` with values of variables, NAME = VALUE")
}

// registerEngine adds the flags of commands that look at what runs.
func (f *siteFlags) registerEngine(flags *pflag.FlagSet) {
	flags.StringVar(&f.Engine, "engine", "", "address of the Docker Engine (default: DOCKER_HOST, or its usual socket)")
	flags.StringVar(&f.Gateway, "gateway", "", "`HOST:PORT` on which the gateway answers (default \"0.0.0.0:8080\")")
	flags.StringVar(&f.GatewayBinary, "gateway-binary", "", "static Linux binary of Fairlead that the gateway's image is made of (default: this program)")
	flags.StringVar(&f.SecretsDir, "secrets-dir", "", "`directory` in memory for secret files of containers (default: below /run/fairlead, or XDG_RUNTIME_DIR)")
	flags.StringVar(&f.DockerConfig, "docker-config", "", "`directory` of the Docker client's config.json with the credentials of registries")
	flags.StringArrayVar(&f.Policy.Binds, "allow-bind", nil, "host `path` that specs may mount, with all below it; PATH:ro for reading only; may be repeated")
	flags.StringArrayVar(&f.Policy.Volumes, "allow-volume", nil, "`volume` of the engine that specs may mount; may be repeated")
	flags.StringArrayVar(&f.Policy.Devices, "allow-device", nil, "host device that specs may use; may be repeated")
	flags.StringArrayVar(&f.Policy.Capabilities, "allow-capability", nil, "kernel capability that specs may add; may be repeated")
	flags.BoolVar(&f.Policy.Privileged, "allow-privileged", false, "let specs run privileged containers, which are root on this host")
	flags.BoolVar(&f.Policy.HostNetwork, "allow-host-network", false, "let specs use the host's network")
	flags.BoolVar(&f.Policy.DenyGPUs, "deny-gpus", false, "refuse specs that ask for GPUs")
	flags.StringVar(&f.Secrets.AgeIdentities, "age-identity", "", "`file` with the age identities that decrypt secrets of the repo")
	flags.StringArrayVar(&f.Secrets.FileRoots, "secret-root", nil, "`directory` below which secret files may lie (default /etc/fairlead/secrets); may be repeated")
	flags.StringArrayVar(&f.Secrets.EnvPrefixes, "secret-env-prefix", nil, "what names of secret environment variables begin with (default FAIRLEAD_SECRET_); may be repeated")
}

// registerAct adds the flags of commands that change what runs.
func (f *siteFlags) registerAct(flags *pflag.FlagSet) {
	flags.IntVar(&f.Parallel, "parallel", 8, "engine actions at one time")
	flags.BoolVar(&f.Limits.AllowEmpty, "allow-empty", false, "let a commit without any model empty the environment")
	flags.BoolVar(&f.Limits.AllowDestroy, "allow-destroy", false, "let a commit destroy any share of the models")
	flags.Float64Var(&f.Limits.MaxDestroy, "max-destroy", 0.5, "share of the models, 0 to 1, that one commit may destroy")
	flags.DurationVar(&f.Interval, "interval", 30*time.Second, "how often Git is polled and everything is listed")
	flags.DurationVar(&f.Audit, "audit-interval", 10*time.Minute, "how long details of a container are believed without an inspection")
}

// registerGit adds the flags for reading a repository.
func (f *siteFlags) registerGit(flags *pflag.FlagSet) {
	flags.StringVar(&f.Path, "path", "", "`directory` of the repository that holds the specs (default: all of it)")
	auth := &f.GitAuth
	flags.StringVar(&auth.Username, "git-username", "", "user name for https, where the server wants one")
	flags.StringVar(&auth.TokenFile, "git-token-file", "", "`file` with the token or password for https")
	flags.StringVar(&auth.CAFile, "git-ca-file", "", "`file` with certificates to trust beside the system's")
	flags.StringVar(&auth.KeyFile, "git-ssh-key", "", "private key `file` for ssh")
	flags.StringVar(&auth.KeyPassphraseFile, "git-ssh-passphrase-file", "", "`file` with the passphrase of the private key")
	flags.StringVar(&auth.KnownHostsFile, "git-known-hosts", "", "known_hosts `file` for ssh (default: the user's and the system's)")
}

// resolve fills flags that were not given from the environment and the
// configuration file, and returns the whole configuration.
func (p *program) resolve(cmd *cobra.Command, f *siteFlags) (app.Config, error) {
	if err := p.fromEnvironment(cmd.Flags()); err != nil {
		return app.Config{}, err
	}
	if err := fromFile(cmd.Flags(), f.config); err != nil {
		return app.Config{}, err
	}
	variables, err := p.variables(f)
	if err != nil {
		return app.Config{}, err
	}
	f.Variables, f.Version = variables, version()
	return f.WithDefaults()
}

// EnvName is the environment variable that stands for a flag.
func EnvName(flag string) string {
	return "FAIRLEAD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func (p *program) fromEnvironment(flags *pflag.FlagSet) error {
	var failed error
	flags.VisitAll(func(f *pflag.Flag) {
		value := p.Getenv(EnvName(f.Name))
		if f.Changed || value == "" || f.Name == "help" || failed != nil {
			return
		}
		values := []string{value}
		if strings.HasSuffix(f.Value.Type(), "Array") {
			values = strings.Split(value, ",")
		}
		for _, v := range values {
			if err := flags.Set(f.Name, v); err != nil {
				failed = fmt.Errorf("%s=%q: %w", EnvName(f.Name), v, err)
			}
		}
	})
	return failed
}

// fromFile sets what is still open from the configuration file, whose arguments
// are named as the flags are, with _ for -.
func fromFile(flags *pflag.FlagSet, path string) error {
	if path == "" {
		return nil
	}
	settings, diags := readSettings(path)
	if diags.HasErrors() {
		return diags.Err()
	}
	given := map[string]bool{}
	flags.Visit(func(f *pflag.Flag) { given[f.Name] = true })
	for _, s := range settings {
		flag := flags.Lookup(strings.ReplaceAll(s.Name, "_", "-"))
		if flag == nil || flag.Name == "config" || flag.Name == "help" {
			diags = append(diags, diag.Diagnostic{
				Severity: diag.Error, Summary: "Unknown setting",
				Detail: fmt.Sprintf("There is no flag --%s. Settings have the names of flags, with _ for -.", strings.ReplaceAll(s.Name, "_", "-")), Subject: s.Range,
			})
			continue
		}
		if given[flag.Name] {
			continue
		}
		for _, v := range s.Values {
			if err := flags.Set(flag.Name, v); err != nil {
				diags = append(diags, diag.Diagnostic{Severity: diag.Error, Summary: "Invalid setting", Detail: err.Error(), Subject: s.Range})
			}
		}
	}
	return diags.Err()
}

func readSettings(path string) ([]lang.Setting, diag.Diagnostics) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, diag.Diagnostics{{Severity: diag.Error, Summary: "Cannot read the configuration", Detail: err.Error()}}
	}
	return lang.Settings(data, filepath.Base(path))
}

// variables are the values of variables, the weakest first: FAIRLEAD_VAR_NAME,
// --var-file, --var.
func (p *program) variables(f *siteFlags) ([]lang.VariableValue, error) {
	var values []lang.VariableValue
	for _, pair := range p.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		if v, ok := strings.CutPrefix(name, "FAIRLEAD_VAR_"); ok {
			values = append(values, lang.VariableValue{Name: v, Value: value, Source: name})
		}
	}
	if f.varFile != "" {
		settings, diags := readSettings(f.varFile)
		if diags.HasErrors() {
			return nil, diags.Err()
		}
		for _, s := range settings {
			values = append(values, lang.VariableValue{Name: s.Name, Value: s.Literal, Source: fmt.Sprintf("%s:%d", f.varFile, s.Range.Start.Line)})
		}
	}
	for _, pair := range f.vars {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("--var %q is not of the form NAME=VALUE", pair)
		}
		values = append(values, lang.VariableValue{Name: name, Value: value, Source: "--var " + name})
	}
	return values, nil
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
