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
func (a *api) targets(w http.ResponseWriter, _ *http.Request) {
	groups := []targetGroup{}
	if c := a.daemon.current.Load(); c != nil {
		for _, t := range c.ScrapeTargets() {
			groups = append(groups, group(t))
		}
	}
	if a.config.Listen != "" {
		groups = append(groups, group(reconcile.ScrapeTarget{Job: daemonJob, Address: a.config.Listen, Path: "/metrics"}))
	}
	writeJSON(w, http.StatusOK, groups)
}

// daemonJob is the job label of the daemon's own metrics.
const daemonJob = "fairlead"

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
	address string
}

// Scrape implements reconcile.Scraper. The daemon is scraped as often as the
// gateway, so that both tell of the same moments.
func (s *withDaemon) Scrape(targets []reconcile.ScrapeTarget) {
	own := reconcile.ScrapeTarget{Job: daemonJob, Address: s.address, Path: "/metrics"}
	for _, t := range targets {
		if t.Job == "gateway" {
			own.Interval = t.Interval
		}
	}
	s.Scraper.Scrape(append(slices.Clone(targets), own))
}
