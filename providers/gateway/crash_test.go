package gateway_test

import (
	"context"
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
	current := run()
	client := gateway.NewClient(token)
	t.Cleanup(client.Close)
	m := model("digits", revision("r1", 75, a.replica()), revision("r2", 25, b.replica()))
	for i := range m.Revisions {
		m.Revisions[i].Health.Timeout = patience // no probe is lost to a busy machine
	}
	g := &rig{client: client, admin: admin, url: "http://" + address}
	g.push(t, m)
	g.ready(t)
	within(t, 2*time.Second, func() (away time.Duration) { // only that is tried again
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
		awaitFirstAnswer(t, g.url+"/v2/models/digits")
		away = time.Since(began)
		close(l.stop)
		l.clients.Wait()
		for _, failure := range l.failures {
			// What was open at the kill breaks off; whoever connects is served.
			if strings.HasPrefix(failure, "5") {
				t.Errorf("an answer after the restart: %s", failure)
			}
		}
		return away
	})
	got, err := client.Table(t.Context(), admin)
	if err != nil || !got.Equal(g.table) {
		t.Errorf("table = %+v, %v; want the one before the kill", got, err)
	}
	g.ready(t)
}

// awaitFirstAnswer asks until somebody answers; the first answer has to be the model's.
func awaitFirstAnswer(t *testing.T, url string) {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for began := time.Now(); ; {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := transport.RoundTrip(request)
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Errorf("the first answer is %s", answer.Status)
			}
			return
		}
		if time.Since(began) > patience {
			t.Fatalf("the gateway is not back: %v", err)
		}
	}
}
