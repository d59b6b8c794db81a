package notify

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// Limits of an Outbox.
const (
	// GiveUpAfter is how old a message may get before it is given up.
	GiveUpAfter = 24 * time.Hour
	// MaxQueue is how many messages wait for one notifier at most, and maxQueueBytes
	// how long they are together, so that they fit into the store.
	MaxQueue      = 1000
	maxQueueBytes = 2 << 20

	firstPause = 2 * time.Second
	maxBackoff = 15 * time.Minute // of one message
	maxPause   = time.Minute      // of a receiver after one that it did not take
	maxRetry   = time.Hour        // that a receiver may ask for

	maxRecent = 10_000 // keys that are remembered
	maxOpen   = 2_000  // threads
	keepOpen  = 30 * 24 * time.Hour
)

// Outbox is what one notifier has still to send, and what is to be remembered of what
// it has sent. It reads no clock and calls nobody. It is not safe for concurrent use.
type Outbox struct {
	FormatVersion int `json:"format_version"`
	// Queue holds what waits, oldest first.
	Queue []Queued `json:"queue,omitempty"`
	// Recent tells when a key was last taken in, for messages that are not to be
	// repeated.
	Recent map[string]Taken `json:"recent,omitempty"`
	// Open are the threads with a complaint that was taken in and not resolved, by when.
	Open map[string]time.Time `json:"open,omitempty"`
	// PauseUntil is when the receiver is tried again. Failures counts those in a row.
	PauseUntil time.Time `json:"pause_until,omitzero"`
	Failures   int       `json:"failures,omitempty"`
	Counts     Counts    `json:"counts"`
	// FailingSince is the first of the failures in a row; LastError the newest failure
	// of all, LastNote the newest message that was not sent and never will be.
	FailingSince time.Time `json:"failing_since,omitzero"`
	LastError    string    `json:"last_error,omitempty"`
	LastErrorAt  time.Time `json:"last_error_at,omitzero"`
	LastNote     string    `json:"last_note,omitempty"`
	LastSent     time.Time `json:"last_sent,omitzero"`

	Serial int64 `json:"serial,omitempty"` // that was given last

	bytes int // of the queue
}

// Counts are numbers of messages since the outbox was made.
type Counts struct {
	Sent     int `json:"sent"`
	Repeated int `json:"repeated,omitempty"` // not sent, since an equal one was a short time before
	Dropped  int `json:"dropped,omitempty"`  // more waited than may
	Refused  int `json:"refused,omitempty"`  // by the receiver, for good
	Expired  int `json:"expired,omitempty"`  // it was away for too long
}

// Queued is a message that waits.
type Queued struct {
	Serial    int64             `json:"serial"`
	Message   reconcile.Message `json:"message"`
	Since     time.Time         `json:"since"`
	NotBefore time.Time         `json:"not_before,omitzero"`
	Attempts  int               `json:"attempts,omitempty"`

	size int
}

// Taken is when a key was taken in, and the thread that the message belongs to.
type Taken struct {
	At     time.Time `json:"at"`
	Thread string    `json:"thread,omitempty"`
}

// outboxFormat is the FormatVersion that this program writes and reads.
const outboxFormat = 1

// DecodeOutbox reads what EncodeOutbox wrote.
func DecodeOutbox(data []byte) (*Outbox, error) {
	var o Outbox
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, fmt.Errorf("the messages that wait do not parse: %w", err)
	}
	if o.FormatVersion != outboxFormat {
		return nil, fmt.Errorf("the messages that wait have the format %d, and this version of fairlead reads %d", o.FormatVersion, outboxFormat)
	}
	for i := range o.Queue {
		o.Queue[i].size = sizeOf(&o.Queue[i].Message)
		o.bytes += o.Queue[i].size
		o.Serial = max(o.Serial, o.Queue[i].Serial)
	}
	return &o, nil
}

// EncodeOutbox writes an outbox for the store.
func EncodeOutbox(o *Outbox) ([]byte, error) {
	o.FormatVersion = outboxFormat
	data, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("write the messages that wait: %w", err)
	}
	return data, nil
}

// Add takes a message in, and tells whether it did. One whose key was taken in less
// than repeat ago, or still waits, is not taken in again. wanted tells whether the
// notifier's routes want it; a message that resolves is taken in as well where its
// complaint was, and where it tells nothing else only there.
func (o *Outbox) Add(m reconcile.Message, wanted bool, repeat time.Duration, now time.Time) bool {
	_, open := o.Open[m.Thread]
	if m.Resolves && open {
		wanted = true
	} else if onlyResolves(&m) {
		return false
	}
	if !wanted {
		return false
	}
	taken, known := o.Recent[m.Key]
	if o.waits(&m) || known && now.Sub(taken.At) < repeat {
		o.Counts.Repeated++
		return false
	}
	o.remember(&m, now)
	o.Serial++
	q := Queued{Serial: o.Serial, Message: m, Since: now, size: sizeOf(&m)}
	o.Queue = append(o.Queue, q)
	o.bytes += q.size
	o.shrink()
	return true
}

// waits tells whether the same message is in the queue, and what it says not resolved
// behind it.
func (o *Outbox) waits(m *reconcile.Message) bool {
	for _, q := range slices.Backward(o.Queue) {
		if q.Message.Key == m.Key {
			return true
		}
		if q.Message.Resolves && q.Message.Thread == m.Thread && m.Thread != "" {
			return false
		}
	}
	return false
}

// remember notes the key and the thread of a message that is taken in.
func (o *Outbox) remember(m *reconcile.Message, now time.Time) {
	if o.Recent == nil {
		o.Recent, o.Open = map[string]Taken{}, map[string]time.Time{}
	}
	if o.Open == nil {
		o.Open = map[string]time.Time{}
	}
	if m.Resolves {
		delete(o.Open, m.Thread)
		// The same complaint is news when it comes again after this.
		for key, taken := range o.Recent {
			if m.Thread != "" && taken.Thread == m.Thread {
				delete(o.Recent, key)
			}
		}
	} else if complains(m) {
		o.Open[m.Thread] = now
	}
	o.Recent[m.Key] = Taken{At: now, Thread: m.Thread}
}

// shrink lets go of what is too much: the oldest of the least important.
func (o *Outbox) shrink() {
	for len(o.Queue) > MaxQueue || o.bytes > maxQueueBytes && len(o.Queue) > 1 {
		least := 0
		for i := range o.Queue {
			if weight(&o.Queue[i]) < weight(&o.Queue[least]) {
				least = i
			}
		}
		o.Counts.Dropped++
		o.LastNote = fmt.Sprintf("dropped %q: more than %d messages wait", o.Queue[least].Message.Title, MaxQueue)
		o.remove(least)
	}
}

// weight is how much it matters that a message is sent. That a complaint is over has
// to be told to whoever was told of it.
func weight(q *Queued) int {
	if q.Message.Resolves {
		return rank("error")
	}
	return rank(q.Message.Severity)
}

func (o *Outbox) remove(i int) {
	o.bytes -= o.Queue[i].size
	o.Queue = slices.Delete(o.Queue, i, i+1)
}

// Step gives up what is too old, forgets what need not be remembered, and returns what
// is to be sent now: due is nil where nothing is, and wake is when to ask again, zero
// where only a new message can change that. What matters more goes first, of the same
// the older; of one thread nothing overtakes.
func (o *Outbox) Step(repeat time.Duration, now time.Time) (due *Queued, wake time.Time) {
	o.expire(now)
	o.forget(repeat, now)
	if len(o.Queue) == 0 {
		return nil, time.Time{}
	}
	best := -1
	threads := map[string]bool{}
	for i := range o.Queue {
		q := &o.Queue[i]
		blocked := q.Message.Thread != "" && threads[q.Message.Thread]
		threads[q.Message.Thread] = true
		if blocked {
			continue
		}
		ready := later(q.NotBefore, o.PauseUntil)
		if ready.After(now) {
			wake = earlier(wake, ready)
			continue
		}
		if best < 0 || weight(q) > weight(&o.Queue[best]) {
			best = i
		}
	}
	if best < 0 {
		return nil, earlier(wake, o.Queue[0].Since.Add(GiveUpAfter))
	}
	q := o.Queue[best]
	return &q, time.Time{}
}

// expire gives up what is too old.
func (o *Outbox) expire(now time.Time) {
	for i := 0; i < len(o.Queue); {
		if now.Sub(o.Queue[i].Since) < GiveUpAfter {
			i++
			continue
		}
		o.Counts.Expired++
		o.LastNote = fmt.Sprintf("gave up %q after %s and %d attempts: %s", o.Queue[i].Message.Title, GiveUpAfter, o.Queue[i].Attempts, cmp.Or(o.LastError, "it was not tried"))
		o.remove(i)
	}
}

// forget drops keys and threads that no rule asks for any more, and the oldest of too
// many.
func (o *Outbox) forget(repeat time.Duration, now time.Time) {
	for key, taken := range o.Recent {
		if now.Sub(taken.At) >= repeat {
			delete(o.Recent, key)
		}
	}
	for thread, since := range o.Open {
		if now.Sub(since) >= keepOpen {
			delete(o.Open, thread)
		}
	}
	dropOldest(o.Recent, maxRecent, func(t Taken) time.Time { return t.At })
	dropOldest(o.Open, maxOpen, func(t time.Time) time.Time { return t })
}

func dropOldest[V any](m map[string]V, limit int, at func(V) time.Time) {
	if len(m) <= limit {
		return
	}
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(at(m[a]).Compare(at(m[b])), cmp.Compare(a, b)) })
	for _, key := range keys[:len(keys)-limit] {
		delete(m, key)
	}
}

// Done notes what became of sending the message with the serial. text is the error's,
// as people may read it. What may pass by itself is tried again; any other error is
// final.
func (o *Outbox) Done(serial int64, err error, text string, now time.Time) {
	if i := slices.IndexFunc(o.Queue, func(q Queued) bool { return q.Serial == serial }); i >= 0 {
		q := &o.Queue[i]
		q.Attempts++
		switch {
		case err == nil:
			o.remove(i)
		case errors.Is(err, reconcile.ErrUnavailable):
			q.NotBefore = now.Add(backoff(q.Message.Key, q.Attempts, maxBackoff))
		default:
			o.Counts.Refused++
			o.LastNote = fmt.Sprintf("gave up %q: %s", q.Message.Title, text)
			o.remove(i)
		}
	}
	if err == nil {
		o.Counts.Sent++
		o.Failures, o.PauseUntil, o.FailingSince, o.LastSent = 0, time.Time{}, time.Time{}, now
		return
	}
	if o.FailingSince.IsZero() {
		o.FailingSince = now
	}
	o.LastError, o.LastErrorAt = text, now
	if !errors.Is(err, reconcile.ErrUnavailable) {
		return // the receiver is there
	}
	o.Failures++
	o.PauseUntil = now.Add(backoff("", o.Failures, maxPause))
	if retry := (*reconcile.RetryError)(nil); errors.As(err, &retry) {
		asked := retry.After
		if latest := now.Add(maxRetry); asked.After(latest) {
			asked = latest
		}
		o.PauseUntil = later(o.PauseUntil, asked)
	}
}

// backoff is the pause after so many attempts: it doubles, and its last quarter is
// taken from the key, so that what failed at the same moment is not tried again at the
// same moment, and a decision can be repeated.
func backoff(key string, attempts int, limit time.Duration) time.Duration {
	pause := limit
	if attempts < 16 {
		pause = min(limit, firstPause<<(attempts-1))
	}
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s/%d", key, attempts) // never fails
	return pause - time.Duration(h.Sum64()%uint64(pause/4))
}

// sizeOf is about how long a message is in the store.
func sizeOf(m *reconcile.Message) int {
	data, err := json.Marshal(m)
	if err != nil {
		return maxText // it holds nothing that does not marshal
	}
	return len(data)
}

// earlier returns the earlier of two times; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
