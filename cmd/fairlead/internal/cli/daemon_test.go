package cli

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

const token = "0123456789abcdef0123"

// daemonOf is an API over TCP that knows one model, and refuses orders with a
// status and a body. It keeps the last order.
func daemonOf(t *testing.T, m controller.ModelStatus, status int, body string) (url string, last *app.RolloutOrder) {
	t.Helper()
	last = &app.RolloutOrder{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/status", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(app.DaemonStatus{Status: controller.Status{Environment: "default", Models: []controller.ModelStatus{m}}})
	})
	mux.HandleFunc("POST /api/v1/rollouts/digits/{kind}", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(last)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			http.Error(w, `{"error": "send the token"}`, http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, last
}

func rolling() controller.ModelStatus {
	return controller.ModelStatus{
		Address: spec.Address{Kind: spec.KindModel, Name: "digits"}, Name: "digits", Phase: rollout.Rolling, Revision: "bbbbbbbbbbbb",
		Stable:  &controller.ReleaseStatus{Revision: "aaaaaaaaaaaa", Version: "1"},
		Rollout: &controller.RolloutStatus{Candidate: controller.ReleaseStatus{Revision: "bbbbbbbbbbbb", Version: "2"}, Strategy: spec.Canary, Step: 2, Steps: 3, Weight: 25},
	}
}

// invoke runs the command line against a daemon over TCP.
func invoke(t *testing.T, url, secret string, args ...string) (code int, out, errs string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	env := Env{
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Environ: func() []string { return nil },
		Getenv: func(name string) string {
			return map[string]string{"FAIRLEAD_DAEMON": url, "FAIRLEAD_TOKEN_FILE": file, "FAIRLEAD_DATA": filepath.Dir(file), "SUDO_USER": "ann"}[name]
		},
	}
	code = Main(args, env)
	return code, stdout.String(), stderr.String()
}

func TestAnOrderCarriesWhatWasShown(t *testing.T) {
	url, last := daemonOf(t, rolling(), http.StatusOK, `{"action": "approve", "model": "digits", "weight": 25, "at": "2026-03-03T14:00:00Z", "reason": "x", "actor": "y"}`)
	code, out, errs := invoke(t, url, token, "rollout", "promote", "model.digits", "--reason", "reads well")
	if code != exitOK || !strings.Contains(out, "canary of 2 (bbbbbbbbbbbb) over 1 (aaaaaaaaaaaa), step 2 of 3 at 25 %") || !strings.Contains(out, "✓ Decided and journaled: approve of digits at 25 %.") {
		t.Errorf("%d: %s%s", code, out, errs)
	}
	if last.Revision != "bbbbbbbbbbbb" || last.Step != 2 || last.Full || last.Reason != "reads well" || !strings.HasPrefix(last.Actor, "ann@") {
		t.Errorf("got %+v", last)
	}
}

func TestARefusedOrderSaysHowThingsStandNow(t *testing.T) {
	url, _ := daemonOf(t, rolling(), http.StatusConflict, `{"title": "Conflict", "status": 409, "detail": "it is in step 2 now, not 1", "error": "it is in step 2 now, not 1"}`)
	code, _, errs := invoke(t, url, token, "rollout", "promote", "digits", "--reason", "x", "--revision", "cccccccccccc")
	if code != exitError || !strings.Contains(errs, "it is in step 2 now, not 1\nNow: model.digits is rolling: canary of 2") {
		t.Errorf("%d: %s", code, errs)
	}
}

func TestTroubleWithTheDaemonIsSaidPlainly(t *testing.T) {
	url, _ := daemonOf(t, rolling(), http.StatusOK, `not JSON`)
	for name, tc := range map[string]struct {
		secret string
		args   []string
		want   string
	}{
		"a wrong token":                 {"wrong-wrong-wrong", []string{"status"}, "Error: send the token\n"},
		"an answer that is no JSON":     {token, []string{"rollout", "pause", "digits", "--reason", "x"}, "are this program and the daemon of different versions?"},
		"an address that does not know": {token, []string{"history"}, "the daemon answers 404 Not Found: 404 page not found"},
		"a model that does not exist":   {token, []string{"rollout", "abort", "digts", "--reason", "x"}, `there is no model "digts"; did you mean digits?`},
		"nothing to go back from":       {token, []string{"rollout", "retry", "digits", "--reason", "x"}, "no revision of digits is rejected"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errs := invoke(t, url, tc.secret, tc.args...)
			if code != exitError || !strings.Contains(errs, tc.want) {
				t.Errorf("%d: %s", code, errs)
			}
		})
	}
}

func TestRetryMeansWhatGitWantsOrTheOnlyOne(t *testing.T) {
	rejected := func(revisions ...string) (list []controller.RejectedStatus) {
		for _, r := range revisions {
			list = append(list, controller.RejectedStatus{Revision: r})
		}
		return list
	}
	held := rolling()
	held.Rollout.Held = "a check failed"
	for name, tc := range map[string]struct {
		model controller.ModelStatus
		want  string
	}{
		"the candidate that is held": {held, "bbbbbbbbbbbb"},
		"what Git wants":             {controller.ModelStatus{Revision: "b", Rejected: rejected("a", "b", "c")}, "b"},
		"the only one":               {controller.ModelStatus{Revision: "z", Rejected: rejected("a")}, "a"},
		"one of several":             {controller.ModelStatus{Revision: "z", Rejected: rejected("a", "b")}, ""},
		"none":                       {controller.ModelStatus{Revision: "z"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := aboutRetry(&tc.model)
			if got != tc.want || (err != nil) != (tc.want == "") {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestTimesAreReadAsPeopleWriteThem(t *testing.T) {
	zone := time.FixedZone("", 2*60*60)
	now := time.Date(2026, 3, 3, 14, 0, 0, 0, zone)
	for text, want := range map[string]time.Time{
		"":                          {},
		"90m":                       now.Add(-90 * time.Minute),
		"7d":                        now.AddDate(0, 0, -7),
		"1d12h":                     now.Add(-36 * time.Hour),
		"2026-03-03T14:00:00Z":      time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC),
		"2026-03-03T14:00:00+01:00": time.Date(2026, 3, 3, 13, 0, 0, 0, time.UTC),
		"2026-03-03 13:30":          now.Add(-30 * time.Minute),
		"2026-03-03":                now.Add(-14 * time.Hour),
	} {
		if got, err := parseWhen("at", text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: got %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "24", "-1h", "d", "14:00", "2026-13-01"} {
		if got, err := parseWhen("at", text, now); err == nil {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}
