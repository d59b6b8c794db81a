package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/examples/digits/data"
	"github.com/fairlead/fairlead/examples/digits/internal/oip"
)

var update = flag.Bool("update", false, "write the recorded requests anew")

func TestAskReportsWhatTheModelReads(t *testing.T) {
	// This model sees a nine in everything.
	url := serve(t, http.StatusOK, `{"model_name":"digits","model_version":"9.9.9","outputs":[`+
		`{"name":"digit","shape":[1],"datatype":"INT64","data":[9]},`+
		`{"name":"probabilities","shape":[1,10],"datatype":"FP32","data":[0,0,0,0,0,0,0,0,0.25,0.75]}]}`)
	_, heldOut := digits(t)
	nines := 0
	for _, d := range heldOut[:40] {
		if d.Label == 9 {
			nines++
		}
	}

	var out bytes.Buffer
	if err := run(t.Context(), []string{"--url", url + "/", "--n", "40"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		fmt.Sprintf("accuracy   %.4f  %d of 40 held-out digits\n", float64(nines)/40, nines),
		"answered   digits 9.9.9  40 times\n",
		"latency    half within",
	} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("there is no %q in\n%s", part, out.String())
		}
	}
	if wrong := strings.Count(out.String(), "reads a 9 (75.0 %)"); wrong < 40-nines {
		t.Errorf("%d wrong answers are named, want %d", wrong, 40-nines)
	}
}

func TestQuietAskPrintsTheFiguresOnly(t *testing.T) {
	url := serve(t, http.StatusOK, `{"model_name":"digits","outputs":[{"name":"digit","data":[0]},{"name":"probabilities","data":[1]}]}`)
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--url", url, "--n", "20", "--quiet"}, &out); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(out.String(), "\n"); lines != 3 || !strings.HasPrefix(out.String(), "accuracy") {
		t.Errorf("got\n%swant accuracy, who answered, and latency", out.String())
	}
}

func TestInterruptedAskSumsUpWhatItHas(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	answers := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if answers++; answers > 3 {
			interrupt()
			return
		}
		fmt.Fprint(w, `{"model_name":"digits","outputs":[{"name":"digit","data":[0]},{"name":"probabilities","data":[1]}]}`)
	}))
	defer server.Close()
	var out bytes.Buffer
	if err := run(ctx, []string{"--url", server.URL, "--n", "1000000"}, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "answered   digits  3 times\n") {
		t.Errorf("got\n%swant three answers", out.String())
	}
}

func TestAskFails(t *testing.T) {
	cases := map[string]struct {
		status int
		body   string
		want   string
	}{
		"with the server's reason":          {http.StatusNotFound, `{"error":"no such model"}`, `2 of 2 requests failed; the first: `},
		"with the message of a refusal":     {http.StatusServiceUnavailable, `{"error":"no replica is ready"}`, `503 Service Unavailable: no replica is ready`},
		"with what came instead of JSON":    {http.StatusBadGateway, `<html>`, `502 Bad Gateway: <html>`},
		"on an answer that is not JSON":     {http.StatusOK, `<html>`, `not an inference response`},
		"on an answer without a digit":      {http.StatusOK, `{"model_name":"digits","outputs":[]}`, `the answer of digits holds no digit`},
		"on an answer with a strange digit": {http.StatusOK, `{"outputs":[{"name":"digit","data":[11]},{"name":"probabilities","data":[1]}]}`, `holds no digit`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), []string{"--url", serve(t, c.status, c.body), "--n", "2"}, t.Output())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestDraw(t *testing.T) {
	var d data.Digit
	for i := range data.Side {
		d.Pixels[i*data.Side+i] = float64(2 * (i + 1)) // a diagonal that grows darker
	}
	var out bytes.Buffer
	draw(&out, d)
	want := "  ..\n    ::\n      --\n        ==\n          ++\n            **\n              ##\n                @@\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// TestRecordedRequests holds the files with recorded requests to the data: one
// digit of each class to play with, and a warm-up request for the config repo,
// which comes from the training rows so that warming up does not touch the test.
func TestRecordedRequests(t *testing.T) {
	train, heldOut := digits(t)
	var each []data.Digit
	for class := range data.Classes {
		for _, d := range heldOut {
			if d.Label == class {
				each = append(each, d)
				break
			}
		}
	}
	for path, request := range map[string][]data.Digit{
		"../samples/one.json":          each[7:8],
		"../samples/each.json":         each,
		"../config/warmup/digits.json": train[:4],
	} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			want := record(t, request)
			if *update {
				if err := os.WriteFile(path, want, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what the data says; go test ./ask -update writes it", path)
			}
		})
	}
}

// record writes a request with one picture per line.
func record(t *testing.T, digits []data.Digit) []byte {
	t.Helper()
	request, err := inferRequest(digits...)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte(`"data":[[`), []byte("\"data\":[\n["))
	text = bytes.ReplaceAll(text, []byte(`],[`), []byte("],\n["))
	return append(bytes.ReplaceAll(text, []byte(`]]}]`), []byte("]\n]}]")), '\n')
}

func digits(t *testing.T) (train, heldOut []data.Digit) {
	t.Helper()
	all, err := data.Load()
	if err != nil {
		t.Fatal(err)
	}
	return data.Split(all)
}

// serve answers every valid inference request with the same body.
func serve(t *testing.T, status int, body string) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request oip.InferRequest
		err := json.NewDecoder(r.Body).Decode(&request)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v2/models/digits/infer" || len(request.Inputs) != 1 {
			t.Errorf("%s %s is not a request for one digit: %v", r.Method, r.URL.Path, err)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/v2/models/digits"
}
