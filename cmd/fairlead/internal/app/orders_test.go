package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// actingDaemon is a daemon that has brought its models up, with everything but
// Git in memory.
func actingDaemon(t *testing.T) *api {
	t.Helper()
	repo := newConfigRepo(t, 8) // the eighth has an overlay
	site, _, err := memorySite(repo.dir, t.TempDir(), "prod")
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{site: site, log: slog.New(slog.DiscardHandler), metrics: newMetrics()}
	if d.api, err = newAPI(site.Config, d, d.pipelines); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	c := site.Controller(nil, d.observe)
	d.current.Store(c)
	converged := make(chan struct{})
	var once sync.Once
	wg.Go(func() {
		c.Run(ctx, func(s *controller.Status) bool {
			if s.Converged {
				once.Do(func() { close(converged) })
			}
			return false
		})
	})
	select {
	case <-converged:
	case <-time.After(2 * time.Minute):
		t.Fatalf("the models do not come up: %+v", c.Status())
	}
	return d.api
}

func post(t *testing.T, h http.Handler, path, body string) (int, string) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, request)
	return recorder.Code, recorder.Body.String()
}

func TestOrdersAndHistoryOfARunningDaemon(t *testing.T) {
	a := actingDaemon(t)
	h := a.handler(false)
	m := a.daemon.Status().Models[0]
	if m.Stable == nil || m.Last == nil {
		t.Fatalf("the status does not tell what was decided: %+v", m)
	}

	t.Run("orders are refused for what they are", func(t *testing.T) {
		whole := fmt.Sprintf(`{"actor":"ann","reason":"because","revision":%q,"step":1}`, m.Stable.Revision)
		cases := map[string]struct {
			path, body string
			code       int
			says       string
		}{
			"no rollout any more":   {"/" + m.Name + "/promote", whole, http.StatusConflict, "moved on"},
			"nothing to go back to": {"/" + m.Name + "/undo", whole, http.StatusUnprocessableEntity, "kept no longer"},
			"not rejected":          {"/" + m.Name + "/retry", whole, http.StatusUnprocessableEntity, "is not rejected"},
			"no such model":         {"/other/pause", whole, http.StatusUnprocessableEntity, `no model \"other\"`},
			"no such order":         {"/" + m.Name + "/explode", whole, http.StatusNotFound, "promote, pause"},
			"no reason":             {"/" + m.Name + "/pause", `{"actor":"ann","revision":"x"}`, http.StatusBadRequest, `\"reason\"`},
			"no body":               {"/" + m.Name + "/pause", "", http.StatusBadRequest, "lacks"},
			"another field":         {"/" + m.Name + "/pause", `{"because":"x"}`, http.StatusBadRequest, "because"},
			"too much":              {"/" + m.Name + "/pause", `{"actor":"` + strings.Repeat("x", maxOrder) + `"}`, http.StatusBadRequest, "too large"},
		}
		for name, tc := range cases {
			code, body := post(t, h, "/api/v1/rollouts"+tc.path, tc.body)
			var problem Problem
			if err := json.Unmarshal([]byte(body), &problem); code != tc.code || err != nil || problem.Status != tc.code || !strings.Contains(body, tc.says) {
				t.Errorf("%s: %d %s, want %d and %q", name, code, body, tc.code, tc.says)
			}
		}
	})

	t.Run("the history is newest first", func(t *testing.T) {
		var history History
		_, body, _ := call(t, h, http.MethodGet, "/api/v1/history?model="+m.Name, "")
		if err := json.Unmarshal([]byte(body), &history); err != nil || len(history.Entries) != 2 ||
			history.Entries[0].Action != journal.ActionPromote || history.Entries[1].Action != journal.ActionStart {
			t.Errorf("got %s, %v", body, err)
		}
		_, body, _ = call(t, h, http.MethodGet, "/api/v1/history?model=other", "")
		if !strings.Contains(body, `"entries":[]`) {
			t.Errorf("of another model: %s", body)
		}
		for _, bad := range []string{"limit=0", "limit=x", "since=yesterday", "until=1"} {
			if code, _, _ := call(t, h, http.MethodGet, "/api/v1/history?"+bad, ""); code != http.StatusBadRequest {
				t.Errorf("%s: %d", bad, code)
			}
		}
	})

	t.Run("live tells what served at a time", func(t *testing.T) {
		var live Live
		_, body, _ := call(t, h, http.MethodGet, "/api/v1/live", "")
		if err := json.Unmarshal([]byte(body), &live); err != nil || live.Records[m.Name].Stable.Revision != m.Stable.Revision {
			t.Errorf("now: %s, %v", body, err)
		}
		_, body, _ = call(t, h, http.MethodGet, "/api/v1/live?at=2001-01-01T00:00:00Z", "")
		if err := json.Unmarshal([]byte(body), &live); err != nil || !strings.Contains(body, `"records":{}`) {
			t.Errorf("long ago: %s, %v", body, err)
		}
	})

	t.Run("a Prometheus elsewhere is told what to scrape", func(t *testing.T) {
		var groups []targetGroup
		_, body, _ := call(t, h, http.MethodGet, "/api/v1/targets", "")
		if err := json.Unmarshal([]byte(body), &groups); err != nil || len(groups) != 1 ||
			groups[0].Labels["job"] != "gateway" || groups[0].Labels["environment"] == "" || !strings.HasPrefix(groups[0].Labels["instance"], "gateway-") || groups[0].Labels["__metrics_path__"] != "/metrics" || groups[0].Labels["__scrape_interval__"] != "15s" {
			t.Errorf("got %s, %v", body, err)
		}
	})

	t.Run("metrics tell of rollouts", func(t *testing.T) {
		_, body, _ := call(t, h, http.MethodGet, "/metrics", "")
		for _, line := range []string{
			fmt.Sprintf("fairlead_rollouts_total{model=%q,outcome=\"promoted\"} 1", m.Name),
			`fairlead_rollout_duration_seconds_count{outcome="promoted"} 8`, "fairlead_journal_pending 0",
		} {
			if !strings.Contains(body, line+"\n") {
				t.Errorf("no %s", line)
			}
		}
	})
}

func TestWithoutALoopOrdersAndHistoryAreRefused(t *testing.T) {
	a := idleDaemon(t, "")
	h := a.handler(false)
	if code, body := post(t, h, "/api/v1/rollouts/m/pause", `{"actor":"ann","reason":"r","revision":"x"}`); code != http.StatusServiceUnavailable {
		t.Errorf("order: %d %s", code, body)
	}
	for _, path := range []string{"/api/v1/history", "/api/v1/live"} {
		if code, body, _ := call(t, h, http.MethodGet, path, ""); code != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	for _, path := range []string{"/api/v1/query", "/prometheus/api/v1/query", "/api/v1/label/job/values"} {
		if code, body, _ := call(t, h, http.MethodGet, path, ""); code != http.StatusNotFound || !strings.Contains(body, "--metrics-url") {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

func TestOverTCPEveryOrderWantsTheToken(t *testing.T) {
	h := idleDaemon(t, writeToken(t, apiToken)).handler(true)
	for method, paths := range map[string][]string{
		http.MethodPost: {"/api/v1/rollouts/m/promote", "/api/v1/query", "/prometheus/api/v1/query"},
		http.MethodGet:  {"/api/v1/history", "/api/v1/live", "/api/v1/targets", "/api/v1/query", "/prometheus/api/v1/query", "/api/v1/label/x/values"},
	} {
		for _, path := range paths {
			if code, body, _ := call(t, h, method, path, ""); code != http.StatusUnauthorized {
				t.Errorf("%s %s: %d %s", method, path, code, body)
			}
		}
	}
}

// aimed remembers what should be scraped.
type aimed struct{ targets []reconcile.ScrapeTarget }

func (a *aimed) Scrape(targets []reconcile.ScrapeTarget) { a.targets = targets }

func TestTheEmbeddedMetricsScrapeTheDaemonAsOftenAsTheGateway(t *testing.T) {
	models := []controller.ModelStatus{{Name: "digits", ReplicaRestarts: map[string]int{"r1": 3}}}
	own, err := serveModelMetrics(t.Context(), func() []controller.ModelStatus { return models })
	if err != nil {
		t.Fatal(err)
	}
	a := &aimed{}
	(&withDaemon{a, daemonTarget(reconcile.Scope{Owner: "o", Environment: "prod"}, own.address())}).Scrape([]reconcile.ScrapeTarget{{Job: "gateway", Address: "10.0.0.3:9901", Interval: time.Second}})
	i := slices.IndexFunc(a.targets, func(t reconcile.ScrapeTarget) bool { return t.Job == reconcile.JobDaemon })
	if len(a.targets) != 2 || i < 0 || a.targets[i].Interval != time.Second || a.targets[i].Labels["instance"] != "o.prod" {
		t.Fatalf("scraped is %+v", a.targets)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.targets[i].Address+a.targets[i].Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if _, err := fmt.Fprint(&text, response.Status); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 4096)
	n, _ := response.Body.Read(body)
	_ = response.Body.Close()
	if !strings.Contains(string(body[:n]), `fairlead_replica_restarts_total{model="digits",revision="r1"} 3`) {
		t.Errorf("%s: %s", text.String(), body[:n])
	}
	http.DefaultClient.CloseIdleConnections()
	if err := own.Close(); err != nil {
		t.Error(err)
	}
}

func TestTakingAnEnvironmentDownForgetsItsModels(t *testing.T) {
	site, _, err := memorySite(t.TempDir(), t.TempDir(), "default")
	if err != nil {
		t.Fatal(err)
	}
	record := journal.Record{FormatVersion: journal.RecordFormat, Model: "digits", Stable: &journal.Release{Revision: "r1"}}
	entry := journal.Entry{At: time.Now(), Action: journal.ActionAdopt, Model: "digits", Reason: "found", Actor: journal.Daemon, Record: &record}
	if err := site.Journal.Append(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Destroy(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	records, err := site.Journal.Open(t.Context())
	if err != nil || len(records) != 0 {
		t.Errorf("the journal has %v, %v", records, err)
	}
	history, err := site.Journal.History(t.Context(), journal.Query{})
	if err != nil || len(history) != 2 || history[0].Action != journal.ActionRemove || history[0].Actor != "ann" {
		t.Errorf("the history is %+v, %v", history, err)
	}
	site.Journal = nil // and where there never was a journal, there is nothing to forget
	if _, err := site.Destroy(t.Context(), "ann"); err != nil {
		t.Error(err)
	}
}

func TestTakingAnEnvironmentDownForgetsWhatADaemonHasLeft(t *testing.T) {
	site, _, err := memorySite(t.TempDir(), t.TempDir(), "default")
	if err != nil {
		t.Fatal(err)
	}
	site.Journal = nil // the daemon that wrote has ended
	dir := filepath.Join(site.Config.Data, "journal")
	left, err := git.NewJournal(git.JournalOptions{Dir: dir, Branch: journal.Branch(site.Config.Environment)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := left.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	record := journal.Record{FormatVersion: journal.RecordFormat, Model: "digits", Stable: &journal.Release{Revision: "r1"}}
	entry := journal.Entry{At: time.Now(), Action: journal.ActionAdopt, Model: "digits", Reason: "found", Actor: journal.Daemon, Record: &record}
	if err := left.Append(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Destroy(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	if records, err := left.Open(t.Context()); err != nil || len(records) != 0 {
		t.Errorf("the journal has %v, %v", records, err)
	}
}
