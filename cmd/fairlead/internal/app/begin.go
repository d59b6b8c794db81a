package app

import (
	"context"
	"log/slog"
	"path/filepath"

	metricstore "github.com/fairlead/fairlead/providers/metrics"
	"github.com/fairlead/fairlead/providers/statefile"
	"github.com/fairlead/fairlead/reconcile/controller"
)

// Begin opens what a process that acts needs, and what no two processes may have
// open: the journal and the embedded metrics. Whoever calls it holds the Lock.
func (s *Site) Begin(ctx context.Context, log *slog.Logger) error {
	if err := s.openCertificate(ctx, log); err != nil {
		return err
	}
	if err := s.openMetrics(ctx, log); err != nil {
		return err
	}
	if err := s.openSigner(); err != nil {
		return err
	}
	s.beginNoting()
	s.openNotifications(statefile.NewStore(filepath.Join(s.Config.Data, "state")), log)
	if s.Snapshots != nil {
		// Else what happens before a revision is followed would be told to nobody.
		if last, err := s.Snapshots.LastGood(ctx); err == nil {
			if cfg, err := s.Load(ctx, last.Tree); err == nil {
				s.settleNotifiers(cfg)
			}
		}
	}
	return s.openJournal(log)
}

// openMetrics opens the embedded store, or names the Prometheus elsewhere.
func (s *Site) openMetrics(ctx context.Context, log *slog.Logger) error {
	c := s.Config
	if c.MetricsURL != "" {
		external, err := metricstore.NewExternal(metricstore.ExternalOptions{URL: c.MetricsURL, TokenFile: c.MetricsTokenFile, CAFile: c.MetricsCAFile, Log: log})
		s.Metrics = external
		return err
	}
	embedded, err := metricstore.Open(metricstore.Options{Dir: filepath.Join(c.Data, "metrics"), Retention: c.MetricsRetention, Log: log})
	if err != nil {
		return err
	}
	s.close = append(s.close, embedded.Close)
	own, err := serveModelMetrics(ctx, s.models)
	if err != nil {
		return err
	}
	s.close = append(s.close, own.Close)
	handler := embedded.Handler()
	s.prometheus.Store(&handler)
	s.Metrics, s.Scraper = embedded, &withDaemon{embedded, daemonTarget(c.scope(), own.address())}
	return nil
}

// models is how every model is doing, as the newest controller sees it.
func (s *Site) models() []controller.ModelStatus {
	if c := s.current.Load(); c != nil {
		return c.Status().Models
	}
	return nil
}
