package metrics_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/metrics"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

// childDir tells the test binary to be the process that is killed.
const childDir = "METRICS_TEST_CHILD_DIR"

// often is how often these tests scrape.
const often = 100 * time.Millisecond

// logged is a log that a test reads while others write it.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logged) log() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// fill scrapes an exporter with 7 requests into a store, and closes it.
func fill(t *testing.T, dir string) {
	t.Helper()
	e, err := metrics.Open(metrics.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	exporter := providertest.NewExporter(t)
	exporter.Requests("r1", "2xx", 7)
	e.Scrape(target(exporter.Address))
	waitFor(t, "the requests are stored", func() bool { return value(t, e, "test_requests_total", time.Now()) == 7 })
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func target(address string) []reconcile.ScrapeTarget {
	return []reconcile.ScrapeTarget{{Job: "model", Address: address, Path: "/metrics", Interval: often}}
}

// value is the only value of a query, or -1 if there is none.
func value(t *testing.T, m reconcile.Metrics, promql string, at time.Time) float64 {
	t.Helper()
	got, err := m.Query(t.Context(), promql, at)
	if err != nil {
		t.Fatalf("query %s: %v", promql, err)
	}
	if len(got) != 1 {
		return -1
	}
	return got[0].Value
}

func TestKilledStoreGoesOn(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		serveUntilKilled(t, dir)
	}
	dir := t.TempDir() + "/metrics"
	exporter := providertest.NewExporter(t)
	exporter.Requests("r1", "2xx", 7)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledStoreGoesOn$")
	child.Env = append(os.Environ(), childDir+"="+dir, childDir+"_TARGET="+exporter.Address)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "stored" {
		t.Log(lines.Text())
	}
	t.Run("a second process is refused while it lives", func(t *testing.T) {
		_, err := metrics.Open(metrics.Options{Dir: dir})
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) || !strings.Contains(err.Error(), "another process") || !strings.Contains(err.Error(), dir) {
			t.Errorf("open = %v, want it to name the directory and another process", err)
		}
	})
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	e := open(t, metrics.Options{Dir: dir})
	if got := value(t, e, "max_over_time(test_requests_total[1m])", time.Now()); got != 7 {
		t.Errorf("requests after the kill = %g, want the 7 of before", got)
	}
	exporter.Requests("r1", "2xx", 1)
	e.Scrape(target(exporter.Address))
	waitFor(t, "the next request", func() bool { return value(t, e, "test_requests_total", time.Now()) == 8 })
}

// serveUntilKilled is the other process.
func serveUntilKilled(t *testing.T, dir string) {
	e, err := metrics.Open(metrics.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	e.Scrape(target(os.Getenv(childDir + "_TARGET")))
	waitFor(t, "the requests are stored", func() bool { return value(t, e, "test_requests_total", time.Now()) == 7 })
	fmt.Println("stored")
	select {} // until it is killed
}

func TestDamagedStoreBeginsAnewRatherThanNotAtAll(t *testing.T) {
	overwrite := func(pattern string, damage func([]byte) []byte) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			files, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil || len(files) == 0 {
				t.Fatalf("no %s in the store: %v", pattern, err)
			}
			for _, file := range files {
				raw, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, damage(raw), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	flip := func(raw []byte) []byte {
		for i := range raw {
			raw[i] ^= 0xa5
		}
		return raw
	}
	cases := map[string]struct {
		damage   func(t *testing.T, dir string)
		setAside bool
		silent   bool
	}{
		"the WAL is noise": {damage: overwrite("wal/0*", flip)},
		// Every process that is killed may leave it so; it is no damage.
		"the WAL is cut off":    {damage: overwrite("wal/0*", func(raw []byte) []byte { return raw[:len(raw)/3] }), silent: true},
		"the WAL misses a part": {damage: func(t *testing.T, dir string) { newFile(t, dir+"/wal/00000009", "x") }, setAside: true},
		"a block is damaged": {damage: func(t *testing.T, dir string) {
			newFile(t, dir+"/01ARZ3NDEKTSV4RRFFQ69G5FAV/meta.json", `{"ulid":"01ARZ3NDEKTSV4RRFFQ69G5FAV","version":1,"minTime":1,"maxTime":2}`)
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir() + "/metrics"
			fill(t, dir)
			c.damage(t, dir)
			var log logged
			e := open(t, metrics.Options{Dir: dir, Log: log.log()})
			if said := log.String(); (said == "") != c.silent {
				t.Errorf("log: %q", said)
			}
			_, err := os.Stat(dir + ".broken")
			if c.setAside != (err == nil) {
				t.Errorf("set aside: %v; want %v; log:\n%s", err, c.setAside, log.String())
			}
			exporter := providertest.NewExporter(t)
			exporter.Requests("r1", "2xx", 9)
			e.Scrape(target(exporter.Address))
			waitFor(t, "it stores again", func() bool { return value(t, e, "max(test_requests_total)", time.Now()) == 9 })
		})
	}
}

func newFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpenSaysWhatToDo(t *testing.T) {
	if _, err := metrics.Open(metrics.Options{}); err == nil {
		t.Error("a store without a directory opens")
	}
	file := t.TempDir() + "/file"
	newFile(t, file, "in the way")
	if _, err := metrics.Open(metrics.Options{Dir: file}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("open = %v, want it to name the file that is no directory", err)
	}
	if raw, err := os.ReadFile(file); err != nil || string(raw) != "in the way" {
		t.Errorf("the file = %q, %v; want it as it was", raw, err)
	}
}

// smallDisk mounts a file system of 4 MB and 40 files.
func smallDisk(t *testing.T) string {
	t.Helper()
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=4m,nr_inodes=40"); err != nil {
		t.Skipf("a small file system cannot be mounted (%v), so there is no full disk", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(mount, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return mount
}

// diskFull tells whether queries fail because the disk is full.
func diskFull(t *testing.T, e *metrics.Embedded) func() bool {
	return func() bool {
		_, err := e.Query(t.Context(), "up", time.Now())
		return errors.Is(err, reconcile.ErrMetricsUnavailable) && errors.Is(err, syscall.ENOSPC)
	}
}

// stored tells whether queries find that many requests.
func stored(t *testing.T, e *metrics.Embedded, want float64) func() bool {
	return func() bool {
		got, err := e.Query(t.Context(), "test_requests_total", time.Now())
		return err == nil && len(got) == 1 && got[0].Value == want
	}
}

func TestFullDiskAtTheStartIsToldAndWaitedOut(t *testing.T) {
	mount := smallDisk(t)
	filler := mount + "/filler"
	if err := os.Mkdir(filler, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ { // until there is no room even for an empty file
		if err := os.WriteFile(fmt.Sprintf("%s/%d", filler, i), nil, 0o600); errors.Is(err, syscall.ENOSPC) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	exporter := providertest.NewExporter(t)
	exporter.Requests("r1", "2xx", 7)
	var log logged
	e := open(t, metrics.Options{Dir: mount + "/metrics", Log: log.log()})
	e.Scrape(target(exporter.Address))
	waitFor(t, "the full disk is the error", diskFull(t, e))
	if err := os.RemoveAll(filler); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "it opens when there is room", stored(t, e, 7))
	if said := log.String(); strings.Count(said, "no metrics") != 1 || !strings.Contains(said, "disk is full") {
		t.Errorf("log:\n%s\nwant the full disk once", said)
	}
}

func TestFullDiskIsToldAndSurvived(t *testing.T) {
	mount := smallDisk(t)
	exporter := providertest.NewExporter(t)
	exporter.Requests("r1", "2xx", 7)
	var log logged
	e := open(t, metrics.Options{Dir: mount + "/metrics", Log: log.log()})
	e.Scrape(target(exporter.Address))
	waitFor(t, "it stores", stored(t, e, 7))

	filler := mount + "/filler"
	if err := os.WriteFile(filler, make([]byte, 8<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the disk: %v", err)
	}
	waitFor(t, "the full disk is the error", diskFull(t, e))
	exporter.Requests("r1", "2xx", 1)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "it goes on when there is room", stored(t, e, 8))
	if said := log.String(); strings.Count(said, "cannot be stored") != 1 || !strings.Contains(said, "stored again") {
		t.Errorf("log:\n%s\nwant one trouble and one end of it", said)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, metrics.Options{Dir: mount + "/metrics"})
	if got := value(t, again, "max_over_time(test_requests_total[5m])", time.Now()); got != 8 {
		t.Errorf("after a restart the requests are %g, want 8", got)
	}
}
