// The model server that the end-to-end tests serve. It does nothing to end
// gracefully: a request that it still holds when it is stopped fails, so what
// drains it must be Fairlead.
//
//	GET /v2/health/ready            200
//	GET /v2/models/NAME             {"name": VERSION}; ?wait=300ms answers later
//	GET /v2/models/NAME/seen        environment and secret files, as JSON
//
// With FAIL_EVERY=N set every N-th request to a model is answered with 500. With
// CRASH set it prints its secrets and the reason, and ends with code 3.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

func main() {
	if reason := os.Getenv("CRASH"); reason != "" {
		for _, pair := range os.Environ() {
			if strings.Contains(pair, "canary") {
				fmt.Fprintln(os.Stderr, pair)
			}
		}
		fmt.Fprintln(os.Stderr, "crash:", reason)
		os.Exit(3)
	}
	fmt.Println("ready")
	fmt.Fprintln(os.Stderr, http.ListenAndServe(":8080", http.HandlerFunc(answer)))
	os.Exit(1)
}

var asked atomic.Int64

func answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if n, _ := strconv.ParseInt(os.Getenv("FAIL_EVERY"), 10, 64); n > 0 && strings.HasPrefix(r.URL.Path, "/v2/models/") && asked.Add(1)%n == 0 {
		http.Error(w, `{"error": "it fails now and then"}`, http.StatusInternalServerError)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/seen") {
		_ = json.NewEncoder(w).Encode(seen())
		return
	}
	if wait, err := time.ParseDuration(r.URL.Query().Get("wait")); err == nil {
		<-time.After(wait)
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"name": os.Getenv("VERSION")})
}

func seen() any {
	files := map[string]string{}
	paths, _ := filepath.Glob("/run/secrets/*")
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			content = []byte("error: " + err.Error())
		}
		files[filepath.Base(path)] = string(content)
	}
	return map[string]any{"env": os.Environ(), "files": files}
}
