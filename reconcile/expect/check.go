package expect

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/fairlead/fairlead/reconcile/tabular"
	"github.com/fairlead/fairlead/spec"
)

// Check reads a table to its end and says what became of each expectation. An error
// means that nothing can be said: the file does not read, or an expectation makes
// no sense.
func Check(r *tabular.Reader, expectations []spec.Expectation) (*Report, error) {
	columns := make([]*column, len(expectations))
	for i := range expectations {
		e := &expectations[i]
		switch e.Kind {
		case spec.ExpectRows:
		case spec.ExpectColumn:
			c, err := newColumn(e)
			if err != nil {
				return nil, fmt.Errorf("what is expected of column %s: %w", tabular.Clip(e.Column), err)
			}
			columns[i] = c
		default:
			return nil, fmt.Errorf("the expectation %q is not known", e.Kind)
		}
	}
	rows, err := readAll(r, columns)
	if err != nil {
		return nil, err
	}
	report := &Report{FormatVersion: ReportFormat, Passed: true, Rows: rows, Columns: slices.Clone(r.Columns())}
	for i := range expectations {
		if columns[i] == nil {
			report.Assertions = append(report.Assertions, rowCount(&expectations[i], rows))
			continue
		}
		report.Assertions = append(report.Assertions, columns[i].assertions(rows, r.Columns())...)
	}
	report.Passed = len(report.Failed()) == 0
	return report, nil
}

// readAll shows every row to every column.
func readAll(r *tabular.Reader, columns []*column) (rows int64, err error) {
	known := -1 // columns that have been looked for
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			bind(columns, r.Columns())
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows++
		if len(row.Values) != known { // a key of jsonl may be new
			known = len(row.Values)
			bind(columns, r.Columns())
		}
		for _, c := range columns {
			switch {
			case c == nil:
			case c.at < 0:
				c.absent(row.Line)
			default:
				if err := c.see(row.Line, row.Values[c.at]); err != nil {
					return rows, err
				}
			}
		}
	}
}

func bind(columns []*column, names []string) {
	for _, c := range columns {
		if c != nil {
			c.at = slices.Index(names, c.Column)
		}
	}
}

func rowCount(e *spec.Expectation, rows int64) Assertion {
	a := Assertion{Assertion: RowCount, Pos: e.Pos, Checked: rows, Success: true}
	n := float64(rows)
	a.Success = (e.Min == nil || n >= *e.Min) && (e.Max == nil || n <= *e.Max)
	a.Detail = fmt.Sprintf("%d rows, %s", rows, bounds(e.Min, e.Max))
	return a
}

func bounds(low, high *float64) string {
	switch {
	case low != nil && high != nil:
		return fmt.Sprintf("expected %s to %s", figure(*low), figure(*high))
	case low != nil:
		return "expected at least " + figure(*low)
	case high != nil:
		return "expected at most " + figure(*high)
	}
	return "any number is fine"
}

func figure(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// share is a part of a whole for people, never rounded to nothing or to all.
func share(part, whole int64) string {
	if whole == 0 {
		return "0 %"
	}
	return strconv.FormatFloat(100*float64(part)/float64(whole), 'g', 4, 64) + " %"
}
