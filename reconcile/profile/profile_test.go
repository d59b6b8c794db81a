package profile_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile/profile"
	"github.com/fairlead/fairlead/reconcile/tabular"
)

func build(text string, o profile.Options) (*profile.Profile, error) {
	r, err := tabular.NewReader(strings.NewReader(text), "data.csv", tabular.Options{})
	if err != nil {
		return nil, err
	}
	return profile.Build(r, o)
}

// one is the profile of one column.
func one(t *testing.T, values []string, o profile.Options) profile.Feature {
	t.Helper()
	var text strings.Builder
	text.WriteString("row,a\n")
	for i, v := range values {
		fmt.Fprintf(&text, "%d,%s\n", i, v)
	}
	o.Columns = []string{"a"}
	p, err := build(text.String(), o)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := profile.Parse(encoded); err != nil {
		t.Fatal(err)
	}
	return p.Features[0]
}

func TestBinsFollowTheData(t *testing.T) {
	repeat := func(value string, n int) []string { return slices.Repeat([]string{value}, n) }
	var hundred []string
	for i := range 100 {
		hundred = append(hundred, strconv.Itoa(i))
	}
	for _, c := range []struct {
		does   string
		values []string
		bins   int
		edges  []float64
		counts []int64
	}{
		{"even", hundred, 5, []float64{0, 19.5, 39.5, 59.5, 79.5, 99}, []int64{20, 20, 20, 20, 20}},
		{"one value", repeat("7", 5), 5, []float64{7}, []int64{5}},
		{"two values, one of them rare", append(repeat("0", 95), repeat("1", 5)...), 5, []float64{0, 0.5, 1}, []int64{95, 5}},
		{"few values", strings.Fields("1 1 2 2 2 3"), 5, []float64{1, 1.5, 2.5, 3}, []int64{2, 3, 1}},
		{"a value that fills most", append(repeat("0", 900), hundred[1:]...), 4, []float64{0, 0.5, 33.5, 66.5, 99}, []int64{900, 33, 33, 33}},
		{"one bin", hundred, 1, []float64{0, 99}, []int64{100}},
		{"neighbours among floats", []string{"1", "1.0000000000000002"}, 5, []float64{1, 1.0000000000000002}, []int64{2}},
		{"huge values", []string{"-1.7e308", "1.7e308"}, 5, []float64{-1.7e308, 0, 1.7e308}, []int64{1, 1}},
	} {
		t.Run(c.does, func(t *testing.T) {
			f := one(t, c.values, profile.Options{Bins: c.bins})
			if f.Kind != profile.Numeric || !slices.Equal(f.Numbers.Edges, c.edges) || !slices.Equal(f.Numbers.Counts, c.counts) {
				t.Errorf("got %+v, edges %v, counts %v", f, f.Numbers.Edges, f.Numbers.Counts)
			}
		})
	}
}

func TestKinds(t *testing.T) {
	var many []string
	for i := range profile.MaxDistinct + 5 {
		many = append(many, strconv.Itoa(i))
	}
	for _, c := range []struct {
		does   string
		values []string
		o      profile.Options
		want   string
	}{
		{"numbers, missing and infinite", []string{"1", "NA", "inf", "3"}, profile.Options{}, "numeric 3+1, 2 binned; infinite 1, whole true, 1 to 3, mean 2, std 1"},
		{"no value", []string{"", "NA"}, profile.Options{}, "empty 0+2, 0 binned"},
		{"words", []string{"b", "a", "b", "NA"}, profile.Options{}, "categorical 3+1, 3 binned; map[a:1 b:2], other 0, distinct 2 false"},
		{"one word among numbers", []string{"1", "2", "x", "1"}, profile.Options{}, "categorical 4+0, 4 binned; map[1:2 2:1 x:1], other 0, distinct 3 false"},
		{"numbers that are names", []string{"1", "2", "1"}, profile.Options{Categorical: []string{"a"}}, "categorical 3+0, 3 binned; map[1:2 2:1], other 0, distinct 2 false"},
		{"infinite only", []string{"inf", "-inf"}, profile.Options{}, "categorical 2+0, 2 binned; map[-inf:1 inf:1], other 0, distinct 2 false"},
		{"a word behind too many numbers", append(slices.Clone(many), "x", "x"), profile.Options{}, "categorical 10007+0, 10007 binned; map[x:2], other 10005, distinct 1 true"},
	} {
		t.Run(c.does, func(t *testing.T) {
			f := one(t, c.values, c.o)
			got := fmt.Sprintf("%s %d+%d, %d binned", f.Kind, f.Count, f.Missing, f.Binned)
			if n := f.Numbers; n != nil {
				got += fmt.Sprintf("; infinite %d, whole %t, %v to %v, mean %v, std %v", n.Infinite, n.Whole, n.Min, n.Max, n.Mean, n.Std)
			}
			if n := f.Categories; n != nil {
				got += fmt.Sprintf("; %v, other %d, distinct %d %t", n.Counts, n.Other, n.Distinct, n.AtLeast)
			}
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
	t.Run("many words", func(t *testing.T) {
		f := one(t, append(many, many[:200]...), profile.Options{Categorical: []string{"a"}})
		if n := f.Categories; len(n.Counts) != profile.MaxCategories || n.Counts["0"] != 2 || n.Other != f.Count-2*profile.MaxCategories || !n.AtLeast {
			t.Errorf("got %d categories, other %d of %d", len(n.Counts), n.Other, f.Count)
		}
	})
}

func TestPlacesOutsideAndAtEdges(t *testing.T) {
	n := profile.Numbers{Edges: []float64{0, 1, 2}}
	for value, want := range map[float64]int{-0.1: profile.Underflow, 0: 0, 0.9: 0, 1: 1, 2: 1, 2.1: profile.Overflow} {
		if got := n.Bin(value); got != want {
			t.Errorf("%v is in bin %d, want %d", value, got, want)
		}
	}
}

func TestLargeDataIsSampledEvenly(t *testing.T) {
	const rows = 3 * profile.SampleSize
	random := rand.New(rand.NewPCG(1, 2))
	values := make([]string, rows)
	for i := range values { // sorted, so that a sample of the first ones would be far off
		values[i] = strconv.FormatFloat((float64(i)+random.Float64())/rows, 'g', -1, 64)
	}
	f := one(t, values, profile.Options{})
	if f.Count != rows || f.Binned != profile.SampleSize || f.Numbers.Max < 0.99999 {
		t.Fatalf("got %+v, %+v", f, f.Numbers)
	}
	worst := 0.0
	for i, edge := range f.Numbers.Edges {
		worst = max(worst, math.Abs(edge-float64(i)/10))
	}
	t.Logf("the rank of an edge is off by at most %.4f", worst)
	if worst > 0.005 {
		t.Errorf("got edges %v", f.Numbers.Edges)
	}
}

func TestTextIsStable(t *testing.T) {
	const data = "age,city,note\n31,Bonn,\n45,\"[1,  2]\",\n,Bonn,\n27.5,<ü>,\n"
	p, err := build(data, profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.Data = "sha256:" + strings.Repeat("0", 64)
	got, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/profile.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	back, err := profile.Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := back.Encode(); err != nil || string(again) != string(got) {
		t.Errorf("read and written again it is\n%s, %v", again, err)
	}
	if back.Feature("city").Categories.Counts["[1,  2]"] != 1 || back.Feature("town") != nil {
		t.Errorf("got %+v", back.Features)
	}
}

func TestWhatCannotBeDoneIsAnError(t *testing.T) {
	for _, c := range []struct {
		data string
		o    profile.Options
		want string
	}{
		{"a\n", profile.Options{}, "there are no rows"},
		{"a\n1\n", profile.Options{Columns: []string{"b"}}, `there is no column "b"; there are a`},
		{"a\n1\n", profile.Options{Categorical: []string{"b"}}, `there is no column "b"; there are a`},
		{"a\n1\n", profile.Options{Bins: 1001}, "there can be 1 to 1000 bins, not 1001"},
		{"a\n1,2\n", profile.Options{}, "line 2"},
	} {
		if _, err := build(c.data, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestProfilesThatAMonitorCouldNotUseAreErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                    "does not read as JSON",
		`{"format_version":2}`: "has format 2, and this program reads format 1",
		feature(`"kind":"numeric","count":2,"missing":1`):                                                                                                                 "do not make 2 rows",
		feature(`"kind":"numeric","count":2,"missing":0`):                                                                                                                 `the kind "numeric" does not fit`,
		feature(`"kind":"text","count":2,"missing":0`):                                                                                                                    `the kind "text" is not known`,
		feature(`"kind":"empty","count":2,"missing":0,"binned":3`):                                                                                                        "3 of 2 values are binned",
		feature(`"kind":"numeric","count":2,"missing":0,"binned":2,"numbers":{"edges":[],"counts":[]}`):                                                                   "0 edges and 0 bins",
		feature(`"kind":"numeric","count":2,"missing":0,"binned":2,"numbers":{"edges":[0,0],"counts":[2]}`):                                                               "do not ascend",
		feature(`"kind":"numeric","count":2,"missing":0,"binned":2,"numbers":{"edges":[0,1],"counts":[3]}`):                                                               "do not hold what is binned",
		feature(`"kind":"numeric","count":2,"missing":0,"binned":2,"numbers":{"edges":[0,1],"counts":[1]}`):                                                               "the bins hold 1 values, and 2 are binned",
		feature(`"kind":"categorical","count":2,"missing":0,"binned":2,"categories":{"counts":{"a":9223372036854775807},"other":2}`):                                      "do not hold what is binned",
		feature(`"kind":"categorical","count":2,"missing":0,"binned":2,"categories":{"counts":{"a":3},"other":-1}`):                                                       "less than nothing",
		feature(`"kind":"empty","count":0,"missing":2`)[:len(feature(`"kind":"empty","count":0,"missing":2`))-2] + `,{"name":"a","kind":"empty","count":0,"missing":2}]}`: "twice",
	} {
		if _, err := profile.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func feature(rest string) string {
	return `{"format_version":1,"rows":2,"features":[{"name":"a",` + rest + `}]}`
}

func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.Just("0"), rapid.Just("NA"), rapid.Map(rapid.IntRange(-5, 5), strconv.Itoa), rapid.Map(rapid.Float64(), func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }))
		values := rapid.SliceOfN(value, 1, 80).Draw(t, "values")
		bins := rapid.IntRange(1, 20).Draw(t, "bins")
		of := func(values []string) *profile.Profile {
			p, err := build("a,b\n"+strings.Join(values, ",\n")+",\n", profile.Options{Bins: bins})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		p := of(values)
		encoded, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := profile.Parse(encoded); err != nil {
			t.Fatalf("what was built does not read: %v\n%s", err, encoded)
		}
		f := p.Features[0]
		if f.Kind != profile.Numeric {
			return
		}
		n := f.Numbers
		if len(n.Counts) > bins || slices.Min(n.Counts) == 0 {
			t.Fatalf("got bins %v of at most %d", n.Counts, bins)
		}
		if n.Edges[0] != n.Min || n.Edges[len(n.Edges)-1] != n.Max {
			t.Fatalf("edges %v are not from %v to %v", n.Edges, n.Min, n.Max)
		}
		other := of(rapid.Permutation(values).Draw(t, "other")).Features[0].Numbers
		if !slices.Equal(other.Edges, n.Edges) || !slices.Equal(other.Counts, n.Counts) {
			t.Fatalf("the order of rows changes the bins: %v %v, %v %v", n.Edges, n.Counts, other.Edges, other.Counts)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(feature(`"kind":"numeric","count":2,"missing":0,"binned":2,"numbers":{"edges":[0,1],"counts":[2]}`)))
	f.Add([]byte(feature(`"kind":"categorical","count":2,"missing":0,"binned":2,"categories":{"counts":{"a":1},"other":1}`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := profile.Parse(data)
		if err != nil {
			return
		}
		for _, feature := range p.Features {
			if n := feature.Numbers; n != nil {
				for _, x := range []float64{-math.MaxFloat64, 0, math.MaxFloat64} {
					if at := n.Bin(x); at >= len(n.Counts) || at < profile.Overflow {
						t.Fatalf("%v is in bin %d of %d", x, at, len(n.Counts))
					}
				}
			}
		}
	})
}
