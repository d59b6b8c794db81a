package expect

import "github.com/fairlead/fairlead/spec"

// ReportFormat is the FormatVersion of Report.
const ReportFormat = 1

// Report is what became of the expectations of a dataset.
type Report struct {
	FormatVersion int         `json:"format_version"`
	Passed        bool        `json:"passed"`
	Rows          int64       `json:"rows"`
	Columns       []string    `json:"columns"`
	Assertions    []Assertion `json:"assertions"` // in the order of the expectations
}

// Failed are the assertions that do not hold.
func (r *Report) Failed() []Assertion {
	var failed []Assertion
	for _, a := range r.Assertions {
		if !a.Success {
			failed = append(failed, a)
		}
	}
	return failed
}

// Assertion is one condition. The names of its first three fields are those of the
// DataQualityAssertionsDatasetFacet of OpenLineage.
type Assertion struct {
	Assertion Kind   `json:"assertion"`
	Success   bool   `json:"success"`
	Column    string `json:"column,omitempty"`
	// Detail is the condition with its figures, the column and the first line that
	// breaks it, for people.
	Detail string `json:"detail"`
	// Checked is how many values were asked, Broken how many of them break the
	// condition.
	Checked   int64    `json:"checked"`
	Broken    int64    `json:"broken"`
	FirstLine int      `json:"first_line,omitempty"`  // of the file, that breaks it
	FirstText string   `json:"first_value,omitempty"` // its value, cut
	Pos       spec.Pos `json:"pos,omitzero"`
}

// Kind is what an assertion asserts.
type Kind string

// The kinds of assertion.
const (
	RowCount Kind = "row_count"
	Exists   Kind = "exists"
	Missing  Kind = "missing"
	Type     Kind = "type"
	Min      Kind = "min"
	Max      Kind = "max"
	Values   Kind = "values"
	Pattern  Kind = "pattern"
	Unique   Kind = "unique"
)
