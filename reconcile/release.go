package reconcile

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// Restore makes the target of an earlier revision again, from the inputs that
// were journaled and the model as it is declared now: what needs new containers
// is as it was, what changes in place is as it is. A warm-up belongs to the
// revision that Git wants, so the restored target has none.
func Restore(m *spec.Model, in RevisionInputs, imageRef string, health spec.Health, signature *spec.Signature) *Target {
	old := *m
	old.Image, old.Port, old.Signature, old.Warmup = imageRef, in.Port, signature, nil
	if health.Path != "" {
		old.Health = health
	}
	old.Container, old.Artifact = in.container(m.Container), nil
	if in.Artifact != "" {
		old.Artifact = &spec.Artifact{Ref: in.ArtifactRef, Digest: in.Artifact, Target: in.ArtifactTarget}
	}
	image := Image{Ref: imageRef, Pin: in.Image, LocalOnly: !strings.Contains(in.Image, "@")}
	return &Target{Model: &old, Image: image, Inputs: in, Revision: in.Revision()}
}

// Declares tells whether a model asks for what these inputs were made of. The image is
// compared as it is written, and secrets by their names: what a tag means now, and which
// version a secret has, is not in specs.
func Declares(m *spec.Model, in RevisionInputs, imageRef string) bool {
	versions := map[string]string{}
	for _, use := range in.SecretEnv {
		versions[use.Secret] = use.Version
	}
	for _, use := range in.SecretFiles {
		versions[use.Secret] = use.Version
	}
	return m.Image == imageRef && revisionInputs(m, Image{Pin: in.Image}, versions).Revision() == in.Revision()
}

// container is the inverse of revisionInputs. now gives what is no input: how
// long a stop may take.
func (in RevisionInputs) container(now spec.Container) spec.Container {
	c := spec.Container{
		Entrypoint: in.Entrypoint, Command: in.Command, User: in.User, ReadOnlyRoot: in.ReadOnlyRoot,
		Resources: spec.Resources{
			CPUs: in.CPUs, Memory: in.Memory, Shm: in.Shm, PIDs: in.PIDs,
			GPUs: spec.GPUs{Count: in.GPUCount, IDs: in.GPUIDs},
		},
		Restart: in.Restart, StopTimeout: now.StopTimeout,
		Logs:    spec.Logs{MaxSize: in.LogMaxSize, MaxFiles: in.LogMaxFiles},
		Devices: in.Devices, Capabilities: in.Capabilities, Privileged: in.Privileged, HostNetwork: in.HostNetwork,
	}
	for name, value := range in.Env {
		put(&c.Env, name, spec.EnvValue{Value: value})
	}
	for name, use := range in.SecretEnv {
		put(&c.Env, name, spec.EnvValue{Secret: use.Secret})
	}
	for file, use := range in.SecretFiles {
		put(&c.SecretFiles, file, use.Secret)
	}
	for name, limit := range in.Ulimits {
		put(&c.Resources.Ulimits, name, spec.Ulimit{Soft: limit[0], Hard: limit[1]})
	}
	for target, m := range in.Mounts {
		c.Mounts = append(c.Mounts, spec.Mount{Type: m.Type, Source: m.Source, Target: target, ReadOnly: m.ReadOnly, Size: m.Size})
	}
	return c
}

// RoutedPaths are the routes of the target as the gateway needs to know them.
func (t *Target) RoutedPaths() []RoutedPath {
	var paths []RoutedPath
	for _, r := range t.Model.Routes {
		paths = append(paths, RoutedPath{
			Host: r.Host, Path: r.Path, Strip: r.Strip, Timeout: r.Timeout, Fallback: r.Fallback, Limit: r.Limit, Auth: t.routedAuth(r.Auth),
		})
	}
	return paths
}

func (t *Target) routedAuth(a *spec.RouteAuth) *RoutedAuth {
	if a == nil {
		return nil
	}
	routed := &RoutedAuth{}
	for _, secret := range a.APIKeys {
		routed.KeyHashes = append(routed.KeyHashes, t.KeyHashes[secret])
	}
	slices.Sort(routed.KeyHashes)
	if a.JWT != nil {
		routed.Issuer, routed.Audience, routed.Keys = a.JWT.Issuer, a.JWT.Audience, string(a.JWT.Keys)
	}
	return routed
}
