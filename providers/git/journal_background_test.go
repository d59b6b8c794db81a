package git

import (
	"context"
	"sync"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// Somebody reads the whole journal, packs wait for that to be removed, and decisions wait
// for neither.
func TestDecisionsDoNotWaitForPacksToBeJoined(t *testing.T) {
	t.Parallel()
	j := small(t, "")
	reading, read := make(chan struct{}), make(chan error, 1)
	enough := make(chan struct{})
	appendMany(t, j, 0, 1)
	go func() {
		read <- j.store.view(func(*clone) error {
			close(reading)
			<-enough
			return nil
		})
	}()
	<-reading
	waits := func() bool { // whether somebody waits until the reader has gone
		if j.store.gate.TryRLock() {
			j.store.gate.RUnlock()
			return false
		}
		return true
	}
	n := 1
	for ; !waits(); n++ {
		appendMany(t, j, n, n+1)
	}
	appendMany(t, j, n, n+30)
	if !waits() {
		t.Error("nobody waits for the reader any more")
	}
	close(enough)
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	j.Close()
	if all, err := j.History(t.Context(), journal.Query{}); err != nil || len(all) != n+30 {
		t.Errorf("there are %d entries, %v", len(all), err)
	}
	fsck(t, j.options.Dir)
}

func TestReadersBesideADaemonSeeWhatIsThere(t *testing.T) {
	t.Parallel()
	j := small(t, "")
	j.store.fan = 4
	appendMany(t, j, 0, 3)
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			beside, err := NewJournal(JournalOptions{Dir: j.options.Dir, Branch: j.options.Branch, ReadOnly: true})
			if err != nil {
				t.Error(err)
				return
			}
			for before := 3; ctx.Err() == nil; {
				all, err := beside.History(t.Context(), journal.Query{})
				if err != nil || len(all) < before {
					t.Errorf("a reader sees %d entries after %d, %v", len(all), before, err)
					return
				}
				before = len(all)
			}
		})
	}
	appendMany(t, j, 3, 80)
	stop()
	readers.Wait()
}

func TestClosedJournalJoinsNoPacks(t *testing.T) {
	t.Parallel()
	j := small(t, "")
	appendMany(t, j, 0, 40)
	j.Close()
	before := packNames(j.options.Dir)
	appendMany(t, j, 40, 60)
	if now := packNames(j.options.Dir); len(now) != len(before)+20 {
		t.Errorf("of %d packs and 20 more there are %d", len(before), len(now))
	}
	again, err := NewJournal(j.options)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	again.store.fan = 6
	if _, err := again.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	appendMany(t, again, 60, 61)
	settle(t, again)
	if now := packNames(j.options.Dir); len(now) > 3*6 {
		t.Errorf("the next one leaves %d packs", len(now))
	}
}

// A crash between the new pack and the removal of the old ones leaves every object twice.
func TestPacksThatHaveTheSameObjectsAreJoined(t *testing.T) {
	t.Parallel()
	j := small(t, "")
	appendMany(t, j, 0, 35) // five packs of six entries, and five of one
	settle(t, j)
	bySize, err := j.store.packs()
	if err != nil || len(bySize[1]) != 5 {
		t.Fatalf("the packs are %v, %v", bySize, err)
	}
	twice, err := readPart(bySize[1][0], map[plumbing.Hash]bool{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.store.packAnew(t.Context(), bySize[1][:1], twice.fresh[:len(twice.fresh)-1]); err != nil {
		t.Fatal(err)
	}
	appendMany(t, j, 35, 36)
	settle(t, j)
	if bySize, err = j.store.packs(); err != nil || len(bySize[2]) != 1 {
		t.Errorf("the packs are %v, %v", bySize, err)
	}
	if all, err := j.History(t.Context(), journal.Query{}); err != nil || len(all) != 36 {
		t.Errorf("there are %d entries, %v", len(all), err)
	}
	fsck(t, j.options.Dir)
}

// What replaces the store has nothing joined in it by who still works on the one before.
func TestReopeningWaitsForWhatIsAtWork(t *testing.T) {
	t.Parallel()
	j := small(t, "")
	j.joining.begin(func(ctx context.Context) { <-ctx.Done() })
	if _, err := j.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !j.joining.begin(func(context.Context) {}) {
		t.Error("something is at work still")
	}
}
