package docker

import (
	"context"
	"slices"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"golang.org/x/sync/errgroup"

	"github.com/fairlead/fairlead/reconcile"
)

// inspectParallel bounds the inspections at a time. They are short, and an engine
// answers them one after another for the most part.
const inspectParallel = 4

// List implements reconcile.Runtime.
func (r *Runtime) List(ctx context.Context, filter reconcile.Filter) ([]reconcile.Container, error) {
	moment := r.secrets.now()
	rows, err := r.listRows(ctx, filter)
	if err != nil {
		return nil, err
	}
	present := make(map[string]bool, len(rows))
	for _, row := range rows {
		present[row.ID] = true
		r.known.put(row.ID, identify(rowName(row), row.Labels, row.Mounts))
	}
	if filter == (reconcile.Filter{}) {
		r.known.keep(present)
		r.details.keep(present)
		r.sweepSecrets(ctx, rows, moment)
	}
	return r.withDetails(ctx, rows)
}

// listRows makes the one list call.
func (r *Runtime) listRows(ctx context.Context, filter reconcile.Filter) ([]container.Summary, error) {
	args := r.scopeFilter()
	if filter.Model != "" {
		args.Add("label", reconcile.LabelModel+"="+filter.Model)
	}
	if filter.Run != "" {
		args.Add("label", reconcile.LabelRun+"="+filter.Run)
	}
	var rows []container.Summary
	err := r.call(ctx, "list containers", queryLimit, func(ctx context.Context) (err error) {
		rows, err = r.connection.client().ContainerList(ctx, container.ListOptions{All: true, Filters: args})
		return err
	})
	// The engine has filtered already. What is not the scope's must not get in
	// even where an engine reads filters in its own way.
	return slices.DeleteFunc(rows, func(row container.Summary) bool { return !r.scope.Owns(row.Labels) }), err
}

// scopeFilter selects what carries both labels of the scope.
func (r *Runtime) scopeFilter() filters.Args {
	args := filters.NewArgs()
	for name, value := range scopeLabels(r.scope) {
		args.Add("label", name+"="+value)
	}
	return args
}

// withDetails turns rows into containers, inspecting those whose details are not
// known. One that vanished in the meantime is left out.
func (r *Runtime) withDetails(ctx context.Context, rows []container.Summary) ([]reconcile.Container, error) {
	found := make([]*reconcile.Container, len(rows))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(inspectParallel)
	now := time.Now()
	for i, row := range rows {
		c := r.fromRow(row)
		signature := rowSignature(row, c)
		d, t, believed := r.details.get(row.ID, signature, now)
		if believed {
			found[i] = c.with(d)
			continue
		}
		group.Go(func() error {
			d, exact, err := r.inspectDetails(groupCtx, row)
			if cerrdefs.IsNotFound(err) {
				return nil
			}
			if err != nil {
				return err
			}
			if exact {
				r.details.put(row.ID, signature, d, t, now)
			}
			found[i] = c.with(d)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	containers := make([]reconcile.Container, 0, len(found))
	for _, c := range found {
		if c != nil {
			containers = append(containers, *c)
		}
	}
	slices.SortFunc(containers, func(a, b reconcile.Container) int { return strings.Compare(a.Name, b.Name) })
	return containers, nil
}

// inspectDetails asks for the details of one container. exact is false where its
// state has moved on since the list, so that list and details do not match.
func (r *Runtime) inspectDetails(ctx context.Context, row container.Summary) (d details, exact bool, err error) {
	var c container.InspectResponse
	err = r.call(ctx, "inspect container "+rowName(row), queryLimit, func(ctx context.Context) (err error) {
		c, err = r.connection.client().ContainerInspect(ctx, row.ID)
		return err
	})
	if err != nil || c.ContainerJSONBase == nil || c.State == nil || c.HostConfig == nil {
		return details{}, false, err
	}
	d = details{
		started:   engineTime(c.State.StartedAt),
		finished:  engineTime(c.State.FinishedAt),
		exitCode:  c.State.ExitCode,
		restarts:  c.RestartCount,
		oomKilled: c.State.OOMKilled,
		limits:    limitsOf(c.HostConfig),
	}
	if c.HostConfig.NetworkMode.IsHost() {
		if d.hostAddress, err = r.hostAddress(ctx); err != nil {
			return details{}, false, err
		}
	}
	return d, c.State.Status == row.State, nil
}

// fromRow reads what the list itself tells.
func (r *Runtime) fromRow(row container.Summary) observed {
	c := reconcile.Container{
		ID:      row.ID,
		Name:    rowName(row),
		ImageID: row.ImageID,
		State:   reconcile.ContainerState(row.State),
	}
	c.ReadLabels(row.Labels)
	if row.NetworkSettings != nil {
		if endpoint := row.NetworkSettings.Networks[r.scope.NetworkName()]; endpoint != nil {
			c.Address = endpoint.IPAddress
		}
	}
	return observed(c)
}

// observed is a container on its way out of List.
type observed reconcile.Container

// with adds the details. A running container keeps the finish time of its last
// run in the engine, which says nothing here.
func (o observed) with(d details) *reconcile.Container {
	c := reconcile.Container(o)
	c.Started, c.Restarts, c.OOMKilled, c.Limits = d.started, d.restarts, d.oomKilled, d.limits
	switch c.State {
	case reconcile.StateExited, reconcile.StateDead:
		// An engine writes down the start of a process that ends at once after its end.
		c.Finished, c.ExitCode = later(d.started, d.finished), d.exitCode
	case reconcile.StateRestarting:
		c.ExitCode = d.exitCode
	default:
	}
	if c.State == reconcile.StateRunning && d.hostAddress != "" {
		c.Address = d.hostAddress
	}
	return &c
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// rowSignature changes when a container does, as far as the list shows it. The
// endpoint is a new one after each start, which tells a quick restart from no
// change. Of the status text ("Exited (3) 2 hours ago") only the code counts:
// the age changes by itself.
func rowSignature(row container.Summary, c observed) string {
	var endpoint string
	if row.NetworkSettings != nil {
		for _, e := range row.NetworkSettings.Networks {
			if e != nil {
				endpoint += e.EndpointID + " "
			}
		}
	}
	code, _, _ := strings.Cut(row.Status, ")")
	if !strings.HasPrefix(code, "Exited (") && !strings.HasPrefix(code, "Restarting (") {
		code = ""
	}
	return strings.Join([]string{string(c.State), c.Name, code, endpoint}, "|")
}

// rowName is the container's own name: links add names with a second slash.
func rowName(row container.Summary) string {
	for _, name := range row.Names {
		if name = strings.TrimPrefix(name, "/"); !strings.Contains(name, "/") {
			return name
		}
	}
	return row.ID
}

// engineTime reads a time of the engine, whose zero is that of Go.
func engineTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// limitsOf is the normal form of a container's limits.
func limitsOf(host *container.HostConfig) reconcile.Limits {
	limits := reconcile.Limits{
		NanoCPUs: host.NanoCPUs,
		Memory:   host.Memory,
		Restart:  restartPolicy(host.RestartPolicy.Name),
	}
	if host.NanoCPUs == 0 && host.CPUQuota > 0 && host.CPUPeriod > 0 { // docker update --cpu-quota
		limits.NanoCPUs = int64(float64(host.CPUQuota) / float64(host.CPUPeriod) * 1e9)
	}
	if host.PidsLimit != nil && *host.PidsLimit > 0 {
		limits.PIDs = *host.PidsLimit
	}
	return limits
}
