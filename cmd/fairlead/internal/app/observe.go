package app

import (
	"cmp"
	"context"
	"log/slog"
	"net/url"

	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/rollout"
)

// observe turns an event of the controller into a log line and metrics. This is
// the one place that logs what the loop does.
func (d *Daemon) observe(e controller.Event) {
	d.metrics.observe(e)
	d.spread(e)
	level, ok := levelOf(e)
	if !ok {
		return
	}
	attrs := []slog.Attr{slog.String("event", string(e.Type))}
	if e.Address.Kind != "" {
		attrs = append(attrs, slog.String("object", e.Address.String()))
	}
	if e.Name != "" {
		attrs = append(attrs, slog.String("container", e.Name))
	}
	if e.Verb != "" {
		attrs = append(attrs, slog.String("action", string(e.Verb)))
	}
	if e.Phase != "" {
		attrs = append(attrs, slog.String("phase", string(e.Phase)))
	}
	if e.Commit != "" {
		attrs = append(attrs, slog.String("commit", e.Commit))
	}
	if entry := e.Entry; entry != nil {
		attrs = append(attrs, slog.String("decision", string(entry.Action)), slog.String("actor", entry.Actor),
			slog.String("from", entry.From), slog.String("to", entry.To), slog.Int("weight", entry.Weight))
	}
	if e.Ended != nil {
		attrs = append(attrs, slog.String("outcome", string(e.Ended.Outcome)))
	}
	if e.Verdict != nil {
		attrs = append(attrs, slog.String("check", e.Verdict.Check), slog.String("outcome", string(e.Verdict.Outcome)))
	}
	if e.Took > 0 {
		attrs = append(attrs, slog.Duration("took", e.Took))
	}
	message := cmp.Or(e.Message, string(e.Phase)) // a steady model gives no reason
	d.log.LogAttrs(context.Background(), level, message, attrs...)
}

func levelOf(e controller.Event) (slog.Level, bool) {
	switch e.Type {
	case controller.Resynced, controller.Reconciled:
		return 0, false
	case controller.ActionStarted, controller.Pulling, controller.TablePushed:
		return slog.LevelDebug, true
	case controller.Measured:
		if e.Verdict.Outcome == judge.Pass {
			return slog.LevelDebug, true
		}
		return slog.LevelInfo, true
	case controller.JournalFailed, controller.MetricsFailed:
		return slog.LevelError, true
	case controller.CommitRefused, controller.SourceFailed, controller.EngineFailed, controller.GatewayFailed, controller.ActionFailed:
		return slog.LevelError, true
	case controller.PhaseChanged:
		if e.Phase == rollout.Degraded || e.Phase == rollout.Held {
			return slog.LevelWarn, true
		}
		return slog.LevelInfo, true
	case controller.DriftHealed:
		return slog.LevelWarn, true
	case controller.Decided, controller.JournalRecovered, controller.MetricsRecovered, controller.CommitAccepted, controller.SourceRecovered, controller.EngineRecovered, controller.GatewayAnswers, controller.ActionDone:
		return slog.LevelInfo, true
	}
	return slog.LevelInfo, true
}

// redact takes user and password out of a URL.
func redact(repo string) string {
	u, err := url.Parse(repo)
	if err != nil || u.User == nil {
		return repo
	}
	u.User = nil
	return u.String()
}
