package registry

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// Agreement says whether a version that was made again is what was published.
type Agreement struct {
	Version string `json:"version"` // MODEL@VERSION
	Run     string `json:"run"`     // that made it again
	// Exact: the files are the same, byte for byte.
	Exact bool `json:"exact"`
	// Agrees: they are the same, or every metric is within the tolerance.
	Agrees    bool              `json:"agrees"`
	Recorded  string            `json:"recorded"` // content digest
	Again     string            `json:"again"`
	Tolerance float64           `json:"tolerance"` // of a metric, absolute
	Metrics   []MetricAgreement `json:"metrics,omitempty"`
	Reason    string            `json:"reason"` // in one sentence
}

// MetricAgreement is one metric of the published version, and of that made again.
type MetricAgreement struct {
	Name     string   `json:"name"`
	Recorded float64  `json:"recorded"`
	Again    *float64 `json:"again"` // nil: it was not measured
	Within   bool     `json:"within"`
}

// Agree compares a published version with one that a run made again. Where training
// is not exact to the bit, the metrics that were recorded have to be within the
// version's tolerance; without any there is nothing to go by, and it does not agree.
func Agree(published, again *spec.Version) *Agreement {
	a := &Agreement{
		Version: published.ID(), Run: again.Run, Recorded: published.Content, Again: again.Content, Tolerance: published.Tolerance,
		Exact: published.Content == again.Content && published.Content != "",
	}
	var apart []string
	for _, name := range slices.Sorted(maps.Keys(published.Metrics)) {
		m := MetricAgreement{Name: name, Recorded: published.Metrics[name]}
		if value, measured := again.Metrics[name]; measured {
			m.Again = &value
			m.Within = within(m.Recorded, value, a.Tolerance)
		}
		if !m.Within {
			apart = append(apart, name)
		}
		a.Metrics = append(a.Metrics, m)
	}
	switch {
	case a.Exact:
		a.Agrees, a.Reason = true, "the files are the same, byte for byte"
	case len(a.Metrics) == 0:
		a.Reason = "the files differ, and the version has no metrics to compare"
	case len(apart) > 0:
		a.Reason = fmt.Sprintf("the files differ, and more than the tolerance of %g lies between the values of %s", a.Tolerance, strings.Join(apart, ", "))
	default:
		a.Agrees, a.Reason = true, fmt.Sprintf("the files differ, and every metric is within the tolerance of %g", a.Tolerance)
	}
	return a
}

// within compares two figures. What a decimal fraction cannot be in binary is no
// difference: 0.984 is within 0.001 of 0.983.
func within(a, b, tolerance float64) bool {
	slack := 4 * 0x1p-52 * math.Max(math.Abs(a), math.Abs(b)) // four units in the last place
	return math.Abs(a-b) <= tolerance+slack
}
