package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/fairlead/fairlead/reconcile"
)

// Vet implements reconcile.Runtime.
func (r *Runtime) Vet(c reconcile.ContainerSpec) error {
	_, err := r.admit(c)
	return err
}

// admitHere is admit with the secret files where this engine has them.
func (r *Runtime) admitHere(ctx context.Context, c reconcile.ContainerSpec) (object, error) {
	if len(c.SecretFiles) > 0 {
		if err := r.settleSecrets(ctx); err != nil {
			return object{}, fmt.Errorf("place the secret files of %s: %w", c.Name, err)
		}
	}
	return r.admit(c)
}

// admit builds the final API object and lets the policy judge it.
func (r *Runtime) admit(c reconcile.ContainerSpec) (object, error) {
	var denials []reconcile.Denial
	source := ""
	if len(c.SecretFiles) > 0 {
		source = r.secrets.dir(c.Labels)
		denials = r.secretsDenied(c)
	}
	o := build(r.scope, r.options.Policy, c, source)
	r.policy.resolveBinds(o)
	denials = append(denials, r.policy.grounds(c, source).check(o)...)
	if len(denials) > 0 {
		return object{}, &reconcile.DeniedError{Container: c.Name, Denials: denials}
	}
	return o, nil
}

// secretsDenied says what stands against the container's secret files.
func (r *Runtime) secretsDenied(c reconcile.ContainerSpec) []reconcile.Denial {
	var denials []reconcile.Denial
	deny := func(value, remedy string) {
		denials = append(denials, reconcile.Denial{Field: "secrets", Value: value, Remedy: remedy})
	}
	switch {
	case r.secrets.base == "":
		deny("files", "this command has no directory for secret files; use serve, or deliver the secret as env")
	case r.policy.host == nil:
		deny("files", "the engine is on another host and cannot mount files of this one; deliver the secret as env")
	}
	for name := range c.SecretFiles {
		if !validFileName(name) {
			deny(name, "name a file, without any directory")
		}
	}
	return denials
}

// Create implements reconcile.Runtime.
func (r *Runtime) Create(ctx context.Context, c reconcile.ContainerSpec) (string, error) {
	o, err := r.admitHere(ctx, c)
	if err == nil {
		err = r.checkBinds(c)
	}
	if err != nil {
		return "", err
	}
	defer r.secrets.announce(c)()
	if err := r.secrets.write(c); err != nil {
		return "", fmt.Errorf("create container %s: %w", c.Name, err)
	}
	var created container.CreateResponse
	what := "create container " + c.Name
	createErr := r.call(ctx, what, createLimit, func(ctx context.Context) (err error) {
		created, err = r.connection.client().ContainerCreate(ctx, o.Config, o.Host, o.Network, nil, c.Name)
		return err
	})
	if createErr == nil {
		r.known.put(created.ID, identify(c.Name, c.Labels, mountPoints(o)))
		return created.ID, nil
	}
	switch {
	case cerrdefs.IsNotFound(createErr):
		return "", withoutSecrets(fmt.Errorf("%w: %w", createErr, reconcile.ErrImageNotFound), c)
	case cerrdefs.IsInvalidArgument(createErr):
		return "", withoutSecrets(createErr, c)
	}
	// The name is taken, or the answer is lost: what stands there now?
	id, err := r.adopt(ctx, c, createErr)
	return id, withoutSecrets(err, c)
}

// mountPoints is what an inspection would say about the mounts of an object.
func mountPoints(o object) []container.MountPoint {
	points := make([]container.MountPoint, 0, len(o.Host.Mounts))
	for _, m := range o.Host.Mounts {
		points = append(points, container.MountPoint{Source: m.Source, Destination: m.Target})
	}
	return points
}

// adopt looks at the container that holds the name after a create that did not
// succeed, and takes it over if it is what the create was to make. It runs also
// when ctx has ended: else a create that was cut off would be forgotten.
func (r *Runtime) adopt(ctx context.Context, c reconcile.ContainerSpec, createErr error) (string, error) {
	holder, err := r.holder(context.WithoutCancel(ctx), c.Name, cerrdefs.IsConflict(createErr))
	if cerrdefs.IsNotFound(err) {
		return "", createErr
	}
	if err != nil {
		return "", errors.Join(createErr, err)
	}
	labels := holder.Config.Labels
	switch {
	case !r.scope.Owns(labels):
		return "", fmt.Errorf("create container %s: %w: container %.12s %s; rename or remove it by hand",
			c.Name, reconcile.ErrNameTaken, holder.ID, belongsTo(labels))
	case !sameObject(labels, c.Labels):
		return "", fmt.Errorf("create container %s: %w: container %.12s is of %s, revision %s",
			c.Name, reconcile.ErrNameTaken, holder.ID, labels[reconcile.LabelModel]+labels[reconcile.LabelRun], labels[reconcile.LabelRevision])
	case holder.State.Status != container.StateCreated:
		return "", fmt.Errorf("create container %s: %w: container %.12s is %s",
			c.Name, reconcile.ErrNameTaken, holder.ID, holder.State.Status)
	}
	r.known.put(holder.ID, identify(c.Name, labels, holder.Mounts))
	return holder.ID, nil
}

// sameObject tells whether two containers are for the same: a replica of the same
// revision, or an attempt at the same node of a run.
func sameObject(have, want map[string]string) bool {
	for _, label := range []string{
		reconcile.LabelKind, reconcile.LabelModel, reconcile.LabelRevision,
		reconcile.LabelRun, reconcile.LabelNode, reconcile.LabelAttempt,
	} {
		if have[label] != want[label] {
			return false
		}
	}
	return true
}

// Wait for a name that is taken by a container that cannot be inspected yet: an
// engine reserves the name first, and the create that did it may be an earlier
// one of ours that was cut off.
const (
	holderTries = 8
	holderPause = 20 * time.Millisecond // doubled with each try
)

// holder returns the container that holds a name.
func (r *Runtime) holder(ctx context.Context, name string, taken bool) (container.InspectResponse, error) {
	wait := holderPause
	for try := 1; ; try++ {
		c, err := r.inspect(ctx, name)
		if !taken || !cerrdefs.IsNotFound(err) || try == holderTries {
			return c, err
		}
		pause(ctx, wait)
		wait *= 2
	}
}

// belongsTo says whose a foreign container is.
func belongsTo(labels map[string]string) string {
	owner := labels[reconcile.LabelOwner]
	if owner == "" {
		return "is not one of Fairlead's"
	}
	return fmt.Sprintf("belongs to owner %q, environment %q", owner, labels[reconcile.LabelEnvironment])
}

// inspect asks for a container by id or name, and returns only complete answers.
func (r *Runtime) inspect(ctx context.Context, idOrName string) (container.InspectResponse, error) {
	var c container.InspectResponse
	what := "inspect container " + idOrName
	err := r.call(ctx, what, queryLimit, func(ctx context.Context) (err error) {
		c, err = r.connection.client().ContainerInspect(ctx, idOrName)
		return err
	})
	if err == nil && (c.ContainerJSONBase == nil || c.State == nil || c.HostConfig == nil || c.Config == nil) {
		err = fmt.Errorf("%s: %w: the answer has no state or configuration", what, reconcile.ErrUnavailable)
	}
	return c, err
}

// owned returns who the container is. One that is not of the scope is an error,
// before anything was done to it.
func (r *Runtime) owned(ctx context.Context, id string) (identity, error) {
	if who, known := r.known.get(id); known {
		return who, nil
	}
	c, err := r.inspect(ctx, id)
	if err != nil {
		return identity{}, err
	}
	if c.ID != id || !r.scope.Owns(c.Config.Labels) {
		return identity{}, fmt.Errorf("container %.12s is left alone: it %s, not to %s",
			c.ID, belongsTo(c.Config.Labels), r.scope.NetworkName())
	}
	who := identify(strings.TrimPrefix(c.Name, "/"), c.Config.Labels, c.Mounts)
	r.known.put(id, who)
	return who, nil
}

// Start implements reconcile.Runtime.
func (r *Runtime) Start(ctx context.Context, id string) error {
	who, err := r.owned(ctx, id)
	if err != nil {
		return fmt.Errorf("start container: %w", err)
	}
	if r.secrets.lost(who.secretsSource) {
		return fmt.Errorf("start container %s: its secret files are gone, as after a reboot: %w", who.name, reconcile.ErrMustReplace)
	}
	what := "start container " + who.name
	err = r.call(ctx, what, startLimit, func(ctx context.Context) error {
		return r.connection.client().ContainerStart(ctx, id, container.StartOptions{})
	})
	r.details.drop(id)
	if err == nil || errors.Is(err, reconcile.ErrUnavailable) {
		return err
	}
	c, inspectErr := r.inspect(ctx, id)
	switch {
	case inspectErr != nil:
		return err
	case cerrdefs.IsNotFound(err), r.lostDirectory(c): // not the container, but what it was connected to or mounts
		return fmt.Errorf("%w: %w", reconcile.ErrMustReplace, err)
	case !c.State.Paused:
		return err
	}
	// Engines refuse to start a paused container, in words that vary.
	return r.call(ctx, "unpause container "+who.name, startLimit, func(ctx context.Context) error {
		return r.connection.client().ContainerUnpause(ctx, id)
	})
}

// Rename implements reconcile.Runtime.
func (r *Runtime) Rename(ctx context.Context, id, name string) error {
	who, err := r.owned(ctx, id)
	if err != nil {
		return fmt.Errorf("rename container to %s: %w", name, err)
	}
	err = r.call(ctx, "rename container "+who.name+" to "+name, networkLimit, func(ctx context.Context) error {
		return r.connection.client().ContainerRename(ctx, id, name)
	})
	r.details.drop(id)
	if err == nil {
		who.name = name
		r.known.put(id, who)
		return nil
	}
	holder, inspectErr := r.inspect(ctx, name)
	switch {
	case inspectErr != nil:
		return err
	case holder.ID == id: // it has the name already, or the answer was lost
		return nil
	}
	return fmt.Errorf("%w: container %.12s: %w", err, holder.ID, reconcile.ErrNameTaken)
}

// Stop implements reconcile.Runtime.
func (r *Runtime) Stop(ctx context.Context, id string, grace time.Duration) error {
	who, err := r.owned(ctx, id)
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stop container: %w", err)
	}
	wait := seconds(grace)
	err = r.call(ctx, "stop container "+who.name, time.Duration(wait)*time.Second+stopLimit, func(ctx context.Context) error {
		return r.connection.client().ContainerStop(ctx, id, container.StopOptions{Timeout: &wait})
	})
	r.details.drop(id)
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// Remove implements reconcile.Runtime.
func (r *Runtime) Remove(ctx context.Context, id string) error {
	who, err := r.owned(ctx, id)
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove container: %w", err)
	}
	what := "remove container " + who.name
	err = r.call(ctx, what, removeLimit, func(ctx context.Context) error {
		err := r.connection.client().ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
		if cerrdefs.IsConflict(err) { // somebody else's removal is under way
			return r.awaitRemoval(ctx, id, err)
		}
		return err
	})
	if err != nil && !cerrdefs.IsNotFound(err) {
		return err
	}
	r.known.forget(id)
	r.details.drop(id)
	return r.pruneSecrets(ctx, who)
}

// awaitRemoval waits until a container whose removal is under way is gone.
func (r *Runtime) awaitRemoval(ctx context.Context, id string, conflict error) error {
	gone, failed := r.connection.client().ContainerWait(ctx, id, container.WaitConditionRemoved)
	select {
	case <-gone:
		return nil
	case err := <-failed:
		if cerrdefs.IsNotFound(err) {
			return nil
		}
		return errors.Join(conflict, err)
	}
}

// pruneSecrets deletes the secret files of a revision whose last container is
// gone.
func (r *Runtime) pruneSecrets(ctx context.Context, who identity) error {
	if !r.secrets.has(who.secretsSource) {
		return nil
	}
	moment := r.secrets.now()
	rows, err := r.listRows(ctx, reconcile.Filter{Model: who.model, Run: who.run})
	if err != nil || secretsUsed(rows)[who.secretsSource] {
		return err
	}
	if err := r.secrets.deleteUnused(who.secretsSource, moment); err != nil {
		return fmt.Errorf("delete the secret files of %s: %w", who.name, err)
	}
	return nil
}

// Update implements reconcile.Runtime.
func (r *Runtime) Update(ctx context.Context, id string, want reconcile.ContainerSpec) error {
	who, err := r.owned(ctx, id)
	if err != nil {
		return fmt.Errorf("update container %s: %w", want.Name, err)
	}
	if _, err := r.admitHere(ctx, want); err != nil {
		return err
	}
	if r.secrets.lost(who.secretsSource) && len(want.SecretFiles) > 0 {
		if err := r.secrets.write(want); err != nil {
			return fmt.Errorf("update container %s: %w", who.name, err)
		}
	}
	c, err := r.inspect(ctx, id)
	if err != nil {
		return err
	}
	defer r.details.drop(id)
	if err := r.updateLimits(ctx, id, who.name, limitsOf(c.HostConfig), reconcile.LimitsOf(want.Container)); err != nil {
		return err
	}
	return r.reconnect(ctx, c, want)
}

// updateLimits brings limits back to those of the spec.
func (r *Runtime) updateLimits(ctx context.Context, id, name string, have, want reconcile.Limits) error {
	if have == want {
		return nil
	}
	what := "update container " + name
	// To the engine a zero means "as it was".
	if want.NanoCPUs == 0 && have.NanoCPUs != 0 || want.Memory == 0 && have.Memory != 0 {
		return fmt.Errorf("%s: a limit cannot be lifted while a container exists: %w", what, reconcile.ErrMustReplace)
	}
	err := r.call(ctx, what, networkLimit, func(ctx context.Context) error {
		_, err := r.connection.client().ContainerUpdate(ctx, id, container.UpdateConfig{
			Resources: container.Resources{
				NanoCPUs: want.NanoCPUs, Memory: want.Memory, MemorySwap: want.Memory, PidsLimit: &want.PIDs,
			},
			RestartPolicy: container.RestartPolicy{Name: restartMode(want.Restart)},
		})
		return err
	})
	if cerrdefs.IsInvalidArgument(err) || cerrdefs.IsConflict(err) { // for example since somebody set a quota, which excludes cpus
		return fmt.Errorf("%w: %w", reconcile.ErrMustReplace, err)
	}
	return err
}

// reconnect puts a container back on the network of the scope.
func (r *Runtime) reconnect(ctx context.Context, c container.InspectResponse, want reconcile.ContainerSpec) error {
	if want.NoNetwork || want.HostNetwork || c.NetworkSettings == nil || c.NetworkSettings.Networks[r.scope.NetworkName()] != nil {
		return nil
	}
	networks, err := r.findNetworks(ctx)
	if err != nil {
		return err
	}
	if len(networks) == 0 {
		return fmt.Errorf("connect container %s: there is no network %s", want.Name, r.scope.NetworkName())
	}
	return r.call(ctx, "connect container "+want.Name, networkLimit, func(ctx context.Context) error {
		return r.connection.client().NetworkConnect(ctx, networks[0].ID, c.ID, &network.EndpointSettings{})
	})
}
