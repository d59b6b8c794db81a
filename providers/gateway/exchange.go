package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"
)

// maxTries bounds the replicas that one request is offered to. Each try before
// the last has failed to connect, so nothing was sent.
const maxTries = 3

var (
	errNoReplica = errors.New("no ready replica")
	errTimeout   = errors.New("the route's time-out has passed")
	errStopping  = errors.New("the gateway stops")
)

// exchange carries one request to a replica and its answer back.
//
// The walk itself (hop-by-hop headers, trailers, early hints, upgrades,
// streaming) is httputil.ReverseProxy's, which has seen more of the world than
// we have; an exchange is the proxy's transport and its hooks. It owns its
// proxy, so that the hooks find the state of the request in the exchange instead
// of in a context, and it is used again for later requests.
type exchange struct {
	server *Server
	proxy  httputil.ReverseProxy

	id       string // of the request
	route    *route
	model    *model    // the one that answers: the route's, or its fallback
	fellBack bool      // it is the fallback
	side     *revision // that the request belongs to; nil: not found out yet
	cookie   string    // to be set, since the caller had none
	secure   bool      // the client came over TLS
	revision *revision
	replica  *replica // booked until the exchange ends; nil if none
	tried    []*replica

	started time.Time
	answer  answer
	timer   *time.Timer
	cancel  context.CancelCauseFunc
	payload []byte      // the whole body, if it is small
	body    *clientBody // else the body as it comes
	gone    bool        // the client left
	done    bool        // the answer is complete
}

func (s *Server) newExchange() *exchange {
	x := &exchange{server: s}
	x.proxy = httputil.ReverseProxy{
		Rewrite:        x.rewrite,
		Transport:      x,
		ModifyResponse: x.received,
		ErrorHandler:   x.failed,
		BufferPool:     &s.buffers,
		ErrorLog:       s.errorLog,
	}
	return x
}

// forward sends the request along the route.
func (s *Server) forward(w http.ResponseWriter, r *http.Request, id string, to *route) {
	x := s.exchanges.Get().(*exchange)
	x.id, x.route, x.model, x.started, x.secure = id, to, to.model, time.Now(), r.TLS != nil
	x.answer.start(w, r, s.config.Limits.StallTimeout, x.started)
	ctx, cancel := context.WithCancelCause(r.Context())
	x.cancel = cancel
	x.timer = time.AfterFunc(x.timeout(), func() { cancel(errTimeout) })
	// Deferred, since the proxy leaves with a panic when an answer breaks off.
	defer x.end(r)
	if r = r.WithContext(ctx); x.takeBody(r) {
		x.proxy.ServeHTTP(&x.answer, r)
	}
	x.done = true
}

// end settles the books and makes the exchange ready for the next request.
func (x *exchange) end(r *http.Request) {
	x.timer.Stop()
	x.cancel(nil)
	x.body.leave()
	x.answer.arm() // the server writes the end of the answer after this
	counted := x.model.unserved
	if x.replica != nil {
		x.replica.release()
		counted = x.revision.series
	}
	how := outcomeOf(x.answer.status)
	switch {
	case x.gone || !x.done && r.Context().Err() != nil:
		how = outcomeClientGone
	case !x.done && x.answer.status < http.StatusBadRequest:
		how = outcome5xx // the answer broke off in the middle
	}
	counted.observe(how, time.Since(x.started))
	if x.done {
		clear(x.tried)
		*x = exchange{server: x.server, proxy: x.proxy, tried: x.tried[:0]}
		x.server.exchanges.Put(x)
	}
}

// takeBody prepares the body. It reports false after it has answered itself.
func (x *exchange) takeBody(r *http.Request) bool {
	limit := x.server.config.Limits.Body
	if r.ContentLength > limit {
		x.fault(bodyTooLarge)
		return false
	}
	if r.ContentLength == 0 || r.Body == http.NoBody {
		return true
	}
	x.body = &clientBody{
		Reader: r.Body, control: x.answer.control, stall: x.answer.stall,
		left: limit, each: x.answer.each,
	}
	r.Body = io.NopCloser(x.body)
	if r.ContentLength < 0 || r.ContentLength > smallBody {
		return true
	}
	// Not pooled: the transport may still read it when the answer is complete.
	x.payload = make([]byte, r.ContentLength)
	if _, err := io.ReadFull(x.body, x.payload); err != nil {
		x.fault(max(x.body.why(), bodyFine+1))
		return false
	}
	return true
}

// rewrite prepares the request for a replica. Who the client is, the gateway
// says itself; what a client claims about it was removed by the proxy.
func (x *exchange) rewrite(p *httputil.ProxyRequest) {
	p.Out.URL.Scheme = "http"
	p.Out.Host = p.In.Host // websocket servers compare it with Origin
	p.SetXForwarded()
	p.Out.Header[requestIDHeader] = []string{x.id}
	if x.payload != nil {
		delete(p.Out.Header, "Expect") // the body is here: nothing to wait for
	}
	if x.route.strip {
		stripPrefix(p.Out.URL, x.route.prefix)
	}
}

// RoundTrip implements http.RoundTripper: it chooses a replica and sends the
// request. When the connect fails nothing was sent, so another one is tried.
func (x *exchange) RoundTrip(out *http.Request) (*http.Response, error) {
	failure := errNoReplica
	for try := range maxTries {
		if !x.book(out) {
			return nil, failure
		}
		if try > 0 {
			x.server.metrics.retries.WithLabelValues(x.model.name).Inc()
			again := *out // the failed transport may still look at the first one
			out = &again
			target := *again.URL
			out.URL = &target
		}
		out.URL.Host = x.replica.address
		x.loadBody(out)
		answer, err := x.replica.transport.RoundTrip(out)
		if err == nil || !connectFailed(err) || out.Context().Err() != nil {
			return answer, err
		}
		x.replica.suspect(err)
		x.tried = append(x.tried, x.replica)
		failure = err
		x.unbook()
	}
	return nil, failure
}

// connectFailed tells whether no connection came about, so that the request
// cannot have reached the replica.
func connectFailed(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// loadBody gives the request a body that starts at its first byte. After a
// failed connect nothing of a streamed body was read, so it still does.
func (x *exchange) loadBody(out *http.Request) {
	switch {
	case x.payload != nil:
		payload := x.payload // the transport may outlive the exchange
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
		case x.route.fallback != nil && !x.fellBack:
			x.fallBack(out)
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
func (x *exchange) fallBack(out *http.Request) {
	x.server.metrics.fallbacks.WithLabelValues(x.model.name).Inc()
	primary := modelsPath + x.model.name
	x.model, x.fellBack, x.side, x.cookie = x.route.fallback, true, nil, ""
	rest, named := strings.CutPrefix(out.URL.Path, primary)
	if named && x.model.oip && (rest == "" || rest[0] == '/') {
		out.URL.Path, out.URL.RawPath = modelsPath+x.model.name+rest, ""
	}
}

// received looks at the answer's header.
func (x *exchange) received(answer *http.Response) error {
	answer.Header[requestIDHeader] = []string{x.id}
	if x.cookie != "" {
		setCookie(answer.Header, x.model.sticky.cookie, x.cookie, x.route.prefix, x.secure)
	}
	if answer.StatusCode == http.StatusSwitchingProtocols || isEventStream(answer.Header) {
		x.timer.Stop() // from here on it may last
	}
	return nil
}

func isEventStream(header http.Header) bool {
	contentType := header["Content-Type"]
	return len(contentType) > 0 && strings.HasPrefix(contentType[0], "text/event-stream")
}

// failed answers a request that got no answer from a replica.
func (x *exchange) failed(_ http.ResponseWriter, out *http.Request, err error) {
	cause := context.Cause(out.Context())
	name := x.model.name
	if x.revision != nil {
		name += " (revision " + x.revision.name + ")"
	}
	switch fault := x.body.why(); {
	case fault != bodyFine:
		x.fault(fault)
	case errors.Is(cause, errTimeout):
		x.problem(http.StatusGatewayTimeout, fmt.Sprintf("model %s did not answer within %s; raise the route's timeout if the model needs longer", name, x.timeout()))
	case errors.Is(cause, errStopping):
		x.problem(http.StatusServiceUnavailable, "the gateway stops and could not wait for model "+name+" any longer; send the request again")
	case cause != nil:
		x.gone = true
		x.problem(http.StatusBadGateway, "the client closed the connection")
	case errors.Is(err, errNoReplica):
		x.problem(http.StatusServiceUnavailable, fmt.Sprintf("model %s has no ready replica; try again, and see fairlead status %s for the reason", name, x.model.name))
	case connectFailed(err):
		x.problem(http.StatusBadGateway, fmt.Sprintf("no replica of model %s accepted a connection; nothing was sent, so it is safe to try again", name))
	default:
		x.server.logger.Debug("replica gave no answer", "model", name, "request_id", x.id, "error", err)
		x.problem(http.StatusBadGateway, fmt.Sprintf("a replica of model %s broke the connection before it answered; see the logs of the model for request %s", name, x.id))
	}
}

func (x *exchange) timeout() time.Duration {
	if x.route.timeout > 0 {
		return x.route.timeout
	}
	return x.server.config.Limits.RequestTimeout
}

// fault answers a request whose body cannot be passed on.
func (x *exchange) fault(fault bodyFault) {
	switch fault {
	case bodyTooLarge:
		x.problem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the request body for model %s is larger than this gateway's limit of %d bytes; send less at once or raise the limit", x.model.name, x.server.config.Limits.Body))
	case bodyStalled:
		x.problem(http.StatusRequestTimeout, fmt.Sprintf("no byte of the request body for model %s came for %s", x.model.name, x.server.config.Limits.StallTimeout))
	case bodyBroken, bodyFine:
		x.gone = true
		x.problem(http.StatusBadRequest, "the request body for model "+x.model.name+" broke off")
	}
}

func (x *exchange) problem(status int, message string) {
	writeProblem(&x.answer, status, x.id, message)
}
