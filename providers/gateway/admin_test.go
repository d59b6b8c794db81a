package gateway_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/gateway"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

func TestAdminWantsTheToken(t *testing.T) {
	g := start(t, nil)
	for name, authorization := range map[string]string{
		"none": "", "another": "Bearer the-wrong-token", "a prefix": "Bearer the-admin-toke", "another scheme": "Basic the-admin-token", "empty": "Bearer ",
	} {
		for method, path := range map[string]string{http.MethodPut: "/v1/table", http.MethodGet: "/v1/report", http.MethodHead: "/v1/table"} {
			request, err := http.NewRequestWithContext(t.Context(), method, "http://"+g.admin+path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if authorization != "" {
				request.Header.Set("Authorization", authorization)
			}
			if answer, body := do(t, request); answer.StatusCode != http.StatusUnauthorized || strings.Contains(body, token.Reveal()) {
				t.Errorf("token %s, %s %s: %s %s, want 401", name, method, path, answer.Status, body)
			}
		}
	}
	stranger := gateway.NewClient(spec.NewSensitive("the-wrong-token"))
	defer stranger.Close()
	_, err := stranger.Table(t.Context(), g.admin)
	if err == nil || errors.Is(err, reconcile.ErrRouterUnavailable) || strings.Contains(err.Error(), "the-wrong-token") {
		t.Errorf("error = %v, want one about the token that does not tell it", err)
	}
}

func TestConfigWithoutTokenIsRefused(t *testing.T) {
	if _, err := gateway.NewServer(gateway.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("error = %v, want one about the token", err)
	}
}

func TestTakenAddressIsSaid(t *testing.T) {
	g := start(t, nil)
	_, err := gateway.NewServer(gateway.Config{Listen: "127.0.0.1:0", Admin: g.admin, Token: token})
	if err == nil || !strings.Contains(err.Error(), g.admin) {
		t.Errorf("error = %v, want one that names %s", err, g.admin)
	}
}

// put pushes raw bytes past the client's own checks.
func put(t *testing.T, g *rig, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+g.admin+"/v1/table", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token.Reveal())
	answer, said := do(t, request)
	return answer.StatusCode, said
}

func TestTableIsReadStrictly(t *testing.T) {
	g := start(t, nil)
	cases := []struct{ name, body, says string }{
		{"no JSON", "{", "read the routing table"},
		{"unknown field", `{"format_version":2,"version":1,"models":[],"mirror":true}`, "mirror"},
		{"two tables", `{"format_version":2,"version":1,"models":[]} {}`, "follows after its end"},
		{"another format", `{"format_version":9,"version":1,"models":[]}`, "same release"},
		{"version 0", `{"format_version":2,"version":0,"models":[]}`, "version is 0"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if code, said := put(t, g, c.body); code != http.StatusBadRequest || !strings.Contains(said, c.says) {
				t.Errorf("%d %s, want 400 that says %q", code, said, c.says)
			}
		})
	}
}

// kept starts a gateway that keeps its table in the file.
func kept(t *testing.T, path string) *rig {
	t.Helper()
	return start(t, func(c *gateway.Config) { c.TablePath = path })
}

func TestKeptTableServesAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table.json")
	b := newBackend(t, "a", nil)
	first := kept(t, path)
	first.push(t, model("digits", revision("r1", 100, b.replica())))
	first.stop()

	second := kept(t, path)
	second.table = first.table
	// Without any push, and from the first request on.
	if _, body := second.get(t, "/v2/models/digits", nil); body != "a /v2/models/digits" {
		t.Errorf("got %q from the kept table", body)
	}
	second.push(t, model("digits", revision("r2", 100, b.replica()))) // version 2 follows on 1
}

func TestCorruptFileIsSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table.json")
	for name, content := range map[string]string{"half a table": `{"format_version":2,"ver`, "a table that is not valid": `{"format_version":2,"version":3,"models":[{"name":"-"}]}`, "empty": ""} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			g := kept(t, path)
			if table, err := g.client.Table(t.Context(), g.admin); err != nil || table.Version != 0 {
				t.Errorf("table %d, %v; want none", table.Version, err)
			}
			if aside, err := os.ReadFile(path + ".corrupt"); err != nil || string(aside) != content {
				t.Errorf("set aside: %q, %v; want the content", aside, err)
			}
			g.push(t) // and it can be kept again
			g.stop()
			if again := kept(t, path); again.server == nil {
				t.Error("no restart")
			}
			var table reconcile.Table
			if data, err := os.ReadFile(path); err != nil || json.Unmarshal(data, &table) != nil || table.Version != 1 {
				t.Errorf("kept table %+v, %v", table, err)
			}
		})
	}
}

func TestTableThatCannotBeKeptIsServedAndSaid(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	path := filepath.Join(dir, "table.json")
	b := newBackend(t, "a", nil)
	g := kept(t, path) // the directory is not there, as on a lost volume
	g.push(t, model("digits", revision("r1", 100, b.replica())))
	g.ready(t)
	if answer, _ := g.get(t, "/v2/models/digits", nil); answer.StatusCode != http.StatusOK {
		t.Errorf("request: %s, want the table in force", answer.Status)
	}
	report, err := g.client.Report(t.Context(), g.admin, 0, 0)
	if err != nil || !strings.Contains(report.Warning, path) {
		t.Errorf("warning %q, %v; want one that names %s", report.Warning, err, path)
	}
	awaitMetric(t, g, "fairlead_gateway_table_unstored 1")

	// Once there is room again, repeating the push is enough.
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := g.client.Push(t.Context(), g.admin, g.table); err != nil {
		t.Fatal(err)
	}
	if report, err := g.client.Report(t.Context(), g.admin, 0, 0); err != nil || report.Warning != "" {
		t.Errorf("warning %q, %v; want none", report.Warning, err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestWaitingReportEndsWithTheGateway(t *testing.T) {
	g := start(t, nil)
	report, err := g.client.Report(t.Context(), g.admin, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := g.client.Report(t.Context(), g.admin, report.Sequence, time.Minute)
		ended <- err
	}()
	g.stop()
	if err := <-ended; !errors.Is(err, reconcile.ErrRouterUnavailable) {
		t.Errorf("error = %v, want ErrRouterUnavailable", err)
	}
}
