package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/notify"
	"github.com/fairlead/fairlead/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is a Store in memory.
type shelf struct {
	mu     sync.Mutex
	values map[string][]byte
	full   bool
}

func (s *shelf) Load(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.values[key]; ok {
		return v, nil
	}
	return nil, fs.ErrNotExist
}

func (s *shelf) Save(ctx context.Context, key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case s.full:
		return errors.New("no space left on device; free some")
	case s.values == nil:
		s.values = map[string][]byte{}
	}
	s.values[key] = slices.Clone(value)
	return nil
}

// receiver is a notifier that does what it is told.
type receiver struct {
	mu   sync.Mutex
	got  []reconcile.Message
	at   []time.Time
	fate func(ctx context.Context, m reconcile.Message) error // nil: takes all
}

func (r *receiver) Notify(ctx context.Context, m reconcile.Message) error {
	r.mu.Lock()
	fate := r.fate
	r.mu.Unlock()
	if fate != nil {
		if err := fate(ctx, m); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got, r.at = append(r.got, m), append(r.at, time.Now())
	return nil
}

func (r *receiver) keys() (keys []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.got {
		keys = append(keys, m.Key)
	}
	return keys
}

func (r *receiver) set(fate func(context.Context, reconcile.Message) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fate = fate
}

func hang(ctx context.Context, _ reconcile.Message) error { <-ctx.Done(); return ctx.Err() }

func away(context.Context, reconcile.Message) error {
	return &reconcile.RetryError{Cause: errors.New("503")}
}

// site is a Dispatcher with receivers by name.
type site struct {
	*notify.Dispatcher
	store     *shelf
	receivers map[string]*receiver
	log       bytes.Buffer
	stop      func()
}

func newSite(store *shelf, receivers map[string]*receiver) *site {
	s := &site{store: store, receivers: receivers}
	s.Dispatcher = notify.New(notify.Options{
		Store: store, Log: slog.New(slog.NewTextHandler(&s.log, nil)),
		Redact: func(text string) string { return strings.ReplaceAll(text, "CANARY", "(sensitive)") },
		Open: func(_ context.Context, n *spec.Notifier) (reconcile.Notifier, error) {
			if r := receivers[n.Name]; r != nil {
				return r, nil
			}
			return nil, errors.New("its secret cannot be read")
		},
	})
	return s
}

// run runs it until stop.
func (s *site) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	s.stop = func() { cancel(); <-done }
}

func (s *site) configure(t *testing.T, names ...string) {
	t.Helper()
	var all []*spec.Notifier
	for _, name := range names {
		all = append(all, &spec.Notifier{Name: name, Kind: spec.NotifyWebhook, Repeat: time.Hour})
	}
	if err := s.Configure(t.Context(), all); err != nil {
		t.Fatal(err)
	}
}

func (s *site) status(t *testing.T, name string) notify.Status {
	t.Helper()
	for _, st := range s.Status() {
		if st.Name == name {
			return st
		}
	}
	t.Fatalf("no status of %s", name)
	return notify.Status{}
}

func TestADeadReceiverDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := map[string]func(context.Context, reconcile.Message) error{
			"hangs": hang, "unavailable": away,
			"refuses": func(context.Context, reconcile.Message) error { return errors.New("400") },
			"panics":  func(context.Context, reconcile.Message) error { panic("at the disco") },
		}
		receivers := map[string]*receiver{"good": {}}
		names := []string{"good", "broken"} // which cannot be opened at all
		for name, fate := range dead {
			receivers[name] = &receiver{fate: fate}
			names = append(names, name)
		}
		s := newSite(&shelf{}, receivers)
		s.configure(t, names...)
		s.run(t)
		defer func() { s.stop() }()
		started := time.Now()
		for i := range 100 {
			s.Send(message(fmt.Sprint(i), spec.SeverityError, ""))
		}
		synctest.Wait()
		if got := len(receivers["good"].keys()); got != 100 {
			t.Fatalf("%d of 100 have arrived", got)
		}
		for _, at := range receivers["good"].at {
			if at.Sub(started) != 0 {
				t.Fatalf("one arrived after %s", at.Sub(started))
			}
		}
		time.Sleep(time.Hour)
		for name := range dead {
			st := s.status(t, name)
			if st.LastError == "" || st.FailingSince.IsZero() || st.Counts.Sent != 0 {
				t.Errorf("%s: %+v", name, st)
			}
		}
		if st := s.status(t, "broken"); st.Queue != 100 || st.LastError != "it cannot be used: its secret cannot be read" {
			t.Errorf("broken: %+v", st)
		}
		if st := s.status(t, "refuses"); st.Counts.Refused != 100 || st.Queue != 0 {
			t.Errorf("refuses: %+v", st)
		}
		// It comes back: all that waits arrives soon.
		receivers["unavailable"].set(nil)
		receivers["hangs"].set(nil)
		time.Sleep(20 * time.Minute)
		for _, name := range []string{"unavailable", "hangs"} {
			if st := s.status(t, name); st.Counts.Sent != 100 || !st.FailingSince.IsZero() {
				t.Errorf("%s is back: %+v", name, st)
			}
		}
	})
}

func TestWhatWasFlushedSurvivesAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &shelf{}
		first := newSite(store, map[string]*receiver{"a": {fate: hang}})
		first.configure(t, "a")
		first.run(t)
		for i := range 10 {
			first.Send(message(fmt.Sprint(i), spec.SeverityError, "t"))
		}
		if err := first.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		store.mu.Lock()
		survives := &shelf{values: map[string][]byte{"notify-a": store.values["notify-a"]}}
		store.mu.Unlock()

		r := &receiver{}
		second := newSite(survives, map[string]*receiver{"a": r})
		second.configure(t, "a")
		second.run(t)
		synctest.Wait()
		if got := r.keys(); len(got) != 10 || !slices.IsSorted(got) {
			t.Errorf("after the kill %v arrived", got)
		}
		second.Send(message("3", spec.SeverityError, "t"))
		synctest.Wait()
		if got := r.keys(); len(got) != 10 {
			t.Errorf("what was sent before the kill is sent again: %v", got)
		}
		second.stop()
		first.stop()
	})
}

func TestNewRoutesTakeOverWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &receiver{fate: away}, &receiver{}
		s := newSite(&shelf{}, map[string]*receiver{"a": a, "b": b})
		s.configure(t, "a")
		s.run(t)
		defer func() { s.stop() }()
		s.Send(message("1", spec.SeverityInfo, ""))
		synctest.Wait()
		a.set(nil)
		// a asks for other events and has other words now; b is new.
		err := s.Configure(t.Context(), []*spec.Notifier{
			{Name: "a", Events: []string{"promoted"}, Title: "NEW {{.Title}}", Repeat: time.Hour}, {Name: "b", Severity: spec.SeverityError},
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Send(message("2", spec.SeverityInfo, ""))
		s.Send(message("3", spec.SeverityError, ""))
		time.Sleep(time.Minute)
		if got := a.keys(); !slices.Equal(got, []string{"1"}) || a.got[0].Title != "NEW 1" {
			t.Errorf("a got %v", got)
		}
		if got := b.keys(); !slices.Equal(got, []string{"3"}) {
			t.Errorf("b got %v", got)
		}
		s.configure(t, "b")
		s.Send(message("4", spec.SeverityError, ""))
		synctest.Wait()
		if got := a.keys(); len(got) != 1 || len(s.Status()) != 1 {
			t.Errorf("a is gone, and got %v", got)
		}
	})
}

func TestBadTemplatesAndStoresAreToldAndStopNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		store := &shelf{full: true, values: map[string][]byte{"notify-a": []byte(`{"format_version":99}`)}}
		s := newSite(store, map[string]*receiver{"a": r})
		err := s.Configure(t.Context(), []*spec.Notifier{{Name: "a", Text: "{{.Nonsense}}"}})
		if err == nil || !strings.Contains(err.Error(), "Nonsense") || !strings.Contains(err.Error(), "format 99") {
			t.Errorf("the error is %v", err)
		}
		s.run(t)
		s.Send(rolledBack)
		time.Sleep(time.Second)
		if got := r.keys(); len(got) != 1 || r.got[0].Title != rolledBack.Title {
			t.Errorf("got %v", got)
		}
		notes := strings.Join(s.status(t, "a").Notes, "; ")
		if !strings.Contains(notes, "Nonsense") || !strings.Contains(notes, "no space left") {
			t.Errorf("the notes are %s", notes)
		}
		store.mu.Lock()
		store.full = false
		store.mu.Unlock()
		if err := s.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		if notes := s.status(t, "a").Notes; len(notes) != 1 {
			t.Errorf("the store is well again: %v", notes)
		}
		s.stop()
	})
}

// Secrets that come in with a message, or that a receiver quotes, come out nowhere.
func TestNoCanaryComesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &shelf{}
		good, bad := &receiver{}, &receiver{fate: func(context.Context, reconcile.Message) error {
			return &reconcile.RetryError{Cause: errors.New("401 for CANARY")}
		}}
		s := newSite(store, map[string]*receiver{"good": good, "bad": bad})
		err := s.Configure(t.Context(), []*spec.Notifier{{Name: "good", Text: "{{.Text}} {{.Facts.a}}"}, {Name: "bad"}})
		if err != nil {
			t.Fatal(err)
		}
		s.run(t)
		s.Send(reconcile.Message{
			Key: "k CANARY", Event: spec.NotifyHeld, Title: "a CANARY", Text: "b\nCANARY", Subject: "CANARY", Thread: "CANARY", URL: "https://x/CANARY",
			Facts: map[string]string{"a": "CANARY", "CANARY": "b"}, Owners: []string{"CANARY"}, Environment: "CANARY", Installation: "CANARY",
		})
		time.Sleep(time.Minute)
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.stop()
		out, err := json.Marshal([]any{s.Status(), good.got})
		if err != nil {
			t.Fatal(err)
		}
		all := string(out) + s.log.String()
		for _, v := range store.values {
			all += string(v)
		}
		if len(good.got) != 1 || strings.Contains(all, "CANARY") || !strings.Contains(all, "(sensitive)") {
			t.Errorf("a secret came out: %s", all)
		}
	})
}
