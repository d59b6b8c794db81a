package e2e

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// traffic is inferences in two ways at once. Callers of the closed loop send the
// next one when they have the answer to the last, so a slow server slows them.
// The open loop sends at its rate whatever comes back, as the world does.
type traffic struct {
	cancel context.CancelFunc
	all    sync.WaitGroup
	client *http.Client
	url    string

	mu       sync.Mutex
	answered map[string]int // by version
	faults   map[string]int // of these, failures on purpose
	failed   int            // all others: those that stable would have served
	first    []string       // of the failed ones, for the message
}

// What a test of evidence needs; a few dozen a second are enough to be missed.
const (
	closedCallers = 8
	openRate      = 120 // per second
)

// failurePause keeps the closed loop from asking as fast as it is refused.
const failurePause = 50 * time.Millisecond

// startTraffic sends inferences to the model below url until the test ends or
// finish is called: of so many callers of the closed loop, and at that rate per
// second.
func startTraffic(t *testing.T, url string, callers, rate int) *traffic {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	l := &traffic{
		cancel: cancel, url: url + "/infer", client: &http.Client{Transport: transport, Timeout: 20 * time.Second},
		answered: map[string]int{}, faults: map[string]int{},
	}
	for range callers {
		l.all.Go(func() {
			for ctx.Err() == nil {
				if l.ask(context.WithoutCancel(ctx)) != nil {
					<-time.After(failurePause)
				}
			}
		})
	}
	l.all.Go(func() { l.open(ctx, rate) })
	t.Cleanup(l.stop)
	return l
}

// open is the open loop. After a hiccup of this machine it sends what is due at
// once, so that the rate holds.
func (l *traffic) open(ctx context.Context, rate int) {
	pace := time.NewTicker(time.Second / time.Duration(rate))
	defer pace.Stop()
	begun := time.Now()
	for sent := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		for due := int(time.Since(begun).Seconds() * float64(rate)); sent < due; sent++ {
			l.all.Go(func() { _ = l.ask(context.WithoutCancel(ctx)) })
		}
	}
}

const inference = `{"inputs":[{"name":"x","datatype":"FP64","shape":[1],"data":[1]}]}`

// ask sends one inference, counts what comes back, and returns its failure.
func (l *traffic) ask(ctx context.Context) error {
	version, fault, err := l.infer(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		l.failed++
		if len(l.first) < 5 {
			l.first = append(l.first, fmt.Sprintf("%s: %v", time.Now().Format(time.StampMilli), err))
		}
	case fault:
		l.faults[version]++
		fallthrough
	default:
		l.answered[version]++
	}
	return err
}

func (l *traffic) infer(ctx context.Context) (version string, fault bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, strings.NewReader(inference))
	if err != nil {
		return "", false, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := l.client.Do(request)
	if err != nil {
		return "", false, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", false, err
	}
	fault = response.Header.Get("Model-Error") != ""
	if response.StatusCode != http.StatusOK && !fault {
		return "", false, fmt.Errorf("%s from version %q: %s", response.Status, response.Header.Get("Model-Version"), text)
	}
	return response.Header.Get("Model-Version"), fault, nil
}

// of is how many requests a version has answered, and how many of them with a
// failure on purpose.
func (l *traffic) of(version string) (answered, faults int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answered[version], l.faults[version]
}

// count is how many requests have ended.
func (l *traffic) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.failed
	for answered := range maps.Values(l.answered) {
		n += answered
	}
	return n
}

func (l *traffic) stop() {
	l.cancel()
	l.all.Wait()
	l.client.CloseIdleConnections()
}

// finish ends the traffic; not one request may have failed, but on purpose.
func (l *traffic) finish(t *testing.T) {
	t.Helper()
	l.stop()
	total := l.count()
	if l.failed > 0 {
		t.Errorf("%d of %d requests failed that stable would have served, the first ones: %v", l.failed, total, l.first)
	}
	if total == 0 {
		t.Error("the traffic made no request")
	}
	t.Logf("%d requests, %d failed that stable would have served; answered by version: %v; failures on purpose: %v",
		total, l.failed, l.answered, l.faults)
}
