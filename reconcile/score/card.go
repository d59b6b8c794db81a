package score

import (
	"math"
	"time"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// Format is the FormatVersion of a Report.
const Format = "1.0"

// Report are the cards of the models of an environment.
type Report struct {
	FormatVersion string `json:"format_version"`
	Environment   string `json:"environment"`
	Cards         []Card `json:"cards"` // sorted by model
}

// Card is the score of one model.
type Card struct {
	Model    string    `json:"model"`
	Address  string    `json:"address"`
	Version  string    `json:"version,omitempty"`
	Pos      spec.Pos  `json:"declared,omitzero"`
	Observed bool      `json:"observed"` // points for what runs are among the measures
	Score    int       `json:"score"`    // the mean of the measures, 0 to 100
	Measures []Measure `json:"measures"` // all six, in the order of Measures
}

// Name is one of the six measures.
type Name string

// The measures.
const (
	Repeatability   Name = "repeatability"   // it can be made again, from the same parts
	Availability    Name = "availability"    // it answers, also while it changes
	Maintainability Name = "maintainability" // others can understand and take it over
	Quality         Name = "quality"         // what it answers was judged, and still is
	Scalability     Name = "scalability"     // more of it can run, within known bounds
	Consistency     Name = "consistency"     // what runs is what was reviewed
)

// Measure is one of the six, with the points that it is made of.
type Measure struct {
	Name   Name    `json:"name"`
	Score  int     `json:"score"` // 100 × points that were got / points that there are
	Points []Point `json:"points"`
}

// Point is one thing that counts.
type Point struct {
	What     string `json:"what"`
	Got      int    `json:"got"`
	Of       int    `json:"of"`
	Reason   string `json:"reason"`
	Raise    string `json:"raise,omitempty"`    // what would give the rest; "" where nothing is missing
	Observed bool   `json:"observed,omitempty"` // about what runs, not what is declared
}

// Observed is what a daemon tells about a model that it runs.
type Observed struct {
	Phase    string                 // steady, rolling, held or degraded
	Reason   string                 // of the phase
	Error    string                 // of the last act
	Wanted   string                 // revision that Git wants
	Serving  string                 // revision that takes the requests
	Ready    int                    // replicas
	Replicas int                    // that there should be
	Restarts int                    // of the replicas that run
	Last     journal.RolloutOutcome // of the last rollout; "" for none
}

// Of scores one model. Without an observation the points for what runs are left out.
func Of(cfg *spec.Config, m *spec.Model, seen *Observed, now time.Time) Card {
	s := &subject{cfg: cfg, model: m, seen: seen, version: gate.VersionOf(cfg, m), now: now}
	c := Card{Model: m.Name, Address: m.Address.String(), Version: m.Version, Pos: m.Pos, Observed: seen != nil}
	total := 0
	for _, measure := range []struct {
		name   Name
		points func(*subject) []Point
	}{
		{Repeatability, repeatability},
		{Availability, availability},
		{Maintainability, maintainability},
		{Quality, quality},
		{Scalability, scalability},
		{Consistency, consistency},
	} {
		points := measure.points(s)
		got, of := 0, 0
		for i := range points {
			got += points[i].Got
			of += points[i].Of
		}
		score := percent(got, of)
		total += score
		c.Measures = append(c.Measures, Measure{Name: measure.name, Score: score, Points: points})
	}
	c.Score = int(math.Round(float64(total) / float64(len(c.Measures))))
	return c
}

// All scores every model of a Config; seen is by served name, and nil without a
// daemon.
func All(cfg *spec.Config, seen map[string]*Observed, now time.Time) Report {
	r := Report{FormatVersion: Format, Environment: cfg.Environment, Cards: make([]Card, 0, len(cfg.Models))}
	for _, m := range cfg.Models {
		r.Cards = append(r.Cards, Of(cfg, m, seen[m.Name], now))
	}
	return r
}

// percent rounds down, so that 100 is all of it.
func percent(got, of int) int {
	if of == 0 {
		return 0
	}
	return 100 * got / of
}

// subject is the model that is scored, with what is known about it.
type subject struct {
	cfg     *spec.Config
	model   *spec.Model
	version *spec.Version // of the registry; nil: no entry
	seen    *Observed     // nil: no daemon
	now     time.Time
}

// either is a point that is given whole or not at all.
func either(what string, of int, given bool, why, whyNot, raise string) Point {
	if given {
		return Point{What: what, Got: of, Of: of, Reason: why}
	}
	return Point{What: what, Of: of, Reason: whyNot, Raise: raise}
}

// share is a point of which a part may be given.
func share(what string, of, got int, reason, raise string) Point {
	p := Point{What: what, Got: max(0, min(got, of)), Of: of, Reason: reason}
	if p.Got < of {
		p.Raise = raise
	}
	return p
}

// running marks a point as one about what runs.
func running(p Point) Point {
	p.Observed = true
	return p
}
