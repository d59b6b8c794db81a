package notify_test

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/notify"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

func TestLettersArriveAtARealServer(t *testing.T) {
	s := newMailServer(t)
	for i, way := range []struct{ name, scheme, port string }{{"STARTTLS", "smtp", s.starttls}, {"TLS", "smtps", s.overTLS}, {"in clear on this machine", "smtp", s.plain}} {
		m := rollback()
		m.Title = fmt.Sprintf("digits: zurück auf 1.1.0 (%d)\r\nBcc: eve@example.com", i)
		m.Text = "5.2 % — zu viel\n.\nBcc: eve@example.com\n" + strings.Repeat("long ", 400)
		send(t, open(t, s.options(way.scheme, way.port)), m)
		letters := s.letters(t, 2*(i+1)) // one for each recipient
		found := 0
		for _, l := range letters {
			if subject(t, l) != fmt.Sprintf("[prod] digits: zurück auf 1.1.0 (%d) Bcc: eve@example.com", i) {
				continue
			}
			found++
			for name, want := range map[string]string{
				"From": `"Fairlead" <fairlead@example.com>`, "To": `<ada@example.com>, "Grace" <grace@example.com>`, "Date": "Tue, 03 Mar 2026 12:00:00 +0000",
				"Content-Type": "text/plain; charset=UTF-8", "Auto-Submitted": "auto-generated", "X-Fairlead-Event": "rolled_back", "X-Fairlead-Severity": "error", "Bcc": "",
			} {
				if got := l.Header.Get(name); got != want {
					t.Errorf("%s: %s is %q", way.name, name, got)
				}
			}
			if id := l.Header.Get("Message-Id"); !strings.HasSuffix(id, "@example.com>") || id == l.Header.Get("References") || l.Header.Get("References") != l.Header.Get("In-Reply-To") {
				t.Errorf("%s: Message-ID %s, References %s", way.name, id, l.Header.Get("References"))
			}
			body := text(t, l)
			for _, want := range []string{m.Text, "revision: bbb\n", "owners: @vision\n", "journal head: feedbeef\n", "more: " + m.URL + "\n"} {
				if !strings.Contains(body, want) {
					t.Errorf("%s: the letter lacks %.60q: %.300q", way.name, want, body)
				}
			}
			protocol := map[string]string{"STARTTLS": "esmtpsa", "TLS": "esmtpsa", "in clear on this machine": "esmtp"}[way.name]
			if got := l.Header.Get("Received"); !strings.Contains(got, " with "+protocol+" ") {
				t.Errorf("%s: received %q", way.name, got)
			}
		}
		if found != 2 {
			t.Errorf("%s: %d letters arrived", way.name, found)
		}
	}
}

func TestARealServersRefusalIsJudged(t *testing.T) {
	s := newMailServer(t)
	for name, test := range map[string]struct {
		change func(*notify.Options)
		retry  bool
		want   string
	}{
		"wrong password":           {func(o *notify.Options) { o.Token = spec.NewSensitive("CANARY-wrong-one") }, false, "535"},
		"no such user":             {func(o *notify.Options) { o.Notifier.To = []string{"nobody@example.com"} }, false, "there is no"},
		"not now":                  {func(o *notify.Options) { o.Notifier.To = []string{"later@example.com"} }, true, "does not take"},
		"unknown certificate":      {func(o *notify.Options) { o.CAFile = "" }, true, "certificate"},
		"a server without TLS":     {func(o *notify.Options) { o.Notifier.URL = "smtp://localhost:" + s.plain }, true, "STARTTLS"},
		"TLS where there is none":  {func(o *notify.Options) { o.Notifier.URL = "smtps://localhost:" + s.plain }, true, ""},
		"in clear, and a login":    {func(o *notify.Options) { o.Notifier.URL, o.CAFile = "smtp://localhost:"+s.plain, "" }, true, "STARTTLS"},
		"the name of another host": {func(o *notify.Options) { o.Notifier.URL = "smtp://ip6-localhost:" + s.starttls }, true, ""},
	} {
		o := s.options("smtp", s.starttls)
		test.change(&o)
		err := open(t, o).Notify(t.Context(), rollback())
		if err == nil || errors.Is(err, reconcile.ErrUnavailable) != test.retry || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A server that never goes on, says nonsense, or quotes what it was sent: it is over in
// time, nothing is left behind, and no secret shows.
func TestServersOfMailThatMisbehave(t *testing.T) {
	const slow = "slow"
	for name, script := range map[string]func(line string) string{
		slow:       func(string) string { return "" },
		"nonsense": func(string) string { return "\x00\x01 garbage\r\n" },
		"echoes": func(line string) string {
			return "554-\x1b[31m" + strings.Repeat(line, 1000) + "\r\n554 " + line + "\r\n"
		},
		"closes": nil,
	} {
		t.Run(name, func(t *testing.T) {
			address := scripted(t, script)
			o := notify.Options{
				Notifier: spec.Notifier{Name: "m", Kind: spec.NotifyEmail, URL: "smtp://" + address, From: "a@example.com", To: []string{"b@example.com"}}, Timeout: 2 * time.Minute,
			}
			limit := time.Minute
			if name == slow {
				o.Timeout, limit = 300*time.Millisecond, belowDefault
			}
			within(t, limit, func() {
				if err := open(t, o).Notify(t.Context(), rollback()); err == nil || len(err.Error()) > 600 || strings.ContainsAny(err.Error(), "\x1b\r\n") {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// scripted is a server that greets and then answers each line as it is told; nil: it
// closes the connection at once.
func scripted(t *testing.T, script func(string) string) (address string) {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = conn.Close() }()
				if script == nil {
					return
				}
				_, _ = fmt.Fprint(conn, "220 hello\r\n") // who is gone is gone
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					_, _ = fmt.Fprint(conn, script(lines.Text()))
				}
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return l.Addr().String()
}
