package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"
)

// A shadow rollout copies requests to the candidate. The copy is sent when the
// client has its answer from stable, so nothing that the candidate does can slow
// stable down: all that is done meanwhile is to keep the two bodies. The
// candidate's answer is compared and dropped. Copies are no requests of the
// candidate: they are not among its metrics.
const (
	// maxCopies bounds the copies of one model that are under way: what is more
	// is dropped, so a candidate that hangs takes no more than these.
	maxCopies = 32
	// copyTimeout bounds a copy, as far as the route does not anyway.
	copyTimeout = 30 * time.Second
	// mirroredHeader tells a model server that nobody waits for the answer.
	mirroredHeader = "X-Fairlead-Mirrored"
)

// Why a copy was not sent, or not compared.
const (
	dropBusy      = "busy"       // too many are under way
	dropTooLarge  = "too_large"  // a body is too large to be kept, or memory is short
	dropNoReplica = "no_replica" // the candidate has none that is ready
	dropDrained   = "drained"    // the candidate's replica was taken out meanwhile
	dropEncoding  = "encoding"   // an answer cannot be decoded
)

// shadows draws whether the request is to be copied. The copies are as many of
// 100 requests as the table says, evenly spread.
func (m *model) shadows(r *http.Request) bool {
	if m.mirror == nil || isUpgrade(r) || m.oip && r.Method != http.MethodPost {
		return false // of the Open Inference Protocol only inferences can be compared
	}
	n, percent := m.lasting.copied.Add(1), uint64(m.mirror.Percent)
	if n*percent/100 == (n-1)*percent/100 {
		return false
	}
	if m.lasting.copying.Load() >= maxCopies {
		m.candidate.dropCopy(dropBusy)
		return false
	}
	return true
}

func (rev *revision) dropCopy(reason string) {
	rev.series.count(rev.series.metrics.copiesDropped, reason)
}

// copies ends the copies that a replica is answering when it closes. Nobody waits
// for them, so they must not hold up its drain.
type copies struct {
	mu     sync.Mutex
	ctx    context.Context
	cancel context.CancelFunc
}

func (c *copies) context(parent context.Context) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil {
		c.ctx, c.cancel = context.WithCancel(parent)
	}
	return c.ctx
}

func (c *copies) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel()
		c.ctx, c.cancel = nil, nil
	}
}

// background runs what outlasts a request, until the gateway stops.
type background struct {
	mu      sync.Mutex
	stopped bool
	running sync.WaitGroup
}

func (b *background) start(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.stopped {
		b.running.Go(f)
	}
	return !b.stopped
}

// stop waits for what runs, and lets nothing start any more.
func (b *background) stop() {
	b.mu.Lock()
	b.stopped = true
	b.mu.Unlock()
	b.running.Wait()
}

// duplicate is one copy of a request, and the answer that it is compared with.
type duplicate struct {
	model   *model
	request *http.Request // as stable got it
	body    []byte
	stable  heard
	timeout time.Duration
	kept    *budget // for the candidate's answer
}

// shadow sends a copy of the request that the exchange has carried. It reports
// false if there is none; else the captures are let go when the copy has ended.
func (s *Server) shadow(x *exchange) bool {
	body, m := x.payload, x.model
	requestWhole := x.body == nil || body != nil
	if !requestWhole {
		body, requestWhole = x.kept.whole()
	}
	answer, answerWhole := x.answer.kept.whole()
	if !requestWhole || !answerWhole {
		m.candidate.dropCopy(dropTooLarge)
		return false
	}
	if m.lasting.copying.Add(1) > maxCopies {
		m.lasting.copying.Add(-1)
		m.candidate.dropCopy(dropBusy)
		return false
	}
	d := duplicate{
		model: m, request: x.sent, body: body, timeout: min(x.timeout(), copyTimeout), kept: s.kept,
		stable: heard{status: x.answer.status, encoding: x.watched.encoding, body: answer},
	}
	requestKept, answerKept := x.kept, x.answer.kept
	started := s.copying.start(func() {
		defer m.lasting.copying.Add(-1)
		defer requestKept.letGo()
		defer answerKept.letGo()
		d.run(s.alive)
	})
	if !started {
		m.lasting.copying.Add(-1)
	}
	return started
}

// run sends the copy and compares the answers.
func (d duplicate) run(alive context.Context) {
	candidate := d.model.candidate
	r := candidate.leastLoaded(nil, true)
	if r == nil {
		candidate.dropCopy(dropNoReplica)
		return
	}
	open := r.copies.context(alive)
	if !r.take() {
		candidate.dropCopy(dropNoReplica)
		return
	}
	kept := &capture{budget: d.kept, limit: maxKept + 1}
	defer kept.letGo()
	answer, err := d.ask(open, r, kept)
	series := candidate.series
	switch {
	case errors.Is(err, errNoMemory):
		candidate.dropCopy(dropTooLarge)
	case err != nil && open.Err() != nil, alive.Err() != nil:
		candidate.dropCopy(dropDrained)
	case err != nil || answer.status >= http.StatusInternalServerError:
		series.count(series.metrics.compared, "failed")
	default:
		d.judge(answer, series)
	}
}

// ask sends the copy to a booked replica, which is released with its answer: what
// is done with that is not the replica's business.
func (d duplicate) ask(open context.Context, r *replica, kept *capture) (heard, error) {
	defer r.release()
	defer r.circuit.trying.Store(false) // should it have been one: a copy proves nothing
	ctx, cancel := context.WithTimeout(open, d.timeout)
	defer cancel()
	return d.send(ctx, r, kept)
}

var errNoMemory = errors.New("there is no memory to keep the answer")

// send asks the candidate and hears its whole answer.
func (d duplicate) send(ctx context.Context, r *replica, kept *capture) (heard, error) {
	target := url.URL{Scheme: "http", Host: r.address, Path: d.request.URL.Path, RawPath: d.request.URL.RawPath, RawQuery: d.request.URL.RawQuery}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wire resends // a copy is sent once
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if wire.next(info) {
			cancel(errBroken)
			_ = info.Conn.Close()
		}
	}})
	request, err := http.NewRequestWithContext(ctx, d.request.Method, target.String(), bytes.NewReader(d.body))
	if err != nil {
		return heard{}, err
	}
	request.Header, request.Host = d.request.Header.Clone(), d.request.Host
	request.Header.Set(mirroredHeader, "1")
	request.Header.Del("Expect") // the body is here: nothing to wait for
	answer, err := r.transport.RoundTrip(request)
	if err != nil {
		if connectFailed(err) && ctx.Err() == nil {
			r.suspect(err)
		}
		return heard{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	// One byte too many is kept: such an answer is not like stable's.
	if _, err := io.Copy(io.Discard, &keptReader{Reader: io.LimitReader(answer.Body, maxKept+1), kept: kept}); err != nil {
		return heard{}, err
	}
	body, whole := kept.whole()
	if !whole {
		return heard{}, errNoMemory
	}
	return heard{status: answer.StatusCode, encoding: answer.Header.Get("Content-Encoding"), body: body}, nil
}

// judge counts whether the candidate agrees with stable, how far it is away, and
// the values that it gave: of stable's answers they are counted as always.
func (d duplicate) judge(candidate heard, series *series) {
	if d.model.oip && candidate.status/100 == 2 && candidate.encoding == "" && len(candidate.body) <= maxSampled &&
		series.sampling.admit(time.Now(), samplesPerSecond) {
		sample{series: series, outputs: d.model.outputs, body: candidate.body}.count()
	}
	if d.stable.encoding != "" || candidate.encoding != "" {
		if !d.kept.take(2 * maxPlain) {
			d.model.candidate.dropCopy(dropTooLarge)
			return
		}
		defer d.kept.give(2 * maxPlain)
	}
	c := comparison{tolerance: d.model.mirror.Tolerance, outputs: d.model.outputs}
	agree, err := c.compare(d.model.oip, d.stable, candidate)
	if err != nil {
		d.model.candidate.dropCopy(dropEncoding)
		return
	}
	result := "differ"
	if agree {
		result = "agree"
	}
	series.count(series.metrics.compared, result)
	for name, distance := range c.distances {
		if h := series.histogram(series.metrics.distance, name); h != nil {
			(*h).Observe(distance)
		}
	}
}
