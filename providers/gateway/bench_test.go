package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/gateway"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// The benchmark runs each proxy as a process of its own, so that the CPU time of
// its load and of the model servers does not count. The two proxies in Go are
// this test binary, started again with benchRole set.
const (
	benchRole     = "FAIRLEAD_BENCH_ROLE" // gateway, bare or pooled
	benchListen   = "FAIRLEAD_BENCH_LISTEN"
	benchAdmin    = "FAIRLEAD_BENCH_ADMIN"
	benchBackends = "FAIRLEAD_BENCH_BACKENDS"
	benchTable    = "FAIRLEAD_BENCH_TABLE"

	benchRounds   = 6
	benchRequests = 5000 // per proxy and round
	benchClients  = 16
)

// serveRole runs the process of a proxy until it is told to stop.
func serveRole(role string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if role == "gateway" {
		server, err := gateway.NewServer(gateway.Config{
			Listen: os.Getenv(benchListen), Admin: os.Getenv(benchAdmin), Token: token, TablePath: os.Getenv(benchTable),
			Limits: gateway.Limits{ConnectTimeout: patience}, // as in start
		})
		if err != nil {
			return err
		}
		return server.Run(ctx)
	}
	return serveBare(ctx, strings.Split(os.Getenv(benchBackends), ","), role == "pooled")
}

// serveBare is what the gateway is measured against: the standard library's
// proxy with nothing around it but taking turns between the backends. As it
// comes it allocates 32 kB for each answer; pooled tells what that costs.
func serveBare(ctx context.Context, backends []string, pooled bool) error {
	var turn atomic.Uint64
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: backends[turn.Add(1)%uint64(len(backends))]})
			p.SetXForwarded()
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
	}
	if pooled {
		proxy.BufferPool = &gateway.BufferPool{}
	}
	server := &http.Server{Addr: os.Getenv(benchListen), Handler: proxy, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// subject is one proxy under measurement.
type subject struct {
	name string
	url  string
	pid  int
	cpu  time.Duration

	// Of the gateway only.
	client  *gateway.Client
	admin   string
	version uint64 // of the last table
}

// BenchmarkGatewayCPU reports the CPU time per request, user and system, of the
// gateway with two weighted revisions and metrics on, of a bare
// httputil.ReverseProxy, and of Caddy, HAProxy and nginx where they are installed. The
// proxies take turns in short rounds, so that whatever else the machine does
// falls on all of them. Only the ratios mean something on another machine.
func BenchmarkGatewayCPU(b *testing.B) {
	if os.Getenv(benchRole) != "" {
		b.Skip("this process is a proxy under measurement")
	}
	a, c := benchBackend(b), benchBackend(b)
	subjects := []*subject{
		startBare(b, "bare", a, c), startBare(b, "pooled", a, c), startGateway(b, a, c),
		startCaddy(b, a, c), startHAProxy(b, a, c), startNginx(b, a, c),
	}
	body := bytes.Repeat([]byte("0123456789abcdef"), 48) // 768 bytes, an inference of 64 numbers
	for _, s := range subjects {
		if s != nil {
			s.send(b, body, benchRequests/5) // warm
		}
	}
	b.ResetTimer()
	for b.Loop() {
		for range benchRounds {
			for _, s := range subjects {
				if s != nil {
					before := s.cpuTime(b)
					s.send(b, body, benchRequests)
					s.cpu += s.cpuTime(b) - before
				}
			}
		}
	}
	b.StopTimer()
	bare := subjects[0].cpu
	for _, s := range subjects {
		if s != nil {
			perRequest := s.cpu / time.Duration(b.N*benchRounds*benchRequests)
			b.ReportMetric(float64(perRequest.Microseconds()), s.name+"-µs/req")
			b.ReportMetric(float64(s.cpu)/float64(bare), s.name+"/bare")
		}
	}
}

// BenchmarkGatewayShadowHangs reports the 99th percentile of stable's latency while all
// requests are copied to a candidate that never answers, as a multiple of the one
// without copies. Both take turns in short rounds; the median of them counts.
func BenchmarkGatewayShadowHangs(b *testing.B) {
	if os.Getenv(benchRole) != "" {
		b.Skip("this process is a proxy under measurement")
	}
	const rounds, requests, clients = 40, 1000, 4
	stop := make(chan struct{})
	stable, hangs := benchBackend(b), httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != probe.Path {
			<-stop
		}
	}))
	b.Cleanup(func() {
		close(stop)
		hangs.Close()
	})
	s := startGateway(b, stable, hangs.Listener.Addr().String())
	m := model("digits", revision("r1", 100, reconcile.RoutedReplica{ID: "a", Address: stable}),
		revision("r2", 0, reconcile.RoutedReplica{ID: "b", Address: hangs.Listener.Addr().String()}))
	m.Candidate, m.Outputs = "r2", []reconcile.ScoredOutput{{Name: "score", Datatype: "FP32"}}
	body := bytes.Repeat([]byte("0123456789abcdef"), 48)
	var without, with [2][]float64 // in microseconds, by round: p50 and p99
	b.ResetTimer()
	for b.Loop() {
		for round := range 2 * rounds {
			m.Mirror = []*spec.Mirror{nil, {Percent: 100}}[round%2]
			s.push(b, m)
			s.send(b, body, requests/5) // until all copies hang that may be under way
			took := s.measure(b, body, requests, clients)
			slices.Sort(took)
			into := []*[2][]float64{&without, &with}[round%2]
			for i, p := range []int{50, 99} {
				into[i] = append(into[i], float64(took[(len(took)-1)*p/100].Microseconds()))
			}
		}
	}
	b.StopTimer()
	for i, p := range []int{50, 99} {
		// Of neighbouring rounds, so that a burst of other work falls on one pair.
		var ratios []float64
		for round, base := range without[i] {
			ratios = append(ratios, with[i][round]/base)
		}
		b.ReportMetric(median(without[i]), fmt.Sprintf("p%d-µs", p))
		b.ReportMetric(median(ratios), fmt.Sprintf("×p%d", p))
	}
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// measure returns how long each request took.
func (s *subject) measure(b *testing.B, body []byte, requests, clients int) []time.Duration {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	took := make([]time.Duration, requests)
	var sending sync.WaitGroup
	for client := range clients {
		sending.Go(func() {
			for i := client; i < requests; i += clients {
				began := time.Now()
				if err := sendOne(b.Context(), transport, s.url, body); err != nil {
					b.Errorf("%s: %v", s.name, err)
				}
				took[i] = time.Since(began)
			}
		})
	}
	sending.Wait()
	return took
}

// benchBackend is a model server that answers at once.
func benchBackend(b *testing.B) string {
	b.Helper()
	answer := bytes.Repeat([]byte("x"), 256)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(answer)
	}))
	b.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// send sends requests over kept connections and checks every answer.
func (s *subject) send(b *testing.B, body []byte, requests int) {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: benchClients}
	defer transport.CloseIdleConnections()
	var clients sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(requests))
	for range benchClients {
		clients.Go(func() {
			for left.Add(-1) >= 0 {
				if err := sendOne(b.Context(), transport, s.url, body); err != nil {
					b.Errorf("%s: %v", s.name, err)
					return
				}
			}
		})
	}
	clients.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

func sendOne(ctx context.Context, transport *http.Transport, url string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	n, err := io.Copy(io.Discard, answer.Body)
	if err == nil && (answer.StatusCode != http.StatusOK || n != 256) {
		err = fmt.Errorf("%s with %d bytes", answer.Status, n)
	}
	return err
}

// cpuTime is what the process has used, from /proc in ticks of 10 ms.
func (s *subject) cpuTime(b *testing.B) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	if err != nil {
		b.Skipf("CPU times of other processes are read from /proc: %v", err)
	}
	// The name in parentheses may hold spaces; utime and stime are the 12th and
	// 13th fields after it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		b.Fatal(err)
	}
	system, err := strconv.Atoi(fields[12])
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// freeAddress is a port of loopback that nobody listened on a moment ago.
func freeAddress(b testing.TB) string {
	b.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// launch starts a proxy and waits until it accepts connections.
func launch(b testing.TB, name, address string, cmd *exec.Cmd) *subject {
	b.Helper()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	deadline := time.Now().Add(patience)
	var dialer net.Dialer
	for {
		connection, err := dialer.DialContext(b.Context(), "tcp", address)
		if err == nil {
			_ = connection.Close()
			return &subject{name: name, url: "http://" + address + "/v2/models/digits/infer", pid: cmd.Process.Pid}
		}
		if time.Now().After(deadline) {
			b.Fatalf("%s does not listen: %v\n%s", name, err, said.String())
		}
		<-time.After(10 * time.Millisecond)
	}
}

func startBare(b *testing.B, role string, backends ...string) *subject {
	b.Helper()
	address := freeAddress(b)
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), benchRole+"="+role, benchListen+"="+address, benchBackends+"="+strings.Join(backends, ","))
	return launch(b, role, address, cmd)
}

func startGateway(b *testing.B, first, second string) *subject {
	b.Helper()
	address, admin := freeAddress(b), freeAddress(b)
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), benchRole+"=gateway", benchListen+"="+address, benchAdmin+"="+admin)
	s := launch(b, "gateway", address, cmd)
	s.client, s.admin = gateway.NewClient(token), admin
	b.Cleanup(s.client.Close)
	one := revision("r1", 50, reconcile.RoutedReplica{ID: "a", Address: first})
	two := revision("r2", 50, reconcile.RoutedReplica{ID: "b", Address: second})
	s.push(b, model("digits", one, two))
	return s
}

// push puts a model in force and waits until its replicas are healthy.
func (s *subject) push(b *testing.B, m reconcile.RoutedModel) {
	b.Helper()
	s.version++
	table := reconcile.Table{FormatVersion: reconcile.TableFormat, Version: s.version, Models: []reconcile.RoutedModel{m}}
	if err := s.client.Push(b.Context(), s.admin, table); err != nil {
		b.Fatal(err)
	}
	for since := uint64(0); ; {
		report, err := s.client.Report(b.Context(), s.admin, since, patience)
		if err != nil {
			b.Fatal(err)
		}
		if report.Replicas["a"].Healthy && report.Replicas["b"].Healthy {
			return
		}
		since = report.Sequence
	}
}

func startCaddy(b *testing.B, backends ...string) *subject {
	b.Helper()
	caddy, err := exec.LookPath("caddy")
	if err != nil {
		b.Log("caddy is not installed, so it is left out")
		return nil
	}
	address := freeAddress(b)
	config := fmt.Sprintf("{\n\tadmin off\n\tauto_https off\n}\nhttp://%s {\n\treverse_proxy %s {\n\t\tlb_policy least_conn\n\t}\n}\n", address, strings.Join(backends, " "))
	cmd := exec.CommandContext(b.Context(), caddy, "run", "--adapter", "caddyfile", "--config", benchFile(b, "Caddyfile", config))
	cmd.Env = append(os.Environ(), "HOME="+b.TempDir(), "XDG_DATA_HOME="+b.TempDir(), "XDG_CONFIG_HOME="+b.TempDir())
	return launch(b, "caddy", address, cmd)
}

func startHAProxy(b *testing.B, backends ...string) *subject {
	b.Helper()
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		b.Log("haproxy is not installed, so it is left out")
		return nil
	}
	address := freeAddress(b)
	config := fmt.Sprintf("defaults\n  mode http\n  timeout connect 1s\n  timeout client 30s\n  timeout server 30s\n  option forwardfor\nfrontend f\n  bind %s\n  default_backend b\nbackend b\n  balance leastconn\n  http-reuse always\n", address)
	for i, backend := range backends {
		config += fmt.Sprintf("  server s%d %s\n", i, backend)
	}
	return launch(b, "haproxy", address, exec.CommandContext(b.Context(), haproxy, "-db", "-f", benchFile(b, "haproxy.cfg", config)))
}

// startNginx has one process, whose CPU time is all there is.
func startNginx(b *testing.B, backends ...string) *subject {
	b.Helper()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		b.Log("nginx is not installed, so it is left out")
		return nil
	}
	address, dir := freeAddress(b), b.TempDir()
	config := fmt.Sprintf("daemon off;\nmaster_process off;\npid %s/pid;\nerror_log stderr;\nevents { worker_connections 1024; }\nhttp {\n  access_log off;\n  keepalive_requests 1000000;\n", dir)
	for _, temporary := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		config += fmt.Sprintf("  %s_temp_path %s/%s;\n", temporary, dir, temporary)
	}
	config += fmt.Sprintf("  upstream b {\n    least_conn;\n    server %s;\n    keepalive 256;\n  }\n", strings.Join(backends, ";\n    server "))
	config += fmt.Sprintf("  server {\n    listen %s;\n    location / {\n      proxy_pass http://b;\n      proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n    }\n  }\n}\n", address)
	return launch(b, "nginx", address, exec.CommandContext(b.Context(), nginx, "-e", "stderr", "-c", benchFile(b, "nginx.conf", config)))
}

func benchFile(b *testing.B, name, content string) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}
