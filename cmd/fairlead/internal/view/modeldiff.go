package view

import (
	"fmt"

	"github.com/fairlead/fairlead/reconcile/registry"
	"github.com/fairlead/fairlead/spec/expr"
)

// VersionDiff is the JSON form of `model diff`.
type VersionDiff struct {
	FormatVersion string `json:"format_version"`
	*registry.Difference
}

// VersionDiff prints the metrics of two versions side by side, and what else is not
// the same.
func (v *View) VersionDiff(d *VersionDiff) error {
	out := &printer{v: v}
	out.line("%s → %s", v.paint(bold, d.From), v.paint(bold, d.To))
	if len(d.Metrics) > 0 {
		rows := [][]string{{"METRIC", d.From, d.To, "CHANGE"}}
		for _, m := range d.Metrics {
			rows = append(rows, []string{m.Name, figureOf(m.From), figureOf(m.To), deltaText(&m)})
		}
		out.table(rows, func(row, column int) string {
			if delta := d.Metrics[row].Delta; column == 3 && delta != nil && *delta != 0 {
				return bold // whether more is better, only the team knows
			}
			return ""
		})
	}
	out.line("")
	for _, part := range []struct {
		key     string
		changes []registry.Change
	}{
		{"params", d.Params},
		{"values", d.Values},
		{"data", d.Data},
		{"images", d.Images},
		{"gates", d.Gates},
		{"other", d.Other},
	} {
		for i := range part.changes {
			c := &part.changes[i]
			out.fact(firstOf(i, part.key), fmt.Sprintf("%s: %s → %s", c.Name, changed(c.From), changed(c.To)))
		}
	}
	if d.Definition {
		out.fact("pipeline", "its definition is another one")
	}
	if d.SameContent {
		out.fact("content", v.paint(green, "the files are the same, byte for byte"))
	}
	return out.flush()
}

func figureOf(x *float64) string {
	if x == nil {
		return "-"
	}
	return figure(*x)
}

func deltaText(m *registry.MetricChange) string {
	switch {
	case m.Delta == nil && m.From == nil:
		return "new"
	case m.Delta == nil:
		return "gone"
	case *m.Delta == 0:
		return "="
	}
	return fmt.Sprintf("%+.6g", *m.Delta)
}

// changed is one side of a change.
func changed(value any) string {
	switch value := value.(type) {
	case nil:
		return "-"
	case string:
		return shortDigest(value)
	}
	return expr.Format(value)
}

// Reproduced is the JSON form of `reproduce`.
type Reproduced struct {
	FormatVersion string `json:"format_version"`
	*registry.Agreement
}

// Agreement prints whether a version that was made again is what was published.
func (v *View) Agreement(a *Reproduced) error {
	out := &printer{v: v}
	out.line("")
	out.line("%s made again by %s", v.paint(bold, a.Version), a.Run)
	out.fact("recorded", a.Recorded)
	out.fact("again", a.Again)
	if len(a.Metrics) > 0 {
		rows := [][]string{{"METRIC", "RECORDED", "AGAIN", "OFF BY", ""}}
		for i := range a.Metrics {
			m := &a.Metrics[i]
			off, mark := "-", "✗"
			if m.Again != nil {
				off = fmt.Sprintf("%.3g", max(m.Recorded-*m.Again, *m.Again-m.Recorded))
			}
			if m.Within {
				mark = "✓"
			}
			rows = append(rows, []string{m.Name, figure(m.Recorded), figureOf(m.Again), off, mark})
		}
		out.table(rows, func(row, column int) string {
			switch {
			case column != 4:
				return ""
			case a.Metrics[row].Within:
				return green
			}
			return red
		})
	}
	if a.Agrees {
		out.line("%s It agrees: %s.", v.paint(green, "✓"), a.Reason)
	} else {
		out.line("%s It does not agree: %s.", v.paint(red, "✗"), a.Reason)
	}
	return out.flush()
}
