package metrics

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/fairlead/fairlead/reconcile"
)

// appendAt stores one sample, as a scrape at that time would.
func appendAt(t *testing.T, e *Embedded, at time.Time) {
	t.Helper()
	a := e.current().AppenderV2(t.Context())
	if _, err := a.Append(0, labels.FromStrings("__name__", "stamp"), 0, at.UnixMilli(), 1, nil, nil, storage.AppendV2Options{}); err != nil {
		t.Fatal(err)
	}
	if err := a.Commit(); err != nil {
		t.Fatal(err)
	}
}

// untilScraped waits for a scrape that is stored and found now.
func untilScraped(t *testing.T, e *Embedded) {
	t.Helper()
	endpoint := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer endpoint.Close()
	e.Scrape([]reconcile.ScrapeTarget{{
		Job: "model", Address: strings.TrimPrefix(endpoint.URL, "http://"), Interval: 100 * time.Millisecond,
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		got, err := e.Query(ctx, `up`, time.Now())
		if err == nil && len(got) == 1 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("nothing is stored; last answer %v, %v", got, err)
		case <-tick.C:
		}
	}
}

func TestClockThatGoesBack(t *testing.T) {
	cases := map[string]struct {
		ahead    time.Duration
		setAside bool
	}{
		"by seconds is waited out":           {ahead: 3 * time.Second},
		"by hours lets the store begin anew": {ahead: 3 * time.Hour, setAside: true},
		"from the far future as well":        {ahead: 200 * 365 * 24 * time.Hour, setAside: true},
	}
	for name, c := range cases {
		for when, restart := range map[string]bool{"while it runs": false, "between two runs": true} {
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				var log syncBuffer
				opts := Options{Dir: t.TempDir() + "/metrics", Log: slog.New(slog.NewTextHandler(&log, nil))}
				e, err := Open(opts)
				if err != nil {
					t.Fatal(err)
				}
				// A clock that was ahead wrote this; now it is right.
				appendAt(t, e, time.Now().Add(c.ahead))
				if restart {
					if err := e.Close(); err != nil {
						t.Fatal(err)
					}
					if e, err = Open(opts); err != nil {
						t.Fatal(err)
					}
				}
				untilScraped(t, e)
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
				_, err = os.Stat(opts.Dir + ".broken")
				if c.setAside != (err == nil) || c.setAside != strings.Contains(log.String(), errClock.Error()) {
					t.Errorf("set aside: %v, want %v; log: %q", err, c.setAside, log.String())
				}
			})
		}
	}
}

func TestClockThatGoesForwardLosesNothingNew(t *testing.T) {
	e, err := Open(Options{Dir: t.TempDir() + "/metrics"})
	if err != nil {
		t.Fatal(err)
	}
	appendAt(t, e, time.Now().Add(-20*time.Hour)) // the clock was that much behind
	untilScraped(t, e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAheadOfClock(t *testing.T) {
	e, err := Open(Options{Dir: t.TempDir() + "/metrics"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	now := time.Now()
	if got := aheadOfClock(e.current().db, now); got != 0 {
		t.Errorf("an empty store is %s ahead", got)
	}
	appendAt(t, e, now)
	for at, want := range map[time.Time]time.Duration{
		now.Add(time.Hour): 0, now.Add(-time.Hour): time.Hour, time.UnixMilli(math.MinInt64 / 4): math.MaxInt64 / 1e6 * 1e6,
	} {
		if got := aheadOfClock(e.current().db, at); got.Round(time.Second) != want.Round(time.Second) {
			t.Errorf("at %s the store is %s ahead, want %s", at, got, want)
		}
	}
}

func TestClosedStoreIsUnavailable(t *testing.T) {
	e, err := Open(Options{Dir: t.TempDir() + "/metrics"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	e.Scrape(nil)
	e.Scrape(nil) // nobody takes it, and it returns
	if _, err := e.Query(t.Context(), "up", time.Now()); !errors.Is(err, reconcile.ErrMetricsUnavailable) {
		t.Errorf("query = %v, want ErrMetricsUnavailable", err)
	}
}

// syncBuffer is a log that a test reads while others write it.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
