package search

import (
	"fmt"
	"math"

	"github.com/fairlead/fairlead/spec"
)

// Check refuses a search whose ranges Suggest cannot draw from.
func Check(s spec.Search) error {
	for _, d := range s.Space {
		if len(d.Values) > 0 {
			continue
		}
		whole := math.Floor(d.Max) >= math.Ceil(d.Min)
		if !(d.Min <= d.Max) || math.IsInf(d.Min, 0) || math.IsInf(d.Max, 0) || d.Log && d.Min <= 0 || d.Integer && !whole {
			return fmt.Errorf("the range of %s, %g to %g, is none to choose from", d.Name, d.Min, d.Max)
		}
	}
	return nil
}
