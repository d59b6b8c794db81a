package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity tells whether a diagnostic stops the load.
type Severity int

// The severities. The zero value is none of them, so a forgotten one shows.
const (
	Error Severity = iota + 1
	Warning
)

// String is the word used in text and JSON.
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	default:
		return fmt.Sprintf("severity(%d)", int(s))
	}
}

// Pos is a position in a file. Line and Column count from 1, Column in
// characters as people see them; Byte counts from 0.
type Pos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// Range is a piece of a file: Start is inside of it, End just behind it.
type Range struct {
	Filename string `json:"filename"`
	Start    Pos    `json:"start"`
	End      Pos    `json:"end"`
}

// String is file:line:column, which editors and terminals make clickable.
func (r Range) String() string {
	return fmt.Sprintf("%s:%d:%d", r.Filename, r.Start.Line, r.Start.Column)
}

// Diagnostic is one mistake, or one warning.
type Diagnostic struct {
	Severity Severity
	Summary  string      // terse; no user data; the same words each time
	Detail   string      // what, why, what to do; indented lines are never wrapped
	Address  string      // of the object that it is about, "" if none: model.digits
	Block    string      // the block around Subject as a person names it: model "digits"
	Subject  *Range      // what is wrong; nil if there is no place
	Context  *Range      // what to show around it; nil: the lines of Subject
	Values   []ValueNote // what the expressions in Subject stood for
}

// ValueNote tells what a reference stood for when an expression failed. It is
// the finder's duty to put nothing secret into Statement.
type ValueNote struct {
	Traversal string `json:"traversal"` // local.weight
	Statement string `json:"statement"` // is a string
}

// Diagnostics is a list of findings, in the order in which they were found.
type Diagnostics []Diagnostic

// HasErrors tells whether at least one is an error.
func (ds Diagnostics) HasErrors() bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Severity == Error })
}

// Count returns the number of errors and of warnings.
func (ds Diagnostics) Count() (errors, warnings int) {
	for _, d := range ds {
		if d.Severity == Error {
			errors++
		} else {
			warnings++
		}
	}
	return errors, warnings
}

// Err is nil without errors; else an error that holds all of them. errors.As
// with a *ListError gets them back.
func (ds Diagnostics) Err() error {
	if !ds.HasErrors() {
		return nil
	}
	return &ListError{Diagnostics: ds}
}

// Sorted returns a copy ordered by file and position, those without a place
// first, without repetitions. Printing sorts; finding does not.
func (ds Diagnostics) Sorted() Diagnostics {
	sorted := slices.Clone(ds)
	slices.SortStableFunc(sorted, func(a, b Diagnostic) int {
		x, y := a.start(), b.start()
		return cmp.Or(
			cmp.Compare(x.Filename, y.Filename),
			cmp.Compare(x.Start.Byte, y.Start.Byte),
			cmp.Compare(a.Severity, b.Severity),
		)
	})
	return slices.CompactFunc(sorted, func(a, b Diagnostic) bool {
		return a.start() == b.start() && a.Severity == b.Severity && a.Summary == b.Summary && a.Detail == b.Detail
	})
}

func (d Diagnostic) start() Range {
	if d.Subject == nil {
		return Range{}
	}
	return *d.Subject
}

// ListError is Diagnostics as an error value.
type ListError struct{ Diagnostics Diagnostics }

// Error lists every error on a line of its own: place, summary, detail.
func (e *ListError) Error() string {
	var lines []string
	for _, d := range e.Diagnostics.Sorted() {
		if d.Severity != Error {
			continue
		}
		line := d.Summary
		if d.Subject != nil {
			line = d.Subject.String() + ": " + line
		}
		if d.Detail != "" {
			line += ": " + strings.Join(strings.Fields(d.Detail), " ")
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
