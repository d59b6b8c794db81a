package controller

import (
	"cmp"
	"net"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// How often the gateway is scraped: at rest for graphs, during a rollout so that
// each look at a check finds news.
const (
	restScrape    = 15 * time.Second
	rolloutScrape = 5 * time.Second
	minScrape     = time.Second
	looksPerCheck = 4 // scrapes between two looks at a check
)

// ScrapeTargets are the endpoints that tell metrics about the models. It is nil
// before the first observation, and must not be changed.
func (c *Controller) ScrapeTargets() []reconcile.ScrapeTarget {
	if targets := c.scrape.Load(); targets != nil {
		return *targets
	}
	return nil
}

// aimScrapes tells who scrapes what there is to scrape, when that has changed.
func (l *loop) aimScrapes() {
	targets := l.scrapeTargets()
	if reflect.DeepEqual(targets, l.c.ScrapeTargets()) {
		return
	}
	l.c.scrape.Store(&targets)
	if l.c.opts.Scraper != nil {
		l.c.opts.Scraper.Scrape(slices.Clone(targets))
	}
}

func (l *loop) scrapeTargets() []reconcile.ScrapeTarget {
	var targets []reconcile.ScrapeTarget
	if l.endpoint != "" {
		// Its metrics are open, so it is not shown its token.
		targets = append(targets, reconcile.ScrapeTarget{
			Job: reconcile.JobGateway, Address: l.endpoint, Path: "/metrics", Interval: l.scrapeInterval(),
			// By container: the next gateway may have the same address, and counts
			// from 0.
			Labels: map[string]string{
				reconcile.MetricEnvironment: l.c.opts.Binder.Scope.Environment,
				"instance":                  "gateway-" + l.gateway.ID[:min(12, len(l.gateway.ID))],
			},
		})
	}
	for name, t := range l.desired.Targets {
		scrape, o := t.Model.Metrics, l.objects[key(name)]
		if scrape == nil || o == nil {
			continue
		}
		for _, c := range o.containers {
			if c.State != reconcile.StateRunning || c.Address == "" {
				continue
			}
			targets = append(targets, reconcile.ScrapeTarget{
				Job: reconcile.JobModel, Address: net.JoinHostPort(c.Address, strconv.Itoa(scrape.Port)), Path: scrape.Path, Interval: scrape.Interval,
				Labels: map[string]string{"model": name, "revision": c.Revision, "replica": strconv.Itoa(c.Replica)},
			})
		}
	}
	slices.SortFunc(targets, func(a, b reconcile.ScrapeTarget) int {
		return cmp.Or(cmp.Compare(a.Job, b.Job), cmp.Compare(a.Address, b.Address), cmp.Compare(a.Path, b.Path))
	})
	return targets
}

// scrapeInterval follows the shortest interval of a check that is being looked at.
func (l *loop) scrapeInterval() time.Duration {
	interval := restScrape
	for _, o := range l.objects {
		r := o.ledger.record.Rollout
		if r == nil {
			continue
		}
		interval = min(interval, rolloutScrape)
		for _, c := range r.Policy.Checks {
			interval = min(interval, max(c.Interval/looksPerCheck, minScrape))
		}
	}
	return interval
}
