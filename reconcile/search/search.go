package search

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// Trial is one that has ended.
type Trial struct {
	Values map[string]any // as Suggest gave them
	Value  float64        // of the metric
	Failed bool           // there is no Value; it counts as the worst
}

// Suggest chooses the values of a trial, by name of the dimension: those of a list
// as they are, numbers as float64, whole where the dimension says so. trial counts
// from 0. done are the trials before it whose results it may know, in their order.
//
// The ranges must be sound: Min at most Max, above 0 where Log is set, and with a
// whole number between them where Integer is.
func Suggest(s spec.Search, trial int, done []Trial) map[string]any {
	// The odd factor (2^64 divided by the golden ratio) takes the streams of
	// neighbouring trials far apart.
	r := rand.New(rand.NewPCG(uint64(s.Seed), (uint64(trial)+1)*0x9E3779B97F4A7C15))
	var good, bad []Trial
	if s.Method == spec.SearchTPE {
		good, bad = split(done, s.Minimize)
	}
	values := make(map[string]any, len(s.Space))
	for _, d := range s.Space {
		switch {
		case len(d.Values) > 0 && len(good) > 0:
			values[d.Name] = suggestChoice(d, good, bad, r)
		case len(d.Values) > 0:
			values[d.Name] = d.Values[r.IntN(len(d.Values))]
		case len(good) > 0:
			values[d.Name] = suggestNumber(d, good, bad, r)
		default:
			scale := scaleOf(d)
			u := r.Float64()
			values[d.Name] = scale.value(scale.low*(1-u) + scale.high*u)
		}
	}
	return values
}

// Variants returns every combination of the values of a matrix, by name of the
// axis. Of the axes, sorted by name, the last varies fastest.
func Variants(axes []spec.Axis) []map[string]any {
	axes = slices.SortedFunc(slices.Values(axes), func(a, b spec.Axis) int { return strings.Compare(a.Name, b.Name) })
	variants := []map[string]any{{}}
	for _, axis := range axes {
		var longer []map[string]any
		for _, v := range variants {
			for _, value := range axis.Values {
				next := make(map[string]any, len(axes))
				for name, have := range v {
					next[name] = have
				}
				next[axis.Name] = value
				longer = append(longer, next)
			}
		}
		variants = longer
	}
	return variants
}

// scale is the axis on which a dimension varies evenly: the number itself, or its
// logarithm. Each whole number has the stretch from a half below it to a half
// above.
type scale struct {
	low, high float64 // on the axis
	min, max  float64 // of the values
	log       bool
	integer   bool
}

func scaleOf(d spec.Dimension) scale {
	s := scale{min: d.Min, max: d.Max, log: d.Log, integer: d.Integer}
	s.low, s.high = s.at(s.min), s.at(s.max)
	if s.integer {
		s.min, s.max = math.Ceil(s.min), math.Floor(s.max)
		s.low, s.high = s.at(s.min-0.5), s.at(s.max+0.5)
	}
	return s
}

// at is where a value lies on the axis.
func (s *scale) at(value float64) float64 {
	if s.log {
		return math.Log(value)
	}
	return value
}

// value is the one at a place on the axis, never out of the range.
func (s *scale) value(at float64) float64 {
	value := at
	if s.log {
		value = math.Exp(at)
	}
	if s.integer {
		value = math.Round(value)
	}
	return max(s.min, min(value, s.max))
}
