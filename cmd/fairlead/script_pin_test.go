package main

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// imageRegistry is the address of a registry that has the image team/digits:1.1.0, as the
// distribution specification has it for whoever asks for a manifest by its tag.
func imageRegistry(t *testing.T) string {
	t.Helper()
	manifest := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v2/":
		case "/v2/team/digits/manifests/1.1.0":
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			w.Header().Set("Docker-Content-Digest", fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(manifest))))
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(manifest))
		default:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`)
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// stopWord is what a plan for GitHub puts around its Markdown.
var stopWord = regexp.MustCompile(`\b[A-Z2-7]{26}\b`)

// masktoken FILE is mask for a plan for GitHub: its word differs from run to run.
func maskToken(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: masktoken FILE")
	}
	ts.Check(os.WriteFile(ts.MkAbs("masked"), stopWord.ReplaceAll([]byte(ts.ReadFile(args[0])), []byte("WORD")), 0o600))
}
