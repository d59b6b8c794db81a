package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"strings"
	"time"
)

// statusClientGone is for who has left, and so for nobody but those who close
// only their half of the connection. No standard status says it.
const statusClientGone = 499

var (
	errNoReplica = errors.New("no ready replica")
	errTimeout   = errors.New("the route's time-out has passed")
	errStopping  = errors.New("the gateway stops")
	errBroken    = errors.New("the replica broke the connection, and the request may not be sent again")
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
	spare    bool      // the fallback lets the caller in
	held     []func()  // give back the request's part of the limits
	side     *revision // that the request belongs to; nil: not found out yet
	cookie   string    // to be set, since the caller had none
	secure   bool      // the client came over TLS
	revision *revision
	replica  *replica // booked until the exchange ends; nil if none
	tried    []*replica

	started time.Time
	answer  answer
	sent    *http.Request // what the replica was asked last
	sends   int
	tries   int     // of the model that is asked
	wire    resends // of the send under way
	gotConn func(httptrace.GotConnInfo)
	// ctx is that of the model which is asked: it ends with the time-out.
	ctx     context.Context
	clock   *clock
	cancel  context.CancelCauseFunc
	payload []byte      // the whole body, if it is small
	body    *clientBody // else the body as it comes
	kept    *capture    // of the body, where it may be needed again
	watched watched     // what is wanted of the answer beside passing it on
	counted bool        // the request was counted as a failure once already
	gone    bool        // the client left
	done    bool        // the answer is complete
}

func (s *Server) newExchange() *exchange {
	x := &exchange{server: s}
	x.gotConn = x.connected
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
func (s *Server) forward(w http.ResponseWriter, r *http.Request, id string, to *route, spare bool) {
	x := s.exchanges.Get().(*exchange)
	x.id, x.route, x.model, x.started, x.secure = id, to, to.model, time.Now(), r.TLS != nil
	x.spare = spare
	x.answer.start(w, r, s.config.Limits.StallTimeout, x.started)
	x.watched.shadow = x.model.shadows(r)
	// Deferred, since the proxy leaves with a panic when an answer breaks off.
	defer x.end(r)
	if x.takeBody(r) && x.admit() {
		x.model.lasting.retries.asked.Add(1)
		x.proxy.ServeHTTP(&x.answer, r)
	}
	x.done = true
}

// end settles the books and makes the exchange ready for the next request.
func (x *exchange) end(r *http.Request) {
	if x.clock != nil {
		x.clock.stop()
		x.cancel(nil)
	}
	x.body.leave()
	x.answer.arm() // the server writes the end of the answer after this
	how := outcomeOf(x.answer.status)
	switch {
	case x.gone || !x.done && (x.answer.untaken || r.Context().Err() != nil):
		how = outcomeClientGone
	case !x.done && x.answer.status < http.StatusBadRequest:
		how = outcome5xx // the answer broke off in the middle
	}
	switch {
	case x.replica != nil:
		x.settle(how)
	case !x.counted:
		x.model.unserved.observe(how, time.Since(x.started))
	}
	x.handOver()
	x.leave(0)
	if x.done {
		clear(x.tried)
		*x = exchange{server: x.server, proxy: x.proxy, gotConn: x.gotConn, tried: x.tried[:0], held: x.held}
		x.server.exchanges.Put(x)
	}
}

// settle counts what the booked replica has done, and gives it back.
func (x *exchange) settle(how outcome) {
	x.revision.series.observe(how, time.Since(x.started))
	x.server.settled(x.revision, x.replica, how)
	x.unbook()
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
		if r.ContentLength <= maxKept && (x.route.fallback != nil || x.watched.shadow || repeatable(r)) {
			x.kept = &capture{budget: x.server.kept, limit: maxKept}
			x.body.Reader = &keptReader{Reader: x.body.Reader, kept: x.kept}
		}
		return true
	}
	payload, err := x.body.small(int(r.ContentLength))
	if err != nil {
		x.fault(max(x.body.why(), bodyFine+1))
		return false
	}
	x.payload = payload
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

// received looks at the answer's header.
func (x *exchange) received(answer *http.Response) error {
	answer.Header[requestIDHeader] = []string{x.id}
	if x.cookie != "" {
		setCookie(answer.Header, x.model.sticky.cookie, x.cookie, x.route.prefix, x.secure)
	}
	if answer.StatusCode == http.StatusSwitchingProtocols || isEventStream(answer.Header) {
		x.clock.stop() // from here on it may last
		return nil
	}
	x.watch(answer)
	return nil
}

func isEventStream(header http.Header) bool {
	contentType := header["Content-Type"]
	return len(contentType) > 0 && strings.HasPrefix(contentType[0], "text/event-stream")
}

// failed answers a request that got no answer from a replica.
func (x *exchange) failed(_ http.ResponseWriter, out *http.Request, err error) {
	cause := context.Cause(out.Context())
	if x.ctx != nil {
		cause = context.Cause(x.ctx)
	}
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
	case cause != nil && !errors.Is(cause, errBroken):
		x.gone = true
		x.problem(statusClientGone, "the client closed the connection, or its half of it, before the answer was there")
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
		x.problem(http.StatusRequestTimeout, fmt.Sprintf("the request body for model %s did not come: this gateway waits %s, and after that for less than %d bytes a second no longer", x.model.name, x.server.config.Limits.StallTimeout, slowest))
	case bodyBroken, bodyFine:
		x.gone = true
		x.problem(http.StatusBadRequest, "the request body for model "+x.model.name+" broke off")
	}
}

func (x *exchange) problem(status int, message string) {
	writeProblem(&x.answer, status, x.id, message)
}
