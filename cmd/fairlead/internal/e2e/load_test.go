package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load is requests at a steady pace, from several callers that keep their
// connections. Every eighth request is one that a replica holds for a while: that
// one is lost if a replica is stopped before it is drained.
type load struct {
	cancel   context.CancelFunc
	callers  sync.WaitGroup
	requests atomic.Int64
	failures atomic.Int64

	mu    sync.Mutex
	first []string // failures, for the message
}

const (
	loadCallers = 4
	loadPause   = 25 * time.Millisecond // between two requests of one caller
)

// startLoad asks the url until the test ends or finish is called.
func startLoad(t *testing.T, url string) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	l := &load{cancel: cancel}
	for range loadCallers {
		l.callers.Go(func() { l.call(ctx, url) })
	}
	t.Cleanup(l.stop)
	return l
}

func (l *load) stop() {
	l.cancel()
	l.callers.Wait()
}

// call is one caller. It ends between two requests, so that none is cut off.
func (l *load) call(ctx context.Context, url string) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	pace := time.NewTicker(loadPause)
	defer pace.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		asked := url
		if n%8 == 0 {
			asked += "?wait=300ms"
		}
		l.requests.Add(1)
		if err := get(context.WithoutCancel(ctx), client, asked); err != nil {
			l.failures.Add(1)
			l.mu.Lock()
			if len(l.first) < 5 {
				l.first = append(l.first, fmt.Sprintf("%s: %v", time.Now().Format(time.StampMilli), err))
			}
			l.mu.Unlock()
		}
	}
}

func get(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, text)
	}
	return err
}

// finish ends the load; not one request may have failed.
func (l *load) finish(t *testing.T) {
	t.Helper()
	l.stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.failures.Load(); n > 0 {
		t.Errorf("%d of %d requests failed, the first ones: %v", n, l.requests.Load(), l.first)
	}
	if l.requests.Load() == 0 {
		t.Error("the load made no request")
	}
	t.Logf("%d requests, %d failed", l.requests.Load(), l.failures.Load())
}
