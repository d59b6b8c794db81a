package diag

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// TextOptions says how WriteText looks.
type TextOptions struct {
	Color bool // escape codes, for a terminal only
	Width int  // wrap details at that many columns; 0: 100
	// CompactWarnings prints warnings without snippet and detail, those with the
	// same summary as one line with a count.
	CompactWarnings bool
}

const (
	styleBold   = "\x1b[1m"
	styleRed    = "\x1b[31m"
	styleYellow = "\x1b[33m"
	styleReset  = "\x1b[0m"
)

// WriteText prints the diagnostics for a person, in the order of their places.
// A rule on the left binds the lines of one message, because people paste half
// of it. The marked part of a snippet carries ^^^^ below it in plain mode too.
func WriteText(w io.Writer, ds Diagnostics, sources Sources, o TextOptions) error {
	if o.Width <= 0 {
		o.Width = 100
	}
	ds = ds.Sorted()
	alike := map[string]int{} // warnings by summary
	for _, d := range ds {
		if d.Severity == Warning {
			alike[d.Summary]++
		}
	}
	var out strings.Builder
	for _, d := range ds {
		if o.CompactWarnings && d.Severity == Warning {
			if n := alike[d.Summary]; n > 0 {
				writeCompact(&out, d, n, o)
			}
			alike[d.Summary] = 0 // said for all of them
			continue
		}
		t := text{out: &out, o: o, style: styleRed}
		if d.Severity == Warning {
			t.style = styleYellow
		}
		t.write(d, sources)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// writeCompact writes one line for n warnings with the same summary; d is the
// first of them.
func writeCompact(out *strings.Builder, d Diagnostic, n int, o TextOptions) {
	place, more := "", ""
	if d.Subject != nil {
		place = d.Subject.String() + ": "
	}
	if n > 1 {
		more = fmt.Sprintf(" (and %d more)", n-1)
	}
	fmt.Fprintf(out, "%s %s%s%s\n", paint("Warning:", styleYellow, o), printable(place), printable(d.Summary), more)
}

func paint(s, style string, o TextOptions) string {
	if !o.Color {
		return s
	}
	return style + s + styleReset
}

// text writes one message.
type text struct {
	out   *strings.Builder
	o     TextOptions
	style string // colour of the severity
}

func (t text) write(d Diagnostic, sources Sources) {
	t.out.WriteString(paint("╷", t.style, t.o) + "\n")
	t.line(paint(title(d.Severity)+": ", styleBold+t.style, t.o) + paint(printable(d.Summary), styleBold, t.o))
	if d.Subject != nil {
		t.line("")
		place := "  on " + printable(d.Subject.String())
		if d.Block != "" {
			place += ", in " + printable(d.Block)
		}
		t.line(place + ":")
		if s, ok := snippetOf(d, sources); ok {
			t.snippet(s)
		}
	}
	if len(d.Values) > 0 {
		t.line("")
		for _, v := range d.Values {
			t.line("  " + printable(v.Traversal) + " " + printable(v.Statement))
		}
	}
	if d.Detail != "" {
		t.line("")
		for _, l := range wrap(printable(d.Detail), t.o.Width-2) {
			t.line(l)
		}
	}
	t.out.WriteString(paint("╵", t.style, t.o) + "\n")
}

func title(s Severity) string {
	if s == Warning {
		return "Warning"
	}
	return "Error"
}

// line writes one line behind the rule.
func (t text) line(s string) {
	t.out.WriteString(strings.TrimRight(paint("│", t.style, t.o)+" "+s, " ") + "\n")
}

// snippet writes the source lines with their numbers, and carets below the
// marked part of each.
func (t text) snippet(s snippet) {
	offset := 0
	for i, code := range strings.Split(s.code, "\n") {
		from := min(max(s.markFrom-offset, 0), len(code))
		to := min(max(s.markTo-offset, 0), len(code))
		marked := s.markFrom <= offset+len(code) && (s.markTo > offset || s.markFrom >= offset)
		offset += len(code) + 1
		code = strings.TrimRight(code, "\r")
		from, to = min(from, len(code)), min(to, len(code))
		t.line(fmt.Sprintf("  %5d │ %s", s.startLine+i, printable(code)))
		if !marked {
			continue
		}
		if i > 0 && from == 0 {
			from = min(len(code)-len(strings.TrimLeft(code, " \t")), to)
		}
		carets := strings.Repeat("^", max(1, utf8.RuneCountInString(strings.TrimRight(code[from:to], " \t"))))
		t.line("        │ " + blank(code[:from]) + paint(carets, t.style, t.o))
	}
}

// blank is s as spaces, with its tabs kept so that what follows stays aligned.
func blank(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, s)
}

// wrap breaks text into lines of at most width characters. Lines that begin
// with a space are commands or examples and stay whole.
func wrap(s string, width int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(s, "\n") {
		if strings.HasPrefix(paragraph, " ") {
			lines = append(lines, paragraph)
			continue
		}
		current := ""
		for word := range strings.FieldsSeq(paragraph) {
			switch {
			case current == "":
				current = word
			case utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) > width:
				lines = append(lines, current)
				current = word
			default:
				current += " " + word
			}
		}
		lines = append(lines, current)
	}
	return lines
}
