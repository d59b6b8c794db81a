package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/notify"
	"github.com/fairlead/fairlead/reconcile"
	core "github.com/fairlead/fairlead/reconcile/notify"
	"github.com/fairlead/fairlead/spec"
)

// memory is a Store.
type memory struct {
	mu     sync.Mutex
	values map[string]string
}

func (s *memory) Load(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.values[key]; ok {
		return []byte(v), nil
	}
	return nil, fs.ErrNotExist
}

func (s *memory) Save(_ context.Context, key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[key] = string(value)
	return nil
}

// Real senders in a Dispatcher: one receiver of each kind of death beside one of each
// kind that lives. The living get everything at once, the dead are told of, and none of
// 30 secrets shows in any message, error, status, log or store.
func TestTheDeadDelayNobodyAndNoCanaryComesOut(t *testing.T) {
	canaries := make([]spec.Sensitive, 30)
	for i := range canaries {
		canaries[i] = spec.NewSensitive(fmt.Sprintf("CANARY-%02d-sw0rdfish", i))
	}
	left := canaries
	take := func() spec.Sensitive { v := left[0]; left = left[1:]; return v }

	blackHole := listen(t, "127.0.0.1:0")
	defer func() { _ = blackHole.Close() }()
	refused := "127.0.0.1:" + freePorts(t, 1)[0]
	echo := func(status int) *double {
		return newDouble(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, "%v %v", r.Header, r.URL) // to a client that may be gone
		})
	}
	broken, unwilling, living := echo(500), echo(400), newDouble(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"ok":true}`) })
	options := map[string]notify.Options{}
	add := func(where, url string) {
		for _, kind := range []spec.NotifierKind{spec.NotifySlack, spec.NotifyPagerDuty, spec.NotifyWebhook, spec.NotifyAlertmanager} {
			o := notify.Options{Notifier: spec.Notifier{Name: where + "_" + string(kind), Kind: kind, URL: url, Channel: "c"}, Token: take()}
			if kind == spec.NotifyWebhook {
				o.URL = spec.NewSensitive(url + "/" + take().Reveal())
			}
			options[o.Notifier.Name] = o
		}
	}
	for where, url := range map[string]string{"hole": "http://" + blackHole.Addr().String(), "refused": "http://" + refused, "broken": broken.URL, "unwilling": unwilling.URL, "living": living.URL} {
		add(where, url)
	}
	for _, dead := range []string{blackHole.Addr().String(), refused} {
		o := notify.Options{Notifier: spec.Notifier{Name: "mail_" + strings.NewReplacer(":", "_", ".", "_").Replace(dead), Kind: spec.NotifyEmail, URL: "smtp://" + dead, User: "u", From: "a@example.com", To: []string{"b@example.com"}}, Token: take()}
		options[o.Notifier.Name] = o
	}
	rest := make([]string, 0, len(left)) // come in with what happens
	for _, v := range left {
		rest = append(rest, v.Reveal())
	}

	const gone = 10 * time.Second // until a receiver that says nothing is given up
	store := &memory{values: map[string]string{}}
	var log bytes.Buffer
	d := core.New(core.Options{
		Store: store, Log: slog.New(slog.NewJSONHandler(&log, nil)),
		Redact: func(s string) string {
			return spec.Redact(s, func(yield func(spec.Sensitive) bool) {
				for _, v := range canaries {
					if !yield(v) {
						return
					}
				}
			})
		},
		Open: func(_ context.Context, n *spec.Notifier) (reconcile.Notifier, error) {
			o := options[n.Name]
			o.AllowPrivate, o.Timeout = true, gone
			return notify.New(o)
		},
	})
	notifiers := make([]*spec.Notifier, 0, len(options))
	for _, o := range options {
		notifiers = append(notifiers, &o.Notifier)
	}
	if err := d.Configure(t.Context(), notifiers); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()

	const messages = 10
	started := time.Now()
	for i := range messages {
		m := rollback()
		m.Key, m.Thread = fmt.Sprint(i), ""
		m.Text, m.Facts["why"] = "it said "+strings.Join(rest, "\n"), rest[0]
		d.Send(m)
	}
	took := time.Since(started)
	if took > gone {
		t.Errorf("sending took %s", took)
	}
	eventually(t, "not everything arrives", func() bool { return living.count() == 4*messages })
	t.Logf("%d messages to %d notifiers: Send took %s in all, the living had everything after %s", messages, len(options), took, time.Since(started))
	if lasted := time.Since(started); lasted > gone {
		t.Errorf("the living waited for the dead: %s", lasted)
	}
	eventually(t, "what became of them is not told", func() bool {
		for _, s := range d.Status() {
			lives := strings.HasPrefix(s.Name, "living")
			if lives && s.Counts.Sent != messages || !lives && s.LastError == "" {
				return false
			}
		}
		return true
	})
	for _, s := range d.Status() {
		if lives := strings.HasPrefix(s.Name, "living"); lives && s.Counts.Sent != messages || !lives && s.Counts.Sent != 0 {
			t.Errorf("%+v", s)
		}
	}
	if err := d.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	status, err := json.Marshal(d.Status())
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-done
	all := string(status) + log.String() + fmt.Sprint(store.values)
	living.mu.Lock()
	for _, r := range living.requests {
		all += strings.ReplaceAll(string(r.Body), `"routing_key":"CANARY`, `"routing_key":"`) // which is where it belongs
	}
	living.mu.Unlock()
	if i := strings.Index(all, "CANARY"); i >= 0 {
		t.Errorf("a secret came out: %s", all[max(0, i-200):min(len(all), i+100)])
	}
	if !strings.Contains(all, "(sensitive)") {
		t.Error("nothing was blotted out: the test has lost its canaries")
	}
}
