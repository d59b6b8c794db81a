package runner

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// importLimit is how long the copy of a volume may take.
const importLimit = 2 * time.Hour

// importVolume copies what is in a volume of the engine into the store, with a
// container of Fairlead's own image: the daemon cannot read volumes, and their place
// on the host is the engine's business. The operator has to allow the volume.
func (j *job) importVolume(ctx context.Context, d *spec.Dataset) (content reconcile.Content, err error) {
	waiter, waits := j.opts.Runtime.(reconcile.Waiter)
	if !waits {
		return content, errors.New("volumes cannot be read with this engine")
	}
	ctx, cancel := context.WithTimeout(ctx, importLimit)
	defer cancel()
	image, err := j.opts.Runtime.SelfImage(ctx)
	if err != nil {
		return content, err
	}
	if err := j.opts.Runtime.EnsureImage(ctx, image, nil); err != nil {
		return content, err
	}
	node := "dataset-" + d.Name
	out, err := j.opts.Store.Work(ctx, j.run.ID, node, 1, nil)
	if err != nil {
		return content, err
	}
	defer func() {
		// Also where it failed: the next attempt begins anew.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyLimit)
		defer cancel()
		err = errors.Join(err, j.removeNode(ctx, node), j.opts.Store.RemoveWork(ctx, j.run.ID, node, 1))
	}()
	if err := j.removeNode(ctx, node); err != nil { // of a daemon that died
		return content, err
	}
	c := volumeReader(j.run, d, node, j.opts.Scope, image, out)
	id, err := j.opts.Runtime.Create(ctx, c)
	if err == nil {
		err = j.opts.Runtime.Start(ctx, id)
	}
	if err != nil {
		return content, err
	}
	exit, err := waiter.Wait(ctx, id)
	if err != nil {
		return content, err
	}
	if exit.Code != 0 {
		said, _ := j.opts.Runtime.Logs(ctx, id, 5) // what it said is a help, and may be missing
		return content, fmt.Errorf("the volume %s cannot be copied: %s", d.Source.Location, strings.TrimSpace(said))
	}
	content, err = j.opts.Artifacts.Put(ctx, out)
	if err == nil && content.Files == 0 {
		err = fmt.Errorf("the volume %s is empty", d.Source.Location)
	}
	return content, err
}

// volumeReader is the container that copies a volume.
func volumeReader(r *run.Run, d *spec.Dataset, node string, scope reconcile.Scope, image reconcile.Image, out string) reconcile.ContainerSpec {
	return reconcile.ContainerSpec{
		Name: scope.StepName(r.ID, node, 1), Image: image, NoNetwork: true,
		Labels: map[string]string{
			reconcile.LabelOwner: scope.Owner, reconcile.LabelEnvironment: scope.Environment, reconcile.LabelKind: string(spec.KindStep),
			reconcile.LabelPipeline: r.Pipeline, reconcile.LabelRun: r.ID, reconcile.LabelNode: node, reconcile.LabelAttempt: strconv.Itoa(1),
			reconcile.LabelImage: image.Ref,
		},
		Container: spec.Container{
			Command: []string{"copy", run.InputsDir, run.OutputsDir}, ReadOnlyRoot: true, Restart: spec.RestartNo,
			Resources: spec.Resources{PIDs: 64}, Logs: spec.Logs{MaxSize: 1 << 20, MaxFiles: 1},
			Mounts: []spec.Mount{{Type: spec.MountVolume, Source: d.Source.Location, Target: run.InputsDir, ReadOnly: true}},
		},
		Binds: []reconcile.Bind{{Source: out, Target: run.OutputsDir}},
	}
}

// removeNode removes the containers of one node of the run.
func (j *job) removeNode(ctx context.Context, node string) error {
	containers, err := j.opts.Runtime.List(ctx, reconcile.Filter{Run: j.run.ID})
	if err != nil {
		return err
	}
	for _, c := range containers {
		if c.Node != node {
			continue
		}
		if err := j.opts.Runtime.Remove(ctx, c.ID); err != nil {
			return err
		}
	}
	return nil
}
