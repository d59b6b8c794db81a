package gateway

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// smallBody is the size up to which a body of known length is read whole before
// a replica is chosen. Inference requests nearly always are. A slow client then
// holds no replica, and a body in memory can be sent again to another one.
const smallBody = 64 << 10

const (
	// firstRead is what a body in memory begins with: what a client announces is
	// no reason to hold memory for it.
	firstRead = 4 << 10
	// slowest is the number of bytes per second that a client has to send after
	// the stall time-out, all in all. Who sends a byte now and then is never
	// silent, and would hold what it holds for ever.
	slowest = 1 << 10
)

// rearmAfter is how old the deadline of a connection may get before it is pushed
// on: setting one for each read would cost more than many a read.
func rearmAfter(stall time.Duration) time.Duration { return stall / 8 }

// bodyFault is why a client's body could not be passed on.
type bodyFault int32

const (
	bodyFine     bodyFault = iota
	bodyTooLarge           // 413
	bodyStalled            // 408
	bodyBroken             // the client broke off
)

var (
	errBodyTooLarge = errors.New("the request body is larger than the gateway's limit")
	errBodyStalled  = errors.New("the client stopped sending the request body")
)

// clientBody is the body of a request on its way in: bounded in size, and
// bounded in the time in which nothing comes.
//
// It is read by the transport, possibly after the handler has left, so nothing
// in it is reused.
type clientBody struct {
	io.Reader
	control *http.ResponseController
	stall   time.Duration
	left    int64 // bytes until the limit
	// each: the deadline belongs to the stream and not to a pending read
	// (HTTP/2), so it is set for each read and lifted after it.
	each  bool
	armed time.Time
	// waited is the time that the client took for the bytes that have come.
	waited time.Duration
	came   int64
	clock  *clock // of the model; stands still while the client is waited for
	fault  atomic.Int32

	mu   sync.Mutex
	over bool // the handler has left: the connection is the next request's
}

// Read implements io.Reader.
func (b *clientBody) Read(p []byte) (int, error) {
	now := time.Now()
	if b.each || now.Sub(b.armed) > rearmAfter(b.stall) {
		b.armed = now
		b.deadline(now.Add(b.stall))
	}
	// One byte more than allowed is asked for: it tells a body that ends at the
	// limit from one that goes on.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	b.clock.halt(now)
	n, err := b.Reader.Read(p)
	came := time.Now()
	b.clock.resume(came)
	b.waited, b.came = b.waited+came.Sub(now), b.came+int64(n)
	if b.left -= int64(n); b.left < 0 {
		b.fault.Store(int32(bodyTooLarge))
		return 0, errBodyTooLarge
	}
	if b.each || err == io.EOF {
		b.deadline(time.Time{})
	}
	switch {
	case err == io.EOF:
	case err == nil && b.waited > b.stall+time.Duration(b.came)*(time.Second/slowest),
		errors.Is(err, os.ErrDeadlineExceeded):
		b.fault.Store(int32(bodyStalled))
		err = errBodyStalled
	case err != nil:
		b.fault.Store(int32(bodyBroken))
	}
	return n, err
}

// small reads the whole of a body of this length, in memory that grows with what
// has come. It is not pooled: the transport may still read it when the answer is
// complete.
func (b *clientBody) small(length int) ([]byte, error) {
	data := make([]byte, min(length, firstRead))
	for n := 0; ; {
		read, err := io.ReadFull(b, data[n:])
		if n += read; err != nil || n == length {
			return data, err
		}
		data = append(make([]byte, 0, min(length, 4*n)), data...)
		data = data[:cap(data)]
	}
}

// measure tells which clock is to stand still. It is called before anything of a
// streamed body is read.
func (b *clientBody) measure(c *clock) {
	if b != nil {
		b.clock = c
	}
}

// deadline sets the read deadline of the client's connection.
func (b *clientBody) deadline(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.over {
		_ = b.control.SetReadDeadline(t)
	}
}

// leave ends the body's hold on the connection.
func (b *clientBody) leave() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}

// why returns the fault of the body; a nil body has none.
func (b *clientBody) why() bodyFault {
	if b == nil {
		return bodyFine
	}
	return bodyFault(b.fault.Load())
}
