package git

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// small is a journal that joins packs as soon as there are six of a size.
func small(t *testing.T, url string) *Journal {
	t.Helper()
	j, err := NewJournal(JournalOptions{Dir: filepath.Join(t.TempDir(), "journal.git"), URL: url, Branch: journal.Branch("default")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	j.store.fan = 6
	if _, err := j.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return j
}

// settle waits until no packs are joined any more, and joins what is left to join.
func settle(t *testing.T, j *Journal) {
	t.Helper()
	j.joining.mu.Lock()
	done := j.joining.done
	j.joining.mu.Unlock()
	if done != nil {
		<-done
	}
	if err := j.store.tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func appendMany(t *testing.T, j *Journal, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		model := fmt.Sprintf("model-%d", n%7)
		e := journal.Entry{
			At: time.Unix(1e9+int64(n), 0), Action: journal.ActionPromote, Model: model, To: fmt.Sprintf("%012x", n), Reason: "all checks have passed",
			Record: &journal.Record{Stable: &journal.Release{Revision: fmt.Sprintf("%012x", n), Image: strings.Repeat("the same words ", 50)}},
		}
		if n%50 == 49 {
			e.Action, e.Record = journal.ActionRemove, nil // the tree of before comes back: objects that are there twice
		}
		if err := j.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func fsck(t *testing.T, dir string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("the git program is not installed; it is only needed by this test")
	}
	cmd := exec.CommandContext(t.Context(), "git", "fsck", "--full", "--strict")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("git fsck: %v\n%s", err, out)
	}
}

func filesBelow(t *testing.T, dir string) (names []string, bytes int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			names, bytes = append(names, path), bytes+info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names, bytes
}

func TestManyEntriesNeedFewFiles(t *testing.T) {
	t.Parallel()
	j := small(t, "")
	const entries = 6*6*6 + 20 // every size is joined
	appendMany(t, j, 0, entries)
	settle(t, j)
	if notes := j.Delivery().Notes; len(notes) > 0 {
		t.Fatalf("the notes are %q", notes)
	}
	names, bytes := filesBelow(t, filepath.Join(j.options.Dir, "objects"))
	if len(names) > 80 {
		t.Errorf("%d entries are %d files with %d bytes", entries, len(names), bytes)
	}
	fsck(t, j.options.Dir)
	all, err := j.History(t.Context(), journal.Query{})
	if err != nil || len(all) != entries {
		t.Fatalf("there are %d entries, %v", len(all), err)
	}
	for i, e := range all {
		if want := fmt.Sprintf("%012x", entries-1-i); e.To != want {
			t.Fatalf("entry %d is about %s; want %s", i, e.To, want)
		}
	}
	records, err := j.At(t.Context(), time.Unix(1e9+99, 0))
	if err != nil || len(records) != 6 || records["model-2"].Stable.Revision != fmt.Sprintf("%012x", 93) {
		t.Errorf("there are %d records, %+v, %v", len(records), records["model-2"].Stable, err)
	}
}

func TestDamagedPackIsNotJoined(t *testing.T) {
	t.Parallel()
	j := small(t, "")
	appendMany(t, j, 0, 20)
	settle(t, j)
	bySize, err := j.store.packs()
	if err != nil || len(bySize[1]) == 0 {
		t.Fatalf("the packs are %v, %v", bySize, err)
	}
	victim := bySize[1][0].base + ".pack"
	data, err := os.ReadFile(victim)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.Chmod(victim, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(victim, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for n := 20; !strings.Contains(strings.Join(j.Delivery().Notes, "\n"), "grows"); n++ { // until it is noticed beside them
		appendMany(t, j, n, n+1)
	}
	if _, err := os.Stat(victim); err != nil {
		t.Errorf("the damaged pack was removed: %v", err)
	}
}

func TestLooseObjectsInTheRemoteAreGathered(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("the git program is not installed; it is only needed by this test")
	}
	bare := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "git", "init", "-q", "--bare", bare).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v\n%s", err, out)
	}
	j := small(t, bare)
	local, ok := j.upstream.(localUpstream)
	if !ok {
		t.Fatalf("the upstream is a %T", j.upstream)
	}
	local.loose = 20
	j.upstream = local
	for n := range 45 {
		appendMany(t, j, n, n+1)
		if err := j.Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	names, _ := filesBelow(t, filepath.Join(bare, "objects"))
	if len(names) > 20*4+2*3 {
		t.Errorf("there are %d files", len(names))
	}
	fsck(t, bare)
	out, err := exec.CommandContext(t.Context(), "git", "-C", bare, "rev-list", "--count", journal.Branch("default")).Output()
	if err != nil || strings.TrimSpace(string(out)) != "45" {
		t.Errorf("the remote has %s entries, %v", out, err)
	}
}

func TestKilledWritesAreSwept(t *testing.T) {
	j := small(t, "")
	appendMany(t, j, 0, 3)
	dir := j.options.Dir
	old := time.Now().Add(-2 * time.Hour)
	left := []string{
		dir + "-123.new", filepath.Join(dir, "fairlead-ref-123.tmp"),
		filepath.Join(dir, "objects", "pack", "pack-"+strings.Repeat("1", 40)+".idx"),
		filepath.Join(dir, "objects", "pack", "tmp_pack_123"),
	}
	for _, path := range left {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	appendMany(t, j, 3, 4)
	for _, path := range left {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
	if all, err := j.History(t.Context(), journal.Query{}); err != nil || len(all) != 4 {
		t.Errorf("there are %d entries, %v", len(all), err)
	}
}
