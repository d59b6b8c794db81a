package diag

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sources gives the content of a spec file by the name that ranges carry; nil
// where there is none. A nil Sources has no files.
type Sources func(filename string) []byte

// snippet is the piece of source that a diagnostic shows.
type snippet struct {
	startLine int    // number of the first line
	code      string // whole lines, without the last line break
	markFrom  int    // byte offsets of the marked part in code
	markTo    int
}

// maxSnippetLines bounds a snippet: a subject may be a block of any length.
const maxSnippetLines = 6

// maxLineBytes bounds a line of a snippet: a file may be one long line.
const maxLineBytes = 240

// snippetOf cuts the lines of the diagnostic's context out of its file. The
// second result is false where there is nothing to show.
func snippetOf(d Diagnostic, sources Sources) (snippet, bool) {
	if d.Subject == nil || sources == nil {
		return snippet{}, false
	}
	src := sources(d.Subject.Filename)
	from, to := d.Subject.Start.Byte, d.Subject.End.Byte
	if len(src) == 0 || from < 0 || from > len(src) {
		return snippet{}, false
	}
	to = min(max(to, from), len(src))
	outerFrom, outerTo, firstLine := from, to, d.Subject.Start.Line
	if c := d.Context; c != nil && c.Start.Byte >= 0 && c.Start.Byte <= from && c.End.Byte <= len(src) {
		outerFrom, outerTo, firstLine = c.Start.Byte, max(c.End.Byte, to), c.Start.Line
	}
	begin := bytes.LastIndexByte(src[:outerFrom], '\n') + 1
	end := lineEnd(src, outerTo)
	if firstLine < d.Subject.Start.Line-maxSnippetLines/2 {
		// The context is long: stay near the subject.
		begin, firstLine = bytes.LastIndexByte(src[:from], '\n')+1, d.Subject.Start.Line
	}
	s := snippet{startLine: firstLine, code: string(src[begin:end]), markFrom: from - begin, markTo: to - begin}
	s.bound()
	return s, true
}

// lineEnd is the offset just behind the line that holds the byte before at.
func lineEnd(src []byte, at int) int {
	if at > 0 && at <= len(src) && src[at-1] == '\n' {
		return at - 1
	}
	if n := bytes.IndexByte(src[at:], '\n'); n >= 0 {
		return at + n
	}
	return len(src)
}

// bound cuts the snippet to a size that a person can read.
func (s *snippet) bound() {
	cut, lines := 0, 0
	for lines < maxSnippetLines {
		n := strings.IndexByte(s.code[cut:], '\n')
		if n < 0 {
			cut = len(s.code) + 1
			break
		}
		cut += n + 1
		lines++
	}
	if cut-1 < len(s.code) && cut > 0 {
		s.code = s.code[:cut-1]
	}
	if !strings.Contains(s.code, "\n") && len(s.code) > maxLineBytes {
		from := max(0, min(s.markFrom, len(s.code))-maxLineBytes/3)
		for from > 0 && !utf8.RuneStart(s.code[from]) {
			from--
		}
		to := min(from+maxLineBytes, len(s.code))
		for to < len(s.code) && !utf8.RuneStart(s.code[to]) {
			to++
		}
		s.code = s.code[from:to]
		s.markFrom -= from
		s.markTo -= from
	}
	s.code = strings.TrimRight(s.code, "\r")
	s.markFrom = min(max(s.markFrom, 0), len(s.code))
	s.markTo = min(max(s.markTo, s.markFrom), len(s.code))
}

// printable replaces what a terminal would act on. Specs come from whoever can
// open a pull request; their bytes must not move the reader's cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || (!unicode.IsControl(r) && !bidirectional(r)) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// bidirectional tells whether r reorders the text around it, which can make
// source read differently from what it says.
func bidirectional(r rune) bool {
	return r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}
