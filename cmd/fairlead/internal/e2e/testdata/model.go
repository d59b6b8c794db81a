// The model server that the end-to-end tests serve. It does nothing to end
// gracefully: a request that it still holds when it is stopped fails, so what
// drains it must be Fairlead.
//
//	GET  /v2/health/ready           200
//	GET  /v2/models/NAME            its metadata, with VERSION; ?wait=300ms answers later
//	POST /v2/models/NAME/infer      one number, "score", after 100 to 200 ms
//	GET  /v2/models/NAME/seen       environment and secret files, as JSON
//
// What is wrong with its answers is set in its environment:
//
//	ERRORS   share of the inferences that fail, 0 to 1, once it is warm
//	SLOWER   factor by which they take longer
//	SHIFT    what is added to the scores, which spread around 0.5 by 0.1
//	CRASH    it prints its secrets and this reason, and ends with code 3
//
// A build may be broken by itself: with -ldflags "-X main.broken=0.5" it has these
// ERRORS unless its environment has others.
//
// Each answer says in the header Model-Version who gave it, and in Model-Error
// that a failure is one of ERRORS.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// broken is the share of the inferences that this very build fails.
var broken string

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

func answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Model-Version", os.Getenv("VERSION"))
	if strings.HasSuffix(r.URL.Path, "/seen") {
		_ = json.NewEncoder(w).Encode(seen())
		return
	}
	if strings.HasSuffix(r.URL.Path, "/infer") {
		infer(w, r)
		return
	}
	if wait, err := time.ParseDuration(r.URL.Query().Get("wait")); err == nil {
		<-time.After(wait)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"name": path.Base(r.URL.Path), "versions": []string{os.Getenv("VERSION")}, "platform": "test",
		"inputs":  []any{map[string]any{"name": "x", "datatype": "FP64", "shape": []int{1}}},
		"outputs": []any{map[string]any{"name": "score", "datatype": "FP64", "shape": []int{1}}},
	})
}

// cold is how many inferences never fail: more than two warm-ups take.
const cold = 20

var inferences atomic.Int64

func infer(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-time.After(time.Duration(number("SLOWER", 1) * float64(100*time.Millisecond+rand.N(100*time.Millisecond))))
	if inferences.Add(1) > cold && rand.Float64() < number("ERRORS", 0) {
		w.Header().Set("Model-Error", "on purpose")
		w.WriteHeader(http.StatusInternalServerError)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "on purpose"})
		return
	}
	score := 0.5 + number("SHIFT", 0) + 0.1*rand.NormFloat64()
	_ = json.NewEncoder(w).Encode(map[string]any{
		"model_name": path.Base(path.Dir(r.URL.Path)), "model_version": os.Getenv("VERSION"),
		"outputs": []any{map[string]any{"name": "score", "datatype": "FP64", "shape": []int{1}, "data": []float64{score}}},
	})
}

// number is a variable of the environment, or what it is when not set.
func number(variable string, otherwise float64) float64 {
	if n, err := strconv.ParseFloat(os.Getenv(variable), 64); err == nil {
		return n
	}
	if n, err := strconv.ParseFloat(broken, 64); err == nil && variable == "ERRORS" {
		return n
	}
	return otherwise
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
