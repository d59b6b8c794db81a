package edit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/spec"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// VersionPath is the file that holds an entry of the registry:
// versions/digits/1.2.0.hcl.
func VersionPath(v spec.Version) string { return versionFile(v) + ".hcl" }

// definitionPath is the file beside it with the pipeline as it was run.
func definitionPath(v spec.Version) string { return versionFile(v) + ".json" }

func versionFile(v spec.Version) string { return "versions/" + v.Model + "/" + v.Version }

// WriteVersion writes an entry of the registry, as the content of files by path: a
// version block in the canonical layout, and beside it the definition of the
// pipeline, which nobody reads twice and which would hide the rest. Equal entries are
// written equally. Numbers that are none, NaN and infinity, are left out: HCL cannot
// write them.
func WriteVersion(v spec.Version) map[string][]byte {
	files := map[string][]byte{}
	if v.Definition != "" {
		definition := &bytes.Buffer{}
		if json.Indent(definition, []byte(v.Definition), "", "  ") != nil {
			definition = bytes.NewBufferString(v.Definition) // what is no JSON is refused when it is read
		}
		files[definitionPath(v)] = definition.Bytes()
	}
	files[VersionPath(v)] = versionBlock(v)
	return files
}

func versionBlock(v spec.Version) []byte {
	var w writer
	w.open("version", v.ID())
	w.text("artifact", v.Artifact)
	w.text("content", v.Content)
	if !v.Created.IsZero() {
		w.text("created", v.Created.UTC().Format(time.RFC3339Nano))
	}
	w.text("pipeline", v.Pipeline)
	w.text("run", v.Run)
	w.text("commit", v.Commit)
	object(&w, "params", v.Params, value)
	object(&w, "data", v.Data, textValue)
	object(&w, "metrics", v.Metrics, numberValue)
	w.text("profile", v.Profile)
	w.text("card", v.Card)
	w.text("card_hash", v.CardHash)
	if tolerance, ok := numberValue(v.Tolerance); ok && v.Tolerance != 0 {
		w.line("tolerance", tolerance)
	}
	if v.Definition != "" {
		w.line("definition", "file("+quoted(definitionPath(v))+")")
	}
	for _, name := range slices.Sorted(maps.Keys(v.Steps)) {
		step := v.Steps[name]
		w.open("step", name)
		w.text("image", step.Image)
		w.text("key", step.Key)
		object(&w, "values", step.Values, value)
		object(&w, "inputs", step.Inputs, textValue)
		w.close()
	}
	for _, gate := range v.Gates {
		w.open("gate", gate.Name)
		w.text("outcome", gate.Outcome)
		w.text("detail", gate.Detail)
		w.text("regulation", gate.Regulation)
		w.text("actor", gate.Actor)
		w.text("reason", gate.Reason)
		w.close()
	}
	w.close()
	return hclwrite.Format([]byte(w.b.String()))
}

// writer writes blocks line by line; the formatter indents and aligns them.
type writer struct {
	b     strings.Builder
	depth int
}

func (w *writer) open(kind, label string) {
	if w.depth > 0 {
		w.b.WriteString("\n")
	}
	w.b.WriteString(kind + " " + quoted(label) + " {\n")
	w.depth++
}

func (w *writer) close() {
	w.b.WriteString("}\n")
	w.depth--
}

func (w *writer) line(name, value string) { w.b.WriteString(name + " = " + value + "\n") }

// text writes an argument, unless it is empty.
func (w *writer) text(name, text string) {
	if text != "" {
		w.line(name, quoted(text))
	}
}

// bareKey is a key that needs no quotes for anybody's eyes or parser.
var bareKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// object writes a map with a line for each member, unless it is empty.
func object[V any](w *writer, name string, members map[string]V, write func(V) (string, bool)) {
	if len(members) == 0 {
		return
	}
	w.b.WriteString(name + " = {\n")
	for _, key := range slices.Sorted(maps.Keys(members)) {
		value, ok := write(members[key])
		if !ok {
			continue
		}
		if !bareKey.MatchString(key) || key == "for" { // which would begin a for expression
			key = quoted(key)
		}
		w.line(key, value)
	}
	w.b.WriteString("}\n")
}

func textValue(s string) (string, bool) { return quoted(s), true }

// numberValue writes a number so that the same one is read again.
func numberValue(f float64) (string, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return "", false
	}
	return strconv.FormatFloat(f, 'g', -1, 64), true
}

// value writes a parameter: a text, a number or a truth value.
func value(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return textValue(v)
	case float64:
		return numberValue(v)
	case bool:
		return strconv.FormatBool(v), true
	default:
		return textValue(fmt.Sprint(v))
	}
}
