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
		case found.id == "" || n.ID < found.id: // of twins every caller takes the same
			found = foundNetwork{id: n.ID}
			if len(n.IPAM.Config) > 0 {
				found.gateway = n.IPAM.Config[0].Gateway
			}
		}
	}
	return found, nil
}

// EnsureNetwork implements reconcile.Runtime.
func (r *Runtime) EnsureNetwork(ctx context.Context) error {
	found, err := r.findNetwork(ctx)
	if err != nil || found.id != "" {
		return err
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
	err = r.call(ctx, "remove network "+r.scope.NetworkName(), networkLimit, func(ctx context.Context) error {
		return r.connection.client().NetworkRemove(ctx, found.id)
	})
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	return err
}
