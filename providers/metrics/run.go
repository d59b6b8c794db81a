package metrics

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// run owns the scraper and looks after the store until Close.
func (e *Embedded) run() {
	defer close(e.closed)
	ticker := time.NewTicker(checkup)
	defer ticker.Stop()
	var (
		scraping *scraper
		targets  []reconcile.ScrapeTarget
	)
	defer func() { scraping.stop() }()
	for {
		if scraping == nil {
			scraping = e.startScraping(targets)
		}
		select {
		case <-e.closing.Done():
			return
		case targets = <-e.targets:
			e.retarget(scraping, targets)
		case <-ticker.C:
			if e.clockWentBack() {
				scraping.stop()
				scraping = nil
				e.beginAnew()
			}
		}
	}
}

// startScraping returns nil if the store is not open and cannot be opened.
func (e *Embedded) startScraping(targets []reconcile.ScrapeTarget) *scraper {
	if before := e.whyDown(); before != nil {
		if err := e.open(); err != nil {
			if err.Error() != before.Error() { // it is tried again and again
				e.sayDown(err)
			}
			return nil
		}
	}
	s, err := startScraper(e.current(), e.opts.Log)
	if err != nil {
		e.opts.Log.Error("metrics are not scraped", slog.String("err", err.Error()))
		return nil
	}
	e.retarget(s, targets)
	return s
}

// retarget gives the scraper other targets. One that does not run yet gets them
// when it starts.
func (e *Embedded) retarget(s *scraper, targets []reconcile.ScrapeTarget) {
	if s == nil {
		return
	}
	if err := s.scrape(targets); err != nil {
		e.opts.Log.Error("the targets of the scraper stay as they were", slog.String("err", err.Error()))
	}
}

func (e *Embedded) current() *ingest {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.ingest
}

// whyDown returns why the store is not open, or nil if it is.
func (e *Embedded) whyDown() error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.down
}

func (e *Embedded) clockWentBack() bool {
	now := e.current()
	return now != nil && aheadOfClock(now.db, time.Now()) > clockTolerance
}

// beginAnew closes the store, whose newest samples are from the future. Opening it
// again sets it aside.
func (e *Embedded) beginAnew() {
	if err := e.shut(fmt.Errorf("the metrics in %s begin anew: %w", e.opts.Dir, errClock)); err != nil {
		e.opts.Log.Warn("the old metrics were not closed well", slog.String("err", err.Error()))
	}
}
