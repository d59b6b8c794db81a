package view

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/fairlead/fairlead/spec/diag"
)

// View is where output goes, and how.
type View struct {
	Out, Err io.Writer
	Color    bool
}

// JSON prints a value for programs.
func (v *View) JSON(value any) error {
	e := json.NewEncoder(v.Out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(value)
}

// Line prints a line of text.
func (v *View) Line(text string) error {
	_, err := fmt.Fprintln(v.Out, text)
	return err
}

// Error prints what went wrong, for the person who has to do something about it.
// There is nothing to be done if that fails too.
func (v *View) Error(err error) {
	_, _ = fmt.Fprintf(v.Err, "%s %s\n", v.paint(bold+";"+red, "Error:"), strings.TrimSpace(err.Error()))
}

// Diagnostics prints findings with the lines that they are about.
func (v *View) Diagnostics(ds diag.Diagnostics, sources diag.Sources) {
	if sources == nil {
		sources = func(string) []byte { return nil }
	}
	_ = diag.WriteText(v.Err, ds.Sorted(), sources, diag.TextOptions{Color: v.Color})
}

// The escape codes of terminals.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (v *View) paint(code, text string) string {
	if !v.Color || text == "" || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printer collects text and writes it at once.
type printer struct {
	strings.Builder
	v *View
}

func (p *printer) line(format string, args ...any) {
	fmt.Fprintf(p, format+"\n", args...)
}

func (p *printer) flush() error {
	_, err := io.WriteString(p.v.Out, p.String())
	return err
}
