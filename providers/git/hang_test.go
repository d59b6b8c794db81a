package git

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestOperationThatNeverEndsIsAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		if _, ended := await(ctx, make(chan error)); ended {
			t.Error("nothing ended")
		}
		if took := time.Since(begin); took != time.Minute+grace {
			t.Errorf("it was waited for %s", took)
		}
	})
}

// A read that outlives its time, or that of its caller, is let go. The clone stays, unless
// it was being written to.
func TestCloneIsGivenUpOnlyWhereItIsWrittenTo(t *testing.T) {
	for name, c := range map[string]struct {
		writes bool
		time   time.Duration // of the caller
	}{
		"a read": {false, time.Hour}, "a read of a caller without time": {false, time.Second}, "a write": {true, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := New(Options{URL: "https://host/r", DataDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			made, err := s.clones.create()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(made.close)
			if err := s.clones.adopt(t.Context(), made); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.time)
				defer cancel()
				never := make(chan struct{})
				defer close(never)
				_, err := inTurn(ctx, s, func(_ context.Context, _ state, clones clones) (int, error) {
					have, err := clones.current()
					if err != nil {
						return 0, err
					}
					defer have.close()
					if c.writes {
						defer have.beginWriting()()
					}
					<-never
					return 0, nil
				}, func(int) { t.Error("what came out of it is kept") })
				if err == nil {
					t.Error("it is no error")
				}
				if kept := s.clones.currentPath() == made.path; kept == c.writes {
					t.Errorf("the clone is kept: %t", kept)
				}
			})
		})
	}
}

func TestSuccessorOfAnAbandonedOperationHasItsOwnClone(t *testing.T) {
	before := newClones(t.TempDir(), "https://host/r", "main")
	adopt := func(c clones) *clone {
		t.Helper()
		made, err := c.create()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(made.close)
		if err := c.adopt(t.Context(), made); err != nil {
			t.Fatal(err)
		}
		return made
	}
	hung := adopt(before)
	after := before.abandonCurrent()
	if current, err := after.current(); current != nil || err != nil {
		t.Fatalf("the successor takes the clone %v, %v of the hung operation", current, err)
	}
	fresh := adopt(after)
	if fresh.path == hung.path {
		t.Errorf("both write to %s", fresh.path)
	}
	// The hung operation wakes up with a clone of its own, too late.
	late, err := before.create()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(late.close)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := before.adopt(over, late); err == nil {
		t.Error("a clone is adopted after its time")
	}
	current, err := after.current()
	if err != nil || current.path != fresh.path || !strings.HasSuffix(fresh.path, "-000002.git") {
		t.Errorf("the current clone is %+v, %v; want %s", current, err, fresh.path)
	}
}
