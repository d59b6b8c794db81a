package cli

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/audit"
)

// auditDaemon is an API over TCP that answers auditors, and keeps what it was asked.
func auditDaemon(t *testing.T) (url string, asked *[]string) {
	t.Helper()
	asked = &[]string{}
	answers := map[string]any{
		"/api/v1/status": app.DaemonStatus{}, "/api/v1/history": app.History{},
		"/api/v1/audit/head":     audit.Head{FormatVersion: audit.HeadFormat, Commit: strings.Repeat("ab", 20), Entries: 3},
		"/api/v1/audit/rows":     app.AuditRows{Rows: []audit.Row{{What: "promote", Name: "digits", Reason: "=1+1"}}},
		"/api/v1/audit/approval": app.VersionApproval{Environment: "prod", Approval: audit.Approval{Model: "digits", Version: "1.0.0"}},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.Path+"?"+r.URL.RawQuery)
		if r.URL.Query().Get("version") == "9" {
			w.WriteHeader(http.StatusNotFound)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": "digits 9 never came into the environment prod"})
			return
		}
		_ = json.NewEncoder(w).Encode(answers[r.URL.Path])
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func TestDaemonIsAskedWhatAuditorsWant(t *testing.T) {
	url, asked := auditDaemon(t)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		asked  string
		prints string
		code   int
	}{
		{[]string{"audit", "head"}, "/api/v1/audit/head?", `"entries":3`, exitOK},
		{[]string{"audit", "export", "--format", "csv", "--from", "2026-01-01T00:00:00Z"}, "/api/v1/audit/rows?from=2026-01-01T00%3A00%3A00Z", "'=1+1", exitOK},
		{[]string{"who-approved", "digits@1.0.0"}, "/api/v1/audit/approval?model=digits&version=1.0.0", "digits 1.0.0 came into prod", exitOK},
		{[]string{"who-approved", "digits@9"}, "/api/v1/audit/approval?model=digits&version=9", "never came", exitError},
		{[]string{"history", "--commits"}, "/api/v1/history?action=accept&limit=20", "trust { mode = off }", exitOK},
		{[]string{"history", "--proposals", "--limit", "3"}, "/api/v1/history?action=propose&action=conclude&limit=3", "Nothing of that kind", exitOK},
		{[]string{"history", "--pipeline", "train"}, "/api/v1/history?limit=20&pipeline=train", "Nothing of that kind", exitOK},
	} {
		var out bytes.Buffer
		env := Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Getenv: func(string) string { return "" }, Environ: func() []string { return nil }}
		code := Main(append(c.args, "--daemon", url, "--token-file", token, "--data", t.TempDir()), env)
		if last := (*asked)[len(*asked)-1]; code != c.code || last != c.asked || !strings.Contains(out.String(), c.prints) {
			t.Errorf("%v: got %d, asked %s, printed %s", c.args, code, last, out.String())
		}
	}
}

// Whoever names keys, and gets the word of a daemon, is told that it was taken on trust. What
// the file of that daemon names is its own concern.
func TestKeysThatADaemonHasNoUseForAreSaid(t *testing.T) {
	url, _ := auditDaemon(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token, keys := write("token", "0123456789abcdef"), write("keys", "")
	config := write("serve.hcl", "journal_signers = \""+keys+"\"\n")
	for _, command := range [][]string{{"history"}, {"live"}, {"audit", "export"}, {"audit", "head"}, {"who-approved", "digits@1.0.0"}} {
		for how, c := range map[string]struct {
			args []string
			env  string
			said bool
		}{
			"a flag":   {[]string{"--journal-signers", keys}, "", true},
			"the env":  {nil, keys, true},
			"the file": {[]string{"--config", config}, "", false},
			"nothing":  {nil, "", false},
		} {
			var out, errs bytes.Buffer
			env := Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Environ: func() []string { return nil }, Getenv: func(name string) string {
				if name == EnvName(signersFlag) {
					return c.env
				}
				return ""
			}}
			code := Main(slices.Concat(command, c.args, []string{"--daemon", url, "--token-file", token, "--data", dir}), env)
			if said := strings.Contains(errs.String(), "--journal-signers was not used"); code != exitOK || said != c.said {
				t.Errorf("%v with %s: %d, said %s", command, how, code, errs.String())
			}
		}
	}
}

func TestPlacesOfImagesAreLines(t *testing.T) {
	want := map[string]string{"a:1": "a:1@x", "b:1": "b:1@y"}
	got := placesOf("f.hcl", "a:1\n\"a:1\"\n\"b:1\" \"a:1\" \"a:1\"\n\"a:1@x\"\n", "a:1\n\"a:1@x\"\n\"b:1@y\" \"a:1@x\" \"a:1@x\"\n\"a:1@x\"\n", want, false)
	if len(got) != 4 || got[0].Line != 2 || got[3].From != "b:1" || got[3].To != "b:1@y" || got[3].Line != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestExportReplacesItsFileAsAWhole(t *testing.T) {
	dir := t.TempDir()
	output := filepath.Join(dir, "audit.jsonl")
	p := &program{}
	for range 2 {
		if err := p.export([]audit.Row{{What: "promote", At: time.Unix(0, 0)}}, false, output); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(dir)
	data, rerr := os.ReadFile(output)
	if err != nil || rerr != nil || len(files) != 1 || strings.Count(string(data), "\n") != 1 {
		t.Errorf("got %v %s, %v %v", files, data, err, rerr)
	}
}
