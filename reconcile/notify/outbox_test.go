package notify_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/notify"
	"github.com/fairlead/fairlead/spec"
)

var noon = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

func message(key string, severity spec.Severity, thread string) reconcile.Message {
	return reconcile.Message{Key: key, Severity: severity, Thread: thread, Title: key, Event: spec.NotifyRolledBack}
}

func resolving(key, thread string) reconcile.Message {
	return reconcile.Message{Key: key, Severity: spec.SeverityInfo, Thread: thread, Title: key, Event: spec.NotifyPromoted, Resolves: true}
}

// sendAll sends what is due at a moment, and returns the keys.
func sendAll(o *notify.Outbox, now time.Time) (keys []string) {
	for {
		due, _ := o.Step(time.Hour, now)
		if due == nil {
			return keys
		}
		keys = append(keys, due.Message.Key)
		o.Done(due.Serial, nil, "", now)
	}
}

func TestAnEqualMessageIsNotRepeatedForAWhile(t *testing.T) {
	var o notify.Outbox
	m := message("k", spec.SeverityError, "")
	if !o.Add(m, true, time.Hour, noon) || o.Add(m, true, time.Hour, noon) {
		t.Error("what waits is taken in again")
	}
	if got := sendAll(&o, noon); len(got) != 1 {
		t.Errorf("%v was sent", got)
	}
	if o.Add(m, true, time.Hour, noon.Add(59*time.Minute)) {
		t.Error("it is repeated too early")
	}
	if !o.Add(m, true, time.Hour, noon.Add(time.Hour)) {
		t.Error("it is never repeated")
	}
	if o.Counts.Repeated != 2 || o.Counts.Sent != 1 {
		t.Errorf("counted %+v", o.Counts)
	}
}

func TestWhatIsResolvedIsNewsWhenItComesAgain(t *testing.T) {
	var o notify.Outbox
	o.Add(message("bad", spec.SeverityError, "t"), true, time.Hour, noon)
	o.Add(resolving("good", "t"), true, time.Hour, noon)
	if !o.Add(message("bad", spec.SeverityError, "t"), true, time.Hour, noon) {
		t.Error("the last word would be that all is good")
	}
	o.Add(resolving("good again", "t"), true, time.Hour, noon)
	if got := sendAll(&o, noon); !slices.Equal(got, []string{"bad", "good", "bad", "good again"}) {
		t.Errorf("sent %v", got)
	}
	if !o.Add(message("bad", spec.SeverityError, "t"), true, time.Hour, noon.Add(time.Minute)) {
		t.Error("the same complaint after its end is not told")
	}
}

func TestAResolveFollowsItsComplaintAndNothingElse(t *testing.T) {
	var o notify.Outbox
	over := resolving("over", "t")
	over.Event = spec.NotifyHeld // that a hold is over
	if o.Add(over, true, 0, noon) {
		t.Error("the end of what nobody was told of is told")
	}
	o.Add(message("bad", spec.SeverityError, "t"), true, 0, noon)
	if !o.Add(over, false, 0, noon) {
		t.Error("the end of what was told is not told, since no route asks for it")
	}
	if over.Key = "again"; o.Add(over, false, 0, noon) {
		t.Error("the end is told twice")
	}
	news := resolving("promoted", "other")
	if o.Add(news, false, 0, noon) || !o.Add(news, true, 0, noon) {
		t.Error("news that resolve go by the routes where nothing is open")
	}
}

func TestWhatMattersMoreGoesFirstAndThreadsKeepTheirOrder(t *testing.T) {
	var o notify.Outbox
	for _, m := range []reconcile.Message{
		message("info 1", spec.SeverityInfo, "a"), message("info 2", spec.SeverityInfo, "b"), message("warning", spec.SeverityWarning, ""),
		message("critical of a", spec.SeverityCritical, "a"), message("error", spec.SeverityError, ""),
	} {
		o.Add(m, true, 0, noon)
	}
	want := []string{"error", "warning", "info 1", "critical of a", "info 2"}
	if got := sendAll(&o, noon); !slices.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
}

func TestBackoffDoublesAndIsTheSameForTheSameKey(t *testing.T) {
	var o, p notify.Outbox
	now := noon
	for _, box := range []*notify.Outbox{&o, &p} {
		box.Add(message("k", spec.SeverityError, ""), true, 0, now)
	}
	last := time.Duration(0)
	for attempt := range 8 {
		due, _ := o.Step(0, now)
		same, _ := p.Step(0, now)
		if due == nil || same == nil {
			t.Fatalf("attempt %d: nothing is due", attempt)
		}
		o.Done(due.Serial, reconcile.ErrUnavailable, "away", now)
		p.Done(same.Serial, reconcile.ErrUnavailable, "away", now)
		none, wake := o.Step(0, now)
		_, wakeToo := p.Step(0, now)
		if none != nil || !wake.Equal(wakeToo) {
			t.Fatalf("attempt %d: due %v, again at %s and %s", attempt, none, wake, wakeToo)
		}
		if pause := wake.Sub(now); pause < last || pause > 15*time.Minute {
			t.Errorf("attempt %d: pause %s after %s", attempt, pause, last)
		} else {
			last = pause
		}
		now = wake
	}
	if last < 3*time.Minute {
		t.Errorf("after 8 attempts the pause is %s", last)
	}
}

func TestRetryAfterIsHonouredForEveryMessage(t *testing.T) {
	var o notify.Outbox
	o.Add(message("a", spec.SeverityError, ""), true, 0, noon)
	o.Add(message("b", spec.SeverityError, ""), true, 0, noon)
	due, _ := o.Step(0, noon)
	o.Done(due.Serial, &reconcile.RetryError{After: noon.Add(10 * time.Minute), Cause: errors.New("slow down")}, "slow down", noon)
	if none, wake := o.Step(0, noon); none != nil || wake.Before(noon.Add(10*time.Minute)) {
		t.Errorf("due %v, again at %s", none, wake)
	}
	due, _ = o.Step(0, noon.Add(10*time.Minute))
	if due == nil {
		t.Fatal("nothing is due after the pause")
	}
	o.Done(due.Serial, &reconcile.RetryError{After: noon.Add(1000 * time.Hour), Cause: errors.New("for ever")}, "", noon.Add(10*time.Minute))
	if _, wake := o.Step(0, noon.Add(10*time.Minute)); wake.After(noon.Add(2 * time.Hour)) {
		t.Errorf("a receiver can silence itself until %s", wake)
	}
}

// One message that its receiver cannot take does not hold up the others.
func TestOneBadMessageDoesNotBlockTheOthers(t *testing.T) {
	var o notify.Outbox
	o.Add(message("poison", spec.SeverityCritical, ""), true, 0, noon)
	for i := range 20 {
		o.Add(message(fmt.Sprint(i), spec.SeverityInfo, ""), true, 0, noon)
	}
	sent := 0
	for now := noon; now.Before(noon.Add(2 * time.Minute)); now = now.Add(time.Second) {
		for due, _ := o.Step(0, now); due != nil; due, _ = o.Step(0, now) {
			if due.Message.Key == "poison" {
				o.Done(due.Serial, reconcile.ErrUnavailable, "500", now)
				continue
			}
			o.Done(due.Serial, nil, "", now)
			sent++
		}
	}
	if sent != 20 || len(o.Queue) != 1 {
		t.Errorf("%d were sent, %d wait", sent, len(o.Queue))
	}
}

func TestWhatIsRefusedOrTooOldIsGivenUpWithANote(t *testing.T) {
	var o notify.Outbox
	o.Add(message("refused", spec.SeverityError, ""), true, 0, noon)
	due, _ := o.Step(0, noon)
	o.Done(due.Serial, errors.New("no"), "no such channel", noon)
	if len(o.Queue) != 0 || o.Counts.Refused != 1 || o.LastNote != `gave up "refused": no such channel` {
		t.Errorf("%+v", o)
	}
	o.Add(message("old", spec.SeverityError, ""), true, 0, noon)
	due, _ = o.Step(0, noon)
	o.Done(due.Serial, reconcile.ErrUnavailable, "away", noon)
	if none, _ := o.Step(0, noon.Add(24*time.Hour)); none != nil || len(o.Queue) != 0 || o.Counts.Expired != 1 {
		t.Errorf("after a day: %+v", o)
	}
	if want := `gave up "old" after 24h0m0s and 1 attempts: away`; o.LastNote != want {
		t.Errorf("the note is %q", o.LastNote)
	}
}

func TestOfTooManyTheOldestOfTheLeastImportantGo(t *testing.T) {
	var o notify.Outbox
	o.Add(message("error", spec.SeverityError, ""), true, 0, noon)
	for i := range notify.MaxQueue + 9 {
		o.Add(message(fmt.Sprint("info ", i), spec.SeverityInfo, ""), true, 0, noon)
	}
	if len(o.Queue) != notify.MaxQueue || o.Counts.Dropped != 10 {
		t.Errorf("%d wait, %d were dropped", len(o.Queue), o.Counts.Dropped)
	}
	if o.Queue[0].Message.Key != "error" || o.Queue[1].Message.Key != "info 10" {
		t.Errorf("the queue begins with %q, %q", o.Queue[0].Message.Key, o.Queue[1].Message.Key)
	}
}

// The longest messages that there may be fit into the store, as many as there may be.
func TestAFullOutboxFitsIntoTheStore(t *testing.T) {
	var o notify.Outbox
	m := notify.Clean(reconcile.Message{Title: string(slices.Repeat([]rune("<"), 500)), Text: string(slices.Repeat([]rune("<\""), 9000))}, nil)
	for i := range notify.MaxQueue {
		m.Key, m.Severity = fmt.Sprint(i), spec.SeverityError
		o.Add(m, true, time.Hour, noon)
	}
	data, err := notify.EncodeOutbox(&o)
	if err != nil || len(data) > 4<<20 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	again, err := notify.DecodeOutbox(data)
	if err != nil || len(again.Queue) != len(o.Queue) {
		t.Errorf("%d of %d are read again: %v", len(again.Queue), len(o.Queue), err)
	}
}

// Whatever happens in whatever order: each message that was taken in is sent, waits, or
// is counted among those that were given up; nothing is sent early, or twice, or before
// an earlier one of its thread.
func TestOutboxLosesNothingAndKeepsThreads(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := &notify.Outbox{}
		now, taken, order := noon, 0, map[string]int64{}
		sent := map[int64]bool{}
		for range rapid.IntRange(1, 60).Draw(rt, "events") {
			now = now.Add(time.Duration(rapid.IntRange(0, 7200).Draw(rt, "seconds")) * time.Second)
			switch rapid.SampledFrom([]string{"add", "step", "crash"}).Draw(rt, "what") {
			case "add":
				m := message(rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "key"),
					rapid.SampledFrom([]spec.Severity{"info", "warning", "error", "critical"}).Draw(rt, "severity"),
					rapid.SampledFrom([]string{"", "t", "u"}).Draw(rt, "thread"))
				m.Resolves = rapid.Bool().Draw(rt, "resolves")
				if o.Add(m, rapid.Bool().Draw(rt, "wanted"), time.Hour, now) {
					taken++
				}
			case "step":
				due, wake := o.Step(time.Hour, now)
				if due == nil {
					if len(o.Queue) > 0 && !wake.After(now) {
						rt.Fatalf("nothing is due, and it wants to be asked at %s, which is not after %s", wake, now)
					}
					continue
				}
				if sent[due.Serial] || due.NotBefore.After(now) || o.PauseUntil.After(now) {
					rt.Fatalf("%+v is due at %s", due, now)
				}
				if th := due.Message.Thread; th != "" && due.Serial < order[th] {
					rt.Fatalf("%d of thread %s comes after %d", due.Serial, th, order[th])
				}
				var err error
				switch rapid.IntRange(0, 3).Draw(rt, "answer") {
				case 0:
					err = reconcile.ErrUnavailable
				case 1:
					err = errors.New("final")
				default:
					sent[due.Serial] = true
					order[due.Message.Thread] = due.Serial
				}
				o.Done(due.Serial, err, "text", now)
			case "crash":
				data, err := notify.EncodeOutbox(o)
				if err != nil {
					rt.Fatal(err)
				}
				if o, err = notify.DecodeOutbox(data); err != nil {
					rt.Fatal(err)
				}
			}
			c := o.Counts
			if total := c.Sent + c.Dropped + c.Refused + c.Expired + len(o.Queue); total != taken {
				rt.Fatalf("%d were taken in, %d are accounted for: %+v", taken, total, c)
			}
		}
	})
}

func FuzzDecodeOutbox(f *testing.F) {
	f.Add([]byte(`{"format_version":1,"queue":[{"serial":1,"message":{"key":"k"}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := notify.DecodeOutbox(data)
		if err != nil {
			return
		}
		o.Add(message("x", spec.SeverityInfo, "t"), true, time.Hour, noon)
		o.Step(time.Hour, noon)
	})
}
