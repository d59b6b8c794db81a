package gateway

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// sidesAt is a model with stable and a candidate of this weight, as compiled.
func sidesAt(t *testing.T, weight int, change func(*reconcile.RoutedModel)) *model {
	routed := reconcile.RoutedModel{
		Name: "digits", Protocol: spec.HTTP, Candidate: "new",
		Revisions: []reconcile.RoutedRevision{{Revision: "new", Weight: weight}, {Revision: "old", Weight: 100 - weight}},
	}
	change(&routed)
	table := reconcile.Table{Models: []reconcile.RoutedModel{routed}}
	next, err := compiler{before: &routing{}, metrics: newMetrics(), board: newBoard()}.compile(table)
	if err != nil {
		t.Fatal(err)
	}
	return next.models["digits"]
}

func byHeader(m *reconcile.RoutedModel) { m.Sticky = &spec.Sticky{Header: "x-user"} }

func TestStickyCallerNeverGoesBackWhileTheWeightRises(t *testing.T) {
	var steps []*model
	for weight := range 101 {
		steps = append(steps, sidesAt(t, weight, byHeader))
	}
	rapid.Check(t, func(t *rapid.T) {
		who := rapid.StringN(1, 40, -1).Draw(t, "who")
		r := &http.Request{Header: http.Header{"X-User": {who}}}
		moved := false
		for weight, m := range steps {
			side, _ := m.side(r)
			if again, _ := m.side(r); again != side {
				t.Fatalf("at %d percent %q is on two sides", weight, who)
			}
			if moved && side.name == "old" {
				t.Fatalf("at %d percent %q went back to stable", weight, who)
			}
			moved = side.name == "new"
		}
		if !moved {
			t.Fatalf("%q is on stable when all weight is the candidate's", who)
		}
	})
}

func TestStickyCallersFollowTheWeight(t *testing.T) {
	const callers = 20_000
	for _, weight := range []int{1, 5, 33, 50, 99} {
		for _, form := range []string{"user-%d", "%d", "10.0.0.%d", "%032x"} {
			m, hits := sidesAt(t, weight, byHeader), 0
			for i := range callers {
				side, _ := m.side(&http.Request{Header: http.Header{"X-User": {fmt.Sprintf(form, i)}}})
				if side.name == "new" {
					hits++
				}
			}
			// Four standard deviations of a draw by chance are at most 1.5 points.
			if got := float64(hits) / callers * 100; got < float64(weight)-1.5 || got > float64(weight)+1.5 {
				t.Errorf("callers like %q: %.2f %% are on the candidate's side, want %d", form, got, weight)
			}
		}
	}
}

func TestSideOfACaller(t *testing.T) {
	healthy := newReplica("a", "10.0.0.1:80", nil, newBoard(), 0)
	healthy.setGood(healthy.health.since)
	cases := []struct {
		name   string
		weight int
		change func(*reconcile.RoutedModel)
		ready  bool // the candidate
		header string
		cookie string
		want   string
		named  bool // is given a cookie
	}{
		{"a header that matches goes to a candidate without weight", 0, matchHeader, true, "X-Beta: yes", "", "new", false},
		{"another value does not", 0, matchHeader, true, "X-Beta: no", "", "old", false},
		{"no value does not", 0, matchHeader, true, "", "", "old", false},
		{"a match goes by weight while the candidate is not ready", 0, matchHeader, false, "X-Beta: yes", "", "old", false},
		{"a cookie that matches goes to the candidate", 0, matchCookie, true, "", "beta=yes", "new", false},
		{"a match stands before the side of a sticky caller", 0, func(m *reconcile.RoutedModel) { matchHeader(m); byHeader(m) }, true, "X-Beta: yes", "", "new", false},
		{"a caller without cookie is given one", 0, byCookie, true, "", "", "old", true},
		{"also when it is the candidate's", 100, byCookie, true, "", "", "new", true},
		{"a caller with a cookie keeps it", 0, byCookie, true, "", "side=me", "old", false},
		{"an empty cookie is none", 0, byCookie, true, "", "side=", "old", true},
		{"a caller without the header goes by weight", 0, byHeader, true, "", "", "old", false},
		{"without a candidate nobody is told apart", 0, func(m *reconcile.RoutedModel) { byCookie(m); m.Candidate = "" }, true, "", "", "old", false},
		{"a candidate that is not listed takes nothing", 0, func(m *reconcile.RoutedModel) { matchHeader(m); m.Candidate = "gone" }, true, "X-Beta: yes", "", "old", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := sidesAt(t, c.weight, c.change)
			if c.ready && m.candidate != nil {
				m.candidate.replicas = []*replica{healthy}
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			if c.header != "" {
				r.Header.Set("X-Beta", c.header[len("X-Beta: "):])
			}
			if c.cookie != "" {
				r.Header.Set("Cookie", c.cookie)
			}
			side, cookie := m.side(r)
			if side.name != c.want || (cookie != "") != c.named {
				t.Errorf("side %s, cookie %q; want %s, a cookie %v", side.name, cookie, c.want, c.named)
			}
		})
	}
}

func matchHeader(m *reconcile.RoutedModel) { m.Match = &spec.Match{Header: "X-Beta", Value: "yes"} }
func matchCookie(m *reconcile.RoutedModel) { m.Match = &spec.Match{Cookie: "beta", Value: "yes"} }
func byCookie(m *reconcile.RoutedModel)    { m.Sticky = &spec.Sticky{Cookie: "side"} }
