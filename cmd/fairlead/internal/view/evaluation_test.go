package view_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/evaluate"
	"github.com/fairlead/fairlead/reconcile/profile"
	"github.com/fairlead/fairlead/reconcile/tabular"
)

func evaluation(t *testing.T, rows string, o evaluate.Options) *view.Evaluation {
	t.Helper()
	r, err := tabular.NewReader(strings.NewReader(rows), "predictions.csv", tabular.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := evaluate.Read(r, o)
	if err != nil {
		t.Fatal(err)
	}
	report, err := p.Evaluate()
	if err != nil {
		t.Fatal(err)
	}
	return &view.Evaluation{File: "predictions.csv", Report: report}
}

func TestEvaluationShowsGroupsAndWhatCannotBeTold(t *testing.T) {
	rows := "y,p,s,sex\n" + strings.Repeat("1,1,5,f\n0,0,1,f\n1,1,4,m\n1,0,2,m\n0,0,1,m\n0,1,3,m\n", 20) + strings.Repeat("1,0,1,\n0,0,1,\n", 4)
	e := evaluation(t, rows, evaluate.Options{Label: "y", Prediction: "p", Score: "s", Sensitive: []string{"sex"}, MinGroup: 20})
	e.Out = "metrics.json"
	golden(t, "evaluation", func(v *view.View) error { return v.Evaluation(e) })
}

func TestEvaluationOfNumbers(t *testing.T) {
	e := evaluation(t, "y,p\n1.5,1\n2,2.5\n", evaluate.Options{Label: "y", Prediction: "p"})
	golden(t, "evaluation-regression", func(v *view.View) error { return v.Evaluation(e) })
}

func TestEvaluationOfManyClassesIsCut(t *testing.T) {
	rows := "y,p\n"
	for i := range 22 {
		rows += fmt.Sprintf("class%02d,class%02d\n", i, i/2)
	}
	e := evaluation(t, rows, evaluate.Options{Label: "y", Prediction: "p"})
	golden(t, "evaluation-classes", func(v *view.View) error { return v.Evaluation(e) })
}

func TestProfileHasALinePerFeature(t *testing.T) {
	const rows = "age,city,note\n31,Bonn,\n45,\"a\x1b[31m\",\ninf,Bonn,\n27.5,Ulm,\n"
	r, err := tabular.NewReader(strings.NewReader(rows), "train.csv", tabular.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Build(r, profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.Data = "sha256:" + strings.Repeat("0", 64)
	golden(t, "profile", func(v *view.View) error {
		return v.Profile(&view.Profile{File: "train.csv", Out: "profile.json", Profile: p})
	})
}
