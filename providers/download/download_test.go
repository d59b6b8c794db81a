package download_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/download"
	"github.com/fairlead/fairlead/reconcile"
)

func TestGet(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/good", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if r.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, "1,2,3\n")
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/good", http.StatusFound) })
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) })
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "1,2")
	})
	mux.HandleFunc("/still", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "1,2")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	client := &download.Client{}

	for path, c := range map[string]struct {
		word  string
		again bool // it may pass by itself
	}{
		"/good": {}, "/moved": {},
		"/missing": {word: "404"},
		"/busy":    {word: "503", again: true},
		"/round":   {word: "more than 10", again: true},
		"/cut":     {word: "cut off after 3 bytes", again: true},
		"/still":   {word: "cut off after 3 bytes", again: true},
	} {
		t.Run(path, func(t *testing.T) {
			client := client
			if path == "/still" {
				client = &download.Client{Idle: 3 * time.Second} // in which a busy machine sends the 3 bytes
			}
			body, _, err := client.Get(t.Context(), server.URL+path, "")
			var data []byte
			if err == nil {
				data, err = io.ReadAll(body)
				if closed := body.Close(); closed != nil {
					t.Error(closed)
				}
			}
			switch {
			case c.word == "" && (err != nil || string(data) != "1,2,3\n"):
				t.Errorf("got %q, %v", data, err)
			case c.word != "" && (err == nil || !strings.Contains(err.Error(), c.word) || errors.Is(err, reconcile.ErrUnavailable) != c.again):
				t.Errorf("got %v; want %q, transient %t", err, c.word, c.again)
			}
		})
	}
	t.Run("what is known is not sent again", func(t *testing.T) {
		body, version, err := client.Get(t.Context(), server.URL+"/good", `"1"`)
		if body != nil || version != `"1"` || err != nil {
			t.Errorf("got %v, %q, %v", body, version, err)
		}
	})
	t.Run("passwords are not shown", func(t *testing.T) {
		_, _, err := client.Get(t.Context(), "http://ann:hunter2@127.0.0.1:1/x", "")
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no address", func(t *testing.T) {
		if _, _, err := client.Get(t.Context(), "http://ann:hunter2@[::1/x", ""); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	})
}
