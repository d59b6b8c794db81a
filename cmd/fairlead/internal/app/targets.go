package app

import (
	"net/http"
	"slices"

	"github.com/fairlead/fairlead/reconcile"
)

// targetGroup is one element of what Prometheus' http_sd reads.
type targetGroup struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels,omitempty"`
}

// targets tells a Prometheus elsewhere what to scrape, by its http_sd: the
// gateway, models with metrics of their own, and this daemon where it listens on
// TCP. The path and the interval of each stand in the labels that Prometheus
// reads them from. The addresses are those of the environment's network, which
// the host of the engine reaches.
//
// Checks select by the labels job and environment. Both stand in what is told
// here, as they do in the embedded store, and Prometheus keeps them as long as no
// relabelling changes them.
func (a *api) targets(w http.ResponseWriter, _ *http.Request) {
	groups := []targetGroup{}
	if c := a.daemon.current.Load(); c != nil {
		for _, t := range c.ScrapeTargets() {
			groups = append(groups, group(t))
		}
	}
	if a.config.Listen != "" {
		groups = append(groups, group(daemonTarget(a.config.scope(), a.config.Listen)))
	}
	writeJSON(w, http.StatusOK, groups)
}

// daemonTarget is the daemon's own endpoint. Its instance is not its address,
// which may change with a restart: the restarts that it counts are the same ones,
// and would count again.
func daemonTarget(scope reconcile.Scope, address string) reconcile.ScrapeTarget {
	return reconcile.ScrapeTarget{
		Job: reconcile.JobDaemon, Address: address, Path: "/metrics",
		Labels: map[string]string{reconcile.MetricEnvironment: scope.Environment, "instance": scope.NetworkName()},
	}
}

func group(t reconcile.ScrapeTarget) targetGroup {
	labels := map[string]string{"job": t.Job, "__metrics_path__": t.Path}
	if t.Interval > 0 {
		labels["__scrape_interval__"] = t.Interval.String()
	}
	for name, value := range t.Labels {
		labels[name] = value
	}
	return targetGroup{Targets: []string{t.Address}, Labels: labels}
}

// withDaemon is a Scraper that also scrapes the daemon itself: the restarts of
// replicas are something that only it knows.
type withDaemon struct {
	reconcile.Scraper
	own reconcile.ScrapeTarget
}

// Scrape implements reconcile.Scraper. The daemon is scraped as often as the
// gateway, so that both tell of the same moments.
func (s *withDaemon) Scrape(targets []reconcile.ScrapeTarget) {
	own := s.own
	for _, t := range targets {
		if t.Job == reconcile.JobGateway {
			own.Interval = t.Interval
		}
	}
	s.Scraper.Scrape(append(slices.Clone(targets), own))
}
