package gateway

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// peers is a revision of n ready replicas, and a server that judges them.
func peers(n int) (*Server, *revision) {
	s := &Server{metrics: newMetrics(), board: newBoard(), logger: slog.New(slog.DiscardHandler)}
	rev := &revision{name: "r1", model: &model{name: "digits", lasting: &lasting{}}}
	for i := range n {
		r := newReplica(string(rune('a'+i)), "10.0.0.1:80", new(atomic.Int64), s.board, time.Second)
		r.model, r.revision = "digits", "r1"
		r.setGood(time.Now())
		rev.replicas = append(rev.replicas, r)
	}
	return s, rev
}

func isOut(r *replica) bool {
	out, _ := r.circuit.state()
	return out
}

func TestCircuitOfAReplicaMuchWorseThanItsPeers(t *testing.T) {
	cases := []struct {
		name     string
		replicas int
		sick     bool // the peers are not ready
		endings  func(settle func(replica int, how outcome))
		out      []bool
	}{
		{"five failures in a row while the peer answers", 2, false, func(settle func(int, outcome)) {
			for range 5 {
				settle(1, outcome2xx)
				settle(0, outcome5xx)
			}
		}, []bool{true, false}},
		{"four are not enough", 2, false, func(settle func(int, outcome)) {
			for range 4 {
				settle(0, outcome5xx)
				settle(1, outcome2xx)
			}
		}, []bool{false, false}},
		{"a success in between begins anew", 2, false, func(settle func(int, outcome)) {
			for i := range 20 {
				settle(1, outcome2xx)
				settle(0, []outcome{outcome5xx, outcome5xx, outcome5xx, outcome2xx}[i%4])
			}
		}, []bool{false, false}},
		{"what all replicas give is the revision's fault", 2, false, func(settle func(int, outcome)) {
			for range 50 {
				settle(0, outcome5xx)
				settle(1, outcome5xx)
			}
		}, []bool{false, false}},
		{"a peer that fails every third request is no measure", 2, false, func(settle func(int, outcome)) {
			for i := range 30 {
				settle(1, []outcome{outcome5xx, outcome2xx, outcome2xx}[i%3])
			}
			for range 8 {
				settle(0, outcome2xx)
			}
			for range 7 {
				settle(0, outcome5xx)
			}
		}, []bool{false, false}},
		{"the client's errors are the client's", 2, false, func(settle func(int, outcome)) {
			for range 20 {
				settle(0, outcome4xx)
				settle(0, outcomeClientGone)
				settle(1, outcome2xx)
			}
		}, []bool{false, false}},
		{"the only replica stays", 1, false, func(settle func(int, outcome)) {
			for range 50 {
				settle(0, outcome5xx)
			}
		}, []bool{false}},
		{"the only one that is ready stays", 2, true, func(settle func(int, outcome)) {
			for range 50 {
				settle(1, outcome2xx)
				settle(0, outcome5xx)
			}
		}, []bool{false, false}},
		{"never more than half are out", 3, false, func(settle func(int, outcome)) {
			for range 50 {
				settle(2, outcome2xx)
				settle(0, outcome5xx)
				settle(1, outcome5xx)
				for range 9 {
					settle(2, outcome2xx)
				}
			}
		}, []bool{true, false, false}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, rev := peers(c.replicas)
				if c.sick {
					rev.replicas[1].setBad("sick")
				}
				c.endings(func(i int, how outcome) { s.settled(rev, rev.replicas[i], how) })
				for i, r := range rev.replicas {
					if isOut(r) != c.out[i] {
						t.Errorf("replica %d is out: %v, want %v", i, !c.out[i], c.out[i])
					}
				}
			})
		})
	}
}

func TestCircuitTriesAgainAfterLongerAndLongerTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, rev := peers(2)
		bad, good := rev.replicas[0], rev.replicas[1]
		pick := func() *replica { return rev.leastLoaded(nil, true) }
		for range 5 {
			s.settled(rev, good, outcome2xx)
			s.settled(rev, bad, outcome5xx)
		}
		for _, length := range []time.Duration{10, 20, 40, 80, 160, 300, 300} {
			h := bad.report(time.Now())
			if !h.Healthy || !h.Ejected || h.LastError == "" {
				t.Fatalf("report = %+v, want a healthy replica that is ejected, and why", h)
			}
			time.Sleep(length*time.Second - time.Millisecond)
			synctest.Wait()
			for range 4 {
				if pick() == bad {
					t.Fatalf("chosen before %d s were over", length)
				}
			}
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			trials := 0
			for range 6 {
				if pick() == bad {
					trials++
				}
			}
			if trials != 1 {
				t.Fatalf("%d trials at a time after %d s, want one", trials, length)
			}
			s.settled(rev, bad, outcome5xx)
		}
		time.Sleep(maxEjectFor)
		synctest.Wait()
		s.settled(rev, bad, outcome2xx)
		if isOut(bad) || bad.report(time.Now()).LastError != "" {
			t.Errorf("report after a good trial = %+v", bad.report(time.Now()))
		}
	})
}

func TestTrialThatProvesNothingIsFollowedByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, rev := peers(2)
		for range 5 {
			s.settled(rev, rev.replicas[1], outcome2xx)
			s.settled(rev, rev.replicas[0], outcome5xx)
		}
		time.Sleep(ejectFor + time.Second)
		synctest.Wait()
		for range 3 {
			if !rev.replicas[0].circuit.admit() {
				t.Fatal("no trial")
			}
			s.settled(rev, rev.replicas[0], outcomeClientGone)
		}
	})
}

func TestEjectedReplicaServesWhenNobodyElseCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, rev := peers(2)
		rev.weight = 100
		rev.model.revisions = []*revision{rev}
		for range 5 {
			s.settled(rev, rev.replicas[1], outcome2xx)
			s.settled(rev, rev.replicas[0], outcome5xx)
		}
		rev.replicas[1].setBad("gone")
		if _, r := rev.model.pick(rev, nil); r != rev.replicas[0] {
			t.Errorf("picked %v, want the ejected one", r)
		}
	})
}

// Whatever happens, half of the ready replicas and more take requests.
func TestHalfOfTheReplicasAlwaysTakeRequests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, rev := peers(rapid.IntRange(1, 6).Draw(t, "replicas"))
		for _, r := range rev.replicas {
			defer r.circuit.restore(time.Time{}) // ends its timer
		}
		hows := rapid.SliceOfN(rapid.SampledFrom([]outcome{outcome2xx, outcome5xx, outcomeClientGone}), 1, 300).Draw(t, "endings")
		for _, how := range hows {
			s.settled(rev, rev.replicas[rapid.IntRange(0, len(rev.replicas)-1).Draw(t, "who")], how)
			out := 0
			for _, r := range rev.replicas {
				if isOut(r) {
					out++
				}
			}
			if 2*out > len(rev.replicas) {
				t.Fatalf("%d of %d replicas are out", out, len(rev.replicas))
			}
		}
	})
}

func TestRetryBudgetIsATenthOfTheRequests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b retryBudget
		now := time.Unix(1_800_000_000, 0)
		began, asked, spent := now, 0, 0
		for range rapid.IntRange(1, 200).Draw(t, "events") {
			more := rapid.IntRange(0, 500).Draw(t, "requests")
			b.asked.Add(int64(more))
			asked += more
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
			for range rapid.IntRange(0, 60).Draw(t, "failures") {
				if b.spend(now) {
					spent++
				}
			}
			if most := retrySaved + float64(asked)/retryShare + now.Sub(began).Seconds()*retryFloor; float64(spent) > most+1e-6 {
				t.Fatalf("%d repetitions of %d requests in %s, want at most %.1f", spent, asked, now.Sub(began), most)
			}
		}
	})
}

func TestRetryBudgetIsGrantedToAModelThatIsSeldomAsked(t *testing.T) {
	var b retryBudget
	now := time.Unix(1_800_000_000, 0)
	for i := range 100 {
		b.asked.Add(1)
		now = now.Add(time.Minute)
		if !b.spend(now) {
			t.Fatalf("request %d was not repeated", i)
		}
	}
}
