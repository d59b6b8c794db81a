package lang

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/fairlead/fairlead/spec"
	"github.com/hashicorp/hcl/v2"
	"go.yaml.in/yaml/v3"
)

// maxFrontMatter is the most bytes of YAML at the head of a card, and maxCardDepth
// how deep its collections stand in each other.
const (
	maxFrontMatter = 64 << 10
	maxCardDepth   = 16
)

// cardPath is the path of the file that an argument named card names, which must
// be there.
func (s section) cardPath() string {
	v, ok := s.typed("card")
	if !ok || v.IsNull() {
		return ""
	}
	clean, problem := repoPath(v.AsString())
	if problem != "" {
		s.errorf(s.at("card"), "Invalid path", "%s", problem)
		return ""
	}
	if _, why := s.ev.content(clean, int64(s.ev.limits.TextBytes)); why != "" {
		s.errorf(s.at("card"), "No such file", "%s", why)
		return ""
	}
	return clean
}

// card reads a model card: Markdown that may start with YAML between two lines of
// three dashes.
func (s section) card() *spec.Card {
	name := s.cardPath()
	if name == "" {
		return nil
	}
	c, _ := s.ev.content(name, int64(s.ev.limits.TextBytes))
	if !utf8.Valid(c.data) || bytes.IndexByte(c.data, 0) >= 0 {
		s.errorf(s.at("card"), "Invalid model card", "The file is no text in UTF-8.")
		return nil
	}
	sum := sha256.Sum256(c.data)
	card := &spec.Card{Path: name, Text: c.data, Hash: "sha256:" + hex.EncodeToString(sum[:])}
	matter, declared, closed := frontMatter(c.data)
	switch {
	case declared && !closed:
		s.cardError(name, 1, "The front matter has no end. After its last line write a line of three dashes.")
	case len(matter) > maxFrontMatter:
		s.cardError(name, 1, fmt.Sprintf("The front matter has %d bytes, and %d is the most. Keep long text below it.", len(matter), maxFrontMatter))
	case declared:
		card.Facts = s.cardFacts(name, matter)
	}
	return card
}

// frontMatter is what stands between a first line of three dashes and the next.
func frontMatter(text []byte) (matter []byte, declared, closed bool) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	if string(bytes.TrimRight(first, " \t\r")) != "---" {
		return nil, false, false
	}
	for at := 0; at < len(rest); {
		line, _, more := bytes.Cut(rest[at:], []byte("\n"))
		if word := string(bytes.TrimRight(line, " \t\r")); word == "---" || word == "..." {
			return rest[:at], true, true
		}
		if !more {
			break
		}
		at += len(line) + 1
	}
	return nil, true, false
}

// cardError reports a mistake at a line of the card.
func (s section) cardError(name string, line int, detail string) {
	at := hcl.Pos{Line: line, Column: 1}
	s.errorf(hcl.Range{Filename: s.ev.module.base + name, Start: at, End: at}, "Invalid model card", "%s", detail)
	s.ev.fail()
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func (s section) cardFacts(name string, matter []byte) map[string]any {
	var doc yaml.Node
	if err := yaml.Unmarshal(matter, &doc); err != nil {
		line := 1
		m := yamlLine.FindStringSubmatch(err.Error())
		if m != nil && m[1] != "" {
			line, _ = strconv.Atoi(m[1])
		}
		s.cardError(name, line+1, "The front matter is no YAML: "+sentence(yamlLine.ReplaceAllString(err.Error(), "")))
		return nil
	}
	if doc.Kind == 0 || len(doc.Content) == 0 {
		return map[string]any{}
	}
	r := cardReader{s: s, name: name}
	facts, isMap := r.value(doc.Content[0], 0).(map[string]any)
	if !isMap && !r.failed {
		s.cardError(name, 2, "The front matter must be a map: lines of the form NAME: VALUE.")
	}
	return facts
}

// cardReader makes facts of YAML.
type cardReader struct {
	s      section
	name   string
	failed bool
}

func (r *cardReader) fail(n *yaml.Node, detail string) any {
	if !r.failed {
		r.failed = true
		r.s.cardError(r.name, n.Line+1, detail)
	}
	return nil
}

func (r *cardReader) value(n *yaml.Node, depth int) any {
	switch {
	case r.failed:
		return nil
	case depth > maxCardDepth:
		return r.fail(n, fmt.Sprintf("Collections stand in each other more than %d levels deep. Simplify.", maxCardDepth))
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return r.scalar(n)
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			list = append(list, r.value(item, depth+1))
		}
		return list
	case yaml.MappingNode:
		return r.mapping(n, depth)
	default:
		return r.fail(n, "Anchors and aliases (& and *) are not read: a few of them can stand for gigabytes. Write the value out.")
	}
}

func (r *cardReader) mapping(n *yaml.Node, depth int) any {
	all := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		_, twice := all[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
			return r.fail(key, "The name of a fact is text.")
		case twice:
			return r.fail(key, "A fact of this name is set already. Remove one of the two.")
		}
		all[key.Value] = r.value(value, depth+1)
	}
	return all
}

// scalar is text, a number, a bool or nil. A date is text: nothing else could be
// written as JSON and be the same.
func (r *cardReader) scalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			return b
		}
	case "!!int", "!!float":
		var f float64
		if n.Decode(&f) == nil {
			if math.IsNaN(f) || math.IsInf(f, 0) {
				return r.fail(n, "A number must be finite.")
			}
			return f
		}
	case "!!str", "!!timestamp":
		return n.Value
	}
	return r.fail(n, "A fact is text, a number, true or false, or a list or a map of these.")
}
