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
	for _, models := range []int{1, 50, 1000} {
		b.Run(fmt.Sprintf("models=%d", models), func(b *testing.B) {
			j := openJournal(b, git.JournalOptions{})
			for n := range models {
				mustAppend(b, j, decision(fmt.Sprintf("model-%d", n), n))
			}
			for n := models; b.Loop(); n++ {
				mustAppend(b, j, decision(fmt.Sprintf("model-%d", n%models), n))
			}
		})
	}
}

// BenchmarkJournalReplay10k reads a signed journal of 10,000 entries about 200 models,
// and verifies all of it.
func BenchmarkJournalReplay10k(b *testing.B) {
	const entries, models = 10_000, 200
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
	b.Logf("an append takes %s, the slowest of 100 %s, the slowest %s", took[entries/2], took[entries*99/100], took[entries-1])
	names, bytes := sizeOf(b, dir)
	b.Logf("%d entries are %d files with %d bytes", entries, names, bytes)
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
func sizeOf(b *testing.B, dir string) (names int, bytes int64) {
	b.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			names, bytes = names+1, bytes+info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return names, bytes
}
