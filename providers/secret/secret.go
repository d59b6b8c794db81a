package secret

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// maxValue bounds a secret value, which goes into containers as an environment
// variable or a small file.
const maxValue = 1 << 20

// The defaults of Options.
const (
	DefaultFileRoot  = "/etc/fairlead/secrets"
	DefaultEnvPrefix = "FAIRLEAD_SECRET_"
)

// Options say where secrets may come from. They are the operator's.
type Options struct {
	// AgeIdentities are the files with the identities that decrypt age and SOPS
	// secrets, by the module whose secrets those are: the name of an include, or ""
	// for the root. Secrets of a module without a file are refused, and so is a file for
	// two modules. The files are read at each Resolve, so a new identity needs no restart.
	AgeIdentities map[string]string
	// FileRoots are the directories below which file secrets may lie; nil is
	// DefaultFileRoot, empty allows none.
	FileRoots []string
	// EnvPrefixes are what names of env secrets may begin with; nil is
	// DefaultEnvPrefix, empty allows none.
	EnvPrefixes []string
}

// Resolver implements reconcile.Secrets. It keeps no value between two calls.
type Resolver struct {
	identities  identityFiles
	fileRoots   []string
	envPrefixes []string
}

var _ reconcile.Secrets = (*Resolver)(nil)

// New returns a Resolver for the operator's options.
func New(o Options) (*Resolver, error) {
	if o.FileRoots == nil {
		o.FileRoots = []string{DefaultFileRoot}
	}
	if o.EnvPrefixes == nil {
		o.EnvPrefixes = []string{DefaultEnvPrefix}
	}
	roots, err := cleanRoots(o.FileRoots)
	if err != nil {
		return nil, err
	}
	for _, prefix := range o.EnvPrefixes {
		if prefix == "" {
			return nil, errors.New("an empty prefix would give config repos the daemon's whole environment; name the prefix of the variables that are meant for them")
		}
	}
	files := identityFiles(maps.Clone(o.AgeIdentities))
	if err := files.check(); err != nil {
		return nil, err
	}
	return &Resolver{identities: files, fileRoots: roots, envPrefixes: o.EnvPrefixes}, nil
}

// Resolve implements reconcile.Secrets.
func (r *Resolver) Resolve(ctx context.Context, secrets []*spec.Secret) (map[string]spec.Sensitive, error) {
	values := make(map[string]spec.Sensitive, len(secrets))
	var failures []Failure
	keyrings := map[string]*keyring{}
	for _, s := range secrets {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("resolve secrets: %w", err)
		}
		if keyrings[s.Module] == nil {
			keyrings[s.Module] = &keyring{module: s.Module, files: r.identities}
		}
		value, fault := r.resolve(s, keyrings[s.Module])
		if fault != nil {
			failures = append(failures, Failure{Secret: s.Name, Pos: s.Pos, Cause: fault.cause, Remedy: fault.remedy})
			continue
		}
		values[s.Name] = spec.NewSensitive(value)
	}
	if len(failures) > 0 {
		return nil, &Error{Failures: failures}
	}
	return values, nil
}

// resolve returns the value of one secret. Where it cannot, the cause holds
// nothing of the value.
func (r *Resolver) resolve(s *spec.Secret, keys *keyring) (string, *fault) {
	switch {
	case s.Module != "" && (s.File != "" || s.Env != ""):
		return "", &fault{"what lies on this host is for the root alone, and it is declared in include " + s.Module, "encrypt the value and keep it in that repo: age = file(...), or sops"}
	case s.File != "":
		return r.fromFile(s.File)
	case s.Env != "":
		return r.fromEnv(s.Env)
	case s.Age != "":
		return keys.decrypt(s.Age)
	case s.SOPS != nil:
		return keys.fromSOPS(s.SOPS)
	default:
		return "", &fault{"it has no source", "give it one of file, env, age and sops"}
	}
}

// Error lists every secret that could not be resolved.
type Error struct{ Failures []Failure }

// Failure is one secret that could not be resolved.
type Failure struct {
	Secret string
	Pos    spec.Pos
	Cause  string
	Remedy string
}

// Error has one line for each secret.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of the secrets cannot be resolved", len(e.Failures))
	for _, f := range e.Failures {
		fmt.Fprintf(&b, "\n  secret.%s", f.Secret)
		if pos := f.Pos.String(); pos != "" {
			fmt.Fprintf(&b, " (%s)", pos)
		}
		fmt.Fprintf(&b, ": %s; %s", f.Cause, f.Remedy)
	}
	return b.String()
}

// fault is why a value could not be had, and what to do.
type fault struct{ cause, remedy string }
