package docker

import (
	"context"
	"fmt"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/volume"
)

// RemoveVolume implements reconcile.Runtime.
func (r *Runtime) RemoveVolume(ctx context.Context, name string) error {
	var found volume.Volume
	err := r.call(ctx, "inspect volume "+name, queryLimit, func(ctx context.Context) (err error) {
		found, err = r.connection.client().VolumeInspect(ctx, name)
		return err
	})
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !r.scope.Owns(found.Labels) {
		return fmt.Errorf("volume %s is left alone: it %s, not to %s", name, belongsTo(found.Labels), r.scope.NetworkName())
	}
	err = r.call(ctx, "remove volume "+name, removeLimit, func(ctx context.Context) error {
		return r.connection.client().VolumeRemove(ctx, name, false)
	})
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	return err
}
