package docker

import (
	"context"
	"fmt"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
)

// foundNetwork is the scope's network; the zero value says that there is none.
type foundNetwork struct {
	id      string
	gateway string // the host's address on it
	// twins have the same name. No container can start as long as there are
	// two, because the engine finds the name ambiguous.
	twins []string
}

// findNetwork returns the scope's network. A
// network of that name that is not the scope's is an error: containers of ours
// must not end up among strangers. The search is by name in a list, because
// engines allow several networks of one name.
func (r *Runtime) findNetwork(ctx context.Context) (foundNetwork, error) {
	name := r.scope.NetworkName()
	var networks []network.Summary
	err := r.call(ctx, "find network "+name, queryLimit, func(ctx context.Context) (err error) {
		networks, err = r.connection.client().NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("name", name))})
		return err
	})
	if err != nil {
		return foundNetwork{}, err
	}
	var found foundNetwork
	for _, n := range networks {
		switch {
		case n.Name != name: // the filter matches parts of names
		case !r.scope.Owns(n.Labels):
			return foundNetwork{}, fmt.Errorf("network %s exists and %s; remove it (docker network rm %.12s) or choose another owner for this daemon",
				name, belongsTo(n.Labels), n.ID)
		case found.id != "" && n.ID > found.id: // of twins every caller takes the same
			found.twins = append(found.twins, n.ID)
		default:
			if found.id != "" {
				found.twins = append(found.twins, found.id)
			}
			found = foundNetwork{id: n.ID, twins: found.twins}
			if len(n.IPAM.Config) > 0 {
				found.gateway = n.IPAM.Config[0].Gateway
			}
		}
	}
	return found, nil
}

// EnsureNetwork implements reconcile.Runtime. The engine would make a second
// network of the same name without a word, so only one call at a time looks and
// creates, and a twin that came about all the same, by another process, is
// removed: it fails only while containers use it.
func (r *Runtime) EnsureNetwork(ctx context.Context) error {
	r.network.Lock()
	defer r.network.Unlock()
	found, err := r.findNetwork(ctx)
	if err != nil {
		return err
	}
	for _, twin := range found.twins {
		if err := r.removeNetwork(ctx, twin); err != nil {
			return fmt.Errorf("two networks are named %s: %w", r.scope.NetworkName(), err)
		}
	}
	if found.id != "" {
		return nil
	}
	name := r.scope.NetworkName()
	createErr := r.call(ctx, "create network "+name, networkLimit, func(ctx context.Context) error {
		_, err := r.connection.client().NetworkCreate(ctx, name, network.CreateOptions{Driver: "bridge", Labels: scopeLabels(r.scope)})
		return err
	})
	if createErr == nil {
		return nil
	}
	// Somebody was faster, or the answer was lost.
	if found, err := r.findNetwork(context.WithoutCancel(ctx)); err != nil || found.id != "" {
		return err
	}
	return createErr
}

// RemoveNetwork implements reconcile.Runtime.
func (r *Runtime) RemoveNetwork(ctx context.Context) error {
	found, err := r.findNetwork(ctx)
	if err != nil || found.id == "" {
		return err
	}
	for _, id := range append(found.twins, found.id) {
		if err := r.removeNetwork(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runtime) removeNetwork(ctx context.Context, id string) error {
	err := r.call(ctx, "remove network "+r.scope.NetworkName(), networkLimit, func(ctx context.Context) error {
		return r.connection.client().NetworkRemove(ctx, id)
	})
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	return err
}
