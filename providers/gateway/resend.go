package gateway

import (
	"net"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// The transport sends a request again by itself when a connection that was used
// before breaks without an answer, and again when the next one does: a request
// that makes a replica break its connections would reach it as often as there
// are idle ones. Nothing but a new connection ends it. So the gateway looks at
// each connection that a request is given, and lets it be used only if the
// request may be sent once more.

// connection counts the bytes that were written to a replica. Where there are
// none, the replica cannot have seen the request.
type connection struct {
	net.Conn
	written atomic.Int64
}

// Write implements io.Writer.
func (c *connection) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// resends watches the connections that the transport takes for one send.
type resends struct {
	last   *connection
	before int64 // bytes written to it when it was taken
}

// next notes a connection and tells whether the transport is about to send again
// what the replica may have seen on the one before. The transport has stopped
// writing to that when it asks for another.
func (s *resends) next(info httptrace.GotConnInfo) (again bool) {
	taken, ok := info.Conn.(*connection)
	if !ok {
		return false
	}
	again = s.last != nil && s.last.written.Load() != s.before
	s.last, s.before = taken, taken.written.Load()
	return again
}

// connected is called with each connection that the request is given. What would
// be sent once too often is ended before a byte of it is written.
func (x *exchange) connected(info httptrace.GotConnInfo) {
	switch {
	case !x.wire.next(info):
	case x.tries < maxTries && x.model.lasting.retries.spend(time.Now()):
		x.tries++
		x.server.metrics.retries.WithLabelValues(x.model.name).Inc()
	default:
		x.cancel(errBroken)
		_ = info.Conn.Close()
	}
}
