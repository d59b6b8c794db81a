package evaluate_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile/evaluate"
	"github.com/fairlead/fairlead/reconcile/tabular"
)

// vector is a table and the figures that somebody else found for it.
type vector struct {
	Source struct{ Project, Version, File string }
	Name   string

	Truth, Predicted []string
	Score            []float64
	Probabilities    map[string][]float64
	Sensitive        map[string][]string
	// Confusion stands for Truth and Predicted.
	Confusion *struct {
		Classes []string
		Counts  [][]int
	}
	Options struct {
		Task      evaluate.Task
		Positive  string
		Sensitive []string
		Reference map[string]string
		MinGroup  int `json:"min_group"`
		Bins      int
	}

	Want        map[string]figure
	Groups      map[string][4]figure // tpr, fpr, selection rate, rows
	TPR         map[string]figure
	Disparities map[string]map[string]figure
}

// figure is a number, or as much of one as its source prints: cut (0.33...), or
// rounded (0.667~).
type figure struct {
	value, low, high float64
}

func (f *figure) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	digits := strings.TrimRight(text, ".~")
	value, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return err
	}
	_, decimals, _ := strings.Cut(digits, ".")
	unit := math.Pow(10, -float64(len(decimals)))
	exact := 1e-9 * max(1, math.Abs(value))
	*f = figure{value, value - exact, value + exact}
	switch {
	case strings.HasSuffix(text, "..."):
		f.low, f.high = value-exact, value+unit
		if strings.HasPrefix(text, "-") {
			f.low, f.high = value-unit, value+exact
		}
	case strings.HasSuffix(text, "~"):
		f.low, f.high = value-unit/2-exact, value+unit/2+exact
	}
	return nil
}

func (f figure) check(t *testing.T, name string, got float64) {
	t.Helper()
	if !(got >= f.low && got <= f.high) {
		t.Errorf("%s: got %.17g, want %.17g", name, got, f.value)
	}
}

// table writes the vector as csv.
func (v *vector) table() (string, evaluate.Options) {
	if v.Confusion != nil {
		for i, row := range v.Confusion.Counts {
			for j, n := range row {
				v.Truth = append(v.Truth, slices.Repeat(v.Confusion.Classes[i:i+1], n)...)
				v.Predicted = append(v.Predicted, slices.Repeat(v.Confusion.Classes[j:j+1], n)...)
			}
		}
	}
	given := v.Options
	o := evaluate.Options{Label: "y", Task: given.Task, Positive: given.Positive, Sensitive: given.Sensitive, Reference: given.Reference, MinGroup: given.MinGroup, Bins: given.Bins}
	columns := [][]string{append([]string{"y"}, v.Truth...)}
	add := func(name string, values []string) { columns = append(columns, append([]string{name}, values...)) }
	texts := func(numbers []float64) (texts []string) {
		for _, n := range numbers {
			texts = append(texts, strconv.FormatFloat(n, 'g', -1, 64))
		}
		return texts
	}
	if v.Predicted != nil {
		o.Prediction = "p"
		add("p", v.Predicted)
	}
	if v.Score != nil {
		o.Score = "s"
		add("s", texts(v.Score))
	}
	if v.Probabilities != nil {
		o.Probabilities = "prob_*"
		for _, class := range slices.Sorted(maps.Keys(v.Probabilities)) {
			add("prob_"+class, texts(v.Probabilities[class]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.Sensitive)) {
		add(name, v.Sensitive[name])
	}
	var text strings.Builder
	w := csv.NewWriter(&text)
	for i := range columns[0] {
		var row []string
		for _, column := range columns {
			row = append(row, column[i])
		}
		_ = w.Write(row)
	}
	w.Flush()
	return text.String(), o
}

func evaluated(text string, o evaluate.Options) (*evaluate.Report, error) {
	r, err := tabular.NewReader(strings.NewReader(text), "predictions.csv", tabular.Options{})
	if err != nil {
		return nil, err
	}
	p, err := evaluate.Read(r, o)
	if err != nil {
		return nil, err
	}
	return p.Evaluate()
}

func TestFiguresAreThoseOfOthers(t *testing.T) {
	for _, file := range []string{"testdata/published.json", "testdata/oracle.json"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var content struct{ Vectors []vector }
		if err := json.Unmarshal(data, &content); err != nil {
			t.Fatal(err)
		}
		figures := 0
		for _, v := range content.Vectors {
			t.Run(fmt.Sprintf("%s %s: %s", v.Source.Project, v.Source.Version, v.Name), func(t *testing.T) {
				figures += v.check(t)
			})
		}
		t.Logf("%s: %d figures of %d tables", file, figures, len(content.Vectors))
		if figures == 0 {
			t.Errorf("%s holds no figures", file)
		}
	}
}

// check returns the number of figures that were compared.
func (v *vector) check(t *testing.T) (figures int) {
	text, o := v.table()
	report, err := evaluated(text, o)
	if err != nil {
		t.Fatal(err)
	}
	got := report.Figures()
	for name, want := range v.Want {
		value, is := got[name]
		if !is {
			t.Errorf("%s is missing", name)
		}
		want.check(t, name, value)
		figures++
	}
	groups := map[string]evaluate.Group{}
	if n := len(report.Fairness); n > 0 {
		for _, g := range report.Fairness[n-1].Groups {
			groups[g.Name] = g
		}
	}
	for name, want := range v.Groups {
		g := groups[name]
		for i, value := range []float64{*g.TPR.Value, *g.FPR.Value, *g.SelectionRate.Value, float64(g.Rows)} {
			want[i].check(t, fmt.Sprintf("figure %d of %s", i, name), value)
			figures++
		}
	}
	for name, want := range v.TPR {
		want.check(t, "tpr of "+name, *groups[name].TPR.Value)
		figures++
	}
	for name, wants := range v.Disparities {
		disparities := map[string]float64{}
		for _, d := range groups[name].Disparities {
			disparities[d.Rate] = d.Value
			if fair := d.Value >= 0.8 && d.Value <= 1.25; d.Fair != fair {
				t.Errorf("%s of %s is %v, and fair is %t", d.Rate, name, d.Value, d.Fair)
			}
		}
		for rate, want := range wants {
			want.check(t, rate+" of "+name, disparities[rate])
			figures++
		}
	}
	return figures
}
