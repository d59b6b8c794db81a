package openlineage

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

const (
	maxWaiting   = 1000             // events in the queue
	giveUpAfter  = time.Hour        // of trying one event
	requestLimit = 10 * time.Second // for one request
	closeLimit   = 5 * time.Second  // for all that Close still sends
	firstBackoff = time.Second
	maxBackoff   = time.Minute
	maxAnswer    = 64 << 10 // bytes read of an answer
)

// Options say where events go.
type Options struct {
	// URL takes the events, as http://marquez:5000/api/v1/lineage.
	URL string
	// Key is sent as a bearer token, if there is one.
	Key spec.Sensitive
	// Repo is the URL of the config repo, as sourceCodeLocation shows it; "" leaves
	// that facet out. Credentials in it are left out.
	Repo string
	// Backoff is the wait after the first failure; each next one is twice as long, at
	// most a minute. 0 is a second.
	Backoff time.Duration
	Log     *slog.Logger // nil: nothing is logged
}

// Client sends events to a service, one after the other and in their order. Its
// methods are safe for concurrent use.
type Client struct {
	opts  Options
	shown string // the URL without what may be secret
	http  *http.Client

	stop    context.CancelFunc // ends the request under way
	closing chan struct{}      // closed by Close
	wake    chan struct{}      // holds one if something was queued
	done    chan struct{}      // closed when nothing more is sent

	mu     sync.Mutex
	closed bool
	queue  []queued
	stats  Stats
}

var _ run.Lineage = (*Client)(nil)

// queued is an event that waits.
type queued struct {
	body  []byte
	since time.Time
}

// Stats count events since New.
type Stats struct {
	Sent    int64
	Dropped int64 // refused, given up, or pushed out of a full queue
	Waiting int
}

// New returns a client that sends until Close is called.
func New(opts Options) (*Client, error) {
	u, err := url.Parse(opts.URL)
	switch {
	case err != nil:
		return nil, errors.New("the URL for OpenLineage events does not parse") // err would quote it
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("the URL for OpenLineage events, %q, needs http:// or https:// and a host, as http://marquez:5000/api/v1/lineage", shown(u))
	case u.User != nil:
		return nil, fmt.Errorf("the URL for OpenLineage events, %q, holds credentials; give the key apart from it", shown(u))
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is documented to be one
	opts.Backoff = cmp.Or(opts.Backoff, firstBackoff)
	opts.Log = cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	opts.Repo = repoURL(opts.Repo)
	ctx, stop := context.WithCancel(context.Background())
	c := &Client{
		opts: opts, shown: shown(u), stop: stop,
		// A redirect would lose the event, or carry the key elsewhere.
		http:    &http.Client{Transport: transport, Timeout: requestLimit, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		closing: make(chan struct{}), wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go c.send(ctx)
	return c, nil
}

// shown is a URL for messages: keys may be in its query.
func shown(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// Emit implements run.Lineage. ctx does not count for it: an event about a run that
// was cancelled is sent, too.
func (c *Client) Emit(_ context.Context, e run.Event) {
	body, err := json.Marshal(Event(e, c.opts.Repo))
	if err != nil {
		c.drop(1, "an OpenLineage event cannot be written", slog.String("run", e.Run.ID), slog.Any("error", err))
		return
	}
	if pushedOut, closed := c.push(queued{body, time.Now()}); closed {
		c.drop(1, "an OpenLineage event came after the end", slog.String("run", e.Run.ID))
	} else if pushedOut {
		c.drop(1, "too many OpenLineage events wait; the oldest is dropped", slog.Int("waiting", maxWaiting))
	}
}

// push appends an event. The oldest goes where there is no room.
func (c *Client) push(q queued) (pushedOut, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false, true
	}
	if len(c.queue) >= maxWaiting {
		c.queue, pushedOut = c.queue[1:], true
	}
	c.queue = append(c.queue, q)
	select {
	case c.wake <- struct{}{}:
	default: // it will be seen
	}
	return pushedOut, false
}

// pop takes the oldest event.
func (c *Client) pop() (queued, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return queued{}, false
	}
	q := c.queue[0]
	c.queue = c.queue[1:]
	return q, true
}

func (c *Client) drop(n int64, why string, about ...slog.Attr) {
	c.mu.Lock()
	c.stats.Dropped += n
	c.mu.Unlock()
	c.opts.Log.LogAttrs(context.Background(), slog.LevelWarn, why, append(about, slog.String("url", c.shown))...)
}

// Stats tells what became of the events so far.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Waiting = len(c.queue)
	return s
}

// Close sends what waits, for at most five seconds and without trying anything
// twice, and ends the client. The error says how much was not sent.
func (c *Client) Close() error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.mu.Unlock()
	if first {
		close(c.closing)
		timer := time.AfterFunc(closeLimit, c.stop)
		defer timer.Stop()
	}
	<-c.done
	c.stop()
	c.http.CloseIdleConnections()
	if left := c.Stats().Waiting; first && left > 0 {
		c.drop(int64(left), "OpenLineage events were not sent before the end", slog.Int("events", left))
		return fmt.Errorf("%d OpenLineage events could not be sent to %s before the end", left, c.shown)
	}
	return nil
}

// send sends until the client is closed and the queue is empty, or a request fails
// after it was closed.
func (c *Client) send(ctx context.Context) {
	defer close(c.done)
	for {
		q, found := c.pop()
		if !found {
			select {
			case <-c.wake:
				continue
			case <-c.closing:
			}
			if q, found = c.pop(); !found { // it may have come between the two
				return
			}
		}
		if !c.deliver(ctx, q) {
			c.mu.Lock()
			c.queue = append([]queued{q}, c.queue...)
			c.mu.Unlock()
			return
		}
	}
}

// deliver sends one event, again and again where that may help. It is false if the
// client was closed before anything became of it.
func (c *Client) deliver(ctx context.Context, q queued) bool {
	for wait := c.opts.Backoff; ; wait = min(2*wait, maxBackoff) {
		last := c.isClosing()
		err := c.post(ctx, q.body)
		var refused *refusedError
		switch {
		case err == nil:
			c.mu.Lock()
			c.stats.Sent++
			c.mu.Unlock()
			return true
		case errors.As(err, &refused):
			c.drop(1, "an OpenLineage event was refused", slog.Any("error", err))
			return true
		case last:
			return false
		case time.Since(q.since) > giveUpAfter:
			c.drop(1, "an OpenLineage event is given up", slog.Any("error", err))
			return true
		}
		c.opts.Log.LogAttrs(ctx, slog.LevelDebug, "an OpenLineage event is tried again", slog.Any("error", err), slog.Duration("after", wait))
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-c.closing: // once more, at once
			timer.Stop()
		}
	}
}

func (c *Client) isClosing() bool {
	select {
	case <-c.closing:
		return true
	default:
		return false
	}
}

// refusedError is an answer that would be the same the next time.
type refusedError struct {
	status int
	text   string
}

func (e *refusedError) Error() string {
	hint := "the service does not take such events"
	switch {
	case e.status/100 == 3:
		hint = "it redirects, which is not followed; give the URL that it redirects to"
	case e.status == http.StatusUnauthorized, e.status == http.StatusForbidden:
		hint = "check the key"
	case e.status == http.StatusNotFound, e.status == http.StatusMethodNotAllowed:
		hint = "check the URL, it ends with /api/v1/lineage as a rule"
	}
	return fmt.Sprintf("status %d: %q; %s", e.status, e.text, hint)
}

// post sends one event.
func (c *Client) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.opts.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "fairlead")
	if !c.opts.Key.IsZero() {
		req.Header.Set("Authorization", "Bearer "+c.opts.Key.Reveal())
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var withURL *url.Error
		if errors.As(err, &withURL) {
			err = withURL.Err // the URL may hold a key
		}
		return fmt.Errorf("send to %s: %w", c.shown, err)
	}
	defer func() { _ = resp.Body.Close() }() // read only
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	text := fmt.Sprintf("%.200s", answer)
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusRequestTimeout:
		return fmt.Errorf("send to %s: status %d: %q", c.shown, resp.StatusCode, text)
	default:
		return &refusedError{resp.StatusCode, text}
	}
}
