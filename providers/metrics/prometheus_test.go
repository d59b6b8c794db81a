package metrics_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// prometheusServer is a real server, of the binary that Debian installs.
type prometheusServer struct {
	url    string
	config string
	cmd    *exec.Cmd
	exited chan struct{}
}

// startPrometheus skips the test where there is no Prometheus.
func startPrometheus(t *testing.T) *prometheusServer {
	t.Helper()
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("no prometheus is installed (apt-get install prometheus), so nothing is compared with it")
	}
	dir := t.TempDir()
	address := freeAddress(t)
	p := &prometheusServer{url: "http://" + address, config: filepath.Join(dir, "prometheus.yml"), exited: make(chan struct{})}
	p.write(t, nil)
	var out bytes.Buffer
	p.cmd = exec.Command(binary, "--config.file="+p.config, "--storage.tsdb.path="+filepath.Join(dir, "data"), //nolint:noctx // it is killed by stop
		"--web.listen-address="+address, "--web.enable-lifecycle", "--enable-feature=native-histograms", "--log.level=warn")
	p.cmd.Stdout, p.cmd.Stderr = &out, &out
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", binary, err)
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // it is killed
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("prometheus said:\n%s", out.String())
		}
	})
	waitFor(t, "prometheus is ready", func() bool { return p.call(http.MethodGet, "/-/ready") == nil })
	return p
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func (p *prometheusServer) stop() {
	_ = p.cmd.Process.Kill() // it may be dead already
	<-p.exited
}

func (p *prometheusServer) call(method, path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, p.url+path, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	return nil
}

// scrape replaces the targets.
func (p *prometheusServer) scrape(t *testing.T) func([]reconcile.ScrapeTarget) {
	return func(targets []reconcile.ScrapeTarget) {
		p.write(t, targets)
		if err := p.call(http.MethodPost, "/-/reload"); err != nil {
			t.Errorf("reload prometheus: %v", err)
		}
	}
}

// write writes the configuration; JSON is YAML.
func (p *prometheusServer) write(t *testing.T, targets []reconcile.ScrapeTarget) {
	t.Helper()
	byToken := map[string][]any{}
	for _, target := range targets {
		labels := map[string]string{
			"job": target.Job, "__metrics_path__": target.Path,
			"__scrape_interval__": target.Interval.String(), "__scrape_timeout__": target.Interval.String(),
		}
		for name, value := range target.Labels {
			labels[name] = value
		}
		byToken[target.Token] = append(byToken[target.Token], map[string]any{"targets": []string{target.Address}, "labels": labels})
	}
	jobs := []any{}
	// A pool that is gone ends without stale markers, so an empty one stays.
	for i, token := range []string{"", "let me in"} {
		job := map[string]any{"job_name": fmt.Sprintf("pool %d", i), "static_configs": append([]any{}, byToken[token]...)}
		if token != "" {
			job["authorization"] = map[string]string{"credentials": token}
		}
		jobs = append(jobs, job)
	}
	raw, err := json.Marshal(map[string]any{"scrape_configs": jobs})
	if err == nil {
		err = os.WriteFile(p.config, raw, 0o600)
	}
	if err != nil {
		t.Errorf("configure prometheus: %v", err)
	}
}

// waitFor polls a condition.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("never came: %s", cmp.Or(what, "the condition"))
		case <-tick.C:
		}
	}
}
