package edit

import (
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/hashicorp/hcl/v2"
)

// block is one block of a file, or the file itself.
type block struct {
	file      string
	label     string
	src       []byte // of the whole file
	rng       hcl.Range
	arguments map[string]argument
	// syntax is what the file is written in.
	syntax syntax
}

// syntax is a block as its notation has it.
type syntax interface {
	// blocks are those directly in it, of a type and with a label; "" for one
	// without.
	blocks(of *block, kind, label string) []*block
	// labelled are those directly in it, of a type that takes a label.
	labelled(of *block, kind string) []*block
	// quote writes a text as a value.
	quote(text string) string
	// insert adds an argument.
	insert(into *block, name, value string) []byte
	// tidy gives content the layout that src has, if that is a known one.
	tidy(src, content []byte) []byte
}

// argument is one argument of a block.
type argument struct {
	name   string
	rng    hcl.Range // all of it
	value  hcl.Range
	plain  bool   // its value is a text without anything computed in it, or null
	text   string // that text
	source string // the value as it is written, on one line
}

func (b *block) blocks(kind, label string) []*block { return b.syntax.blocks(b, kind, label) }

func (b *block) labelled(kind string) []*block { return b.syntax.labelled(b, kind) }

func (b *block) has(name string) bool {
	_, there := b.arguments[name]
	return there
}

// replace puts a text in the place of a value.
func (b *block) replace(a argument, text string) []byte {
	return b.syntax.tidy(b.src, b.splice(a.value.Start.Byte, a.value.End.Byte, b.syntax.quote(text)))
}

func (b *block) insert(name, text string) []byte {
	return b.syntax.tidy(b.src, b.syntax.insert(b, name, b.syntax.quote(text)))
}

// splice replaces a part of the file.
func (b *block) splice(from, to int, text string) []byte {
	out := make([]byte, 0, len(b.src)+len(text))
	out = append(out, b.src[:from]...)
	out = append(out, text...)
	return append(out, b.src[to:]...)
}

func (b *block) pos() spec.Pos             { return posOf(b.rng) }
func (b *block) at(a argument) spec.Pos    { return posOf(a.rng) }
func (b *block) text(rng hcl.Range) string { return string(b.src[rng.Start.Byte:rng.End.Byte]) }

func posOf(rng hcl.Range) spec.Pos {
	return spec.Pos{File: rng.Filename, Line: rng.Start.Line, Column: rng.Start.Column}
}

// oneLine is a source text for a message.
func oneLine(s string) string {
	const limit = 120
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > limit {
		s = string(runes[:limit]) + "…"
	}
	return s
}

// neighbours are the arguments behind which another one is looked for, the best
// first.
func neighbours(name string) []string {
	switch name {
	case "version":
		return []string{"owners", "description", "enabled"}
	case "image":
		return []string{"version", "owners", "description", "enabled"}
	case "artifact":
		return []string{"image", "version"}
	case "artifact_path":
		return []string{"artifact", "image", "version"}
	default:
		return nil
	}
}

// neighbour is the argument behind which a new one belongs; false: there is none.
func (b *block) neighbour(name string) (argument, bool) {
	for _, n := range neighbours(name) {
		if a, there := b.arguments[n]; there {
			return a, true
		}
	}
	return argument{}, false
}

// newline is how the lines of a file end.
func newline(src []byte) string {
	if i := strings.IndexByte(string(src), '\n'); i > 0 && src[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// indentation is the space before a position, if nothing else is before it on its
// line.
func indentation(src []byte, at int) (string, bool) {
	begin := at
	for begin > 0 && (src[begin-1] == ' ' || src[begin-1] == '\t') {
		begin--
	}
	return string(src[begin:at]), begin == 0 || src[begin-1] == '\n'
}
