package gitea_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/providers/forge/gitea"
)

// Whatever a server answers, no call panics or hangs.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"", "null", "{}", "[]", "[null]", "[{}]", `{"login":"x"}`, `[{"id":1,"name":"vision"}]`,
		`{"number":1,"state":"open","merged":true,"base":{"ref":"main"},"head":{"label":"feature"}}`,
		`[{"number":1,"state":"closed","merged":true,"base":{"ref":"main"},"head":{"label":"feature"}}]`,
		`[{"id":1,"user":null,"state":"APPROVED"}]`, `[{"sha":"aa","commit":null}]`, `[{"ref":"refs/pull/1/head","object":null}]`,
	} {
		f.Add(seed, 200, "1")
	}
	f.Fuzz(func(t *testing.T, body string, code int, total string) {
		if code < 200 || code > 599 || code == 304 || code == 204 {
			t.Skip("no answer with a body")
		}
		var asked atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			answer := code
			if asked.Add(1) > 100 { // of a list without an end
				answer = http.StatusInternalServerError
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header()["X-Total-Count"] = []string{total}
			w.WriteHeader(answer)
			_, _ = w.Write([]byte(body))
		}))
		defer server.Close()
		forge, err := gitea.New(gitea.Options{BaseURL: server.URL, Repo: "acme/models", TokenFile: tokenFile(t, canary)})
		if err != nil {
			t.Fatal(err)
		}
		defer forge.Close()
		for _, do := range calls(forge) {
			_ = do(t.Context())
		}
	})
}
