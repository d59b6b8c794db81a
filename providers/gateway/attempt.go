package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"
)

// maxTries bounds how often one request is offered to a model: to other replicas,
// or to the same one on another connection.
const maxTries = 3

// RoundTrip implements http.RoundTripper: it asks the model of the route, and its
// fallback where the model fails and the request can be sent once more.
func (x *exchange) RoundTrip(out *http.Request) (*http.Response, error) {
	if trace := httptrace.ContextClientTrace(out.Context()); trace != nil {
		trace.GotConn = x.gotConn // the proxy has made it for this request
	}
	x.begin(out.Context())
	answer, err := x.ask(out)
	reason := x.failure(out, answer, err)
	if reason == "" || !x.mayFallBack() {
		return answer, err
	}
	if answer != nil {
		discard(answer.Body)
	}
	if x.replica != nil {
		x.settle(outcome5xx) // an answer of the fallback hides no failure of the model
	}
	x.clock.stop()
	x.cancel(nil)
	x.fallBack(out, reason)
	x.begin(out.Context())
	return x.ask(out)
}

// begin starts the time that a model has to answer.
func (x *exchange) begin(ctx context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	x.ctx, x.cancel, x.tries = ctx, cancel, 0
	if x.clock == nil {
		x.clock = &clock{} // not the exchange's own: a body may be read when that is over
		x.answer.clock = x.clock
		x.body.measure(x.clock)
	}
	x.clock.start(x.timeout(), func() { cancel(errTimeout) })
}

// failure tells why the fallback has to answer, or "" if the answer stands.
func (x *exchange) failure(out *http.Request, answer *http.Response, err error) string {
	if x.route.fallback == nil || x.fellBack || isUpgrade(out) || !x.replayable() {
		return ""
	}
	switch {
	case err == nil && answer.StatusCode >= http.StatusInternalServerError:
		return "5xx"
	case err == nil || out.Context().Err() != nil || x.body.why() != bodyFine:
		return "" // the model's own answer, or the client's doing
	case errors.Is(context.Cause(x.ctx), errTimeout):
		return "timeout"
	case x.replica == nil:
		return "no_replica"
	default:
		return "5xx" // the connection broke: the client would get a 502
	}
}

// discard reads what little is left of an answer, so that its connection can be
// used again.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 16<<10)
	_ = body.Close()
}

// ask offers the request to replicas of the model, one after the other. Another
// one is tried where nothing was sent, since the connect failed; and where the
// request may be repeated, within the model's budget.
func (x *exchange) ask(out *http.Request) (*http.Response, error) {
	failure := errNoReplica
	for x.tries < maxTries && x.book(out) {
		if x.tries++; x.tries > 1 {
			x.server.metrics.retries.WithLabelValues(x.model.name).Inc()
		}
		answer, err := x.send(out)
		switch {
		case err == nil || x.ctx.Err() != nil:
			return answer, err
		case connectFailed(err):
			x.tried = append(x.tried, x.replica)
			x.replica.suspect(err)
			x.unbook()
			x.started = time.Now()
		case x.tries < maxTries && x.mayRepeat(out):
			x.tried = append(x.tried, x.replica)
			x.settle(outcome5xx)
			x.started, x.counted = time.Now(), true // the next replica answers for its own time
		default:
			return nil, err
		}
		failure = err
	}
	return nil, failure
}

// send passes the request to the booked replica.
func (x *exchange) send(out *http.Request) (*http.Response, error) {
	if x.sends++; x.sends > 1 {
		ownURL(out)
	}
	out.URL.Host = x.replica.address
	x.sent = out.WithContext(x.ctx)
	x.loadBody(x.sent)
	x.wire = resends{}
	return x.replica.transport.RoundTrip(x.sent)
}

// ownURL makes the address of the request its own: the transport of a failed
// attempt may still look at the one before.
func ownURL(out *http.Request) {
	target := *out.URL
	out.URL = &target
}

// connectFailed tells whether no connection came about, so that the request
// cannot have reached the replica.
func connectFailed(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// mayRepeat tells whether a request that may have reached a replica, and got no
// byte of an answer, is sent to another one.
func (x *exchange) mayRepeat(out *http.Request) bool {
	return repeatable(out) && !isUpgrade(out) && x.replayable() && x.body.why() == bodyFine &&
		x.model.spare(x.side, append(x.tried, x.replica)) && x.model.lasting.retries.spend(time.Now())
}

func isUpgrade(r *http.Request) bool { return len(r.Header["Upgrade"]) > 0 }

// replayable tells whether the whole body can be sent again.
func (x *exchange) replayable() bool {
	if x.body == nil || x.payload != nil {
		return true
	}
	_, whole := x.kept.whole()
	return whole
}

// loadBody gives the request a body that starts at its first byte. After a
// failed connect nothing of a streamed body was read, so it still does.
func (x *exchange) loadBody(out *http.Request) {
	payload := x.payload // the transport may outlive the exchange
	if kept, whole := x.kept.whole(); whole {
		payload = kept
	}
	switch {
	case payload != nil:
		out.Body = io.NopCloser(bytes.NewReader(payload))
		// With it the transport repeats by itself what met a connection that
		// the replica was just closing, before anything was written.
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(payload)), nil }
	case x.body != nil:
		out.Body = io.NopCloser(x.body) // closing it is the server's business
	}
}

// book chooses a replica and books the request on it, or on one of the fallback
// model. It reports false if there is none.
func (x *exchange) book(out *http.Request) bool {
	for {
		if x.side == nil {
			x.side, x.cookie = x.model.side(out)
		}
		rev, r := x.model.pick(x.side, x.tried)
		switch {
		case r != nil && r.take():
			x.revision, x.replica = rev, r
			return true
		case x.catchUp():
			// What was chosen has been closed since the request was matched.
		case r != nil:
			x.tried = append(x.tried, r)
		case x.mayFallBack():
			x.fallBack(out, "no_replica")
		default:
			return false
		}
	}
}

// catchUp turns to the model of a newer table than the one that the request was
// matched by, if there is one.
func (x *exchange) catchUp() bool {
	newer := x.server.routing.Load().models[x.model.name]
	if newer == nil || newer == x.model {
		return false
	}
	x.model, x.side = newer, nil
	return true
}

func (x *exchange) unbook() {
	x.replica.release()
	x.replica, x.revision = nil, nil
}

// fallBack turns the request to the fallback model. Open Inference servers know
// a model by its name, so the name in the path follows.
func (x *exchange) fallBack(out *http.Request, reason string) {
	x.server.metrics.fallbacks.WithLabelValues(x.model.name, reason).Inc()
	primary := modelsPath + x.model.name
	x.model, x.fellBack, x.side, x.cookie = x.route.fallback, true, nil, ""
	x.started, x.counted = time.Now(), false // what the model took is not the fallback's
	rest, named := strings.CutPrefix(out.URL.Path, primary)
	if named && x.model.oip && (rest == "" || rest[0] == '/') {
		ownURL(out)
		out.URL.Path, out.URL.RawPath = modelsPath+x.model.name+rest, ""
	}
}
