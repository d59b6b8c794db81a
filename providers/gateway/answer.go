package gateway

import (
	"net/http"
	"time"
)

// answer is the way back to the client: it notes the status, and keeps a client
// that takes nothing from holding a replica for ever.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	each    bool // as in clientBody
	armed   time.Time
	status  int
	untaken bool     // a write failed: the client is gone, or takes nothing
	clock   *clock   // of the model; stands still while the client is waited for
	kept    *capture // of the body; nil: it is not wanted
}

// start makes the answer ready for a request. The server has just set the write
// deadline of an HTTP/1 connection. On HTTP/2 its deadline would end the stream
// while the model still thinks, so there it is lifted.
func (a *answer) start(w http.ResponseWriter, r *http.Request, stall time.Duration, now time.Time) {
	*a = answer{ResponseWriter: w, control: http.NewResponseController(w), stall: stall, each: r.ProtoMajor > 1, armed: now}
	if a.each {
		_ = a.control.SetWriteDeadline(time.Time{})
	}
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		a.status = status
		a.arm() // the header may be flushed before the first Write
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter. The deadline covers the time until the
// client has taken enough for the bytes to fit on their way; the time that the
// model takes between two writes is not its business.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	now := time.Now()
	if a.each {
		_ = a.control.SetWriteDeadline(now.Add(a.stall))
	} else {
		a.armAt(now)
	}
	a.clock.halt(now)
	n, err := a.ResponseWriter.Write(p)
	a.clock.resume(time.Now())
	a.untaken = a.untaken || err != nil
	if a.kept != nil {
		a.kept.write(p[:n])
	}
	if a.each {
		_ = a.control.SetWriteDeadline(time.Time{})
	}
	return n, err
}

// FlushError implements what http.ResponseController looks for. What streams is
// waited for here and not in Write.
func (a *answer) FlushError() error {
	a.clock.halt(time.Now())
	err := a.control.Flush()
	a.clock.resume(time.Now())
	a.untaken = a.untaken || err != nil
	return err
}

// arm pushes on the write deadline of an HTTP/1 connection. It is called before
// anything is written, the end of the answer included.
func (a *answer) arm() { a.armAt(time.Now()) }

func (a *answer) armAt(now time.Time) {
	if !a.each && now.Sub(a.armed) > rearmAfter(a.stall) {
		a.armed = now
		_ = a.control.SetWriteDeadline(now.Add(a.stall))
	}
}

// Unwrap lets http.ResponseController reach Hijack and the deadlines.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
