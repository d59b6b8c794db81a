package edge

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/spec"
)

// noon is when the tests happen that need a time but no clock.
var noon = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

// pass counts how many of n requests at one moment come through, and ends none.
func pass(l *Limiter, n int, at time.Time) (passed int) {
	for range n {
		if _, _, ok := l.Acquire(at); ok {
			passed++
		}
	}
	return passed
}

func TestLimiter(t *testing.T) {
	t.Run("a burst passes at once and then the rate", func(t *testing.T) {
		l := NewLimiter(spec.RouteLimit{Rate: 10, Burst: 5}, noon)
		if got := pass(l, 20, noon); got != 5 {
			t.Errorf("%d of 20 requests at once passed, want the burst of 5", got)
		}
		if got := pass(l, 20, noon.Add(300*time.Millisecond)); got != 3 {
			t.Errorf("%d passed 0.3 s later, want 3 at 10 per second", got)
		}
		if got := pass(l, 20, noon.Add(time.Hour)); got != 5 {
			t.Errorf("%d passed an hour later, want no more than the burst of 5", got)
		}
	})
	t.Run("without a burst one passes at a time", func(t *testing.T) {
		l := NewLimiter(spec.RouteLimit{Rate: 1}, noon)
		if got := pass(l, 3, noon); got != 1 {
			t.Errorf("%d of 3 requests passed, want 1", got)
		}
	})
	t.Run("open requests count until they are released", func(t *testing.T) {
		l := NewLimiter(spec.RouteLimit{Concurrency: 2}, noon)
		release, _, _ := l.Acquire(noon)
		if got := pass(l, 5, noon); got != 1 {
			t.Fatalf("%d passed beside the first, want 1", got)
		}
		release()
		if got := pass(l, 5, noon); got != 1 {
			t.Errorf("%d passed after one was released, want 1", got)
		}
	})
	t.Run("a request that the concurrency refuses costs no token", func(t *testing.T) {
		l := NewLimiter(spec.RouteLimit{Rate: 1, Burst: 2, Concurrency: 1}, noon)
		release, _, _ := l.Acquire(noon)
		pass(l, 10, noon)
		release()
		if got := pass(l, 1, noon); got != 1 {
			t.Error("the second token of the burst is gone")
		}
	})
	t.Run("a request that the rate refuses holds no place", func(t *testing.T) {
		l := NewLimiter(spec.RouteLimit{Rate: 1, Burst: 1, Concurrency: 1}, noon)
		release, _, _ := l.Acquire(noon)
		release()
		pass(l, 10, noon)
		if got := pass(l, 1, noon.Add(time.Second)); got != 1 {
			t.Error("no request passes after a refused one, though none is open")
		}
	})
	t.Run("no limiter lets everything through", func(t *testing.T) {
		var l *Limiter
		release, _, ok := l.Acquire(noon)
		if !ok {
			t.Fatal("refused")
		}
		release()
	})
	t.Run("a limit without bounds lets everything through", func(t *testing.T) {
		if got := pass(NewLimiter(spec.RouteLimit{}, noon), 1000, noon); got != 1000 {
			t.Errorf("%d of 1000 passed", got)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	for name, test := range map[string]struct {
		limit spec.RouteLimit
		taken int // requests before
		after time.Duration
		want  int
	}{
		"whole seconds until the next token":   {spec.RouteLimit{Rate: 0.1}, 1, 0, 10},
		"rounded up":                           {spec.RouteLimit{Rate: 0.1}, 1, 1500 * time.Millisecond, 9},
		"at least one":                         {spec.RouteLimit{Rate: 1000}, 1, 0, 1},
		"one for a place, which nobody knows":  {spec.RouteLimit{Concurrency: 3}, 3, 0, 1},
		"a rate next to nothing overflows not": {spec.RouteLimit{Rate: math.SmallestNonzeroFloat64, Burst: 1}, 1, 0, int(maxDepth / time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			l := NewLimiter(test.limit, noon)
			pass(l, test.taken, noon)
			release, got, ok := l.Acquire(noon.Add(test.after))
			if ok || release != nil || got != test.want {
				t.Errorf("passed: %t, Retry-After %d; want a refusal with %d", ok, got, test.want)
			}
		})
	}
}

func TestAskingAgainAfterRetryAfterIsWorthwhile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := NewLimiter(anyLimit(t), noon)
		at := noon
		for range 100 {
			at = at.Add(time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "later")))
			if release, retryAfter, ok := l.Acquire(at); ok {
				release()
			} else if _, _, ok := l.Acquire(at.Add(time.Duration(retryAfter) * time.Second)); !ok {
				t.Fatalf("refused again after the %d s that it said", retryAfter)
			} else {
				return
			}
		}
	})
}

func TestNeverMorePassThanRateAndBurst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := anyLimit(t)
		l := NewLimiter(limit, noon)
		var passed []time.Duration // since noon
		at := time.Duration(0)
		for range rapid.IntRange(1, 200).Draw(t, "requests") {
			at += time.Duration(rapid.Int64Range(0, int64(300*time.Millisecond)).Draw(t, "later"))
			if _, _, ok := l.Acquire(noon.Add(at)); ok {
				passed = append(passed, at)
			}
		}
		// Every stretch that begins and ends with a request that passed.
		for i, from := range passed {
			for j, to := range passed[i:] {
				most := limit.Rate*(to-from).Seconds() + float64(max(limit.Burst, 1))
				if float64(j+1) > most+1e-6 {
					t.Fatalf("%d requests passed within %s, at most %.3f may with %+v", j+1, to-from, most, limit)
				}
			}
		}
	})
}

func anyLimit(t *rapid.T) spec.RouteLimit {
	return spec.RouteLimit{
		Rate:  rapid.Float64Range(0.01, 1e6).Draw(t, "rate"),
		Burst: rapid.IntRange(0, 50).Draw(t, "burst"),
	}
}

func TestManyAtOnceGetNoMoreThanTheLimit(t *testing.T) {
	const callers, each, burst, places = 16, 500, 100, 4
	l := NewLimiter(spec.RouteLimit{Rate: 1e-3, Burst: burst, Concurrency: places}, noon)
	var passed, open, most atomic.Int64
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range each {
				release, _, ok := l.Acquire(noon)
				if !ok {
					continue
				}
				passed.Add(1)
				now := open.Add(1)
				for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
				}
				open.Add(-1)
				release()
			}
		})
	}
	group.Wait()
	if got := passed.Load(); got > burst {
		t.Errorf("%d passed, at most %d may", got, burst)
	}
	if got := most.Load(); got > places {
		t.Errorf("%d were open at once, at most %d may", got, places)
	}
	if got := l.open.Load(); got != 0 {
		t.Errorf("%d are open after all were released", got)
	}
}

func TestTheRateIsReachedBySteadyAskers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(spec.RouteLimit{Rate: 50, Burst: 1}, time.Now())
		passed := 0
		for range 10_000 {
			if release, _, ok := l.Acquire(time.Now()); ok {
				release()
				passed++
			}
			time.Sleep(time.Millisecond)
		}
		if passed < 499 || passed > 501 {
			t.Errorf("%d passed in 10 s, want 50 per second", passed)
		}
	})
}

func TestLimitersOfTheNextTable(t *testing.T) {
	route := RouteKey{Model: "digits", Path: "/digits"}
	limit := spec.RouteLimit{Rate: 1, Burst: 2, Concurrency: 2}
	begin := func() (Limiters, func()) {
		var none Limiters
		l := none.Next(map[RouteKey]spec.RouteLimit{route: limit}, noon)
		release, _, ok := l[route].Acquire(noon)
		if !ok {
			t.Fatal("the first request is refused")
		}
		return l, release
	}
	t.Run("an unchanged limit keeps its state", func(t *testing.T) {
		old, _ := begin()
		next := old.Next(map[RouteKey]spec.RouteLimit{route: limit, {Model: "fraud"}: limit}, noon)
		if next[route] != old[route] {
			t.Error("it is another limiter")
		}
	})
	t.Run("a changed limit counts the requests that are open", func(t *testing.T) {
		old, release := begin()
		changed := limit
		changed.Burst = 10
		next := old.Next(map[RouteKey]spec.RouteLimit{route: changed}, noon)
		if got := pass(next[route], 10, noon); got != 1 {
			t.Errorf("%d passed, want 1 of 2 beside the open one", got)
		}
		release()
		if got := pass(next[route], 10, noon); got != 1 {
			t.Errorf("%d passed after the old request ended, want 1", got)
		}
	})
	t.Run("a route that lost its limit has no limiter", func(t *testing.T) {
		old, release := begin()
		next := old.Next(nil, noon)
		if next[route] != nil {
			t.Error("there still is one")
		}
		release()
	})
}

func BenchmarkAcquire(b *testing.B) {
	l := NewLimiter(spec.RouteLimit{Rate: 1e9, Burst: 1e9, Concurrency: 1e6}, time.Now())
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if release, _, ok := l.Acquire(time.Now()); ok {
				release()
			}
		}
	})
}
