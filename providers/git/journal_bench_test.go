package git_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/git"
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

// BenchmarkJournalReplay10k reads a journal of 10,000 entries.
func BenchmarkJournalReplay10k(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "journal.git")
	j := openJournal(b, git.JournalOptions{Dir: dir})
	const entries = 10_000
	for n := range entries {
		mustAppend(b, j, decision(fmt.Sprintf("model-%d", n%50), n))
	}
	names, bytes := 0, int64(0)
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
	b.Logf("%d entries are %d files with %d bytes", entries, names, bytes)
	b.Run("history, all", func(b *testing.B) {
		for b.Loop() {
			if all, err := j.History(b.Context(), journal.Query{}); err != nil || len(all) != entries {
				b.Fatalf("%d entries, %v", len(all), err)
			}
		}
	})
	b.Run("history, newest 20", func(b *testing.B) {
		for b.Loop() {
			if _, err := j.History(b.Context(), journal.Query{Limit: 20}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("at the beginning", func(b *testing.B) {
		for b.Loop() {
			if records, err := j.At(b.Context(), journalDay.Add(time.Minute)); err != nil || len(records) != 50 {
				b.Fatalf("%d records, %v", len(records), err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			mustOpen(b, j)
		}
	})
}
