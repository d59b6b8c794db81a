package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/notify"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// newRealAlertmanager starts an Alertmanager that sends what it has to the receiver at
// the URL. Without one the test is skipped.
func newRealAlertmanager(t *testing.T, receiver string) (url string) {
	t.Helper()
	binary, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		if binary, err = exec.LookPath("alertmanager"); err != nil {
			t.Skip("there is no Alertmanager: install Debian's prometheus-alertmanager")
		}
	}
	dir := t.TempDir()
	config := `
route: {receiver: people, group_by: ['...'], group_wait: 100ms, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: people, webhook_configs: [{url: '` + receiver + `', send_resolved: true}]}]
`
	if err := os.WriteFile(filepath.Join(dir, "a.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + freePorts(t, 1)[0]
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, binary, "--config.file="+dir+"/a.yml", "--storage.path="+dir+"/data", "--web.listen-address="+address, "--cluster.listen-address=", "--log.level=debug")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("alertmanager: %s", log.String())
		}
	})
	eventually(t, "Alertmanager does not answer", func() bool { return get(t, "http://"+address+"/-/ready", nil) })
	return "http://" + address
}

// get reads JSON into v, and tells whether there was any to be had.
func get(t *testing.T, url string, v any) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode == http.StatusOK && (v == nil || json.NewDecoder(resp.Body).Decode(v) == nil)
}

// active are the alerts that Alertmanager has now.
type active struct {
	Labels       map[string]string
	Annotations  map[string]string
	StartsAt     time.Time
	EndsAt       time.Time
	GeneratorURL string
	Status       struct{ State string }
}

func TestARealAlertmanagerHasTheAlertUntilItIsResolved(t *testing.T) {
	people := newDouble(t, answer(200, ""))
	url := newRealAlertmanager(t, people.URL)
	n := open(t, notify.Options{Notifier: spec.Notifier{Name: "a", Kind: spec.NotifyAlertmanager, URL: url}})
	alerts := func() (all []active) {
		if !get(t, url+"/api/v2/alerts", &all) {
			t.Fatal("Alertmanager does not answer")
		}
		return all
	}
	m := rollback()
	m.At = time.Now().Add(-time.Second).Truncate(time.Millisecond).UTC()
	send(t, n, m)
	send(t, n, m) // the same again
	eventually(t, "the alert does not come", func() bool { return len(alerts()) > 0 })
	all := alerts()
	if len(all) != 1 {
		t.Fatalf("it has %d alerts", len(all))
	}
	a := all[0]
	equal(t, "labels", a.Labels, map[string]string{
		"alertname": "FairleadRolledBack", "event": "rolled_back", "severity": "error", "subject": "model.digits", "environment": "prod", "installation": "prod-1",
	})
	equal(t, "summary", a.Annotations["summary"], m.Title)
	equal(t, "description", a.Annotations["description"], m.Text)
	equal(t, "fact", a.Annotations["check_errors"], m.Facts["check.errors"])
	if !a.StartsAt.Equal(m.At) || a.EndsAt.Before(time.Now().Add(6*24*time.Hour)) || a.Status.State == "suppressed" {
		t.Errorf("from %s to %s, %s", a.StartsAt, a.EndsAt, a.Status.State)
	}
	type told struct {
		Status string
		Alerts []struct {
			Status string
			Labels map[string]string
		}
	}
	said := func() (states []string) {
		people.mu.Lock()
		defer people.mu.Unlock()
		for _, r := range people.requests {
			var w told
			if err := json.Unmarshal(r.Body, &w); err != nil {
				t.Fatal(err)
			}
			for _, a := range w.Alerts {
				states = append(states, a.Labels["event"]+" "+a.Status)
			}
		}
		return states
	}
	eventually(t, "nobody was told", func() bool { return len(said()) > 0 })

	end := promoted()
	end.At = time.Now().UTC()
	send(t, n, end)
	eventually(t, "the alert stays", func() bool {
		return !slices.ContainsFunc(alerts(), func(a active) bool { return a.Labels["event"] == "rolled_back" })
	})
	eventually(t, "nobody was told of the end", func() bool { return slices.Contains(said(), "rolled_back resolved") })
	eventually(t, "the news do not come", func() bool { return slices.Contains(said(), "promoted firing") })
	want := []string{"promoted firing", "rolled_back firing", "rolled_back resolved"}
	got := said()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("people were told %v", got)
	}

	// It comes again: another alert, with its own end.
	m.At = time.Now().UTC()
	send(t, n, m)
	eventually(t, "the alert does not come again", func() bool {
		return slices.ContainsFunc(alerts(), func(a active) bool { return a.Labels["event"] == "rolled_back" })
	})
}

// Everything that a message may be is taken by a real Alertmanager.
func TestARealAlertmanagerTakesEveryMessage(t *testing.T) {
	people := newDouble(t, answer(200, ""))
	n := open(t, notify.Options{Notifier: spec.Notifier{Name: "a", Kind: spec.NotifyAlertmanager, URL: newRealAlertmanager(t, people.URL)}})
	for name, m := range map[string]reconcile.Message{
		"bare":          {Key: "k", Event: spec.NotifyHeld, Title: "t", At: noon},
		"no time":       {Key: "k", Event: spec.NotifyPromoted, Title: "t"},
		"of the future": {Key: "k", Event: spec.NotifyHeld, Title: "t", At: time.Now().Add(time.Hour)},
		"odd facts":     {Key: "k", Event: spec.NotifyHeld, Title: "t", At: noon, Facts: map[string]string{"": "x", "9": "y", "ü-ö": "z", "a b": "ü", "summary": "mine"}},
		"unknown event": {Key: "k", Event: "later", Title: "t", At: noon},
		"only resolves": {Key: "k", Event: spec.NotifyHeld, Resolves: true, Thread: "t", At: noon},
	} {
		if err := n.Notify(t.Context(), m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
