package docker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/fairlead/fairlead/reconcile"
)

// checkBinds refuses directories of Fairlead's own that this engine could not
// mount, or not as they were meant. It is not the operator's policy, which has
// nothing to say about them.
func (r *Runtime) checkBinds(c reconcile.ContainerSpec) error {
	for _, b := range c.Binds {
		if err := r.checkBind(b); err != nil {
			return fmt.Errorf("create container %s: mount %s at %s: %w", c.Name, b.Source, b.Target, err)
		}
	}
	return nil
}

func (r *Runtime) checkBind(b reconcile.Bind) error {
	if r.policy.host == nil {
		return fmt.Errorf("the engine at %s is on another host and cannot mount directories of this one; artifacts and pipeline steps need a Fairlead that runs beside its engine",
			r.connection.client().DaemonHost())
	}
	if !filepath.IsAbs(b.Source) || !path.IsAbs(b.Target) || path.Clean(b.Target) != b.Target {
		return errors.New("both must be full paths, without . and .. in them")
	}
	info, err := os.Stat(b.Source)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return errors.New("it is not a directory")
	}
	return nil
}

// lostDirectory tells whether a directory of Fairlead's own that the container
// mounts is gone. A new container gets a new one.
func (r *Runtime) lostDirectory(c container.InspectResponse) bool {
	return r.policy.host != nil && slices.ContainsFunc(c.HostConfig.Mounts, func(m mount.Mount) bool {
		if m.Type != mount.TypeBind || m.BindOptions == nil || !m.BindOptions.NonRecursive {
			return false
		}
		_, err := os.Stat(m.Source)
		return errors.Is(err, fs.ErrNotExist)
	})
}
