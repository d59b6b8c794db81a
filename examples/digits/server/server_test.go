package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/examples/digits/data"
	"github.com/fairlead/fairlead/examples/digits/internal/nn"
)

// TestMain lets a test start the server as a process of its own: the test binary
// becomes the server where the environment says so.
func TestMain(m *testing.M) {
	if os.Getenv("DIGITS_TEST_IS_SERVER") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestSIGTERMFinishesWhatIsOpen(t *testing.T) {
	address, process := start(t, "--linger", "10s")
	url := "http://" + address + "/v2/models/digits"

	// The request is open, but half of its body is still to come.
	body := inferBody(t, 1)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprintf(conn, "POST /v2/models/digits/infer HTTP/1.1\r\nHost: digits\r\nContent-Length: %d\r\n\r\n", len(body))
	send(t, conn, body[:len(body)/2])

	if status, _ := get(t, url+"/ready"); status != http.StatusOK {
		t.Fatalf("ready answers %d before the signal", status)
	}
	if err := process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "readiness goes away while the listener is still open", func() bool {
		status, _ := get(t, url+"/ready")
		return status == http.StatusServiceUnavailable
	})
	if status, _ := get(t, url); status != http.StatusOK {
		t.Errorf("a new request is answered with %d while the server lingers", status)
	}

	send(t, conn, body[len(body)/2:])
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the open request was not answered: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK || !response.Close {
		t.Errorf("got %s, close %t; want 200 and the connection closed after it", response.Status, response.Close)
	}
}

func TestStopEndsWithoutError(t *testing.T) {
	_, process := start(t, "--linger", "0s")
	if err := process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := process.Wait(); err != nil {
		t.Errorf("the server ended with %v, want exit code 0", err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("MODEL_NAME", "digits-eu")
	t.Setenv("MODEL_VERSION", "7.0.1")
	t.Setenv("THREADS", "1")
	address, _ := start(t, "--linger", "0s")
	status, body := get(t, "http://"+address+"/v2/models/digits-eu")
	if status != http.StatusOK || !strings.Contains(body, `"name":"digits-eu","versions":["7.0.1"]`) {
		t.Errorf("got %d %s, want the model under the name digits-eu, in version 7.0.1", status, body)
	}
}

func TestTheArtifactComesBeforeTheImage(t *testing.T) {
	artifact := filepath.Join(t.TempDir(), "weights.json")
	if got := ownWeights(artifact, "image"); got != "image" {
		t.Errorf("without an artifact got %s", got)
	}
	if err := os.WriteFile(artifact, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ownWeights(artifact, "image"); got != artifact {
		t.Errorf("with an artifact got %s", got)
	}
}

func TestWeightsWithoutVersionNeedOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights.json")
	weights := &nn.Weights{
		FormatVersion: nn.WeightsFormat, Name: "digits", Kind: "linear", Scale: 1,
		Network: *nn.New(rand.New(rand.NewPCG(1, 1)), data.Pixels, data.Classes),
	}
	if err := weights.Save(path); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), []string{"--weights", path}, func(string) string { return "" }, t.Output())
	if err == nil || !strings.Contains(err.Error(), "MODEL_VERSION") {
		t.Errorf("got %v, want an error that names MODEL_VERSION", err)
	}
}

func TestMetricsCountRequestsAndPredictions(t *testing.T) {
	address, _ := start(t, "--linger", "0s")
	url := "http://" + address
	answer := infer(t, url+"/v2/models/digits/infer", inferBody(t, 3))
	if len(answer) != 3 {
		t.Fatalf("got %d digits, want 3", len(answer))
	}
	if status, _ := get(t, url+"/v2/models/other"); status != http.StatusNotFound {
		t.Errorf("got %d for an unknown model", status)
	}
	_, metrics := get(t, url+"/metrics")
	for _, line := range []string{
		`digits_requests_total{code="2xx"} 1`,
		`digits_requests_total{code="4xx"} 1`,
		`digits_trained_accuracy{version="1.0.0",kind="linear"} 0.5`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("there is no line %q in\n%s", line, metrics)
		}
	}
	predicted := 0
	for line := range strings.Lines(metrics) {
		var digit, count int
		if n, _ := fmt.Sscanf(line, `digits_predictions_total{digit="%d"} %d`, &digit, &count); n == 2 {
			predicted += count
		}
	}
	if predicted != 3 {
		t.Errorf("the predictions of all digits add up to %d, want 3", predicted)
	}
}

func TestBadSettingsAreRefused(t *testing.T) {
	weights := writeWeights(t, data.Pixels)
	cases := map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"threads that are no number":  {nil, map[string]string{"THREADS": "two"}, `THREADS is "two"`},
		"no threads":                  {nil, map[string]string{"THREADS": "0"}, `THREADS is "0"`},
		"a linger without a unit":     {nil, map[string]string{"LINGER": "2"}, `LINGER is "2"`},
		"a stray argument":            {[]string{"now"}, nil, `unexpected argument "now"`},
		"no weights":                  {[]string{"--weights", weights + ".none"}, nil, "go run ./train"},
		"weights of another model":    {[]string{"--weights", writeWeights(t, 4)}, nil, "4 inputs to 10 classes"},
		"an address that is no one's": {[]string{"--weights", weights, "--listen", "203.0.113.1:1"}, nil, "listen on 203.0.113.1:1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), c.args, func(key string) string { return c.env[key] }, t.Output())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// start runs the server as a process and returns its address once it serves.
func start(t *testing.T, args ...string) (address string, process *exec.Cmd) {
	t.Helper()
	args = append([]string{"--listen", "127.0.0.1:0", "--weights", writeWeights(t, data.Pixels)}, args...)
	process = exec.CommandContext(t.Context(), os.Args[0], args...)
	process.Env = append(os.Environ(), "DIGITS_TEST_IS_SERVER=1")
	stderr, err := process.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait() // a test may have waited already
	})
	line, err := bufio.NewReader(stderr).ReadString('\n')
	if err != nil {
		t.Fatalf("the server said nothing: %v", err)
	}
	_, rest, found := strings.Cut(line, "address=")
	if !found {
		t.Fatalf("the server did not start: %s", line)
	}
	return strings.Fields(rest)[0], process
}

func writeWeights(t *testing.T, inputs int) string {
	t.Helper()
	weights := &nn.Weights{
		FormatVersion: nn.WeightsFormat, Name: "digits", Version: "1.0.0", Kind: "linear", Scale: 1, Accuracy: 0.5,
		Network: *nn.New(rand.New(rand.NewPCG(1, 1)), inputs, data.Classes),
	}
	path := filepath.Join(t.TempDir(), "weights.json")
	if err := weights.Save(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func inferBody(t *testing.T, rows int) []byte {
	t.Helper()
	body, err := json.Marshal(map[string]any{"inputs": []any{map[string]any{
		"name": "pixels", "shape": []int{rows, data.Pixels}, "datatype": "FP32", "data": make([]float64, rows*data.Pixels),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func infer(t *testing.T, url string, body []byte) []int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Outputs []struct{ Data json.RawMessage }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || len(answer.Outputs) != 2 {
		t.Fatalf("got %s with %d outputs, %v", response.Status, len(answer.Outputs), err)
	}
	var digits []int
	if err := json.Unmarshal(answer.Outputs[0].Data, &digits); err != nil {
		t.Fatal(err)
	}
	return digits
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func send(t *testing.T, conn net.Conn, part []byte) {
	t.Helper()
	if _, err := conn.Write(part); err != nil {
		t.Fatal(err)
	}
}

// eventually asks again and again, until it holds or a busy machine has had time enough.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for tick := time.NewTicker(5 * time.Millisecond); !holds(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it did not happen in time: %s", what)
		}
	}
}
