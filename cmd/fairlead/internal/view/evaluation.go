package view

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/reconcile/evaluate"
	"github.com/fairlead/fairlead/reconcile/tabular"
)

// Evaluation is what was measured of a file of predictions.
type Evaluation struct {
	File string `json:"file"`
	Out  string `json:"out,omitempty"` // file that the figures were written into
	*evaluate.Report
}

// maxShown is how many classes and groups are shown as text; JSON has all.
const maxShown = 20

// Evaluation prints the metrics, and of classes and groups how each fares.
func (v *View) Evaluation(e *Evaluation) error {
	out := &printer{v: v}
	title := fmt.Sprintf("%s: %s, %s", v.paint(bold, e.File), count(e.Rows, "row"), e.Task)
	if e.Task == evaluate.Multiclass {
		title += fmt.Sprintf(" with %d classes", len(e.Classes))
	}
	if e.Positive != "" {
		title += ", positive is " + tabular.Clip(e.Positive)
	}
	out.line("%s", title)
	out.line("")
	out.metrics(e.Metrics)
	if len(e.Classes) > 0 {
		out.classes(e.Report)
	}
	for i := range e.Fairness {
		out.fairness(&e.Fairness[i])
	}
	if len(e.Notes) > 0 {
		out.line("")
	}
	for _, note := range e.Notes {
		out.line("Note: %s", note)
	}
	if e.Out != "" {
		out.line("")
		out.line("%s are in %s.", count(len(e.Figures()), "figure"), e.Out)
	}
	return out.flush()
}

// precise is a figure with the digits that a person reads.
func precise(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) }

func (p *printer) metrics(metrics []evaluate.Metric) {
	rows := [][]string{{"METRIC", "VALUE"}}
	if slices.ContainsFunc(metrics, func(m evaluate.Metric) bool { return m.Missing != "" }) {
		rows[0] = append(rows[0], "WHY NONE")
	}
	for _, m := range metrics {
		row := []string{m.Name, "-", m.Missing}
		switch {
		case m.Value != nil:
			row[1] = precise(*m.Value)
		case m.Partial != nil:
			row[1] = "(" + precise(*m.Partial) + ")"
		}
		rows = append(rows, row[:len(rows[0])])
	}
	p.table(rows, func(row, column int) string {
		if column > 0 && metrics[row].Missing != "" {
			return yellow
		}
		return ""
	})
}

func plain(int, int) string { return "" }

func (p *printer) classes(r *evaluate.Report) {
	rows := [][]string{{"CLASS", "ROWS", "PREDICTED", "PRECISION", "RECALL", "F1"}}
	for _, c := range r.Classes[:min(len(r.Classes), maxShown)] {
		rows = append(rows, []string{tabular.Clip(c.Name), strconv.FormatInt(c.Support, 10), strconv.FormatInt(c.Predicted, 10), precise(c.Precision), precise(c.Recall), precise(c.F1)})
	}
	p.line("")
	p.table(rows, plain)
	if more := len(r.Classes) - maxShown; more > 0 {
		p.line("  and %d more; --json has them all", more)
		return
	}
	head := []string{"TRUTH \\ PREDICTED"}
	for _, c := range r.Classes {
		head = append(head, tabular.Clip(c.Name))
	}
	rows = [][]string{head}
	for i, counts := range r.Confusion {
		row := []string{head[i+1]}
		for _, n := range counts {
			row = append(row, strconv.FormatInt(n, 10))
		}
		rows = append(rows, row)
	}
	p.line("")
	p.table(rows, func(row, column int) string {
		if row+1 == column {
			return green
		}
		return ""
	})
}

func (p *printer) fairness(f *evaluate.Fairness) {
	p.line("")
	p.line("Fairness by %s, reference is %s", p.v.paint(bold, tabular.Clip(f.Sensitive)), tabular.Clip(f.Reference))
	p.line("")
	rows := [][]string{{"GROUP", "ROWS", "SELECTION RATE", "TPR", "FPR", "ACCURACY", "DISPARITIES"}}
	shown := f.Groups[:min(len(f.Groups), maxShown)]
	for i := range shown {
		rows = append(rows, groupRow(&shown[i]))
	}
	rows = append(rows, groupRow(&f.Overall))
	p.table(rows, func(row, column int) string {
		if row < len(shown) && column > 0 && shown[row].Insufficient != "" {
			return yellow
		}
		return ""
	})
	if more := len(f.Groups) - maxShown; more > 0 {
		p.line("  and %s more; --json has them all", count(more, "group"))
	}
	p.line("")
	p.metrics(f.Metrics)
}

func groupRow(g *evaluate.Group) []string {
	row := []string{tabular.Clip(g.Name), strconv.FormatInt(g.Rows, 10)}
	for _, r := range []evaluate.Rate{g.SelectionRate, g.TPR, g.FPR, g.Accuracy} {
		switch {
		case r.Value == nil:
			row = append(row, "-")
		case r.Insufficient:
			row = append(row, fmt.Sprintf("%s of only %d", precise(*r.Value), r.Of))
		default:
			row = append(row, precise(*r.Value))
		}
	}
	var unfair []string
	for _, d := range g.Disparities {
		if !d.Fair {
			unfair = append(unfair, fmt.Sprintf("%s x %s", d.Rate, precise(d.Value)))
		}
	}
	switch {
	case g.Insufficient != "":
		return append(row, "insufficient: "+g.Insufficient)
	case len(unfair) > 0:
		return append(row, "beyond 0.8 to 1.25: "+strings.Join(unfair, ", "))
	}
	return append(row, "")
}
