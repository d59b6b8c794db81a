package app

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/rollout"
)

const apiToken = "0123456789abcdef0123456789abcdef"

// idleDaemon is a daemon before its first look at anything.
func idleDaemon(t *testing.T, tokenFile string) *api {
	t.Helper()
	site, _, err := memorySite(t.TempDir(), t.TempDir(), "default")
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{site: site, log: slog.New(slog.DiscardHandler), metrics: newMetrics()}
	c := site.Config
	c.TokenFile = tokenFile
	a, err := newAPI(c, d, d.pipelines)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func writeToken(t *testing.T, token string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// call asks a handler and returns code, body and header.
func call(t *testing.T, h http.Handler, method, path, authorization string) (int, string, http.Header) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, request)
	return recorder.Code, recorder.Body.String(), recorder.Header()
}

func TestOverTCPTheAPIIsClosedWithoutATokenFile(t *testing.T) {
	h := idleDaemon(t, "").handler(true)
	for _, path := range []string{"/api/v1/status", "/api/v1/plan"} {
		for _, authorization := range []string{"", "Bearer ", "Bearer x"} {
			if code, body, _ := call(t, h, http.MethodGet, path, authorization); code != http.StatusForbidden || !strings.Contains(body, "--token-file") {
				t.Errorf("%s with %q: %d %s", path, authorization, code, body)
			}
		}
	}
}

func TestOverTCPTheAPIWantsTheToken(t *testing.T) {
	h := idleDaemon(t, writeToken(t, apiToken)).handler(true)
	for _, authorization := range []string{"", "Bearer", "Bearer ", apiToken, "Basic " + apiToken, "bearer" + apiToken, "Bearer " + apiToken + "x", "Bearer " + apiToken[1:]} {
		code, body, header := call(t, h, http.MethodGet, "/api/v1/status", authorization)
		if code != http.StatusUnauthorized || header.Get("WWW-Authenticate") != "Bearer" || strings.Contains(body, apiToken) {
			t.Errorf("with %q: %d %s", authorization, code, body)
		}
		if code, _, _ := call(t, h, http.MethodPost, "/api/v1/sync", authorization); code != http.StatusUnauthorized {
			t.Errorf("sync with %q: %d", authorization, code)
		}
	}
	code, body, header := call(t, h, http.MethodGet, "/api/v1/status", "Bearer "+apiToken)
	var status DaemonStatus
	if err := json.Unmarshal([]byte(body), &status); code != http.StatusOK || err != nil || status.FormatVersion != controller.StatusFormat || header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d %s, %v", code, body, err)
	}
	if code, _, _ := call(t, h, http.MethodPost, "/api/v1/sync", "Bearer "+apiToken); code != http.StatusAccepted {
		t.Errorf("sync: %d", code)
	}
}

func TestOverTCPHealthAndMetricsAreOpen(t *testing.T) {
	h := idleDaemon(t, writeToken(t, apiToken)).handler(true)
	for path, want := range map[string]int{
		"/healthz": http.StatusOK, "/metrics": http.StatusOK,
		"/readyz": http.StatusServiceUnavailable, // nothing is loaded yet
		"/":       http.StatusNotFound, "/api/v1/other": http.StatusNotFound, "/debug/pprof/": http.StatusNotFound,
	} {
		if code, body, _ := call(t, h, http.MethodGet, path, ""); code != want {
			t.Errorf("%s: %d %s, want %d", path, code, body, want)
		}
	}
	if code, _, _ := call(t, h, http.MethodPost, "/healthz", ""); code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", code)
	}
}

func TestADaemonThatStandsByIsReadyAndHasNoPlan(t *testing.T) {
	a := idleDaemon(t, "")
	text := "standing by: another fairlead"
	a.daemon.standby.Store(&text)
	h := a.handler(false)
	if code, body, _ := call(t, h, http.MethodGet, "/readyz", ""); code != http.StatusOK || !strings.Contains(body, text) {
		t.Errorf("readyz: %d %s", code, body)
	}
	if code, body, _ := call(t, h, http.MethodGet, "/api/v1/status", ""); code != http.StatusOK || !strings.Contains(body, text) {
		t.Errorf("status: %d %s", code, body)
	}
	if code, body, _ := call(t, h, http.MethodGet, "/api/v1/plan", ""); code != http.StatusServiceUnavailable || !strings.Contains(body, "error") {
		t.Errorf("plan: %d %s", code, body)
	}
	if _, body, _ := call(t, h, http.MethodGet, "/metrics", ""); !strings.Contains(body, "fairlead_standby 1") {
		t.Error("the metrics do not say so")
	}
}

func TestMetricsKeepTheirNames(t *testing.T) {
	a := idleDaemon(t, "")
	for _, e := range []controller.Event{
		{Type: controller.Reconciled},
		{Type: controller.Resynced},
		{Type: controller.ActionStarted, Verb: "launch"},
		{Type: controller.ActionDone, Verb: "launch"},
		{Type: controller.SourceFailed},
		{Type: controller.CommitAccepted},
	} {
		a.daemon.observe(e)
	}
	_, body, _ := call(t, a.handler(false), http.MethodGet, "/metrics", "")
	for _, line := range []string{
		`fairlead_reconcile_total{kind=""} 1`, "fairlead_resync_duration_seconds_count 1", "fairlead_reconcile_duration_seconds_count 0", "fairlead_reconcile_queue 0", `fairlead_actions_total{action="launch",outcome="done"} 1`,
		`fairlead_action_duration_seconds_count{action="launch"} 1`, "fairlead_actions_in_flight 0", `fairlead_errors_total{source="git"} 1`,
		`fairlead_commits_total{outcome="accepted"} 1`, "fairlead_commit_lag_seconds 0", "fairlead_converged 0", "fairlead_standby 0",
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("no %s", line)
		}
	}
}

func TestACommitIsTimedUntilItIsConverged(t *testing.T) {
	m, start := newMetrics(), time.Now()
	accept := func(after time.Duration) {
		m.observe(controller.Event{Type: controller.CommitAccepted, Time: start.Add(after)})
	}
	decide := func(after time.Duration, converged bool) {
		m.decided(&controller.Status{Converged: converged}, start.Add(after))
	}
	accept(0)
	decide(time.Second, false)
	accept(10 * time.Second) // overtakes the first
	decide(11*time.Second, false)
	decide(14*time.Second, true)
	decide(20*time.Second, false) // a replica died: no commit to be timed
	decide(30*time.Second, true)
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "fairlead_reconcile_duration_seconds" {
			continue
		}
		if h := f.GetMetric()[0].GetHistogram(); h.GetSampleCount() != 1 || h.GetSampleSum() != 4 {
			t.Errorf("%d commits took %g seconds, want one of 4", h.GetSampleCount(), h.GetSampleSum())
		}
		return
	}
	t.Error("it is not timed")
}

func TestModelsThatAreNotSteadyAreTheQueue(t *testing.T) {
	status := DaemonStatus{Status: controller.Status{Models: []controller.ModelStatus{
		{Name: "a", Phase: rollout.Steady}, {Name: "b", Phase: rollout.Rolling}, {Name: "c", Phase: rollout.Degraded},
	}}}
	_, body, _ := call(t, newMetrics().handler(func() DaemonStatus { return status }), http.MethodGet, "/metrics", "")
	if !strings.Contains(body, "fairlead_reconcile_queue 2\n") {
		t.Error("the queue does not hold the two")
	}
}

func TestTokensThatCanBeGuessedAreRefused(t *testing.T) {
	for name, file := range map[string]string{"short": writeToken(t, "hunter2"), "empty": writeToken(t, ""), "missing": filepath.Join(t.TempDir(), "none")} {
		a, err := newAPI(Config{TokenFile: file}, nil, nil)
		if err == nil || a != nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheSocketIsForItsUserOnlyAndOutlivesNoDaemon(t *testing.T) {
	a := idleDaemon(t, "")
	path := filepath.Join(a.config.Data, SocketName)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	// What a daemon that was killed leaves behind is taken over.
	left, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.start(ctx, &running, a.daemon.log); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://daemon/api/v1/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("%s %s, %v", answer.Status, body, err)
	}
	_ = answer.Body.Close()
	stop()
	running.Wait()
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is still there")
	}
}

func TestTheSocketIsHandedOver(t *testing.T) {
	first := idleDaemon(t, "")
	path := filepath.Join(first.config.Data, SocketName)
	second := &api{daemon: first.daemon, config: first.config}
	firstCtx, stopFirst := context.WithCancel(t.Context())
	secondCtx, stopSecond := context.WithCancel(t.Context())
	var firstRuns, secondRuns sync.WaitGroup
	if err := first.start(firstCtx, &firstRuns, first.daemon.log); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.start(secondCtx, &secondRuns, first.daemon.log); err != nil || second.claimed {
		t.Errorf("beside a daemon that runs: claimed is %t, %v; want it to stand by", second.claimed, err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the socket of the first was replaced, %v", err)
	}
	stopFirst() // while the second waits
	if err := second.awaitSocket(secondCtx, &secondRuns, first.daemon.log); err != nil || !second.claimed {
		t.Errorf("after the first: claimed is %t, %v", second.claimed, err)
	}
	firstRuns.Wait()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the end of the first took the socket of the second away: %v", err)
	}
	stopSecond()
	secondRuns.Wait()
}

func TestADaemonWithADataDirectoryInUseGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		other, err := listenUnix(t.Context(), filepath.Join(dir, SocketName))
		if err != nil {
			t.Fatal(err)
		}
		a := &api{config: Config{Data: dir}}
		var running sync.WaitGroup
		if err := a.awaitSocket(t.Context(), &running, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "--data") {
			t.Errorf("got %v, want a hint at --data", err)
		}
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestLastWordsDoNoHarmToATerminal(t *testing.T) {
	lines := printable("first\n" + strings.Repeat("line\n", 20) + "\x1b[2Jred\ttab\r\n" + strings.Repeat("ä", 1000) + "\n\n")
	if len(lines) != lastWordsLines {
		t.Fatalf("%d lines", len(lines))
	}
	if got := lines[lastWordsLines-2]; got != "[2Jred tab" {
		t.Errorf("got %q", got)
	}
	if got := []rune(lines[lastWordsLines-1]); len(got) != lastWordsColumns+1 || got[0] != 'ä' {
		t.Errorf("got %q", string(got))
	}
}
