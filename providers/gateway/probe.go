package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

const (
	// quickProbe is the pause after the first failed probe. It doubles up to the
	// declared interval: a fresh replica is found ready within milliseconds of
	// being so, and one that stays away is not hammered.
	quickProbe = 50 * time.Millisecond
	// toleratedMisses is how many probes in a row may time out before a healthy
	// replica is taken out. A replica that refuses the connection or answers
	// something else than 200 has said what it has to say and is out at once; a
	// time-out may also be a busy host, and taking out one busy replica makes
	// the others busier.
	toleratedMisses = 1
	// probeBody bounds what is read of a probe's answer, so that the connection
	// can be used again.
	probeBody = 64 << 10
)

// prober looks after the health of one replica until ctx ends.
type prober struct {
	replica *replica
	failed  func() // counts a failed probe
	logger  *slog.Logger
}

func (p prober) run(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for delay := quickProbe; ; {
		select {
		case <-ctx.Done():
			return
		case <-p.replica.wake:
			delay = quickProbe
		case <-pause.C:
		}
		probe := p.replica.probe.Load()
		if p.once(ctx) {
			delay = quickProbe
			pause.Reset(jitter(probe.Interval))
			continue
		}
		pause.Reset(min(delay, probe.Interval))
		delay *= 2
	}
}

// once probes and notes what it found.
func (p prober) once(ctx context.Context) (good bool) {
	r := p.replica
	err := p.ask(ctx)
	switch {
	case ctx.Err() != nil:
		return false // stopped: says nothing about the replica
	case err == nil:
		if r.setGood(time.Now()) {
			p.logger.Info("replica is healthy", "model", r.model, "revision", r.revision, "replica", shortID(r.id))
		}
		return true
	}
	p.failed()
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() && r.missed() {
		return false
	}
	if r.setBad(err.Error()) {
		p.logger.Warn("replica is not healthy any more", "model", r.model, "revision", r.revision, "replica", shortID(r.id), "error", err)
	}
	return false
}

// ask makes one probe.
func (p prober) ask(ctx context.Context) error {
	probe := p.replica.probe.Load()
	ctx, cancel := context.WithTimeout(ctx, probe.Timeout)
	defer cancel()
	url := "http://" + p.replica.address + probe.Path
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("probe %s: %w", probe.Path, err)
	}
	request.Header.Set("User-Agent", "fairlead-gateway")
	answer, err := p.replica.probes.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("GET %s within %s: %w", probe.Path, probe.Timeout, err)
	}
	_, _ = io.CopyN(io.Discard, answer.Body, probeBody)
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s answered %s; only 200 is healthy", probe.Path, answer.Status)
	}
	return nil
}

// jitter spreads the probes of many replicas, which all start with one table.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

// shortID is a container id as people write it.
func shortID(id string) string { return id[:min(len(id), 12)] }
