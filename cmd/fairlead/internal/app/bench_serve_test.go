package app

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/memory"
)

// The daemon under measurement is this test binary, started again with these
// set, so that what the measurement itself takes does not count.
const (
	servedRepo = "FAIRLEAD_BENCH_REPO"
	servedData = "FAIRLEAD_BENCH_DATA"
)

// BenchmarkServe1000 is what the daemon takes while 1,000 models run and nothing
// happens: its memory as a whole, and the parts of it that are its own and of files,
// its share of a core, and its calls to the engine for each
// time that it looks. It looks every five seconds here, six times as often as by
// default, and has the engine in the same process.
func BenchmarkServe1000(b *testing.B) {
	const models, settle, window = 1_000, 15 * time.Second, 30 * time.Second
	if os.Getenv(servedRepo) != "" {
		b.Skip("this process is the daemon under measurement")
	}
	repo := newConfigRepo(b, models)
	d := startServed(b, repo.dir)
	for b.Loop() {
		<-time.After(settle)
		before, used := d.ask(b), d.cpuTime(b)
		<-time.After(window)
		used = d.cpuTime(b) - used
		after := d.ask(b)
		resyncs := after.Resyncs - before.Resyncs
		if resyncs == 0 || after.Models != models {
			b.Fatalf("%d models, looked %d times: that is no steady state", after.Models, resyncs)
		}
		calls := 0
		for op, n := range after.Calls {
			calls += n - before.Calls[op]
		}
		b.ReportMetric(d.memory(b, "VmRSS")/1e6, "rss-MB")
		b.ReportMetric(d.memory(b, "RssAnon")/1e6, "anon-MB")
		b.ReportMetric(d.memory(b, "RssFile")/1e6, "file-MB")
		b.ReportMetric(100*used.Seconds()/window.Seconds(), "core-%")
		b.ReportMetric(float64(calls)/float64(resyncs), "calls/resync")
		b.ReportMetric(float64(after.Calls[memory.OpList]-before.Calls[memory.OpList])/float64(resyncs), "lists/resync")
	}
	b.ReportMetric(0, "ns/op")
}

// served is what the daemon under measurement says of itself.
type served struct {
	Models, Resyncs int
	Calls           map[string]int
}

// TestServedDaemon is the process of the daemon: it answers each line of its
// input with a line about itself, and ends with its input.
func TestServedDaemon(t *testing.T) {
	repo := os.Getenv(servedRepo)
	if repo == "" {
		t.Skip("this is the process that BenchmarkServe1000 starts")
	}
	site, engine, err := memorySite(repo, os.Getenv(servedData), "prod")
	if err != nil {
		t.Fatal(err)
	}
	site.Config.Interval = 5 * time.Second
	d := &Daemon{site: site, log: slog.New(slog.DiscardHandler), metrics: newMetrics()}
	if d.api, err = newAPI(site.Config, d, d.pipelines); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		runtime.GC() // it comes by itself every two minutes, which is long to wait for
		status := d.Status()
		say := served{Calls: engine.Calls(), Resyncs: resyncs(t, d)}
		if status.Converged {
			say.Models = len(status.Models)
		}
		if err := json.NewEncoder(os.Stdout).Encode(say); err != nil {
			t.Fatal(err)
		}
	}
}

// resyncs reads from the daemon's metrics how often it has looked.
func resyncs(t *testing.T, d *Daemon) int {
	t.Helper()
	families, err := d.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "fairlead_resync_duration_seconds" {
			return int(f.GetMetric()[0].GetHistogram().GetSampleCount())
		}
	}
	t.Fatal("the daemon does not count how often it looks")
	return 0
}

// servedProcess is the daemon, seen from outside.
type servedProcess struct {
	pid   int
	in    io.Writer
	lines *bufio.Scanner
}

func startServed(b *testing.B, repo string) *servedProcess {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestServedDaemon$")
	cmd.Env = append(os.Environ(), servedRepo+"="+repo, servedData+"="+b.TempDir(),
		"GODEBUG=memprofilerate=0") // as in the program, into which the linker puts no profiler of memory
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	d := &servedProcess{pid: cmd.Process.Pid, in: in, lines: bufio.NewScanner(out)}
	for deadline := time.Now().Add(2 * time.Minute); d.ask(b).Models == 0; <-time.After(time.Second) { // each question costs a collection
		if time.Now().After(deadline) {
			b.Fatal("the models do not come up within two minutes")
		}
	}
	return d
}

// ask has the daemon tell about itself.
func (d *servedProcess) ask(b *testing.B) served {
	b.Helper()
	if _, err := io.WriteString(d.in, "\n"); err != nil {
		b.Fatal(err)
	}
	if !d.lines.Scan() {
		b.Fatalf("the daemon under measurement has ended: %v", d.lines.Err())
	}
	var s served
	if err := json.Unmarshal(d.lines.Bytes(), &s); err != nil {
		b.Fatalf("the daemon under measurement says %q: %v", d.lines.Text(), err)
	}
	return s
}

// memory is a figure of proc_pid_status(5) in bytes: VmRSS is the resident memory,
// of which RssAnon is the process's own, and RssFile pages of its program, which are
// page cache.
func (d *servedProcess) memory(b *testing.B, field string) float64 {
	b.Helper()
	for line := range strings.Lines(d.proc(b, "status")) {
		if kilobytes, found := strings.CutPrefix(line, field+":"); found {
			n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(kilobytes), " kB"))
			if err != nil {
				b.Fatal(err)
			}
			return float64(n) * 1024
		}
	}
	b.Fatal("the system does not tell the resident memory of a process")
	return 0
}

// cpuTime is what the process has used, user and system.
func (d *servedProcess) cpuTime(b *testing.B) time.Duration {
	b.Helper()
	stat := d.proc(b, "stat")
	// The name in parentheses may hold spaces; utime and stime are the 12th and
	// 13th fields after it, in ticks of 10 ms.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	ticks := 0
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func (d *servedProcess) proc(b *testing.B, name string) string {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", d.pid, name))
	if err != nil {
		b.Skipf("the figures of other processes are read from /proc: %v", err)
	}
	return string(text)
}
