package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
)

// BenchmarkConverge20 is what `fairlead apply` does from the specs of twenty new
// models to all of them ready and routed, as a ratio to the engine's own create
// and start of the same twenty containers: the bodies that Fairlead sent, sent
// again with nothing around them, as many at a time. The gateway, the image and
// the network are there before. The two are measured in pairs, now the one first
// and now the other; the ratio is the median of those of the pairs.
func BenchmarkConverge20(b *testing.B) {
	const pairs = 7
	e := newEngineBench(b)
	e.apply() // brings the gateway up
	e.specs(benchModels)
	e.recorder.forget()
	e.apply()
	creates := e.recorder.creates()
	e.clear()
	var ours, bare []time.Duration
	var ratios []float64
	for b.Loop() {
		for i := range pairs {
			var pair [2]time.Duration
			for j := range 2 {
				if (i+j)%2 == 0 {
					pair[0] = e.apply()
				} else {
					pair[1] = e.replay(creates)
				}
				e.clear()
			}
			ours, bare = append(ours, pair[0]), append(bare, pair[1])
			ratios = append(ratios, float64(pair[0])/float64(pair[1]))
		}
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "×bare")
	b.ReportMetric(float64(median(bare).Milliseconds()), "bare-ms")
	b.ReportMetric(float64(median(ours).Milliseconds()), "apply-ms")
	b.ReportMetric(0, "ns/op")
}

const benchModels = 20

// engineBench is an environment on the real engine, seen through a recorder.
type engineBench struct {
	b     *testing.B
	site  *Site
	dir   string // of the specs
	image string
	// environment is one of its own, so that other tests are not in the way.
	environment string
	recorder    *recorder
	engine      *http.Client
}

func newEngineBench(b *testing.B) *engineBench {
	b.Helper()
	socket := providertest.EngineSocket(b)
	scope := providertest.TestScope(b)
	e := &engineBench{b: b, environment: scope.Environment, dir: b.TempDir(), image: providertest.ReplicaImage(b, socket), recorder: newRecorder(b, socket)}
	e.engine = overSocket(b, e.recorder.path)
	e.specs(0)
	c, err := Config{
		Owner: scope.Owner, Environment: scope.Environment, Engine: "unix://" + e.recorder.path, Data: b.TempDir(), SecretsDir: b.TempDir(),
		Gateway: freePort(b), GatewayBinary: staticBinary(b),
	}.WithDefaults()
	if err != nil {
		b.Fatal(err)
	}
	c.Limits.AllowDestroy = true
	if e.site, err = OpenWorktree(b.Context(), c, e.dir, Act); err != nil {
		b.Fatal(err)
	}
	if err := e.site.Begin(b.Context(), slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if _, err := e.site.Destroy(context.WithoutCancel(b.Context()), "bench"); err != nil {
			b.Error(err)
		}
		_ = e.site.Close()
		providertest.RemoveScope(b, e.site.Runtime)
	})
	return e
}

// specs writes a model that stays, and n beside it.
func (e *engineBench) specs(n int) {
	e.b.Helper()
	text := fmt.Sprintf("environment %q {}\n", e.environment)
	for i := range n + 1 {
		text += fmt.Sprintf(`
model "m%02d" {
  version  = "1.0.0"
  image    = %q
  protocol = open_inference
  health {
    interval    = "100ms"
    timeout     = "100ms"
    min_healthy = "0s"
  }
}
`, i, e.image)
	}
	if err := os.WriteFile(filepath.Join(e.dir, "models.hcl"), []byte(text), 0o600); err != nil {
		e.b.Fatal(err)
	}
}

// apply is what the command of that name does.
func (e *engineBench) apply() time.Duration {
	e.b.Helper()
	ctx, cancel := context.WithTimeout(e.b.Context(), 2*time.Minute)
	defer cancel()
	start := time.Now()
	desired, _, err := e.site.Desired(ctx)
	if err == nil {
		_, err = e.site.Compare(ctx, desired)
	}
	if err != nil {
		e.b.Fatal(err)
	}
	c := e.site.Controller(nil, nil)
	c.Run(ctx, func(s *controller.Status) bool { return s.Converged })
	took := time.Since(start)
	if s := c.Status(); !s.Converged {
		e.b.Fatalf("the models do not come up: %+v", s)
	}
	return took
}

// clear removes all models but the one that stays.
func (e *engineBench) clear() {
	e.b.Helper()
	containers, err := e.site.Runtime.List(e.b.Context(), reconcile.Filter{})
	if err != nil {
		e.b.Fatal(err)
	}
	var group errgroup.Group
	group.SetLimit(e.site.Config.Parallel)
	for _, c := range containers {
		if c.Model != "m00" && c.Model != "" {
			group.Go(func() error { return e.site.Runtime.Remove(e.b.Context(), c.ID) })
		}
	}
	if err := group.Wait(); err != nil {
		e.b.Fatal(err)
	}
}

// replay sends the creates that were recorded, each followed by its start.
func (e *engineBench) replay(creates []create) time.Duration {
	e.b.Helper()
	if len(creates) != benchModels {
		e.b.Fatalf("%d creates were recorded, want %d", len(creates), benchModels)
	}
	start := time.Now()
	var group errgroup.Group
	group.SetLimit(e.site.Config.Parallel)
	for _, c := range creates {
		group.Go(func() error {
			var created struct{ ID string }
			if err := e.post(c.uri, c.body, &created); err != nil {
				return err
			}
			version, _, _ := strings.Cut(c.uri[1:], "/")
			return e.post("/"+version+"/containers/"+created.ID+"/start", nil, nil)
		})
	}
	if err := group.Wait(); err != nil {
		e.b.Fatal(err)
	}
	return time.Since(start)
}

func (e *engineBench) post(uri string, body []byte, answer any) error {
	request, err := http.NewRequestWithContext(e.b.Context(), http.MethodPost, "http://engine"+uri, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := e.engine.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s: %s: %s", uri, response.Status, text)
	}
	if err == nil && answer != nil {
		err = json.Unmarshal(text, answer)
	}
	return err
}

// recorder passes calls on to the engine and keeps the bodies of creates.
type recorder struct {
	path string
	mu   sync.Mutex
	kept []create
}

// create is one call that makes a container.
type create struct {
	uri  string
	body []byte
}

func newRecorder(b *testing.B, socket string) *recorder {
	b.Helper()
	dir, err := os.MkdirTemp("", "bench") // short, as paths of sockets must be
	if err != nil {
		b.Fatal(err)
	}
	r := &recorder{path: filepath.Join(dir, "engine.sock")}
	listener, err := new(net.ListenConfig).Listen(b.Context(), "unix", r.path)
	if err != nil {
		b.Fatal(err)
	}
	forward := &httputil.ReverseProxy{
		Rewrite:       func(p *httputil.ProxyRequest) { p.Out.URL.Scheme, p.Out.URL.Host = "http", "engine" },
		Transport:     overSocket(b, socket).Transport,
		FlushInterval: -1,
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasSuffix(q.URL.Path, "/containers/create") {
			body, _ := io.ReadAll(q.Body) // half a body the engine will refuse
			q.Body = io.NopCloser(bytes.NewReader(body))
			r.keep(create{q.URL.RequestURI(), body})
		}
		forward.ServeHTTP(w, q)
	})}
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() {
		_ = server.Close()
		_ = os.RemoveAll(dir)
	})
	return r
}

func (r *recorder) keep(c create) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append(r.kept, c)
}

func (r *recorder) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = nil
}

func (r *recorder) creates() []create {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.kept)
}

// overSocket is a client whose every connection goes to the socket.
func overSocket(b *testing.B, socket string) *http.Client {
	b.Helper()
	transport := &http.Transport{
		MaxIdleConnsPerHost: 64,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}
	b.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// staticBinary builds the program that the gateway's image is made of.
func staticBinary(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "fairlead")
	build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "github.com/fairlead/fairlead/cmd/fairlead")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build the gateway: %v\n%s", err, out)
	}
	return path
}

// freePort is an address of loopback that nobody listened on a moment ago.
func freePort(b *testing.B) string {
	b.Helper()
	listener, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}
