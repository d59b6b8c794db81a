package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/gateway"
)

// TestKilledGatewayIsBackWithItsTable kills the process under load, as an engine
// that restarts it would see it, and starts it anew without any daemon.
func TestKilledGatewayIsBackWithItsTable(t *testing.T) {
	a, b := newBackend(t, "a", nil), newBackend(t, "b", nil)
	address, admin := freeAddress(t), freeAddress(t)
	table := filepath.Join(t.TempDir(), "table.json")
	run := func() *exec.Cmd {
		cmd := exec.CommandContext(context.Background(), os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), benchRole+"=gateway", benchListen+"="+address, benchAdmin+"="+admin, benchTable+"="+table)
		launch(t, "gateway", address, cmd)
		return cmd
	}
	first := run()
	client := gateway.NewClient(token)
	t.Cleanup(client.Close)
	m := model("digits", revision("r1", 75, a.replica()), revision("r2", 25, b.replica()))
	g := &rig{client: client, admin: admin, url: "http://" + address}
	g.push(t, m)
	g.ready(t)
	killed := func(current *exec.Cmd) (*exec.Cmd, error) {
		l := startLoad(t, g.url+"/v2/models/digits")
		for l.sent.Load() < 200 {
			<-time.After(time.Millisecond)
		}
		if err := current.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_ = current.Wait()
		current = run()
		err := awaitFirstAnswer(t, g.url+"/v2/models/digits")
		took := time.Since(began)
		close(l.stop)
		l.clients.Wait()
		for _, failure := range l.failures {
			// What was open at the kill breaks off; whoever connects is served.
			if strings.HasPrefix(failure, "5") {
				err = fmt.Errorf("an answer after the restart: %s", failure)
			}
		}
		if took > 2*time.Second {
			err = errors.Join(err, fmt.Errorf("the gateway was away for %s, want 2 s at the most", took))
		}
		return current, err
	}
	current, err := killed(first)
	for tries := 0; err != nil && tries < 3; tries++ { // a busy machine needs longer, also to answer the probes
		t.Logf("once more: %v", err)
		current, err = killed(current)
	}
	if err != nil {
		t.Error(err)
	}
	got, err := client.Table(t.Context(), admin)
	if err != nil || !got.Equal(g.table) {
		t.Errorf("table = %+v, %v; want the one before the kill", got, err)
	}
	g.ready(t)
}

// awaitFirstAnswer asks until somebody answers; the first answer has to be the model's.
func awaitFirstAnswer(t *testing.T, url string) error {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for began := time.Now(); ; {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		answer, err := transport.RoundTrip(request)
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				return fmt.Errorf("the first answer is %s", answer.Status)
			}
			return nil
		}
		if time.Since(began) > patience {
			return fmt.Errorf("the gateway is not back: %w", err)
		}
	}
}
