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
	from := d.Subject.Start.Byte
	if len(src) == 0 || from < 0 || from > len(src) {
		return snippet{}, false
	}
	to := min(max(d.Subject.End.Byte, from), len(src))
	s := snippet{startLine: d.Subject.Start.Line}
	first, last := from, to
	if c := d.Context; c != nil && c.Start.Byte >= 0 && c.Start.Byte <= from && d.Subject.Start.Line-c.Start.Line < maxSnippetLines/2 {
		first, s.startLine = c.Start.Byte, c.Start.Line
		last = min(max(c.End.Byte, to), len(src))
	}
	if last > first && src[last-1] == '\n' {
		last-- // the line break itself belongs to the line before
	}
	begin := bytes.LastIndexByte(src[:first], '\n') + 1
	end := max(begin, last)
	if n := bytes.IndexByte(src[end:], '\n'); n >= 0 {
		end += n
	} else {
		end = len(src)
	}
	s.code, s.markFrom, s.markTo = string(src[begin:end]), from-begin, to-begin
	s.bound()
	return s, true
}

// bound cuts the snippet to a size that a person can read.
func (s *snippet) bound() {
	if lines := strings.SplitAfterN(s.code, "\n", maxSnippetLines+1); len(lines) > maxSnippetLines {
		s.code = strings.TrimSuffix(strings.Join(lines[:maxSnippetLines], ""), "\n")
	}
	if !strings.Contains(s.code, "\n") && len(s.code) > maxLineBytes {
		from := max(0, min(s.markFrom, len(s.code)-maxLineBytes/2)-maxLineBytes/3)
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
