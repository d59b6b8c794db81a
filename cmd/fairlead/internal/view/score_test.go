package view_test

import (
	"testing"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/score"
	"github.com/fairlead/fairlead/spec"
)

func TestScore(t *testing.T) {
	point := func(got, of int, raise string) score.Point {
		return score.Point{What: "image is fixed", Got: got, Of: of, Reason: "the image is digits:1", Raise: raise}
	}
	card := score.Card{
		Model: "digits", Version: "1.2.0", Pos: spec.Pos{File: "models.hcl", Line: 7}, Score: 53,
		Measures: []score.Measure{
			{Name: score.Repeatability, Score: 100, Points: []score.Point{point(25, 25, "")}},
			{Name: score.Availability, Score: 60, Points: []score.Point{point(15, 25, "set replicas = 2")}},
			{Name: score.Quality, Score: 0, Points: []score.Point{point(0, 5, "add a gate")}},
		},
	}
	golden(t, "score", func(v *view.View) error { return v.Score(&card) })
	seen := card
	seen.Observed, seen.Version, seen.Pos = true, "", spec.Pos{}
	golden(t, "score-observed", func(v *view.View) error { return v.Score(&seen) })
	golden(t, "scores", func(v *view.View) error {
		return v.Scores(&score.Report{Environment: "prod", Cards: []score.Card{card, {Model: "a-model-with-a-long-name", Score: 9, Measures: card.Measures}}})
	})
	golden(t, "scores-none", func(v *view.View) error { return v.Scores(&score.Report{Environment: "prod"}) })
}
