package search_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile/search"
	"github.com/fairlead/fairlead/spec"
)

// problem is a function to be minimized.
type problem struct {
	space []spec.Dimension
	value func(v map[string]any) float64
}

func number(v map[string]any, name string) float64 { return v[name].(float64) }

var problems = map[string]problem{
	// Dixon and Szegö 1978; the minimum is 0.397887.
	"branin": {
		space: []spec.Dimension{{Name: "x", Min: -5, Max: 10}, {Name: "y", Min: 0, Max: 15}},
		value: func(v map[string]any) float64 {
			x, y := number(v, "x"), number(v, "y")
			a := y - 5.1/(4*math.Pi*math.Pi)*x*x + 5/math.Pi*x - 6
			return a*a + 10*(1-1/(8*math.Pi))*math.Cos(x) + 10
		},
	},
	"sphere": {
		space: []spec.Dimension{{Name: "a", Min: -5, Max: 5}, {Name: "b", Min: -5, Max: 5}, {Name: "c", Min: -5, Max: 5}},
		value: func(v map[string]any) float64 {
			a, b, c := number(v, "a")-1, number(v, "b")+2, number(v, "c")
			return a*a + b*b + c*c
		},
	},
	// Four choices of four each, of which some cost more than others.
	"categories": {
		space: []spec.Dimension{
			{Name: "a", Values: []any{"p", "q", "r", "s"}},
			{Name: "b", Values: []any{1.0, 2.0, 3.0, 4.0}},
			{Name: "c", Values: []any{"p", "q", "r", "s"}},
			{Name: "d", Values: []any{true, false}},
			{Name: "e", Values: []any{"p", "q", "r", "s", "t", "u"}},
		},
		value: func(v map[string]any) float64 {
			cost := math.Abs(number(v, "b") - 3)
			cost += 2 * float64(map[string]int{"p": 1, "q": 0, "r": 2, "s": 2}[v["a"].(string)])
			cost += float64(map[string]int{"p": 2, "q": 2, "r": 1, "s": 0}[v["c"].(string)])
			cost += float64(map[string]int{"p": 4, "q": 3, "r": 2, "s": 1, "t": 0, "u": 2}[v["e"].(string)])
			if v["d"] == true {
				cost++
			}
			return cost
		},
	},
	// A learning rate, a width and a kind: what a search of a model looks like.
	"mixed": {
		space: []spec.Dimension{
			{Name: "kind", Values: []any{"linear", "tree"}},
			{Name: "rate", Min: 1e-6, Max: 1, Log: true},
			{Name: "width", Min: 4, Max: 512, Integer: true, Log: true},
		},
		value: func(v map[string]any) float64 {
			rate, width := math.Log10(number(v, "rate"))+2.5, math.Log2(number(v, "width"))-6
			cost := rate*rate + width*width/4
			if v["kind"] == "linear" {
				cost += 0.5
			}
			return cost
		},
	},
}

// trialsOf runs a search in which trial i knows the results of those up to
// i-parallel, and returns all trials.
func trialsOf(s spec.Search, value func(map[string]any) float64) []search.Trial {
	var all []search.Trial
	for i := range s.Trials {
		v := search.Suggest(s, i, all[:max(i-s.Parallel+1, 0)])
		all = append(all, search.Trial{Values: v, Value: value(v)})
	}
	return all
}

func bestOf(trials []search.Trial) float64 {
	best := math.Inf(1)
	for _, t := range trials {
		best = min(best, t.Value)
	}
	return best
}

func TestTPEBeatsRandom(t *testing.T) {
	for name, p := range problems {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			medians := map[string]float64{}
			for key, s := range map[string]spec.Search{
				"random": {Method: spec.SearchRandom, Parallel: 1}, "tpe": {Method: spec.SearchTPE, Parallel: 1}, "tpe, 4 at a time": {Method: spec.SearchTPE, Parallel: 4},
			} {
				var best []float64
				for seed := range 50 {
					s.Seed, s.Trials, s.Minimize, s.Space = int64(seed), 60, true, p.space
					best = append(best, bestOf(trialsOf(s, p.value)))
				}
				slices.Sort(best)
				medians[key] = (best[24] + best[25]) / 2
			}
			t.Logf("median of the best of 60 trials over 50 seeds: random %.4g, tpe %.4g, tpe with 4 at a time %.4g", medians["random"], medians["tpe"], medians["tpe, 4 at a time"])
			if medians["tpe"] >= medians["random"] || medians["tpe, 4 at a time"] >= medians["random"] {
				t.Error("tpe is no better than random")
			}
		})
	}
}

func TestMaximizingIsMinimizingTheOpposite(t *testing.T) {
	p := problems["mixed"]
	s := spec.Search{Method: spec.SearchTPE, Trials: 40, Parallel: 1, Seed: 3, Minimize: true, Space: p.space}
	least := trialsOf(s, p.value)
	s.Minimize = false
	most := trialsOf(s, func(v map[string]any) float64 { return -p.value(v) })
	for i := range least {
		if !reflect.DeepEqual(least[i].Values, most[i].Values) {
			t.Fatalf("trial %d: %v and %v", i, least[i].Values, most[i].Values)
		}
	}
}

func TestResultsThatWereStoredGiveTheSameTrials(t *testing.T) {
	p := problems["mixed"]
	s := spec.Search{Method: spec.SearchTPE, Trials: 30, Parallel: 3, Seed: 7, Minimize: true, Space: p.space}
	trials := trialsOf(s, p.value)
	raw, err := json.Marshal(trials)
	if err != nil {
		t.Fatal(err)
	}
	var stored []search.Trial
	if err := json.Unmarshal(raw, &stored); err != nil {
		t.Fatal(err)
	}
	for i := range trials {
		if got := search.Suggest(s, i, stored[:max(i-s.Parallel+1, 0)]); !reflect.DeepEqual(got, trials[i].Values) {
			t.Fatalf("trial %d: %v, then %v", i, trials[i].Values, got)
		}
	}
}

func TestFailedTrialsAreAvoided(t *testing.T) {
	s := spec.Search{Method: spec.SearchTPE, Minimize: true, Space: []spec.Dimension{{Name: "x", Min: 0, Max: 1}}}
	var done []search.Trial
	for i := range 40 { // above a half all fail, below all are equal
		x := float64(i) / 40
		done = append(done, search.Trial{Values: map[string]any{"x": x}, Value: 1, Failed: x > 0.5})
	}
	above := 0
	for i := range 100 {
		if number(search.Suggest(s, 40+i, done), "x") > 0.5 {
			above++
		}
	}
	if above > 10 {
		t.Errorf("%d of 100 trials are where all failed", above)
	}
	for i := range done { // nothing is known then
		done[i].Failed = true
	}
	low := 0
	for i := range 1000 {
		if number(search.Suggest(s, 40+i, done), "x") < 0.5 {
			low++
		}
	}
	if low < 440 || low > 560 {
		t.Errorf("where all failed, %d of 1000 trials are in the lower half", low)
	}
}

func TestRandomIsEven(t *testing.T) {
	s := spec.Search{Method: spec.SearchRandom, Space: []spec.Dimension{
		{Name: "choice", Values: []any{"a", "b", "c"}},
		{Name: "log", Min: 1e-4, Max: 1, Log: true},
		{Name: "whole", Min: 1, Max: 3, Integer: true},
	}}
	counts := map[string]int{}
	for i := range 3000 {
		v := search.Suggest(s, i, nil)
		counts[fmt.Sprint("choice ", v["choice"])]++
		counts[fmt.Sprint("whole ", v["whole"])]++
		counts[fmt.Sprint("log ", math.Floor(math.Log10(number(v, "log"))))]++
	}
	for what, n := range counts {
		want := 1000
		if what[:3] == "log" {
			want = 750
		}
		if math.Abs(float64(n-want)) > 120 {
			t.Errorf("%s: %d of 3000, want about %d", what, n, want)
		}
	}
	if len(counts) != 10 {
		t.Errorf("got %v", counts)
	}
}

func TestValuesAreInTheSpace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := spec.Search{
			Method:   rapid.SampledFrom([]spec.SearchMethod{spec.SearchRandom, spec.SearchTPE}).Draw(t, "method"),
			Seed:     rapid.Int64().Draw(t, "seed"),
			Minimize: rapid.Bool().Draw(t, "minimize"),
			Parallel: rapid.IntRange(1, 5).Draw(t, "parallel"),
			Trials:   40,
		}
		for i := range rapid.IntRange(1, 3).Draw(t, "dimensions") {
			s.Space = append(s.Space, dimension(t, fmt.Sprint("d", i)))
		}
		trials := trialsOf(s, func(map[string]any) float64 {
			return rapid.SampledFrom([]float64{0, 1, -1, 1e300, math.Inf(1), math.Inf(-1), math.NaN()}).Draw(t, "value")
		})
		for _, trial := range trials {
			for _, d := range s.Space {
				check(t, d, trial.Values[d.Name])
			}
		}
	})
}

func dimension(t *rapid.T, name string) spec.Dimension {
	if rapid.Bool().Draw(t, "list") {
		return spec.Dimension{Name: name, Values: []any{"a", 1.0, true}[:rapid.IntRange(1, 3).Draw(t, "values")]}
	}
	d := spec.Dimension{Name: name, Log: rapid.Bool().Draw(t, "log"), Integer: rapid.Bool().Draw(t, "integer")}
	low := -1e9
	if d.Log {
		low = 1e-9
	}
	d.Min = rapid.Float64Range(low, 1e9).Draw(t, "min")
	d.Max = rapid.Float64Range(d.Min, 2e9).Draw(t, "max")
	if d.Integer {
		d.Min, d.Max = math.Ceil(d.Min), math.Ceil(d.Max)
	}
	return d
}

func check(t *rapid.T, d spec.Dimension, value any) {
	if len(d.Values) > 0 {
		if !slices.Contains(d.Values, value) {
			t.Fatalf("%v is none of %v", value, d.Values)
		}
		return
	}
	x, is := value.(float64)
	if !is || !(x >= d.Min && x <= d.Max) || d.Integer && x != math.Trunc(x) {
		t.Fatalf("%v is not in %+v", value, d)
	}
}

func TestRangesOfOneValue(t *testing.T) {
	s := spec.Search{Method: spec.SearchTPE, Trials: 30, Parallel: 1, Space: []spec.Dimension{
		{Name: "one", Min: 3, Max: 3}, {Name: "log", Min: 3, Max: 3, Log: true}, {Name: "whole", Min: 3, Max: 3, Integer: true},
	}}
	for i, trial := range trialsOf(s, func(map[string]any) float64 { return 1 }) {
		for _, d := range s.Space {
			if got := trial.Values[d.Name]; got != 3.0 {
				t.Fatalf("trial %d: %s is %v", i, d.Name, got)
			}
		}
	}
}

func TestVariantsAreInAStableOrder(t *testing.T) {
	got := search.Variants([]spec.Axis{{Name: "seed", Values: []any{1.0, 2.0}}, {Name: "hidden", Values: []any{32.0, 64.0, 128.0}}})
	var text []string
	for _, v := range got {
		text = append(text, fmt.Sprint(v["hidden"], "/", v["seed"]))
	}
	want := []string{"32/1", "32/2", "64/1", "64/2", "128/1", "128/2"}
	if !slices.Equal(text, want) {
		t.Errorf("got %v, want %v", text, want)
	}
	if got := search.Variants(nil); len(got) != 1 || len(got[0]) != 0 {
		t.Errorf("without axes: got %v, want one variant without values", got)
	}
	if got := search.Variants([]spec.Axis{{Name: "seed"}}); len(got) != 0 {
		t.Errorf("an axis without values: got %v", got)
	}
}

func BenchmarkSuggest(b *testing.B) {
	p := problems["mixed"]
	s := spec.Search{Method: spec.SearchTPE, Trials: 500, Parallel: 1, Minimize: true, Space: p.space}
	done := trialsOf(spec.Search{Method: spec.SearchRandom, Trials: 500, Parallel: 1, Space: p.space}, p.value)
	for b.Loop() {
		search.Suggest(s, 500, done)
	}
}
