package metrics_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fairlead/fairlead/providers/metrics"
	"github.com/fairlead/fairlead/reconcile"
)

// gateway tells what a gateway with models of two revisions tells: ten series for
// each revision, one of them a native histogram.
func gateway(models int) http.Handler {
	registry := prometheus.NewRegistry()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fairlead_requests_total"}, []string{"model", "revision", "code"})
	latency := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "fairlead_request_duration_seconds", NativeHistogramBucketFactor: 1.02, NativeHistogramMaxBucketNumber: 160,
	}, []string{"model", "revision"})
	weight := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fairlead_revision_weight"}, []string{"model", "revision"})
	open := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fairlead_requests_in_flight"}, []string{"model", "revision"})
	healthy := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fairlead_replica_healthy"}, []string{"model", "revision", "replica"})
	registry.MustRegister(requests, latency, weight, open, healthy)
	random := rand.New(rand.NewPCG(1, 2))
	for m := range models {
		for r := range 2 {
			model, revision := fmt.Sprintf("model-%04d", m), fmt.Sprintf("%08x%04x", m*7919, r)
			for _, code := range []string{"1xx", "2xx", "3xx", "4xx", "5xx", "client_gone"} {
				requests.WithLabelValues(model, revision, code)
			}
			requests.WithLabelValues(model, revision, "2xx").Add(50)
			for range 50 {
				latency.WithLabelValues(model, revision).Observe(0.02 * (1 + random.ExpFloat64()))
			}
			weight.WithLabelValues(model, revision).Set(50)
			open.WithLabelValues(model, revision)
			healthy.WithLabelValues(model, revision, "0123456789abcdef").Set(1)
		}
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// gatewayEnv tells the test binary to be a gateway, so that its memory is not
// counted as the store's.
const gatewayEnv = "METRICS_TEST_GATEWAY"

func TestGatewayProcess(t *testing.T) {
	if os.Getenv(gatewayEnv) == "" {
		t.Skip("this is the gateway that the benchmarks start")
	}
	server := httptest.NewServer(gateway(1000))
	fmt.Println("address", strings.TrimPrefix(server.URL, "http://"))
	select {} // until it is killed
}

// startGateway starts a gateway in a process of its own and returns what to scrape.
func startGateway(b *testing.B, every time.Duration) []reconcile.ScrapeTarget {
	b.Helper()
	child := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestGatewayProcess$")
	child.Env = append(os.Environ(), gatewayEnv+"=1")
	out, err := child.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait() // it was killed
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if address, found := strings.CutPrefix(lines.Text(), "address "); found {
			return []reconcile.ScrapeTarget{{Job: "gateway", Address: address, Path: "/metrics", Interval: every}}
		}
	}
	b.Fatal("the gateway did not start")
	return nil
}

// resident is the memory of this process in MiB that lies in RAM and is its own:
// without the files that it maps, which the kernel takes back when it wants to.
func resident(b *testing.B) float64 {
	b.Helper()
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skipf("no /proc, so memory cannot be read: %v", err)
	}
	for line := range strings.Lines(string(raw)) {
		if fields := strings.Fields(line); fields[0] == "RssAnon:" {
			kb, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb / 1024
		}
	}
	b.Fatal("no RssAnon in /proc/self/status")
	return 0
}

func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

// BenchmarkAtRest measures the store under 1,000 models of 2 revisions with ten
// series each, which one scrape brings.
func BenchmarkAtRest(b *testing.B) {
	const every = 500 * time.Millisecond
	targets := startGateway(b, every)
	debug.FreeOSMemory()
	heapBefore, residentBefore := heap(), resident(b)
	e, err := metrics.Open(metrics.Options{Dir: b.TempDir() + "/metrics"})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	e.Scrape(targets)
	busyBefore := busy(b)
	for b.Loop() {
		until(b, e, time.Now().Add(every))
	}
	got, err := e.Query(b.Context(), `count_over_time(up[10m])`, time.Now())
	if err != nil || len(got) != 1 {
		b.Fatalf("scrapes = %v, %v", got, err)
	}
	b.ReportMetric(float64((busy(b)-busyBefore).Milliseconds())/got[0].Value, "cpu-ms/scrape")
	b.ReportMetric(resident(b)-residentBefore, "resident-MiB")
	b.ReportMetric(heap()-heapBefore, "heap-MiB")
	debug.FreeOSMemory()
	b.ReportMetric(resident(b)-residentBefore, "resident-at-least-MiB")
}

// busy is the processor time of this process so far.
func busy(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// until waits for a sample that was scraped at that time or later.
func until(b *testing.B, m reconcile.Metrics, at time.Time) {
	b.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		got, err := m.Query(b.Context(), `timestamp(up{job="gateway"})`, time.Now())
		if err != nil {
			b.Fatal(err)
		}
		if len(got) == 1 && got[0].Value*1000 >= float64(at.UnixMilli()) {
			return
		}
	}
}

// BenchmarkQuery measures what a check asks, among 1,000 models.
func BenchmarkQuery(b *testing.B) {
	targets := startGateway(b, 500*time.Millisecond)
	e, err := metrics.Open(metrics.Options{Dir: b.TempDir() + "/metrics"})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	e.Scrape(targets)
	start := time.Now()
	until(b, e, start.Add(15*time.Second)) // some thirty samples in each series
	e.Scrape(nil)
	at := time.Now()
	for name, query := range map[string]string{
		"errors of a revision":  `sum(increase(fairlead_requests_total{model="model-0500",code="5xx"}[5m])) by (revision)`,
		"latency of a revision": `sum(increase(fairlead_request_duration_seconds{model="model-0500"}[5m])) by (revision)`,
		"rate of all models":    `sum(rate(fairlead_requests_total[5m])) by (model)`,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if got, err := e.Query(b.Context(), query, at); err != nil || len(got) == 0 {
					b.Fatalf("%s = %d samples, %v", query, len(got), err)
				}
			}
		})
	}
}
