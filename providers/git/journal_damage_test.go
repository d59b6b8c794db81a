package git_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead/providers/git"
)

func TestForeignCommitsArePassedOver(t *testing.T) {
	r := newRepo(t)
	r.commit("start")
	o := git.JournalOptions{URL: r.dir, Dir: filepath.Join(t.TempDir(), "journal.git")}
	j := openJournal(t, o)
	mustAppend(t, j, decision("a", 1))
	mustDeliver(t, j)
	r.git("checkout", "-q", journalBranch)
	r.write("NOTES.md", "a person was here")
	r.commit("notes: why we froze on friday")
	r.git("checkout", "-q", "main")
	mustAppend(t, j, decision("a", 2))
	mustDeliver(t, j)
	if got := history(t, j); got != "a=1 a=2" {
		t.Errorf("the history is %q", got)
	}
	if notes := strings.Join(j.Delivery().Notes, "\n"); !strings.Contains(notes, "no entry of the journal; Ann made it") {
		t.Errorf("the notes are %q", notes)
	}
	if got := r.git("ls-tree", "-r", "--name-only", journalBranch); got != "NOTES.md\nmodels/a.json" {
		t.Errorf("the files are %q", got)
	}
}

func TestRecordsThatCannotBeUsedAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		words   []string
	}{
		"later format": {`{"format_version": 99, "model": "a"}`, []string{"models/a.json", "upgrade fairlead"}},
		"garbage":      {`<<<<<<< HEAD`, []string{"models/a.json", "does not parse", "with a commit on the branch"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t)
			r.commit("start")
			o := git.JournalOptions{URL: r.dir, Dir: filepath.Join(t.TempDir(), "journal.git")}
			j := openJournal(t, o)
			mustAppend(t, j, decision("a", 1))
			mustDeliver(t, j)
			r.git("checkout", "-q", journalBranch)
			r.write("models/a.json", c.content)
			r.commit("by hand")
			r.git("checkout", "-q", "main")
			for _, dir := range []string{o.Dir, filepath.Join(t.TempDir(), "elsewhere.git")} {
				_, err := newJournal(t, git.JournalOptions{URL: r.dir, Dir: dir}).Open(t.Context())
				wantWords(t, err, c.words...)
			}
			// Put right by a person, it goes on.
			r.git("checkout", "-q", journalBranch)
			r.git("revert", "--no-edit", "HEAD")
			r.git("checkout", "-q", "main")
			if got := stable(mustOpen(t, j)); got != "a=1" {
				t.Errorf("the records are %q", got)
			}
		})
	}
}

func TestDamagedJournalIsFetchedAnew(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, dir string){
		"no ref": func(t *testing.T, dir string) { each(t, dir, "refs/heads/*/*/*", os.Remove) },
		"empty ref": func(t *testing.T, dir string) {
			each(t, dir, "refs/heads/*/*/*", func(p string) error { return os.Truncate(p, 0) })
		},
		"no packs": func(t *testing.T, dir string) { each(t, dir, "objects/pack/*", os.Remove) },
		"cut packs": func(t *testing.T, dir string) {
			each(t, dir, "objects/pack/*.pack", func(p string) error { return replace(p, []byte("PACK")) })
		},
		"cut indexes": func(t *testing.T, dir string) {
			each(t, dir, "objects/pack/*.idx", func(p string) error { return replace(p, nil) })
		},
		"no HEAD":        func(t *testing.T, dir string) { each(t, dir, "HEAD", os.Remove) },
		"an empty place": func(t *testing.T, dir string) { each(t, dir, "*", os.RemoveAll) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := bareRepo(t)
			o := git.JournalOptions{URL: r.dir, Dir: filepath.Join(t.TempDir(), "journal.git")}
			j := openJournal(t, o)
			mustAppend(t, j, decision("a", 1), decision("b", 2))
			mustDeliver(t, j)
			damage(t, o.Dir)
			j = newJournal(t, o)
			if got := stable(mustOpen(t, j)); got != "a=1 b=2" {
				t.Errorf("the records are %q", got)
			}
			if notes := strings.Join(j.Delivery().Notes, "\n"); !strings.Contains(notes, "fetched anew") || !strings.Contains(notes, ".damaged") {
				t.Errorf("the notes are %q", notes)
			}
			mustAppend(t, j, decision("c", 3))
			mustDeliver(t, j)

			// Without a remote it is an error that says what to do.
			damage(t, o.Dir)
			_, err := newJournal(t, git.JournalOptions{Dir: o.Dir}).Open(t.Context())
			wantWords(t, err, o.Dir, "backup")
			// With one that does not answer too.
			_, err = newJournal(t, git.JournalOptions{Dir: o.Dir, URL: filepath.Join(t.TempDir(), "gone")}).Open(t.Context())
			wantWords(t, err, o.Dir, "cannot be read", "no Git repository")
		})
	}
}

// each does something to the files that match.
func each(t *testing.T, dir, pattern string, do func(path string) error) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
	if err != nil || len(found) == 0 {
		t.Fatalf("nothing matches %s, %v", pattern, err)
	}
	for _, path := range found {
		if err := do(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFullDiskStoresNothingAndPasses(t *testing.T) {
	data := t.TempDir()
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("a small file system cannot be mounted here, only root may: %v", err)
	}
	defer func() { _ = syscall.Unmount(data, syscall.MNT_DETACH) }()
	o := git.JournalOptions{Dir: filepath.Join(data, "journal.git")}
	j := openJournal(t, o)
	mustAppend(t, j, decision("a", 0))
	filler := filepath.Join(data, "filler")
	if err := os.WriteFile(filler, make([]byte, 4<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	for n := 1; n < 4; n++ {
		wantWords(t, j.Append(t.Context(), decision("a", n)), "about a", "full", "free some space")
	}
	if got := history(t, j); got != "a=0" {
		t.Errorf("the history is %q", got)
	}
	if got := stable(mustOpen(t, newJournal(t, o))); got != "a=0" {
		t.Errorf("after a restart on the full disk the records are %q", got)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, decision("a", 4))
	if got := history(t, openJournal(t, o)); got != "a=0 a=4" {
		t.Errorf("with room again the history is %q", got)
	}
}
