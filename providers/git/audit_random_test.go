package git_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile/audit"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// randomEntry is a decision about anything, as fairlead could make it.
func randomEntry(r *rand.Rand, n int, at time.Time) journal.Entry {
	name := fmt.Sprintf("m%d", r.IntN(6))
	var e journal.Entry
	switch r.IntN(10) {
	case 0:
		e = ended(name, n+1)
		e.PipelineRecord.Since = at
	case 1:
		e = accept("root", n)
		e.To = fmt.Sprintf("%040x", r.Uint64())
		e.Commit, e.RepoRecord.Accepted, e.RepoRecord.Since = e.To, e.To, at
	case 2:
		e = proposal("revert-"+name, n)
		e.ProposalRecord.Since = at
	case 3:
		e = journal.Entry{Action: journal.ActionRemove, Model: name, Reason: "not in Git", Actor: journal.Daemon}
	default:
		e = decision(name, n)
		e.Reason = fmt.Sprintf("errors %.2f %%\nand so on\n\nFairlead-Action: abort", r.Float64())
		e.Record.Since = at
	}
	e.At = at
	return e
}

// randomJournal writes entries in the order of their times, but for a clock that goes
// back now and then, and returns what they were.
func randomJournal(t testing.TB, r *rand.Rand, j *git.Journal, entries int) {
	t.Helper()
	at := journalDay
	for n := range entries {
		at = at.Add(time.Duration(r.Int64N(int64(3 * time.Hour))))
		if r.IntN(8) == 0 {
			at = at.Add(-time.Hour)
		}
		mustAppend(t, j, randomEntry(r, n, at))
	}
}

func TestGoodJournalsRaiseNoAlarm(t *testing.T) {
	const journals = 50
	for i := range journals {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(5, uint64(i)))
			key, second := signer(t), signer(t)
			remote := bareRepo(t)
			file := filepath.Join(t.TempDir(), "head")
			trusted := []string{key.PublicKey(), second.PublicKey()}
			o := git.JournalOptions{URL: remote.dir, Author: author(key), Trusted: trusted, HeadFile: file, Dir: filepath.Join(t.TempDir(), "journal.git")}
			heads := []audit.Head{}
			keep := func(j *git.Journal) {
				head, err := j.Head(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if head.Commit != "" {
					heads = append(heads, head)
				}
			}
			j := openJournal(t, o)
			randomJournal(t, r, j, 1+r.IntN(8))
			keep(j)
			mustDeliver(t, j)
			if i%2 == 0 { // another host goes on with another key, and this one follows
				other := openJournal(t, git.JournalOptions{URL: remote.dir, Author: author(second), Trusted: trusted})
				randomJournal(t, r, other, 1+r.IntN(4))
				mustDeliver(t, other)
				keep(other)
			}
			if i%3 == 0 {
				if err := os.RemoveAll(o.Dir); err != nil {
					t.Fatal(err)
				}
			}
			j = openJournal(t, o) // a restart
			randomJournal(t, r, j, 1+r.IntN(4))
			mustDeliver(t, j)
			for _, dir := range []string{o.Dir, remote.dir} {
				report := verify(t, git.AuditOptions{Dir: dir, Branch: journalBranch, Trusted: trusted, Heads: append(heads, headIn(t, file))})
				if !report.OK() || report.Unsigned != 0 || report.Head.Entries != headIn(t, file).Entries {
					t.Errorf("%s: got %+v", dir, report)
				}
			}
		})
	}
}

func TestTimeTravelIsTheTruth(t *testing.T) {
	t.Parallel()
	const events = 500
	r := rand.New(rand.NewPCG(6, 6))
	key := signer(t)
	remote := bareRepo(t)
	o := git.JournalOptions{URL: remote.dir, Author: author(key), Trusted: []string{key.PublicKey()}, Dir: filepath.Join(t.TempDir(), "journal.git"), HeadFile: filepath.Join(t.TempDir(), "head")}
	j := openJournal(t, o)
	type moment struct {
		at    time.Time
		truth map[string]journal.Record
	}
	truth := map[string]journal.Record{}
	moments := []moment{{journalDay.Add(-time.Hour), map[string]journal.Record{}}}
	at := journalDay
	for n := range events {
		at = at.Add(time.Duration(r.Int64N(int64(time.Hour))))
		e := randomEntry(r, n, at)
		mustAppend(t, j, e)
		switch {
		case e.Record != nil:
			record := *e.Record
			record.FormatVersion, record.Model = journal.RecordFormat, e.Model
			truth[e.Model] = record
		case e.Model != "":
			delete(truth, e.Model)
		}
		moments = append(moments, moment{at, maps.Clone(truth)})
	}
	mustDeliver(t, j)
	compare := func(t *testing.T, j *git.Journal) {
		t.Helper()
		const looks = 40 // spread over all of the time: each reads the journal from its end
		for n := range looks {
			i := (n*len(moments) + r.IntN(len(moments))) / looks
			when := moments[i].at
			if i+1 < len(moments) && r.IntN(2) == 0 { // any time until the next one
				when = when.Add(time.Duration(r.Int64N(int64(moments[i+1].at.Sub(when)))))
			}
			got, err := j.At(t.Context(), when)
			if err != nil || !reflect.DeepEqual(got, moments[i].truth) {
				t.Fatalf("at %s it was %+v, %v; want %+v", when, got, err, moments[i].truth)
			}
		}
	}
	compare(t, j)
	if err := os.RemoveAll(o.Dir); err != nil {
		t.Fatal(err)
	}
	compare(t, openJournal(t, o))
	report := verify(t, git.AuditOptions{Dir: o.Dir, Branch: journalBranch, Trusted: o.Trusted, Heads: []audit.Head{headIn(t, o.HeadFile)}})
	if !report.OK() || report.Head.Entries != events {
		t.Errorf("got %+v", report)
	}
}

func TestJournalIsVerifiedInAnyClone(t *testing.T) {
	t.Parallel()
	key := signer(t)
	remote := bareRepo(t)
	j := openJournal(t, git.JournalOptions{URL: remote.dir, Author: author(key)})
	mustAppend(t, j, decision("a", 1), decision("b", 2))
	mustDeliver(t, j)
	clone := &repo{t: t, dir: t.TempDir()}
	clone.git("init", "-q")
	clone.git("remote", "add", "origin", remote.dir)
	clone.git("fetch", "-q", "origin")
	o := git.AuditOptions{Dir: clone.dir, Branch: journalBranch, Trusted: []string{key.PublicKey()}}
	if report := verify(t, o); !report.OK() || report.Head.Entries != 2 || len(report.Notes) != 1 {
		t.Errorf("got %+v", report)
	}
	// One that does not reach back to the beginning says so.
	shallow := &repo{t: t, dir: filepath.Join(t.TempDir(), "shallow")}
	clone.git("clone", "-q", "--depth", "1", "--branch", journalBranch, "file://"+remote.dir, shallow.dir)
	o.Dir = shallow.dir
	if report := verify(t, o); report.OK() || report.Problems[0].Rule != audit.RuleObject {
		t.Errorf("got %+v", report)
	}
	for name, o := range map[string]git.AuditOptions{
		"no branch":         {Dir: clone.dir},
		"no such branch":    {Dir: clone.dir, Branch: "fairlead/journal/other"},
		"no repository":     {Dir: t.TempDir(), Branch: journalBranch},
		"half a commit id":  {Dir: clone.dir, Branch: journalBranch, TrustedSince: "abc"},
		"not even a folder": {Dir: filepath.Join(t.TempDir(), "none"), Branch: journalBranch},
	} {
		if report, err := git.VerifyJournal(t.Context(), o); err == nil {
			t.Errorf("%s: got %+v", name, report)
		}
	}
}
