package gateway

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile"
)

func TestSpreadIsExactAndSmooth(t *testing.T) {
	cases := map[string]struct {
		weights []int
		want    []uint8
	}{
		"one takes all":         {[]int{100}, []uint8{0}},
		"halves take turns":     {[]int{50, 50}, []uint8{0, 1}},
		"a quarter in between":  {[]int{75, 25}, []uint8{0, 0, 1, 0}},
		"nobody takes anything": {nil, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := spread(c.weights); !slices.Equal(got, c.want) {
				t.Errorf("spread(%v) = %v, want %v", c.weights, got, c.want)
			}
		})
	}
}

func TestSpreadNeverStraysByMoreThanOneTurn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := splitHundred(t)
		schedule := spread(weights)
		counts := make([]int, len(weights))
		for i, who := range schedule {
			counts[who]++
			for w, weight := range weights {
				due := float64(weight*(i+1)) / 100
				if diff := float64(counts[w]) - due; diff > float64(len(weights)) || diff < -float64(len(weights)) {
					t.Fatalf("%v: after %d turns revision %d had %d, due %.2f", weights, i+1, w, counts[w], due)
				}
			}
		}
		for w, weight := range weights {
			if counts[w]*100 != weight*len(schedule) {
				t.Fatalf("%v: revision %d has %d of %d turns", weights, w, counts[w], len(schedule))
			}
		}
	})
}

// splitHundred draws weights above zero that add up to 100.
func splitHundred(t *rapid.T) []int {
	cuts := rapid.SliceOfNDistinct(rapid.IntRange(1, 99), 0, 6, rapid.ID[int]).Draw(t, "cuts")
	slices.Sort(cuts)
	var weights []int
	last := 0
	for _, cut := range append(cuts, 100) {
		weights = append(weights, cut-last)
		last = cut
	}
	return weights
}

// FuzzMatch compares the tree with the plain definition: the longest route that
// is the path or ends before a slash of it.
func FuzzMatch(f *testing.F) {
	f.Add("/a /a/b /", "/a/b/c")
	f.Add("/v2/models/x /v2", "/v2/models/xy")
	f.Add("/a", "//a/../%2e")
	f.Add("/a%20b /a%2Fb /%61 /ä /a?b /a/", "/a%20b")
	f.Fuzz(func(t *testing.T, prefixes, path string) {
		tree := &prefixTree{}
		want := ""
		for _, prefix := range strings.Fields(prefixes) {
			table := reconcile.Table{FormatVersion: reconcile.TableFormat, Version: 1, Models: []reconcile.RoutedModel{{
				Name: "m", Protocol: "http", Routes: []reconcile.RoutedPath{{Path: prefix}},
			}}}
			if table.Validate() != nil {
				continue
			}
			if u, err := url.ParseRequestURI(prefix); err != nil || u.Path != prefix {
				t.Errorf("route %q: a request for it is one for %v, %v", prefix, u, err)
			}
			tree.add(&route{prefix: prefix})
			if (path == prefix || prefix == "/" && strings.HasPrefix(path, "/") || strings.HasPrefix(path, prefix+"/")) && len(prefix) > len(want) {
				want = prefix
			}
		}
		got := ""
		if r := tree.find(path); r != nil {
			got = r.prefix
		}
		if got != want {
			t.Errorf("routes %q, path %q: found %q, want %q", prefixes, path, got, want)
		}
		u, err := url.ParseRequestURI(path)
		if err != nil || got == "" || !strings.HasPrefix(u.Path, got) {
			return
		}
		whole := u.Path
		stripPrefix(u, got)
		if !strings.HasPrefix(u.Path, "/") || got != "/" && !strings.HasSuffix(u.Path, whole[len(got):]) {
			t.Errorf("%q without %q is %q", whole, got, u.Path)
		}
		if again, err := url.PathUnescape(u.EscapedPath()); err != nil || again != u.Path {
			t.Errorf("%q without %q is sent as %q", whole, got, u.EscapedPath())
		}
	})
}

// FuzzTable feeds the admin listener's decoder: whatever it takes can be put in
// force, and reads the same again.
func FuzzTable(f *testing.F) {
	f.Add([]byte(`{"format_version":2,"version":1,"models":[{"name":"a","protocol":"open_inference","routes":[{"path":"/a","host":"x","strip":true}],
		"revisions":[{"revision":"r","weight":100,"health":{"path":"/h","interval":1,"timeout":1},"replicas":[{"id":"c","address":"10.0.0.1:80"}]}]}]}`))
	f.Add([]byte(`{"format_version":2,"version":18446744073709551615,"models":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := decodeTable(data)
		if err != nil {
			return
		}
		if _, err := (compiler{before: &routing{}, metrics: newMetrics(), board: newBoard()}).compile(table); err != nil {
			return
		}
		written, err := json.Marshal(table)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := decodeTable(written); err != nil || !again.Equal(table) {
			t.Errorf("%s reads as %+v, %v", written, again, err)
		}
	})
}

func TestRequestIDsOfClients(t *testing.T) {
	for id, valid := range map[string]bool{
		"4bf92f3577b34da6": true, "a.b:c/d+e=f_g-h": true,
		"": false, "two words": false, "line\nbreak": false, "<script>": false, "ümlaut": false,
		strings.Repeat("x", maxRequestID): true, strings.Repeat("x", maxRequestID+1): false,
	} {
		if validRequestID(id) != valid {
			t.Errorf("validRequestID(%q) = %v", id, !valid)
		}
	}
}

// BenchmarkSwap is what one new weight costs among a thousand models, beside the
// disk: the gateway goes on serving meanwhile.
func BenchmarkSwap(b *testing.B) {
	table := reconcile.Table{FormatVersion: reconcile.TableFormat, Version: 1}
	for i := range 1000 {
		table.Models = append(table.Models, reconcile.RoutedModel{
			Name: fmt.Sprintf("model-%04d", i), Protocol: "open_inference",
			Revisions: []reconcile.RoutedRevision{{
				Revision: "r1", Weight: 100, Health: reconcile.HealthProbe{Path: "/", Interval: time.Second, Timeout: time.Second},
				Replicas: []reconcile.RoutedReplica{{ID: fmt.Sprint("a", i), Address: "10.0.0.1:80", Drain: true}, {ID: fmt.Sprint("b", i), Address: "10.0.0.1:81", Drain: true}},
			}},
		})
	}
	data, err := json.Marshal(table)
	if err != nil {
		b.Fatal(err)
	}
	s := &Server{metrics: newMetrics(), board: newBoard(), alive: b.Context()}
	s.routing.Store(&routing{})
	for b.Loop() {
		table, err := decodeTable(data)
		if err != nil {
			b.Fatal(err)
		}
		next, err := s.prepare(table)
		if err != nil {
			b.Fatal(err)
		}
		s.swap(next)
	}
}

// BenchmarkObserve is what the metrics cost each request.
func BenchmarkObserve(b *testing.B) {
	s := newMetrics().series("digits", "r1")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.observe(outcome2xx, time.Duration(1+i%1000)*time.Microsecond)
	}
}
