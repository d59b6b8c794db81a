package notify_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/notify"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// overHTTP are notifiers of each kind that talks HTTP, full of secrets.
func overHTTP(url string) map[string]notify.Options {
	return map[string]notify.Options{
		"slack":        {Notifier: spec.Notifier{Name: "n", Kind: spec.NotifySlack}, URL: spec.NewSensitive(url + "/services/CANARY-T/CANARY-B/CANARY-sw0rdfish")},
		"bot":          {Notifier: spec.Notifier{Name: "n", Kind: spec.NotifySlack, URL: url, Channel: "c"}, Token: spec.NewSensitive("xoxb-CANARY-sw0rdfish")},
		"pagerduty":    {Notifier: spec.Notifier{Name: "n", Kind: spec.NotifyPagerDuty, URL: url}, Token: spec.NewSensitive("CANARY-sw0rdfish")},
		"webhook":      {Notifier: spec.Notifier{Name: "n", Kind: spec.NotifyWebhook}, URL: spec.NewSensitive(url + "/?key=CANARY-sw0rdfish"), Token: spec.NewSensitive("CANARY-t0ken"), SigningKey: spec.NewSensitive("whsec_Q0FOQVJZQ0FOQVJZ")},
		"alertmanager": {Notifier: spec.Notifier{Name: "n", Kind: spec.NotifyAlertmanager, URL: url}, Token: spec.NewSensitive("CANARY-sw0rdfish")},
	}
}

// Which answers are final, and that no error tells a secret, also where the receiver
// quotes everything that it was sent.
func TestAnswersAreFinalOrPass(t *testing.T) {
	for status, retry := range map[int]bool{
		301: false, 302: false, 400: false, 401: false, 403: false, 404: false, 408: true, 410: false, 413: false, 429: true, 500: true, 502: true, 503: true, 504: true,
	} {
		d := newDouble(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "https://elsewhere.example.com/CANARY-sw0rdfish")
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(status)
			body, _ := io.ReadAll(r.Body) // what is missing is not quoted
			_, _ = fmt.Fprintf(w, "%s %s %s %s\x1b[31m %.60s %s", path.Base(r.URL.Path), r.URL.Query().Get("key"), r.URL, r.Header.Get("Authorization"), body, strings.Repeat("x", 1<<20))
		})
		for kind, o := range overHTTP(d.URL) {
			o.Now = func() time.Time { return noon }
			err := open(t, o).Notify(t.Context(), rollback())
			if err == nil || errors.Is(err, reconcile.ErrUnavailable) != retry {
				t.Errorf("%s, %d: %v", kind, status, err)
				continue
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if text := e.Error(); strings.Contains(text, "CANARY") || strings.ContainsAny(text, "\x1b\n") || len(text) > 600 {
					t.Errorf("%s, %d: %s", kind, status, text)
				}
			}
			if later := (*reconcile.RetryError)(nil); retry && (!errors.As(err, &later) || !later.After.Equal(noon.Add(2*time.Minute))) {
				t.Errorf("%s, %d: again at %v", kind, status, later)
			}
		}
	}
}

func TestRetryAfterMayBeADate(t *testing.T) {
	for value, want := range map[string]time.Time{
		"Tue, 03 Mar 2026 12:05:00 GMT": noon.Add(5 * time.Minute), "-1": {}, "soon": {}, "": {}, "99999999999": {}, "86401": noon.Add(24 * time.Hour),
	} {
		d := newDouble(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", value)
			answer(429, "")(w, r)
		})
		n := open(t, notify.Options{Notifier: spec.Notifier{Kind: spec.NotifyWebhook, URL: d.URL}, Now: func() time.Time { return noon }})
		err := n.Notify(t.Context(), rollback())
		later := (*reconcile.RetryError)(nil)
		if !errors.As(err, &later) {
			t.Fatal(err)
		}
		if value == "99999999999" { // fits into an int: it is cut
			want = noon.Add(24 * time.Hour)
		}
		if !later.After.Equal(want) {
			t.Errorf("%q is %s, want %s", value, later.After, want)
		}
	}
}

// No redirect is followed: the second host sees nothing at all.
func TestNoRedirectIsFollowed(t *testing.T) {
	second := newDouble(t, answer(200, "ok"))
	first := newDouble(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, second.URL+"/steal", http.StatusTemporaryRedirect)
	})
	for kind, o := range overHTTP(first.URL) {
		if err := open(t, o).Notify(t.Context(), rollback()); err == nil || !strings.Contains(err.Error(), second.URL) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if second.count() != 0 || first.count() != 5 {
		t.Errorf("the second host saw %d requests", second.count())
	}
}

// A black hole, a closed port, a server that says nothing or never ends: each call is
// over in time, and the message is tried again.
func TestDeadReceiversEndInTime(t *testing.T) {
	silent := listen(t, "127.0.0.1:0")
	defer func() { _ = silent.Close() }()
	closed := listen(t, "127.0.0.1:0")
	_ = closed.Close()
	endless := newDouble(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write([]byte("x")); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	mute := newDouble(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for name, url := range map[string]string{
		"silent": "http://" + silent.Addr().String(), "closed": "http://" + closed.Addr().String(), "endless": endless.URL, "mute": mute.URL,
	} {
		for kind, o := range overHTTP(url) {
			o.Timeout = 200 * time.Millisecond
			within(t, belowDefault, func() {
				if err := open(t, o).Notify(t.Context(), rollback()); err == nil || !errors.Is(err, reconcile.ErrUnavailable) || strings.Contains(err.Error(), "CANARY") {
					t.Errorf("%s, %s: %v", name, kind, err)
				}
			})
		}
	}
}

// belowDefault is less than a call may take whose Timeout is not set, which is 10 s.
const belowDefault = 7 * time.Second

// within checks that something takes no longer than a limit. On a busy machine one of
// several tries may be slow.
func within(t *testing.T, limit time.Duration, do func()) {
	t.Helper()
	least := time.Hour
	for tries := 0; tries < 3 && least > limit; tries++ {
		started := time.Now()
		do()
		least = min(least, time.Since(started))
	}
	if least > limit {
		t.Errorf("it took %s at the least, want at most %s", least, limit)
	}
}

func TestServersAreVerified(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir)
	pair, err := tls.LoadX509KeyPair(dir+"/cert.pem", dir+"/key.pem")
	if err != nil {
		t.Fatal(err)
	}
	d := &double{Server: httptest.NewUnstartedServer(answer(200, "ok"))}
	d.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	d.Config.ErrorLog = log.New(io.Discard, "", 0)
	d.EnableHTTP2 = true
	d.StartTLS()
	defer d.Close()
	o := notify.Options{Notifier: spec.Notifier{Kind: spec.NotifyWebhook, URL: d.URL}, CAFile: dir + "/cert.pem"}
	send(t, open(t, o), rollback())
	o.CAFile = ""
	if err := open(t, o).Notify(t.Context(), rollback()); err == nil || !errors.Is(err, reconcile.ErrUnavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody knows: %v", err)
	}
}
