package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
)

// Engines allow several networks of one name, and older ones make twins even when
// they are told not to, if two creates come at the same time. A container asks
// for its network by name, which twins make ambiguous; so twins are found here
// and all but one of them removed.

// findNetworks returns the networks of the scope in the order of their ids, which
// every caller sees alike. A network of that name that is not the scope's is an
// error: containers of ours must not end up among strangers.
func (r *Runtime) findNetworks(ctx context.Context) ([]network.Summary, error) {
	name := r.scope.NetworkName()
	var networks []network.Summary
	err := r.call(ctx, "find network "+name, queryLimit, func(ctx context.Context) (err error) {
		networks, err = r.connection.client().NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("name", name))})
		return err
	})
	if err != nil {
		return nil, err
	}
	// The filter matches parts of names.
	networks = slices.DeleteFunc(networks, func(n network.Summary) bool { return n.Name != name })
	for _, n := range networks {
		if !r.scope.Owns(n.Labels) {
			return nil, fmt.Errorf("network %s exists and %s; remove it (docker network rm %.12s) or choose another owner for this daemon",
				name, belongsTo(n.Labels), n.ID)
		}
	}
	slices.SortFunc(networks, func(a, b network.Summary) int { return strings.Compare(a.ID, b.ID) })
	return networks, nil
}

// hostAddress is the address of the host on the network of the scope, "" if there
// is none.
func (r *Runtime) hostAddress(ctx context.Context) (string, error) {
	networks, err := r.findNetworks(ctx)
	if err != nil || len(networks) == 0 || len(networks[0].IPAM.Config) == 0 {
		return "", err
	}
	return networks[0].IPAM.Config[0].Gateway, nil
}

// EnsureNetwork implements reconcile.Runtime.
func (r *Runtime) EnsureNetwork(ctx context.Context) error {
	name := r.scope.NetworkName()
	// Every model that starts asks for the network; one of them makes it.
	unlock, err := r.busy.lock(ctx, "network")
	if err != nil {
		return fmt.Errorf("create network %s: %w", name, err)
	}
	defer unlock()
	networks, err := r.findNetworks(ctx)
	switch {
	case err != nil:
		return err
	case len(networks) > 1:
		return r.removeTwins(ctx, networks)
	case len(networks) == 1:
		return nil
	}
	createErr := r.call(ctx, "create network "+name, networkLimit, func(ctx context.Context) error {
		_, err := r.connection.client().NetworkCreate(ctx, name, network.CreateOptions{Driver: "bridge", Labels: scopeLabels(r.scope)})
		return err
	})
	// Another process may have been faster, or the answer was lost: look again,
	// also if ctx has ended meanwhile.
	ctx = context.WithoutCancel(ctx)
	networks, err = r.findNetworks(ctx)
	switch {
	case err != nil:
		return errors.Join(createErr, err)
	case len(networks) == 0:
		return createErr
	}
	return r.removeTwins(ctx, networks)
}

// removeTwins removes networks until one is left, the last in order first: so two
// processes that do it at the same time keep the same one. A network in use stays.
func (r *Runtime) removeTwins(ctx context.Context, networks []network.Summary) error {
	left := len(networks)
	var failed error
	for _, n := range slices.Backward(networks) {
		if left == 1 {
			return nil
		}
		if err := r.removeNetwork(ctx, n.ID); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		left--
	}
	if left <= 1 {
		return nil
	}
	return fmt.Errorf("there are %d networks named %s, and containers use more than one; stop the containers of all but one: %w",
		left, r.scope.NetworkName(), failed)
}

// RemoveNetwork implements reconcile.Runtime.
func (r *Runtime) RemoveNetwork(ctx context.Context) error {
	networks, err := r.findNetworks(ctx)
	for _, n := range networks {
		err = errors.Join(err, r.removeNetwork(ctx, n.ID))
	}
	return err
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
