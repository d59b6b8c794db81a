package docker

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDetailsAreBelievedUntilSomethingSaysThatTheyChanged(t *testing.T) {
	const audit = time.Minute
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		happens   func(*detailCache)
		signature string
		after     time.Duration
		believed  bool
	}{
		"nothing":             {func(*detailCache) {}, "running", 0, true},
		"another signature":   {func(*detailCache) {}, "exited", 0, false},
		"an event":            {func(c *detailCache) { c.drop("a") }, "running", 0, false},
		"an event of another": {func(c *detailCache) { c.drop("b") }, "running", 0, true},
		"a broken stream":     {func(c *detailCache) { c.dropAll() }, "running", 0, false},
		"gone from the list":  {func(c *detailCache) { c.keep(map[string]bool{"b": true}) }, "running", 0, false},
		"still in the list":   {func(c *detailCache) { c.keep(map[string]bool{"a": true}) }, "running", 0, true},
		"some time":           {func(*detailCache) {}, "running", audit/2 - 1, true},
		"the audit interval":  {func(*detailCache) {}, "running", audit, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newDetailCache(audit)
			_, ticket, believed := c.get("a", "running", now)
			if believed {
				t.Fatal("an empty cache is believed")
			}
			c.put("a", "running", details{restarts: 7}, ticket, now)
			test.happens(c)
			d, _, believed := c.get("a", test.signature, now.Add(test.after))
			if believed != test.believed || believed && d.restarts != 7 {
				t.Errorf("believed is %t, want %t: %+v", believed, test.believed, d)
			}
		})
	}
}

func TestAnswerThatMayBeOlderThanAnEventIsNotKept(t *testing.T) {
	for name, drop := range map[string]func(*detailCache){
		"event":  func(c *detailCache) { c.drop("a") },
		"stream": func(c *detailCache) { c.dropAll() },
	} {
		t.Run(name, func(t *testing.T) {
			c := newDetailCache(time.Minute)
			_, ticket, _ := c.get("a", "running", time.Now())
			drop(c) // while the inspection is under way
			c.put("a", "running", details{}, ticket, time.Now())
			if _, _, believed := c.get("a", "running", time.Now()); believed {
				t.Error("the old answer is believed")
			}
		})
	}
}

func TestAuditsAreSpread(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.String().Draw(t, "id")
		audit := time.Duration(rapid.Int64Range(int64(time.Second), int64(time.Hour)).Draw(t, "audit"))
		if got := spread(id, audit); got < audit/2 || got > audit {
			t.Fatalf("the audit of %q is due after %s of %s", id, got, audit)
		}
	})
}

func TestTailKeepsTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kept := &tail{max: 16}
		all := ""
		for _, part := range rapid.SliceOf(rapid.StringN(0, 20, 40)).Draw(t, "parts") {
			n, err := kept.Write([]byte(part))
			if n != len(part) || err != nil {
				t.Fatalf("write says %d, %v", n, err)
			}
			all += part
		}
		if want := all[max(0, len(all)-16):]; string(kept.data) != want {
			t.Fatalf("kept %q, want %q", kept.data, want)
		}
	})
}
