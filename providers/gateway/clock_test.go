package gateway

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestClockStandsStillWhileTheClientIsWaitedFor(t *testing.T) {
	cases := []struct {
		name string
		wait func(c *clock) // takes 3 s
		want time.Duration
	}{
		{"never", func(*clock) { time.Sleep(3 * time.Second) }, 10 * time.Second},
		{"in the middle", func(c *clock) {
			time.Sleep(time.Second)
			c.halt(time.Now())
			time.Sleep(2 * time.Second)
			c.resume(time.Now())
		}, 12 * time.Second},
		{"in both directions at once", func(c *clock) {
			c.halt(time.Now())
			time.Sleep(time.Second)
			c.halt(time.Now())
			time.Sleep(time.Second)
			c.resume(time.Now())
			time.Sleep(time.Second)
			c.resume(time.Now())
		}, 13 * time.Second},
		{"for longer than the time-out", func(c *clock) {
			c.halt(time.Now())
			time.Sleep(30 * time.Second)
			c.resume(time.Now())
		}, 40 * time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, ended := time.Now(), make(chan time.Time, 1)
				var one clock
				one.start(10*time.Second, func() { ended <- time.Now() })
				c.wait(&one)
				if took := (<-ended).Sub(began); took < c.want || took > c.want+recheck {
					t.Errorf("expired after %s, want %s", took, c.want)
				}
			})
		})
	}
	t.Run("a stopped one expires no more, and starts anew", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var one clock
			one.start(time.Second, func() { t.Error("expired though stopped") })
			one.stop()
			time.Sleep(2 * time.Second)
			began, ended := time.Now(), make(chan time.Time, 1)
			one.start(time.Second, func() { ended <- time.Now() })
			if took := (<-ended).Sub(began); took != time.Second {
				t.Errorf("expired after %s, want 1s", took)
			}
		})
	})
}
