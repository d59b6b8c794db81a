package metrics

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/scrape"

	"github.com/fairlead/fairlead/reconcile"
)

// retarget is how soon a new set of targets takes effect.
const retarget = 200 * time.Millisecond

// scraper scrapes a set of targets into an ingest.
type scraper struct {
	log     *slog.Logger
	manager *scrape.Manager
	pools   pools
	sets    chan map[string][]*targetgroup.Group
	stopped chan struct{}
}

func startScraper(into *ingest, log *slog.Logger) (*scraper, error) {
	// Each target's troubles are in its "up", and the store's are told by ingest;
	// what the manager would log is the same again with every scrape.
	silent := slog.New(slog.DiscardHandler)
	manager, err := scrape.NewManager(&scrape.Options{DiscoveryReloadInterval: model.Duration(retarget)},
		silent, nil, nil, into, prometheus.NewRegistry())
	if err != nil {
		return nil, fmt.Errorf("start the scraper: %w", err)
	}
	s := &scraper{
		log: log, manager: manager, pools: pools{},
		sets: make(chan map[string][]*targetgroup.Group), stopped: make(chan struct{}),
	}
	go func() {
		defer close(s.stopped)
		_ = manager.Run(s.sets) // returns nil, when it is stopped
	}()
	return s, nil
}

// scrape replaces the targets.
func (s *scraper) scrape(targets []reconcile.ScrapeTarget) error {
	groups, changed := s.pools.arrange(targets)
	if changed {
		cfg, err := s.pools.config(s.log)
		if err != nil {
			return err
		}
		if err := s.manager.ApplyConfig(cfg); err != nil {
			return fmt.Errorf("configure the scraper: %w", err)
		}
	}
	s.sets <- groups
	return nil
}

// stop ends all scrapes. Nothing is written any more when it returns.
func (s *scraper) stop() {
	if s == nil {
		return // it never started
	}
	// The manager may look at its targets once more after it was stopped, and
	// would begin to scrape those that it does not know yet. So they go first;
	// that it takes the second set shows that it has stored the first.
	for range 2 {
		s.sets <- nil
	}
	s.manager.Stop()
	<-s.stopped
}
