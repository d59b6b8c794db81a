package propose_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/fairlead/fairlead/reconcile/propose"
)

// A person who undoes each proposal, as often as they like, sees each wish once.
func TestAThousandCyclesMakeNoLoop(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for cycle := range 1000 {
			w.settle(wish("back to 1.0.0"))
			if cycle%2 == 0 {
				w.merge() // and reverted: the same is wanted again
			} else {
				w.reject()
			}
		}
		if w.acts[propose.Push] != 1 || len(w.pulls) > 1 {
			t.Errorf("%d branches were pushed and %d pull requests opened; want one", w.acts[propose.Push], len(w.pulls))
		}
	})
}

// wanting is a world whose wishes come and go.
type wanting struct {
	*world
	rand    *rand.Rand
	now     string         // that is wanted, "" for nothing
	newest  int            // version
	busy    int            // people do something in one of so many cycles, or rather less
	came    map[string]int // how often each came to be wanted
	decided map[string]int // how often each was opened when people decided about it
}

func (w *wanting) want(id string) {
	if id != w.now && id != "" {
		w.came[id]++
	}
	w.now = id
}

// turn is what becomes of the wish: a new version, an older one again, none, the same.
func (w *wanting) turn() propose.Want {
	switch w.rand.IntN(8) {
	case 0:
		if w.rand.IntN(3) == 0 {
			w.newest++
		}
		w.want(fmt.Sprint("version ", w.newest))
	case 1, 2:
		w.want(fmt.Sprint("version ", w.rand.IntN(w.newest+1)))
	case 3, 4:
		w.want("")
	case 5:
		return propose.Want{Unknown: "the registry cannot be asked"}
	}
	if w.now == "" {
		return propose.Want{}
	}
	return propose.Want{Wish: wish(w.now)}
}

// person merges, rejects, writes to the branch, or looks away, as people mostly do.
func (w *wanting) person() {
	open := w.record.Open
	if open == nil || w.tip == "" {
		return
	}
	switch w.rand.IntN(w.busy) {
	case 0:
		w.decided[open.Wish] = w.opened[open.Wish]
		w.merge()
	case 1:
		w.decided[open.Wish] = w.opened[open.Wish]
		w.reject()
	case 2:
		w.tip, w.theirs = w.tip+"+", true
	}
}

// A thousand cycles of wishes that come and go, A-B-A among them, and of people who do
// what they like: nothing that people have decided about is proposed again, and nothing
// else more often than it came to be wanted.
func TestAThousandCyclesOfChangingWishes(t *testing.T) {
	for seed := range uint64(10) {
		eachWorld(t, func(t *testing.T, w *world) {
			w2 := &wanting{world: w, busy: []int{12, 150}[seed%2], rand: rand.New(rand.NewPCG(seed, 1)), came: map[string]int{}, decided: map[string]int{}}
			for cycle := range 1000 {
				if why := w2.settleWant(w2.turn()); why == "it does not come to rest" {
					t.Fatalf("cycle %d: %+v", cycle, w.record)
				}
				w2.person()
				if w.theirs && w2.rand.IntN(2) == 0 {
					w.theirs = false // they take it away again
				}
				if len(w.record.Ended) > 200 {
					t.Fatalf("the ledger has %d entries", len(w.record.Ended))
				}
			}
			for id, opened := range w.opened {
				if was, decided := w2.decided[id]; decided && opened > was {
					t.Errorf("seed %d: %s was decided about when it had been opened %d times, and was opened %d times", seed, id, was, opened)
				}
				if opened > w2.came[id] {
					t.Errorf("seed %d: %s came to be wanted %d times, and was opened %d times", seed, id, w2.came[id], opened)
				}
			}
			if w2.busy > 100 && len(w.record.Ended) != 200 {
				t.Errorf("seed %d: the ledger has only %d entries: it was never full", seed, len(w.record.Ended))
			}
			t.Logf("seed %d: %d versions, %d decided about, %d pushes, %d pull requests, %d in the ledger", seed, w2.newest+1, len(w2.decided), w.acts[propose.Push], len(w.pulls), len(w.record.Ended))
		})
	}
}
