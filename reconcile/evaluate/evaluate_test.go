package evaluate_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile/evaluate"
)

// table makes csv of lines that are separated by spaces.
func table(lines string) string { return strings.Join(strings.Fields(lines), "\n") + "\n" }

var plain = evaluate.Options{Label: "y", Prediction: "p"}

func with(change func(*evaluate.Options)) evaluate.Options {
	o := plain
	change(&o)
	return o
}

func TestTheTaskFollowsFromTheValues(t *testing.T) {
	for _, c := range []struct {
		does, rows string
		o          evaluate.Options
		task       evaluate.Task
		classes    string
		positive   string
	}{
		{"0 and 1", "y,p 0,1 1,1", plain, evaluate.Binary, "0 1", "1"},
		{"numbers in two notations", "y,p 0,0.0 1,1.0 1,1e0", plain, evaluate.Binary, "0 1", "1"},
		{"-1 and 1", "y,p -1,1 1,1", plain, evaluate.Binary, "-1 1", "1"},
		{"only 0", "y,p 0,0 0,0", plain, evaluate.Binary, "0 1", "1"},
		{"only 1", "y,p 1,1", plain, evaluate.Binary, "1", "1"},
		{"bools", "y,p True,false False,1", plain, evaluate.Binary, "false true", "true"},
		{"two words", "y,p no,no yes,no", with(func(o *evaluate.Options) { o.Positive = "yes" }), evaluate.Binary, "no yes", "yes"},
		{"two words as classes", "y,p no,no yes,no", with(func(o *evaluate.Options) { o.Task = evaluate.Multiclass }), evaluate.Multiclass, "no yes", ""},
		{"three classes", "y,p 10,2 2,3 3,3", plain, evaluate.Multiclass, "2 3 10", ""},
		{"a third class that is predicted only", "y,p 0,1 1,2", plain, evaluate.Multiclass, "0 1 2", ""},
		{"words", "y,p cat,dog dog,ant", plain, evaluate.Multiclass, "ant cat dog", ""},
		{"the likeliest class", "y,p_ant,p_bee,p_cat ant,.1,.2,.7 bee,.2,.7,.1", evaluate.Options{Label: "y", Probabilities: "p_*"}, evaluate.Multiclass, "ant bee cat", ""},
		{"the likeliest of two", "y,p_0,p_1 0,.1,.9 1,.2,.8", evaluate.Options{Label: "y", Probabilities: "p_*"}, evaluate.Binary, "0 1", "1"},
		{"fractions", "y,p 1.5,2 2,2", plain, evaluate.Regression, "", ""},
		{"fractions predicted", "y,p 5,2.5 2,2", plain, evaluate.Regression, "", ""},
		{"whole numbers that are said to be numbers", "y,p 5,2 2,2", with(func(o *evaluate.Options) { o.Task = evaluate.Regression }), evaluate.Regression, "", ""},
	} {
		t.Run(c.does, func(t *testing.T) {
			r, err := evaluated(table(c.rows), c.o)
			if err != nil {
				t.Fatal(err)
			}
			var classes []string
			for _, class := range r.Classes {
				classes = append(classes, class.Name)
			}
			if got := strings.Join(classes, " "); r.Task != c.task || got != c.classes || r.Positive != c.positive {
				t.Errorf("got %s of %q, positive %q", r.Task, got, r.Positive)
			}
		})
	}
}

func TestWhatMakesNoSenseIsAnError(t *testing.T) {
	sensitive := with(func(o *evaluate.Options) { o.Sensitive = []string{"g"} })
	probabilities := evaluate.Options{Label: "y", Probabilities: "p_*"}
	score := with(func(o *evaluate.Options) { o.Score = "s" })
	numbers := "y,p"
	for i := range 150 {
		numbers += fmt.Sprintf(" %d,%d", i, i+1)
	}
	words := "y,p"
	for i := range evaluate.MaxClasses + 1 {
		words += fmt.Sprintf(" w%d,a", i)
	}
	people := "y,p,g"
	for i := range evaluate.MaxGroups + 1 {
		people += fmt.Sprintf(" 0,1,person%d", i)
	}
	for _, c := range []struct {
		rows string
		o    evaluate.Options
		want string
	}{
		{"y,p 0,1", evaluate.Options{Prediction: "p"}, "which column holds the truth"},
		{"y,p 0,1", evaluate.Options{Label: "y"}, "which column holds the prediction"},
		{"y,p 0,1", evaluate.Options{Label: "label", Prediction: "p"}, `there is no column "label"; there are y, p`},
		{"y,p 0,1", with(func(o *evaluate.Options) { o.Task = "ranking" }), `the task "ranking" is not known`},
		{"y,p 0,1", with(func(o *evaluate.Options) { o.MinGroup = -1 }), "at least 1"},
		{"y,p", plain, "there are no rows"},
		{"y,p 0,1 ,1", plain, "line 3: column y: the value is missing; leave out the rows"},
		{"y,p 0,NaN", plain, "line 2: column p: the value is missing"},
		{"y,p no,no yes,yes", plain, "the classes are no, yes; say which is the positive one"},
		{"y,p no,no yes,yes", with(func(o *evaluate.Options) { o.Positive = "y" }), "the positive class y is none of the classes no, yes"},
		{"y,p 0,1 2,1", with(func(o *evaluate.Options) { o.Task = evaluate.Binary }), "there are 3 classes, and the task is binary: 0, 1, 2"},
		{"y,p 0,0.2 1,0.9", plain, "the prediction p looks like a score"},
		{numbers, plain, "many different whole numbers; set the task to regression or multiclass"},
		{words, plain, "there are more than 1000 different values, and w0 is no number"},
		{"y,p 1.5,x 2,2", with(func(o *evaluate.Options) { o.Task = evaluate.Regression }), "column p: x is no finite number"},
		{"y,p 1.5,inf 2,2", with(func(o *evaluate.Options) { o.Task = evaluate.Regression }), "column p: inf is no finite number"},
		{"y,p,g 1.5,2,a", with(func(o *evaluate.Options) { o.Task, o.Sensitive = evaluate.Regression, []string{"g"} }), "a regression has no classes"},
		{"y,p,s 0,1,high", score, "line 2: column s: high is no finite number"},
		{"y,p,s 0,1,1 2,1,1", score, "a score is of one positive class, and there are several"},
		{"y,p,s 0,1,1", with(func(o *evaluate.Options) { o.Score, o.Probabilities = "s", "p_*" }), "not both"},
		{"y,p_0,p_1 0,.5,.5", with(func(o *evaluate.Options) { o.Probabilities = "p_" }), "needs one *"},
		{"y,p_0 0,1", probabilities, "1 columns are like p_*, and there are at least two classes; the columns are y, p_0"},
		{"y,p_0,p_1 0,.5,.5 1,.5,.6", probabilities, "line 3: the probabilities of the classes add up to 1.1, and not to 1"},
		{"y,p_0,p_1 0,1.5,-.5", probabilities, "line 2: column p_0: 1.5 is no probability from 0 to 1"},
		{"y,p_a,p_b a,.5,.5 c,.5,.5", probabilities, "holds the probability of class c; there are those of a, b"},
		{"y,p_1,p_1.0 1,.5,.5", probabilities, "two columns hold the probability of class 1"},
		{"y,p,g a,b,x c,b,y", sensitive, "say which it is"},
		{people, sensitive, "line 1002: column g: there are more than 1000 different values"},
		{"y,p,g 0,1,a", with(func(o *evaluate.Options) {
			o.Sensitive, o.Reference = []string{"g"}, map[string]string{"g": "b"}
		}), "g has no group b to compare with; there are a"},
		{"y,p,g 0,1,a", with(func(o *evaluate.Options) {
			o.Sensitive, o.Reference = []string{"g"}, map[string]string{"h": "b"}
		}), "there is a reference group of h, which is not compared by; there are g"},
	} {
		if r, err := evaluated(table(c.rows), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: got %v and %v, want an error with %q", c.rows, r, err, c.want)
		}
	}
}

func TestWhatCannotBeToldIsNoFigure(t *testing.T) {
	for _, c := range []struct {
		rows    string
		o       evaluate.Options
		missing string
	}{
		{"y,p,s 0,0,.1 0,1,.9", with(func(o *evaluate.Options) { o.Score = "s" }), "average_precision roc_auc"},
		{"y,p,s 1,1,.1 1,1,.9", with(func(o *evaluate.Options) { o.Score = "s" }), "cohen_kappa roc_auc"},
		{"y,p,s 1,1,5 0,0,-3", with(func(o *evaluate.Options) { o.Score = "s" }), "brier ece log_loss"},
		{"y,p_a,p_b,p_c a,1,0,0 b,0,1,0", evaluate.Options{Label: "y", Probabilities: "p_*"}, "roc_auc_ovr_macro"},
		{"y,p 1.5,1", plain, "r2"},
		{"y,p 1e308,-1e308 0.5,1", plain, "mae mape max_error median_ae mse r2 rmse"},
	} {
		r, err := evaluated(table(c.rows), c.o)
		if err != nil {
			t.Errorf("%s: %v", c.rows, err)
			continue
		}
		figures := r.Figures()
		var missing []string
		for _, m := range r.Metrics {
			if m.Missing != "" {
				missing = append(missing, m.Name)
				if _, is := figures[m.Name]; is {
					t.Errorf("%s is missing and a figure", m.Name)
				}
			}
		}
		slices.Sort(missing)
		if got := strings.Join(missing, " "); got != c.missing {
			t.Errorf("%s: missing are %s, want %s", c.rows, got, c.missing)
		}
	}
}

func TestConventionsAreSaid(t *testing.T) {
	r, err := evaluated(table("y,p 0,0 1,0"), plain)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.Notes, " "); got != "Precision is 0 by convention where a class is never predicted: 1." {
		t.Errorf("got %s", got)
	}
}

// people are rows of a group: so many of each of the four kinds.
func people(group string, tp, fn, fp, tn int) string {
	return strings.Repeat("1,1,"+group+" ", tp) + strings.Repeat("1,0,"+group+" ", fn) + strings.Repeat("0,1,"+group+" ", fp) + strings.Repeat("0,0,"+group+" ", tn)
}

func TestGroupsTooSmallToTellAreNoEvidence(t *testing.T) {
	o := with(func(o *evaluate.Options) { o.Sensitive = []string{"g"} })
	has := func(t *testing.T, rows string, names string) *evaluate.Report {
		t.Helper()
		r, err := evaluated(table("y,p,g "+rows), o)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for name := range r.Figures() {
			if name, is := strings.CutSuffix(name, "_ratio"); is {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if text := strings.Join(got, " "); text != names {
			t.Errorf("there are %q, want %q", text, names)
		}
		return r
	}
	t.Run("both are large", func(t *testing.T) {
		r := has(t, people("a", 30, 10, 10, 30)+people("b", 20, 20, 10, 30), "demographic_parity equal_opportunity equalized_odds")
		if got := r.Figures()["equal_opportunity_ratio"]; math.Abs(got-0.5/0.75) > 1e-12 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("one has few rows", func(t *testing.T) {
		r := has(t, people("a", 30, 10, 10, 30)+people("b", 20, 20, 10, 30)+people("c", 5, 0, 0, 5), "")
		f := r.Fairness[0]
		if f.Groups[2].Insufficient != "it has 10 rows, and 30 are needed" || len(f.Groups[2].Disparities) > 0 {
			t.Errorf("got %+v", f.Groups[2])
		}
		for _, m := range f.Metrics {
			if !strings.HasPrefix(m.Missing, "insufficient: c has ") || m.Value != nil || m.Partial == nil {
				t.Errorf("got %+v", m)
			}
		}
	})
	t.Run("one has few positives", func(t *testing.T) {
		r := has(t, people("a", 30, 10, 10, 30)+people("b", 3, 3, 10, 30), "demographic_parity")
		i := slices.IndexFunc(r.Fairness[0].Metrics, func(m evaluate.Metric) bool { return m.Name == "equal_opportunity_ratio" })
		if got := r.Fairness[0].Metrics[i]; got.Missing != "insufficient: b has 6 positives, and 30 are needed" || got.Value != nil || got.Partial != nil {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("one group only", func(t *testing.T) {
		has(t, people("a", 30, 10, 10, 30), "")
	})
	t.Run("those of whom it is not known are a group", func(t *testing.T) {
		r := has(t, people("a", 30, 10, 10, 30)+people("", 30, 30, 30, 30), "demographic_parity equal_opportunity equalized_odds")
		if got := r.Fairness[0].Groups[0].Name; got != "(missing)" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("rates that are both 0 are equal", func(t *testing.T) {
		r := has(t, people("a", 40, 0, 0, 40)+people("b", 40, 0, 0, 40), "demographic_parity equal_opportunity equalized_odds")
		if got := r.Figures()["equalized_odds_ratio"]; got != 1 {
			t.Errorf("got %v", got)
		}
	})
}

func TestColumnsAndTheirIntersectionHaveNamesOfTheirOwn(t *testing.T) {
	o := with(func(o *evaluate.Options) { o.Sensitive, o.MinGroup = []string{"sex,age", "sex", "home"}, 1 })
	r, err := evaluated(table("y,p,sex,age,home 1,1,f,old,x 0,1,m,old,x 1,0,f,young,y 0,0,m,young,y 1,1,m,young,x 0,0,f,old,x"), o)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range r.Fairness {
		names = append(names, fmt.Sprintf("%s %d", f.Sensitive, len(f.Groups)))
	}
	if got := strings.Join(names, "; "); got != "sex 2; age 2; sex,age 4; home 2" {
		t.Errorf("got %s", got)
	}
	figures := r.Figures()
	for _, name := range []string{"sex.demographic_parity_ratio", "sex,age.demographic_parity_difference", "home.demographic_parity_ratio_to_overall"} {
		if _, is := figures[name]; !is {
			t.Errorf("there is no %s in %v", name, slices.Sorted(maps.Keys(figures)))
		}
	}
}

func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprintf("%d,%d,%.2f,%s", rapid.IntRange(0, 1).Draw(t, "y"), rapid.IntRange(0, 1).Draw(t, "p"), rapid.Float64Range(0, 1).Draw(t, "s"), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "g"))
		})
		rows := rapid.SliceOfN(row, 1, 60).Draw(t, "rows")
		o := with(func(o *evaluate.Options) { o.Score, o.Sensitive, o.MinGroup = "s", []string{"g"}, 1 })
		first := figuresOf(t, rows, o)
		other := figuresOf(t, rapid.Permutation(rows).Draw(t, "other"), o)
		if len(first) != len(other) {
			t.Fatalf("the order of rows changes what there is: %v and %v", first, other)
		}
		for name, value := range first {
			if math.Abs(value-other[name]) > 1e-9 {
				t.Fatalf("the order of rows changes %s from %v to %v", name, value, other[name])
			}
			low := 0.0
			if name == "mcc" || name == "cohen_kappa" {
				low = -1
			}
			if high := 1.0 + 1e-12; name != "log_loss" && (value < low-1e-12 || value > high) {
				t.Fatalf("%s is %v", name, value)
			}
		}
		if d, r := first["demographic_parity_difference"], first["demographic_parity_ratio"]; d == 0 && r != 1 && len(first) > 0 && hasKey(first, "demographic_parity_ratio") {
			t.Fatalf("the difference is 0, and the ratio %v", r)
		}
		double := figuresOf(t, slices.Concat(rows, rows), o)
		for name, value := range first {
			if math.Abs(value-double[name]) > 1e-9 {
				t.Fatalf("all rows twice change %s from %v to %v", name, value, double[name])
			}
		}
	})
}

func hasKey(figures map[string]float64, name string) bool { _, is := figures[name]; return is }

func figuresOf(t *rapid.T, rows []string, o evaluate.Options) map[string]float64 {
	r, err := evaluated("y,p,s,g\n"+strings.Join(rows, "\n")+"\n", o)
	if err != nil {
		t.Fatal(err)
	}
	return r.Figures()
}

func TestRegressionInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Map(rapid.Float64Range(-1e6, 1e6), func(f float64) float64 {
			if math.Abs(f) < 1e-100 {
				return 0 // the square of a smaller difference is zero
			}
			return f
		})
		n := rapid.IntRange(1, 40).Draw(t, "n")
		var rows []string
		for range n {
			rows = append(rows, fmt.Sprintf("%v,%v,0,a", number.Draw(t, "y"), number.Draw(t, "p")))
		}
		o := with(func(o *evaluate.Options) { o.Task = evaluate.Regression })
		f, other := figuresOf(t, rows, o), figuresOf(t, rapid.Permutation(rows).Draw(t, "other"), o)
		for name, value := range f {
			if math.Abs(value-other[name]) > 1e-9*max(1, math.Abs(value)) {
				t.Fatalf("the order of rows changes %s from %v to %v", name, value, other[name])
			}
		}
		slack := 1 + 1e-9
		if f["mae"] > f["rmse"]*slack || f["rmse"] > f["max_error"]*slack || f["median_ae"] > f["max_error"]*slack {
			t.Fatalf("got %v", f)
		}
	})
}

func FuzzEvaluate(f *testing.F) {
	f.Add("y,p,s,g\n0,1,.5,a\n1,1,.7,b\n", "", "auto")
	f.Add("y,p,p_a,p_b,g\na,b,.5,.5,x\nb,b,.1,.9,y\n", "b", "multiclass")
	f.Add("y,p,g\n1.5,2,a\n3,-inf,a\n", "", "regression")
	f.Fuzz(func(t *testing.T, text, positive, task string) {
		for _, o := range []evaluate.Options{
			{Label: "y", Prediction: "p", Task: evaluate.Task(task), Positive: positive},
			{Label: "y", Prediction: "p", Score: "s", Sensitive: []string{"g"}, MinGroup: 1, Positive: positive},
			{Label: "y", Probabilities: "p_*", Sensitive: []string{"g,p"}, MinGroup: 1, Positive: positive},
		} {
			r, err := evaluated(text, o)
			if err != nil {
				continue
			}
			for name, value := range r.Figures() {
				if math.IsNaN(value) || math.IsInf(value, 0) {
					t.Fatalf("%s is %v", name, value)
				}
			}
		}
	})
}
