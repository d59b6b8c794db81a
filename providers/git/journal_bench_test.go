package git_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile/audit"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// BenchmarkJournalAppend is one durable decision, with as many models as named.
// Beside it stands what a bare write of a file, made durable, takes on this disk.
func BenchmarkJournalAppend(b *testing.B) {
	b.Run("baseline: one file written and synced", func(b *testing.B) {
		dir := b.TempDir()
		for i := 0; b.Loop(); i++ {
			f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := f.Write(make([]byte, 2000)); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
			_ = f.Close()
		}
	})
	key := signer(b)
	for name, c := range map[string]struct {
		models int
		o      git.JournalOptions
	}{
		"models=1": {models: 1}, "models=50": {models: 50}, "models=1000": {models: 1000},
		"models=200, signed":           {200, git.JournalOptions{Author: author(key)}},
		"models=200, signed, and head": {200, git.JournalOptions{Author: author(key), HeadFile: filepath.Join(b.TempDir(), "head")}},
	} {
		b.Run(name, func(b *testing.B) {
			j := openJournal(b, c.o)
			for n := range c.models {
				mustAppend(b, j, decision(fmt.Sprintf("model-%d", n), n))
			}
			for n := c.models; b.Loop(); n++ {
				mustAppend(b, j, decision(fmt.Sprintf("model-%d", n%c.models), n))
			}
		})
	}
}

// BenchmarkJournalReplay10k reads a signed journal of 10,000 entries about 200 models,
// and verifies all of it.
func BenchmarkJournalReplay10k(b *testing.B) { replay(b, 10_000) }

// BenchmarkJournalReplay100k shows what grows faster than the journal. It takes a quarter
// of an hour, most of that for the entries.
func BenchmarkJournalReplay100k(b *testing.B) { replay(b, 100_000) }

func replay(b *testing.B, entries int) {
	const models = 200
	key := signer(b)
	dir := filepath.Join(b.TempDir(), "journal.git")
	o := git.JournalOptions{Dir: dir, Author: author(key), HeadFile: filepath.Join(b.TempDir(), "head")}
	j := openJournal(b, o)
	var took []time.Duration
	for n := range entries {
		begin := time.Now()
		mustAppend(b, j, decision(fmt.Sprintf("model-%d", n%models), n))
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.Run("append, signed", func(b *testing.B) { // all of those above
		files, bytes := sizeOf(b, dir)
		ms := func(d time.Duration) float64 { return d.Seconds() * 1e3 }
		for b.Loop() {
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(ms(took[entries/2]), "ms-median")
		b.ReportMetric(ms(took[entries*99/100]), "ms-p99")
		b.ReportMetric(ms(took[entries-1]), "ms-max")
		b.ReportMetric(float64(bytes)/float64(entries), "bytes/entry")
		b.ReportMetric(float64(files), "files")
	})
	b.Run("history, all", func(b *testing.B) {
		for b.Loop() {
			if all, err := j.History(b.Context(), journal.Query{}); err != nil || len(all) != entries {
				b.Fatalf("%d entries, %v", len(all), err)
			}
		}
	})
	for _, newest := range []int{20, 100} {
		b.Run(fmt.Sprintf("history, newest %d", newest), func(b *testing.B) {
			for b.Loop() {
				if _, err := j.History(b.Context(), journal.Query{Limit: newest}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for name, n := range map[string]int{"at the beginning": models - 1, "at a random time": -1} {
		b.Run(name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			for b.Loop() {
				at := n
				if at < 0 {
					at = models + r.IntN(entries-models)
				}
				if records, err := j.At(b.Context(), journalDay.Add(time.Duration(at)*time.Second)); err != nil || len(records) != models {
					b.Fatalf("%d records, %v", len(records), err)
				}
			}
		})
	}
	b.Run("verify", func(b *testing.B) {
		git.SettleHead(j)
		audited := git.AuditOptions{Dir: dir, Branch: journalBranch, Trusted: []string{key.PublicKey()}, Heads: []audit.Head{headIn(b, o.HeadFile)}}
		for b.Loop() {
			if report := verify(b, audited); !report.OK() || report.Head.Entries != entries {
				b.Fatalf("%+v", report)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			mustOpen(b, j)
		}
	})
}

// sizeOf counts the files below a directory, and their bytes.
func sizeOf(b *testing.B, dir string) (files int, bytes int64) {
	b.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			files, bytes = files+1, bytes+info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return files, bytes
}
