package main

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/examples/digits/data"
)

func TestEachPassSendsEveryDigitOnce(t *testing.T) {
	_, heldOut := digits(t)
	n := len(heldOut)
	sent := slices.Collect(passes(heldOut, 3*n))
	if !slices.Equal(sent[:n], heldOut) {
		t.Error("the first pass must go in the order of the data")
	}
	byRow := func(a, b data.Digit) int { return a.Row - b.Row }
	want := slices.SortedFunc(slices.Values(heldOut), byRow)
	for pass := 1; pass < 3; pass++ {
		got := sent[pass*n : (pass+1)*n]
		if slices.Equal(got, sent[(pass-1)*n:pass*n]) {
			t.Errorf("pass %d goes in the order of the one before", pass+1)
		}
		if !slices.Equal(slices.SortedFunc(slices.Values(got), byRow), want) {
			t.Errorf("pass %d does not send every digit once", pass+1)
		}
	}
}

func TestPace(t *testing.T) {
	for name, c := range map[string]struct {
		rate int
		want time.Duration
	}{
		"waits between requests":        {100, 500 * time.Millisecond},
		"never waits without a limit":   {0, 0},
		"one request per second is one": {1, 50 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pace, start := newPace(c.rate), time.Now()
				defer pace.stop()
				for range 50 {
					pace.wait(t.Context())
				}
				if took := time.Since(start); took != c.want {
					t.Errorf("50 requests took %s, want %s", took, c.want)
				}
			})
		})
	}
}
