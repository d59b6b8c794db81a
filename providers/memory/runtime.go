package memory

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// Runtime is the view that one scope has of an [Engine]: a reconcile.Runtime
// without any Docker.
type Runtime struct {
	engine *Engine
	scope  reconcile.Scope
}

var (
	_ reconcile.Runtime = (*Runtime)(nil)
	_ reconcile.Waiter  = (*Runtime)(nil)
)

// NewRuntime returns a runtime on an engine of its own.
func NewRuntime(scope reconcile.Scope) *Runtime { return NewEngine().Runtime(scope) }

// Host returns the engine behind the view, for what a test does by hand.
func (r *Runtime) Host() *Engine { return r.engine }

// The operations, as Calls counts them and faults see them.
const (
	OpEngine        = "engine"
	OpResolve       = "resolve"
	OpInspectImage  = "inspect image"
	OpPull          = "pull"
	OpList          = "list"
	OpNetwork       = "inspect network"
	OpCreateNetwork = "create network"
	OpRemoveNetwork = "remove network"
	OpVolume        = "inspect volume"
	OpRemoveVolume  = "remove volume"
	OpCreate        = "create"
	OpStart         = "start"
	OpRename        = "rename"
	OpUpdate        = "update"
	OpStop          = "stop"
	OpRemove        = "remove"
	OpLogs          = "logs" // and follow
	OpWait          = "wait"
)

// mutating tells whether an operation may change the engine.
func mutating(op string) bool {
	switch op {
	case OpEngine, OpResolve, OpInspectImage, OpList, OpNetwork, OpVolume, OpLogs, OpWait:
		return false
	}
	return true
}

// do is one call: count it, let a fault refuse it, take effect under the lock,
// let a fault lose the answer.
func (r *Runtime) do(ctx context.Context, op string, effect func(*Engine) error) error {
	e := r.engine
	e.mu.Lock()
	e.calls[op]++
	before, after, down := e.before, e.after, e.down
	e.mu.Unlock()
	if down {
		return fmt.Errorf("%s: %w", op, reconcile.ErrUnavailable)
	}
	if before != nil {
		if err := before(op); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	e.mu.Lock()
	err := effect(e)
	e.mu.Unlock()
	if err == nil && after != nil {
		err = after(op)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// owned finds a container of the scope. One of another scope does not exist.
func (r *Runtime) owned(e *Engine, id string) (*container, error) {
	c := e.containers[id]
	if c == nil || !r.scope.Owns(c.labels) {
		return nil, fmt.Errorf("there is no container %s in %s", id, r.scope.NetworkName())
	}
	return c, nil
}

// onOwned is a call that changes one container of the scope.
func (r *Runtime) onOwned(ctx context.Context, op, id string, change func(*Engine, *container) error) error {
	return r.do(ctx, op, func(e *Engine) error {
		c, err := r.owned(e, id)
		if err != nil {
			return err
		}
		if err := change(e, c); err != nil {
			return err
		}
		e.notify(c.labels)
		return nil
	})
}

// Engine implements reconcile.Runtime.
func (r *Runtime) Engine(ctx context.Context) (reconcile.Engine, error) {
	var described reconcile.Engine
	err := r.do(ctx, OpEngine, func(e *Engine) error {
		described = reconcile.Engine{ID: "memory", Version: "memory", CPUs: e.cpus, Memory: e.memory, GPUs: e.gpus}
		return nil
	})
	return described, err
}

// Resolve implements reconcile.Runtime.
func (r *Runtime) Resolve(ctx context.Context, ref string) (reconcile.Image, error) {
	if pinned(ref) {
		return reconcile.Image{Ref: ref, Pin: ref}, nil
	}
	var found reconcile.Image
	err := r.do(ctx, OpResolve, func(e *Engine) error {
		pin, known := e.refs[ref]
		if !known {
			return fmt.Errorf("%s: %w", ref, reconcile.ErrImageNotFound)
		}
		found = e.images[pin].Image
		found.Ref = ref
		return nil
	})
	return found, err
}

// SelfImage implements reconcile.Runtime.
func (r *Runtime) SelfImage(context.Context) (reconcile.Image, error) {
	r.engine.mu.Lock()
	defer r.engine.mu.Unlock()
	return r.engine.images[SelfPin].Image, nil
}

// EnsureImage implements reconcile.Runtime. A reference with a digest that
// AddImage never named can be pulled all the same: a registry has everything.
func (r *Runtime) EnsureImage(ctx context.Context, img reconcile.Image, progress func(reconcile.PullProgress)) error {
	present := false
	err := r.do(ctx, OpInspectImage, func(e *Engine) error {
		present = e.images[img.Pin] != nil && e.images[img.Pin].present
		return nil
	})
	if err != nil || present {
		return err
	}
	return r.do(ctx, OpPull, func(e *Engine) error {
		known := e.images[img.Pin]
		if known == nil {
			if img.LocalOnly || !pinned(img.Pin) {
				return fmt.Errorf("%s: %w", img.Ref, reconcile.ErrImageNotFound)
			}
			known = &image{Image: img}
			e.images[img.Pin] = known
		}
		if known.LocalOnly && !known.Self {
			return fmt.Errorf("%s is gone from the engine and has no registry: %w", img.Ref, reconcile.ErrImageNotFound)
		}
		known.present = true
		if progress != nil {
			progress(reconcile.PullProgress{Image: img.Ref, Done: 1, Total: 1})
		}
		return nil
	})
}

// List implements reconcile.Runtime.
func (r *Runtime) List(ctx context.Context, filter reconcile.Filter) ([]reconcile.Container, error) {
	var found []reconcile.Container
	err := r.do(ctx, OpList, func(e *Engine) error {
		found = e.list(func(c *container) bool {
			return r.scope.Owns(c.labels) && (filter.Model == "" || c.Model == filter.Model) && (filter.Run == "" || c.Run == filter.Run)
		})
		return nil
	})
	return found, err
}

// Vet implements reconcile.Runtime.
func (r *Runtime) Vet(c reconcile.ContainerSpec) error {
	r.engine.mu.Lock()
	deny := r.engine.deny
	r.engine.mu.Unlock()
	if denials := deny(c); len(denials) > 0 {
		return &reconcile.DeniedError{Container: c.Name, Denials: denials}
	}
	return nil
}

// denyPrivilege is the policy of an operator who said nothing.
func denyPrivilege(c reconcile.ContainerSpec) []reconcile.Denial {
	var denials []reconcile.Denial
	deny := func(field, value string) {
		denials = append(denials, reconcile.Denial{Field: field, Value: value, Remedy: "allow it in the settings of serve"})
	}
	if c.Privileged {
		deny("privileged", "true")
	}
	if c.HostNetwork {
		deny("host_network", "true")
	}
	for _, device := range c.Devices {
		deny("devices", device)
	}
	for _, capability := range c.Capabilities {
		deny("capabilities", capability)
	}
	for _, m := range c.Mounts {
		if m.Type == spec.MountBind {
			deny("mount", m.Source)
		}
	}
	return denials
}

// EnsureNetwork implements reconcile.Runtime.
func (r *Runtime) EnsureNetwork(ctx context.Context) error {
	name, exists := r.scope.NetworkName(), false
	err := r.do(ctx, OpNetwork, func(e *Engine) error {
		_, exists = e.networks[name]
		return nil
	})
	if err != nil || exists {
		return err
	}
	return r.do(ctx, OpCreateNetwork, func(e *Engine) error {
		e.networks[name] = r.scope
		return nil
	})
}

// RemoveNetwork implements reconcile.Runtime.
func (r *Runtime) RemoveNetwork(ctx context.Context) error {
	name, exists := r.scope.NetworkName(), false
	err := r.do(ctx, OpNetwork, func(e *Engine) error {
		_, exists = e.networks[name]
		return nil
	})
	if err != nil || !exists {
		return err
	}
	return r.do(ctx, OpRemoveNetwork, func(e *Engine) error {
		for _, c := range e.containers {
			if r.scope.Owns(c.labels) && c.connected && c.State == reconcile.StateRunning {
				return fmt.Errorf("network %s is in use by %s", name, c.Name)
			}
		}
		delete(e.networks, name)
		return nil
	})
}

// RemoveVolume implements reconcile.Runtime.
func (r *Runtime) RemoveVolume(ctx context.Context, name string) error {
	exists := false
	err := r.do(ctx, OpVolume, func(e *Engine) error {
		scope, found := e.volumes[name]
		if exists = found; found && scope != r.scope {
			return fmt.Errorf("volume %s is left alone: it belongs to %s", name, scope.NetworkName())
		}
		return nil
	})
	if err != nil || !exists {
		return err
	}
	return r.do(ctx, OpRemoveVolume, func(e *Engine) error {
		for _, c := range e.containers {
			if _, used := c.spec.Volumes[name]; used {
				return fmt.Errorf("volume %s is in use by %s", name, c.Name)
			}
		}
		delete(e.volumes, name)
		return nil
	})
}

// Create implements reconcile.Runtime.
func (r *Runtime) Create(ctx context.Context, c reconcile.ContainerSpec) (string, error) {
	if err := r.Vet(c); err != nil {
		return "", err
	}
	if !r.scope.Owns(c.Labels) {
		return "", fmt.Errorf("create %s: its labels are not those of %s", c.Name, r.scope.NetworkName())
	}
	if err := checkBinds(c); err != nil {
		return "", err
	}
	var id string
	err := r.do(ctx, OpCreate, func(e *Engine) error {
		if holder := e.containers[e.names[c.Name]]; holder != nil {
			if err := r.adoptable(holder, c); err != nil {
				return err
			}
			id = holder.ID
			return nil
		}
		if img := e.images[c.Image.Pin]; img == nil || !img.present {
			return fmt.Errorf("%s is not on the engine: %w", c.Image.Pin, reconcile.ErrImageNotFound)
		}
		if _, exists := e.networks[r.scope.NetworkName()]; !exists && !c.NoNetwork {
			return fmt.Errorf("there is no network %s", r.scope.NetworkName())
		}
		id = e.create(c)
		for name := range c.Volumes {
			e.volumes[name] = r.scope
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

// checkBinds refuses what an engine cannot mount.
func checkBinds(c reconcile.ContainerSpec) error {
	for _, b := range c.Binds {
		if info, err := os.Stat(b.Source); err != nil || !info.IsDir() || !filepath.IsAbs(b.Source) {
			return fmt.Errorf("create %s: mount %s at %s: it is no directory of this host by its full path", c.Name, b.Source, b.Target)
		}
	}
	return nil
}

// adoptable returns nil if the container that holds the name is what Create was
// asked to make, from an earlier call whose answer was lost.
func (r *Runtime) adoptable(holder *container, c reconcile.ContainerSpec) error {
	switch {
	case !r.scope.Owns(holder.labels):
		return fmt.Errorf("%s belongs to %q, environment %q: %w", c.Name,
			holder.labels[reconcile.LabelOwner], holder.labels[reconcile.LabelEnvironment], reconcile.ErrNameTaken)
	case holder.Revision != c.Labels[reconcile.LabelRevision]:
		return fmt.Errorf("%s is of revision %s: %w", c.Name, holder.Revision, reconcile.ErrNameTaken)
	case holder.State != reconcile.StateCreated:
		return fmt.Errorf("%s is %s: %w", c.Name, holder.State, reconcile.ErrNameTaken)
	}
	return nil
}

// create makes the container. The caller holds the lock.
func (e *Engine) create(c reconcile.ContainerSpec) string {
	id, ip := e.nextID(c.Name)
	made := &container{labels: maps.Clone(c.Labels), spec: c, connected: !c.NoNetwork, ip: ip}
	made.ID, made.Name = id, c.Name
	made.ImageID = "sha256:" + digest(c.Image.Pin)
	made.State = reconcile.StateCreated
	made.Limits = reconcile.LimitsOf(c.Container)
	made.ReadLabels(c.Labels)
	e.containers[id] = made
	e.names[c.Name] = id
	e.notify(made.labels)
	return id
}

// Start implements reconcile.Runtime.
func (r *Runtime) Start(ctx context.Context, id string) error {
	return r.onOwned(ctx, OpStart, id, func(e *Engine, c *container) error {
		switch c.State {
		case reconcile.StateRunning, reconcile.StateRestarting:
			return nil
		case reconcile.StatePaused:
			c.State = reconcile.StateRunning
			return nil
		case reconcile.StateCreated, reconcile.StateExited:
			e.run(c)
			if img := e.images[c.spec.Image.Pin]; img != nil && img.crash != nil {
				c.exit(*img.crash)
			}
			return nil
		case reconcile.StateRemoving, reconcile.StateDead:
		}
		return fmt.Errorf("%s is %s and cannot be started", c.Name, c.State)
	})
}

// Rename implements reconcile.Runtime.
func (r *Runtime) Rename(ctx context.Context, id, name string) error {
	return r.onOwned(ctx, OpRename, id, func(e *Engine, c *container) error {
		if holder, taken := e.names[name]; taken && holder != id {
			return fmt.Errorf("%s: %w", name, reconcile.ErrNameTaken)
		}
		e.rename(c, name)
		return nil
	})
}

// Update implements reconcile.Runtime.
func (r *Runtime) Update(ctx context.Context, id string, want reconcile.ContainerSpec) error {
	return r.onOwned(ctx, OpUpdate, id, func(_ *Engine, c *container) error {
		c.Limits = reconcile.LimitsOf(want.Container)
		c.connected = !want.NoNetwork
		if c.connected && c.State == reconcile.StateRunning {
			c.Address = c.ip
		}
		return nil
	})
}

// Remove implements reconcile.Runtime.
func (r *Runtime) Remove(ctx context.Context, id string) error {
	return r.do(ctx, OpRemove, func(e *Engine) error {
		c, err := r.owned(e, id)
		if err != nil {
			if e.containers[id] == nil {
				return nil
			}
			return err
		}
		e.remove(c)
		e.notify(c.labels)
		return nil
	})
}

// Events implements reconcile.Runtime.
func (r *Runtime) Events(ctx context.Context) reconcile.Hints {
	return r.engine.watch(ctx, r.scope)
}

// pinned tells whether a reference carries a digest.
func pinned(ref string) bool { return strings.Contains(ref, "@sha256:") }

// repository is a reference without its tag.
func repository(ref string) string {
	slash := strings.LastIndexByte(ref, '/')
	if colon := strings.LastIndexByte(ref, ':'); colon > slash {
		return ref[:colon]
	}
	return ref
}
