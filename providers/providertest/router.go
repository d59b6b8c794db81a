package providertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// RouterBench is a Router under test, together with the hand that moves what is
// behind it.
type RouterBench struct {
	Router   reconcile.Router
	Endpoint string
	// NewReplica makes a container that answers the health probe of probed with
	// 200, and returns how a table lists it.
	NewReplica func(t *testing.T) reconcile.RoutedReplica
	// SetHealthy lets a container answer its probe well or badly.
	SetHealthy func(id string, healthy bool)
	// Hold opens a request to the model that stays open at the container, of
	// which the table lists just this one, until release is called.
	Hold func(t *testing.T, model, id string) (release func())
	// Stop makes the Router unreachable.
	Stop func()
}

// probed is the health probe that the suite declares: fast, so that the suite is.
var probed = reconcile.HealthProbe{Path: "/healthy", Interval: 20 * time.Millisecond, Timeout: 5 * time.Second}

// patience is how long the suite waits for what must happen at some time.
const patience = time.Minute

// RouterSuite holds the contract of reconcile.Router. Each test gets a Router of
// its own that never had a table.
func RouterSuite(t *testing.T, newBench func(t *testing.T) RouterBench) {
	t.Helper()
	tests := map[string]func(*testing.T, RouterBench){
		"a fresh router has no table":                     routerFresh,
		"a pushed table is in force":                      routerPush,
		"only the next version is taken":                  routerStale,
		"a repeated push succeeds":                        routerRepeat,
		"a table that is not valid changes nothing":       routerInvalid,
		"a good replica is healthy without a break":       routerHealthy,
		"a bad replica is not healthy and says why":       routerUnhealthy,
		"a cold replica is probed like any other":         routerCold,
		"a change of health wakes a waiting report":       routerWakes,
		"a report without change comes when wait is over": routerWaits,
		"a waiting report ends with its context":          routerCancel,
		"a draining replica reports its open requests":    routerDrain,
		"a replica out of the table leaves the report":    routerRemoved,
		"a router that is away is told apart":             routerAway,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, newBench(t)) })
	}
}

// tableOf is a table with one model and one revision of these replicas.
func tableOf(version uint64, replicas ...reconcile.RoutedReplica) reconcile.Table {
	slices.SortFunc(replicas, func(a, b reconcile.RoutedReplica) int { return strings.Compare(a.ID, b.ID) })
	return reconcile.Table{
		FormatVersion: reconcile.TableFormat, Version: version,
		Models: []reconcile.RoutedModel{{
			Name: "digits", Protocol: spec.OpenInference,
			Revisions: []reconcile.RoutedRevision{{Revision: "r1", Weight: 100, Health: probed, Replicas: replicas}},
		}},
	}
}

func (b RouterBench) push(t *testing.T, table reconcile.Table) {
	t.Helper()
	if err := b.Router.Push(t.Context(), b.Endpoint, table); err != nil {
		t.Fatalf("push version %d: %v", table.Version, err)
	}
}

func (b RouterBench) report(t *testing.T, since uint64, wait time.Duration) reconcile.Report {
	t.Helper()
	report, err := b.Router.Report(t.Context(), b.Endpoint, since, wait)
	if err != nil {
		t.Fatalf("report: %v", err)
	}
	if report.Sequence == 0 {
		t.Fatal("the sequence of a report is 0, which stands for no report")
	}
	return report
}

// until follows the reports as the daemon does, until one is as wanted.
func (b RouterBench) until(t *testing.T, what string, wanted func(reconcile.Report) bool) reconcile.Report {
	t.Helper()
	deadline := time.Now().Add(patience)
	report := b.report(t, 0, 0)
	for !wanted(report) {
		if time.Now().After(deadline) {
			t.Fatalf("never came: %s; last report %+v", what, report)
		}
		report = b.report(t, report.Sequence, time.Second)
	}
	return report
}

func (b RouterBench) untilHealthy(t *testing.T, id string) reconcile.Report {
	t.Helper()
	return b.until(t, id+" is healthy", func(r reconcile.Report) bool { return r.Replicas[id].Healthy })
}

func routerFresh(t *testing.T, b RouterBench) {
	table, err := b.Router.Table(t.Context(), b.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	if !table.Equal(reconcile.Table{}) {
		t.Errorf("table = %+v, want the zero table", table)
	}
	if report := b.report(t, 0, 0); len(report.Replicas) != 0 || report.TableVersion != 0 {
		t.Errorf("report = %+v, want one without replicas", report)
	}
}

func routerPush(t *testing.T, b RouterBench) {
	want := tableOf(1, b.NewReplica(t), b.NewReplica(t))
	want.Models[0].Routes = []reconcile.RoutedPath{{
		Host: "a.example", Path: "/digits", Strip: true, Timeout: time.Second,
		Limit: &spec.RouteLimit{Rate: 10, Burst: 5, Concurrency: 3}, Auth: &reconcile.RoutedAuth{KeyHashes: []string{strings.Repeat("0a", 32)}},
	}}
	want.Models[0].Candidate, want.Models[0].Sticky = "r1", &spec.Sticky{Cookie: "side"}
	want.Models[0].Match, want.Models[0].Mirror = &spec.Match{Header: "X-Beta", Value: "1"}, &spec.Mirror{Percent: 10, Tolerance: 1e-3}
	want.Models[0].Outputs = []reconcile.ScoredOutput{{Name: "score", Datatype: "FP32"}}
	b.push(t, want)
	got, err := b.Router.Table(t.Context(), b.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Equal(want) {
		t.Errorf("table = %+v, want %+v", got, want)
	}
	report := b.report(t, 0, 0)
	if report.TableVersion != 1 || len(report.Replicas) != 2 {
		t.Errorf("report = %+v, want the two replicas of version 1", report)
	}
}

func routerStale(t *testing.T, b RouterBench) {
	replica := b.NewReplica(t)
	if err := b.Router.Push(t.Context(), b.Endpoint, tableOf(2, replica)); !errors.Is(err, reconcile.ErrStaleTable) {
		t.Errorf("push of version 2 on none: %v, want ErrStaleTable", err)
	}
	b.push(t, tableOf(1, replica))
	b.push(t, tableOf(2, replica))
	other := tableOf(2, b.NewReplica(t))
	for _, table := range []reconcile.Table{tableOf(1, replica), other, tableOf(4, replica)} {
		if err := b.Router.Push(t.Context(), b.Endpoint, table); !errors.Is(err, reconcile.ErrStaleTable) {
			t.Errorf("push of version %d on 2: %v, want ErrStaleTable", table.Version, err)
		}
	}
	if got, err := b.Router.Table(t.Context(), b.Endpoint); err != nil || !got.Equal(tableOf(2, replica)) {
		t.Errorf("table = %+v, %v; want version 2 unchanged", got, err)
	}
}

func routerRepeat(t *testing.T, b RouterBench) {
	table := tableOf(1, b.NewReplica(t))
	b.push(t, table)
	before := b.untilHealthy(t, table.Models[0].Revisions[0].Replicas[0].ID)
	b.push(t, table)
	if after := b.report(t, 0, 0); after.Sequence != before.Sequence {
		t.Errorf("sequence went from %d to %d by a push that changed nothing", before.Sequence, after.Sequence)
	}
}

func routerInvalid(t *testing.T, b RouterBench) {
	good := b.NewReplica(t)
	b.push(t, tableOf(1, good))
	cases := map[string]func(*reconcile.Table){
		"unknown format":      func(t *reconcile.Table) { t.FormatVersion = 99 },
		"weights beside 100":  func(t *reconcile.Table) { t.Models[0].Revisions[0].Weight = 60 },
		"model twice":         func(t *reconcile.Table) { t.Models = append(t.Models, t.Models[0]) },
		"host name":           func(t *reconcile.Table) { t.Models[0].Revisions[0].Replicas[0].Address = "localhost:80" },
		"metadata service":    func(t *reconcile.Table) { t.Models[0].Revisions[0].Replicas[0].Address = "169.254.169.254:80" },
		"mapped metadata":     func(t *reconcile.Table) { t.Models[0].Revisions[0].Replicas[0].Address = "[::ffff:169.254.169.254]:80" },
		"unspecified address": func(t *reconcile.Table) { t.Models[0].Revisions[0].Replicas[0].Address = "0.0.0.0:80" },
		"no probe":            func(t *reconcile.Table) { t.Models[0].Revisions[0].Health = reconcile.HealthProbe{} },
		"unknown fallback": func(t *reconcile.Table) {
			t.Models[0].Routes = []reconcile.RoutedPath{{Path: "/a", Fallback: "nobody"}}
		},
		"sticky by nothing": func(t *reconcile.Table) { t.Models[0].Sticky = &spec.Sticky{} },
		"mirror above all":  func(t *reconcile.Table) { t.Models[0].Mirror = &spec.Mirror{Percent: 101} },
		"auth for nobody": func(t *reconcile.Table) {
			t.Models[0].Routes = []reconcile.RoutedPath{{Path: "/a", Auth: &reconcile.RoutedAuth{}}}
		},
		"relative route": func(t *reconcile.Table) { t.Models[0].Routes = []reconcile.RoutedPath{{Path: "a"}} },
	}
	for name, spoil := range cases {
		table := tableOf(2, good)
		spoil(&table)
		err := b.Router.Push(t.Context(), b.Endpoint, table)
		if err == nil || errors.Is(err, reconcile.ErrStaleTable) || errors.Is(err, reconcile.ErrRouterUnavailable) {
			t.Errorf("%s: push = %v, want an error that says what is wrong", name, err)
		}
	}
	if got, err := b.Router.Table(t.Context(), b.Endpoint); err != nil || got.Version != 1 {
		t.Errorf("version = %d, %v; want 1", got.Version, err)
	}
}

func routerHealthy(t *testing.T, b RouterBench) {
	replica := b.NewReplica(t)
	b.push(t, tableOf(1, replica))
	b.untilHealthy(t, replica.ID)
	b.until(t, "50 ms of health", func(r reconcile.Report) bool { return r.Replicas[replica.ID].HealthyFor > 50*time.Millisecond })
	// A new table is no break.
	b.push(t, tableOf(2, replica, b.NewReplica(t)))
	if h := b.report(t, 0, 0).Replicas[replica.ID]; !h.Healthy || h.HealthyFor < 50*time.Millisecond {
		t.Errorf("health after another push = %+v, want it unbroken", h)
	}
}

func routerCold(t *testing.T, b RouterBench) {
	replica := b.NewReplica(t)
	replica.Cold = true
	b.push(t, tableOf(1, replica))
	before := b.untilHealthy(t, replica.ID).Replicas[replica.ID]
	replica.Cold = false
	b.push(t, tableOf(2, replica))
	if h := b.report(t, 0, 0).Replicas[replica.ID]; !h.Healthy || h.HealthyFor < before.HealthyFor {
		t.Errorf("health once it takes requests = %+v, want it unbroken after %+v", h, before)
	}
}

func routerUnhealthy(t *testing.T, b RouterBench) {
	replica := b.NewReplica(t)
	b.push(t, tableOf(1, replica))
	b.untilHealthy(t, replica.ID)
	b.SetHealthy(replica.ID, false)
	report := b.until(t, "the replica is bad", func(r reconcile.Report) bool { return !r.Replicas[replica.ID].Healthy })
	if h := report.Replicas[replica.ID]; h.HealthyFor != 0 || h.LastError == "" {
		t.Errorf("health = %+v, want no time and the reason", h)
	}
	b.SetHealthy(replica.ID, true)
	b.untilHealthy(t, replica.ID)
}

func routerWakes(t *testing.T, b RouterBench) {
	replica := b.NewReplica(t)
	b.push(t, tableOf(1, replica))
	before := b.untilHealthy(t, replica.ID)
	b.SetHealthy(replica.ID, false)
	start := time.Now()
	after := b.report(t, before.Sequence, patience)
	if after.Sequence == before.Sequence || time.Since(start) >= patience {
		t.Errorf("report came after %s with sequence %d, want another than %d at once", time.Since(start), after.Sequence, before.Sequence)
	}
}

func routerWaits(t *testing.T, b RouterBench) {
	replica := b.NewReplica(t)
	b.push(t, tableOf(1, replica))
	before := b.untilHealthy(t, replica.ID)
	start := time.Now()
	after := b.report(t, before.Sequence, 50*time.Millisecond)
	if waited := time.Since(start); waited < 40*time.Millisecond || after.Sequence != before.Sequence {
		t.Errorf("report came after %s with sequence %d, want %d after 50ms", waited, after.Sequence, before.Sequence)
	}
}

func routerCancel(t *testing.T, b RouterBench) {
	replica := b.NewReplica(t)
	b.push(t, tableOf(1, replica))
	before := b.untilHealthy(t, replica.ID)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := b.Router.Report(ctx, b.Endpoint, before.Sequence, patience); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want the context's", err)
	}
}

func routerDrain(t *testing.T, b RouterBench) {
	replica := b.NewReplica(t)
	b.push(t, tableOf(1, replica))
	b.untilHealthy(t, replica.ID)
	release := b.Hold(t, "digits", replica.ID)
	b.until(t, "one open request", func(r reconcile.Report) bool { return r.Replicas[replica.ID].InFlight == 1 })

	replica.Drain = true
	b.push(t, tableOf(2, replica))
	report := b.report(t, 0, 0)
	if h := report.Replicas[replica.ID]; h.InFlight != 1 || h.Healthy {
		t.Errorf("draining replica = %+v, want one open request and no claim of health", h)
	}
	release()
	if after := b.report(t, report.Sequence, patience); after.Sequence == report.Sequence || after.Replicas[replica.ID].InFlight != 0 {
		t.Errorf("report after the last request = %+v, want a new sequence and nothing in flight", after)
	}

	replica.Drain = false // the instant way back
	b.push(t, tableOf(3, replica))
	b.untilHealthy(t, replica.ID)
}

func routerRemoved(t *testing.T, b RouterBench) {
	stays, leaves := b.NewReplica(t), b.NewReplica(t)
	b.push(t, tableOf(1, stays, leaves))
	b.push(t, tableOf(2, stays))
	report := b.report(t, 0, 0)
	if _, there := report.Replicas[leaves.ID]; there || len(report.Replicas) != 1 {
		t.Errorf("report = %+v, want %s alone", report, stays.ID)
	}
}

func routerAway(t *testing.T, b RouterBench) {
	b.Stop()
	_, tableErr := b.Router.Table(t.Context(), b.Endpoint)
	_, reportErr := b.Router.Report(t.Context(), b.Endpoint, 0, 0)
	calls := map[string]error{
		"Push":   b.Router.Push(t.Context(), b.Endpoint, tableOf(1, reconcile.RoutedReplica{ID: "a", Address: "127.0.0.1:80"})),
		"Table":  tableErr,
		"Report": reportErr,
	}
	for call, err := range calls {
		if !errors.Is(err, reconcile.ErrRouterUnavailable) || !strings.Contains(fmt.Sprint(err), b.Endpoint) {
			t.Errorf("%s = %v, want ErrRouterUnavailable and the endpoint", call, err)
		}
	}
}
