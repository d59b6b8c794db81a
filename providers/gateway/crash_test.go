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
	first := run()
	client := gateway.NewClient(token)
	t.Cleanup(client.Close)
	m := model("digits", revision("r1", 75, a.replica()), revision("r2", 25, b.replica()))
	g := &rig{client: client, admin: admin, url: "http://" + address}
	g.push(t, m)
	g.ready(t)
	l := startLoad(t, g.url+"/v2/models/digits")
	for l.sent.Load() < 200 {
		<-time.After(time.Millisecond)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	_ = first.Wait()
	run()
	for {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/v2/models/digits", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultTransport.RoundTrip(request)
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				break
			}
			t.Errorf("the first answer is %s", answer.Status)
		}
		if time.Since(killed) > patience {
			t.Fatalf("the gateway is not back: %v", err)
		}
	}
	if took := time.Since(killed); took > 2*time.Second {
		t.Errorf("the gateway was away for %s, want 2 s at the most", took)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	close(l.stop)
	l.clients.Wait()
	for _, failure := range l.failures {
		// What was open at the kill breaks off; whoever connects is served.
		if strings.HasPrefix(failure, "5") {
			t.Errorf("an answer after the restart: %s", failure)
		}
	}
	got, err := client.Table(t.Context(), admin)
	if err != nil || !got.Equal(g.table) {
		t.Errorf("table = %+v, %v; want the one before the kill", got, err)
	}
	report, err := client.Report(t.Context(), admin, 0, 0)
	if err != nil || !report.Replicas["a"].Healthy || !report.Replicas["b"].Healthy {
		t.Errorf("report = %+v, %v", report, err)
	}
}
