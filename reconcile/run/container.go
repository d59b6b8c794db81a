package run

import (
	"maps"
	"path"
	"slices"
	"strconv"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// Where a step finds its inputs and leaves its outputs.
const (
	InputsDir  = "/in"
	OutputsDir = "/out"
)

// Places are the directories of the host that an attempt is given.
type Places struct {
	Out string // mounted at OutputsDir, writable
	// Inputs are the checkouts, by input and by variant ("" without), mounted
	// read-only.
	Inputs map[string]map[string]string
}

// Container is what the container of a node's attempt is created from. Values of
// secrets come in apart, as they are nowhere in the run.
func (r *Run) Container(n *Node, scope reconcile.Scope, places Places, secrets map[string]spec.Sensitive) reconcile.ContainerSpec {
	s := r.Step(n)
	c := reconcile.ContainerSpec{
		Name:      scope.StepName(r.ID, n.ID, n.Attempt),
		Image:     r.Images[s.Image],
		Container: s.Container,
		NoNetwork: !s.Network,
		EnvValues: map[string]string{},
		Labels: map[string]string{
			reconcile.LabelOwner:       scope.Owner,
			reconcile.LabelEnvironment: scope.Environment,
			reconcile.LabelKind:        string(spec.KindStep),
			reconcile.LabelPipeline:    r.Pipeline,
			reconcile.LabelRun:         r.ID,
			reconcile.LabelNode:        n.ID,
			reconcile.LabelAttempt:     strconv.Itoa(n.Attempt),
			reconcile.LabelCommit:      r.Commit,
			reconcile.LabelImage:       r.Images[s.Image].Ref,
		},
		Binds: []reconcile.Bind{{Source: places.Out, Target: OutputsDir}},
	}
	c.Restart = spec.RestartNo
	if n.KeyOf != nil {
		c.Command = n.KeyOf.Command
		maps.Copy(c.EnvValues, n.KeyOf.Env)
	}
	maps.Copy(c.EnvValues, map[string]string{"FAIRLEAD_INPUTS": InputsDir, "FAIRLEAD_OUTPUTS": OutputsDir, "FAIRLEAD_STEP": n.ID})
	c.Mounts = withTmp(s.Container)
	for _, name := range slices.Sorted(maps.Keys(places.Inputs)) {
		variants := places.Inputs[name]
		for _, variant := range slices.Sorted(maps.Keys(variants)) {
			c.Binds = append(c.Binds, reconcile.Bind{Source: variants[variant], Target: path.Join(InputsDir, name, variant), ReadOnly: true})
		}
	}
	for name, v := range s.Env {
		if v.Secret != "" {
			put(&c.SecretEnv, name, secrets[v.Secret])
		}
	}
	for file, secret := range s.Container.SecretFiles {
		put(&c.SecretFiles, file, secrets[secret])
	}
	return c
}

// tmpSize bounds what a step may keep in /tmp, in bytes of memory.
const tmpSize = 1 << 30

// withTmp adds a /tmp in memory where the rest of the container's own files cannot be
// written to: many programs, Python's among them, do nothing without one.
func withTmp(c spec.Container) []spec.Mount {
	if !c.ReadOnlyRoot || slices.ContainsFunc(c.Mounts, func(m spec.Mount) bool { return m.Target == "/tmp" }) {
		return c.Mounts
	}
	return append(slices.Clone(c.Mounts), spec.Mount{Type: spec.MountTmpfs, Target: "/tmp", Size: tmpSize})
}

// UsedSecrets are the names of the secrets that the steps of a pipeline are given.
func UsedSecrets(p *spec.Pipeline) []string {
	used := map[string]bool{}
	for _, s := range p.Steps {
		for _, v := range s.Env {
			if v.Secret != "" {
				used[v.Secret] = true
			}
		}
		for _, secret := range s.Container.SecretFiles {
			used[secret] = true
		}
	}
	return slices.Sorted(maps.Keys(used))
}
