package git_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/providers/git"
)

// finds keeps what a journal has found.
type finds struct {
	mu   sync.Mutex
	list []git.Finding
	open map[git.FindingKind]bool
}

func (f *finds) add(found git.Finding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if found.Over && !f.open[found.Kind] {
		return // the first time, nobody knows what was before
	}
	if f.open == nil {
		f.open = map[git.FindingKind]bool{}
	}
	f.open[found.Kind] = !found.Over
	f.list = append(f.list, found)
}

// want tells what was found since the last time, each with a word of its text.
func (f *finds) want(t *testing.T, want ...string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var got []string
	for i, found := range f.list {
		text := string(found.Kind)
		if found.Over {
			text += " over"
		}
		if i < len(want) {
			if kind, words, _ := strings.Cut(want[i], ": "); kind == text && strings.Contains(found.Text, words) {
				text = want[i]
			} else {
				text += ": " + found.Text
			}
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("found %q; want %q", got, want)
	}
	f.list = nil
}

func TestForgedEntriesAreToldOnce(t *testing.T) {
	r := bareRepo(t)
	key := signer(t)
	var found finds
	o := git.JournalOptions{URL: r.dir, Dir: filepath.Join(t.TempDir(), "journal.git"), Author: author(key), Trusted: []string{key.PublicKey()}, Found: found.add}
	j := openJournal(t, o)
	mustAppend(t, j, decision("a", 1))
	mustDeliver(t, j)
	good := r.git("rev-parse", journalBranch)
	found.want(t)

	foreign := openJournal(t, git.JournalOptions{URL: r.dir})
	mustAppend(t, foreign, decision("b", 2))
	mustDeliver(t, foreign)
	mustAppend(t, j, decision("a", 3))
	for range 3 {
		if err := j.Deliver(t.Context()); err == nil {
			t.Fatal("it was delivered on top of a forged entry")
		}
	}
	found.want(t, "forged: not signed by a key of the journal")
	mustAppend(t, foreign, decision("b", 4))
	mustDeliver(t, foreign)
	_ = j.Deliver(t.Context())
	found.want(t) // the same entry is the first that does not count

	mustOpen(t, j)
	found.want(t)
	r.git("update-ref", "refs/heads/"+journalBranch, good)
	mustDeliver(t, j)
	found.want(t, "forged over: counts again")
	mustOpen(t, j)
	found.want(t)

	// After a loss of the data directory there is nothing to begin with.
	r.git("update-ref", "refs/heads/"+journalBranch, good)
	mustAppend(t, foreign, decision("b", 5))
	mustDeliver(t, foreign)
	o.Dir = filepath.Join(t.TempDir(), "lost.git")
	if _, err := newJournal(t, o).Open(t.Context()); err == nil {
		t.Error("a forged journal is opened")
	}
	found.want(t, "forged: not signed by a key of the journal")
}

func TestWhatTheRemoteHasLostIsToldAndDelivered(t *testing.T) {
	eachUpstream(t, func(t *testing.T, r *repo, o git.JournalOptions) {
		var found finds
		o.Found = found.add
		j := openJournal(t, o)
		mustAppend(t, j, decision("a", 1), decision("a", 2))
		mustDeliver(t, j)
		whole := r.git("rev-parse", journalBranch)
		for name, c := range map[string]struct {
			tamper func()
			want   string
		}{
			"cut off": {func() { r.git("update-ref", "refs/heads/"+journalBranch, whole+"~1") }, "lost: was set back to"},
			"deleted": {func() { r.git("update-ref", "-d", "refs/heads/"+journalBranch) }, "lost: was deleted"},
		} {
			c.tamper()
			mustOpen(t, j)
			found.want(t, c.want)
			mustDeliver(t, j)
			if got := r.git("rev-parse", journalBranch); got != whole {
				t.Errorf("%s: the remote is at %s; want %s", name, got, whole)
			}
			mustOpen(t, j)
			found.want(t)
		}

		other := openJournal(t, git.JournalOptions{})
		mustAppend(t, other, decision("b", 9))
		r.git("fetch", "-q", other.Dir(), "+"+journalBranch+":"+journalBranch)
		mustOpen(t, j)
		found.want(t, "lost: is replaced by another one")
		mustOpen(t, j)
		found.want(t)
	})
}

func TestWhatThisHostHasLostIsTold(t *testing.T) {
	var found finds
	head := filepath.Join(t.TempDir(), "head")
	o := git.JournalOptions{Dir: filepath.Join(t.TempDir(), "journal.git"), HeadFile: head, Found: found.add}
	j := openJournal(t, o)
	mustAppend(t, j, decision("a", 1), decision("a", 2))
	repo := &repo{t: t, dir: o.Dir}
	repo.git("update-ref", "refs/heads/"+journalBranch, journalBranch+"~1")
	if err := j.Append(t.Context(), decision("a", 3)); err == nil {
		t.Error("it was decided on top of what is gone")
	}
	found.want(t, "lost: is another fairlead at work")
	mustOpen(t, j)
	found.want(t, "lost: that entry is not there now")
	mustOpen(t, j)
	found.want(t)
}

func TestHeadThatCannotBeKeptIsTold(t *testing.T) {
	var found finds
	place := filepath.Join(t.TempDir(), "disk")
	j := openJournal(t, git.JournalOptions{HeadFile: filepath.Join(place, "head"), Found: found.add})
	mustAppend(t, j, decision("a", 1), decision("a", 2), decision("a", 3))
	git.SettleHead(j)
	found.want(t, "unkept: no such file or directory")
	if notes := j.Delivery().Notes; len(notes) != 1 {
		t.Errorf("the notes are %q", notes)
	}
	if err := os.Mkdir(place, 0o755); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, decision("a", 4), decision("a", 5))
	git.SettleHead(j)
	found.want(t, "unkept over: again")
	if err := os.RemoveAll(place); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, decision("a", 6))
	git.SettleHead(j)
	found.want(t, "unkept: no such file or directory")
}
