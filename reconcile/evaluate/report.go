package evaluate

import "maps"

// ReportFormat is the FormatVersion of Report.
const ReportFormat = 1

// Task is what a model predicts.
type Task string

// The tasks. Auto tells them apart by the values.
const (
	Auto       Task = "auto"
	Binary     Task = "binary"     // one of two classes
	Multiclass Task = "multiclass" // one of several classes
	Regression Task = "regression" // a number
)

// Report is what was measured.
type Report struct {
	FormatVersion int        `json:"format_version"`
	Task          Task       `json:"task"`
	Rows          int        `json:"rows"`
	Positive      string     `json:"positive,omitempty"` // class
	Metrics       []Metric   `json:"metrics"`
	Classes       []Class    `json:"classes,omitempty"`
	Confusion     [][]int64  `json:"confusion,omitempty"` // rows: the true class, columns: the predicted one, both as in Classes
	Fairness      []Fairness `json:"fairness,omitempty"`
	Notes         []string   `json:"notes,omitempty"`
}

// Metric is one figure, or why there is none.
type Metric struct {
	Name    string   `json:"name"`
	Value   *float64 `json:"value,omitempty"`
	Missing string   `json:"missing,omitempty"` // why there is no Value
	// Partial compares the groups that are large enough, where others are not. It
	// is no evidence.
	Partial *float64 `json:"partial,omitempty"`
}

// Class is how one class was predicted.
type Class struct {
	Name      string  `json:"name"`
	Support   int64   `json:"support"`   // rows of which it is the truth
	Predicted int64   `json:"predicted"` // rows of which it is the prediction
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// Fairness is how groups compare. There is one of each sensitive column, and one of
// each intersection of columns.
type Fairness struct {
	Sensitive string   `json:"sensitive"` // the columns, with commas between
	MinGroup  int      `json:"min_group"`
	Reference string   `json:"reference"` // group that disparities are to
	Overall   Group    `json:"overall"`   // everybody
	Groups    []Group  `json:"groups"`    // sorted by name
	Metrics   []Metric `json:"metrics"`
}

// Group is the people with one value of a sensitive column, or with one of each.
type Group struct {
	Name          string      `json:"name"`
	Rows          int64       `json:"rows"`
	Insufficient  string      `json:"insufficient,omitempty"` // why nothing can be said of it
	SelectionRate Rate        `json:"selection_rate"`
	TPR           Rate        `json:"tpr"`
	FPR           Rate        `json:"fpr"`
	Accuracy      Rate        `json:"accuracy"`
	Disparities   []Disparity `json:"disparities,omitempty"`

	tp, fp, fn, tn int64
}

// Rate is a share of rows.
type Rate struct {
	Value        *float64 `json:"value,omitempty"` // nil: there are no rows
	Of           int64    `json:"of"`              // rows
	Insufficient bool     `json:"insufficient,omitempty"`
}

// Disparity compares a rate of a group with that of the reference group.
type Disparity struct {
	Rate  string  `json:"rate"` // as Aequitas names it: pprev, tpr, fpr, fnr, fdr, for
	Value float64 `json:"value"`
	Fair  bool    `json:"fair"` // from 0.8 to 1/0.8
}

// Figures are the metrics for a gate. What is missing or insufficient is not there,
// so that a condition on it has no evidence and denies. Metrics of fairness have
// their plain names if there is one set of groups, else SENSITIVE.NAME.
func (r *Report) Figures() map[string]float64 {
	figures := map[string]float64{}
	maps.Insert(figures, measured("", r.Metrics))
	for _, f := range r.Fairness {
		prefix := ""
		if len(r.Fairness) > 1 {
			prefix = f.Sensitive + "."
		}
		maps.Insert(figures, measured(prefix, f.Metrics))
	}
	return figures
}

func measured(prefix string, metrics []Metric) func(func(string, float64) bool) {
	return func(yield func(string, float64) bool) {
		for _, m := range metrics {
			if m.Value != nil && !yield(prefix+m.Name, *m.Value) {
				return
			}
		}
	}
}
