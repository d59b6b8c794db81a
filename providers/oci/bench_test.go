package oci_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/oci"
)

// The cost of Put, as a ratio to what a person would do by hand: sha256sum for the
// digest, cp for the copy, and a careful one sync, so that it is on the disk. All work
// on files that are in memory, and on the same disk in turns.

func BenchmarkPut1000Files(b *testing.B)    { benchmarkPut(b, 1000, 16<<10) }
func BenchmarkPutFileOf256MiB(b *testing.B) { benchmarkPut(b, 1, 256<<20) }

func benchmarkPut(b *testing.B, files, size int) {
	dir := b.TempDir()
	random := rand.NewChaCha8([32]byte{})
	data := make([]byte, size)
	paths := make([]string, files)
	for n := range files {
		_, _ = random.Read(data) // it never fails
		paths[n] = filepath.Join(dir, fmt.Sprintf("%04d", n))
		if err := os.WriteFile(paths[n], data, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(files * size))
	var hand, careful, put time.Duration
	for b.Loop() {
		to := b.TempDir()
		start := time.Now()
		cmd := exec.CommandContext(b.Context(), "sh", "-c", `cd "$0" && find . -type f -exec sha256sum {} + >/dev/null && cp -r . "$1"/`, dir, to)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		hand += time.Since(start)
		cmd = exec.CommandContext(b.Context(), "find", to, "-type", "f", "-exec", "sync", "{}", "+")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		careful += time.Since(start)

		s := open(b, oci.Options{Dir: b.TempDir()})
		start = time.Now()
		if _, err := s.Put(b.Context(), dir); err != nil {
			b.Fatal(err)
		}
		put += time.Since(start)
	}
	b.ReportMetric(float64(put)/float64(careful), "×careful")
	b.ReportMetric(float64(put)/float64(hand), "×unsynced")
	b.ReportMetric(put.Seconds()/float64(b.N), "s/put")
}
