package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// startPrometheus starts a real Prometheus that finds its targets at the daemon's
// address, and returns its URL. It skips the test where none is installed.
func startPrometheus(t *testing.T, daemon, tokenFile string) (url string) {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("this test needs prometheus (apt-get install prometheus)")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf(`global:
  scrape_timeout: 1s
  scrape_interval: 1s
scrape_configs:
  - job_name: fairlead
    http_sd_configs:
      - url: http://%s/api/v1/targets
        refresh_interval: 1s
        authorization:
          type: Bearer
          credentials_file: %s
`, daemon, tokenFile)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	log, ended := &output{}, make(chan struct{})
	cmd := exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), //nolint:noctx // it is killed below
		"--web.listen-address="+address, "--enable-feature=native-histograms", "--log.level=warn")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended already
		<-ended
		if t.Failed() {
			t.Logf("prometheus said: %s", log.tail())
		}
	})
	return "http://" + address
}

// With a Prometheus elsewhere the verdicts are those of the embedded store.
func TestPrometheusElsewhereGivesTheSameVerdicts(t *testing.T) {
	t.Parallel()
	c := newCanary(t)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("a-token-that-is-long-enough\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	listen := freeAddress(t)
	c.set("LISTEN", listen)
	c.set("TOKEN_FILE", token)
	c.set("METRICS_URL", startPrometheus(t, listen, token))
	commit := c.next(nil)
	c.serve(c.dir)
	c.converged(commit)
	requests := startTraffic(t, c.url("digits"), closedCallers, openRate)
	kinds := []string{"5 % errors", "good"}
	if long() {
		kinds = append(kinds, "+50 % latency", "wrong answers")
	}
	c.tryAll(requests, kinds)
	requests.finish(t)
}
