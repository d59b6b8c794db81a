package evaluate

import (
	"fmt"
	"math"
)

// Evaluate measures all that the columns allow. An error says what is asked for and
// makes no sense of this table; what only cannot be told of these rows is a
// Metric that says why.
func (p *Predictions) Evaluate() (*Report, error) {
	task, err := p.decide()
	if err != nil {
		return nil, err
	}
	r := &Report{FormatVersion: ReportFormat, Task: task, Rows: p.rows}
	if task == Regression {
		return r, p.regression(r)
	}
	c, err := p.classes(task)
	if err != nil {
		return nil, err
	}
	if task == Binary {
		r.Positive = c.names[c.positive]
	}
	m := newMatrix(c)
	m.report(r, c)
	if err := p.ranked(r, c); err != nil {
		return nil, err
	}
	return r, p.fairness(r, c)
}

// add adds a metric. One that is infinite or no number is missing: no gate can
// read it as evidence.
func (r *Report) add(name string, value float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		r.miss(name, "the figures are too large to compute it")
		return
	}
	r.Metrics = append(r.Metrics, Metric{Name: name, Value: &value})
}

// miss says why there is no metric.
func (r *Report) miss(name, why string) {
	r.Metrics = append(r.Metrics, Metric{Name: name, Missing: why})
}

func (r *Report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}
