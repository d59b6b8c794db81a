package review

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fairlead/fairlead/reconcile/plain"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

// value is what one argument says.
type value struct {
	same string // two values differ where this does
	text string // as it is written in specs
	zero bool   // no difference to an argument that is not there
}

// values are the arguments of a declared object, by their paths in HCL.
func values(of any) map[string]value {
	into := arguments{}
	into.block("", reflect.Indirect(reflect.ValueOf(of)))
	return into
}

// arguments are values by path. Fields are found by reflection, so one that is added to
// a spec cannot be forgotten here.
type arguments map[string]value

func (into arguments) put(path, text string) { into[path] = value{same: text, text: text} }

// names are those of fields whose name in HCL is not that in JSON, or in Go. "" puts
// what a field holds in the place of the field.
var names = map[string]string{
	"Pipeline.Params": "param", "Pipeline.Steps": "step", "Pipeline.Selects": "select", "Pipeline.Gates": "gate",
	"Step.Container": "", "Axis.Values": "", "Search.Space": "dimension", "Publish.Bump": "version", "Expectation.Column": "name",
	"Container.Command": "container.command", "Container.Env": "container.env", // those of a step are expressions
	"Container.SecretFiles": "secrets", "Container.ReadOnlyRoot": "read_only", "Container.Mounts": "mount",
	"Resources.CPUs": "cpus", "Resources.PIDs": "pids", "Resources.GPUs": "gpus", "Resources.Ulimits": "ulimit",
}

// sizes are the fields that hold bytes.
var sizes = map[string]bool{
	"Step.MaxLog": true, "Step.MaxOutput": true, "Resources.Memory": true, "Resources.Shm": true, "Logs.MaxSize": true, "Mount.Size": true,
}

// numbers are the fields in which 0 is a number like others, and not none.
var numbers = map[string]bool{
	"Step.Retries": true, "Search.Seed": true, "Dimension.Min": true, "Dimension.Max": true, "Publish.Tolerance": true, "Ulimit.Soft": true, "Ulimit.Hard": true,
}

// labels are the fields that name a block; its path has them.
var labels = map[string]bool{
	"Param.Name": true, "Step.Name": true, "Select.Name": true, "Gate.Name": true, "Axis.Name": true, "Dimension.Name": true, "Mount.Target": true,
	"Pipeline.Name": true, "Dataset.Name": true, "Policy.Name": true, "Pipeline.Address": true, "Dataset.Address": true, "Policy.Address": true,
}

// block puts the arguments of a struct.
func (into arguments) block(path string, v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		into.field(path, v, v.Type().Name()+"."+field.Name, field, v.Field(i))
	}
}

// present puts a block that is there even if it says nothing.
func (into arguments) present(path string, v reflect.Value) {
	said := arguments{}
	said.block(path, v)
	maps.Copy(into, said)
	for _, argument := range said {
		if !argument.zero {
			return
		}
	}
	into.put(path, "{}")
}

// field puts one argument, or block. The key is TYPE.FIELD.
func (into arguments) field(path string, of reflect.Value, key string, field reflect.StructField, v reflect.Value) {
	below := path
	if name := nameOf(key, field); name != "" {
		below = join(path, name)
	}
	switch {
	case labels[key] || key == "Select.Minimize" || key == "Search.Minimize":
	case key == "Select.Metric" || key == "Search.Metric":
		goal := "maximize"
		if of.FieldByName("Minimize").Bool() {
			goal = "minimize"
		}
		into.put(join(path, goal), v.String())
	case key == "Select.Of" && v.String() != "":
		into.put(below, "step."+v.String())
	case key == "Step.NoCache":
		text := strconv.FormatBool(!v.Bool())
		into[join(path, "cache")] = value{text, text, !v.Bool()}
	case sizes[key]:
		if v.Int() != 0 {
			into.put(below, sizeText(v.Int()))
		}
	case numbers[key]:
		into.walk(below, v, true)
		number := into[below]
		number.zero = v.IsZero()
		into[below] = number
	default:
		into.walk(below, v, false)
	}
}

var word = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// nameOf is the name of a field in HCL.
func nameOf(key string, field reflect.StructField) string {
	if name, is := names[key]; is {
		return name
	}
	if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
		return name
	}
	return strings.ToLower(word.ReplaceAllString(field.Name, "${1}_${2}"))
}

// walk puts what a value holds. Where it is kept, one that is zero is put, too.
func (into arguments) walk(path string, v reflect.Value, keep bool) {
	if into.known(path, v) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			into.walk(path, v.Elem(), true)
		}
	case reflect.Interface: // a value of any type: its text tells which
		if !v.IsNil() {
			into.put(path, expr.Of(v.Interface()).Full())
		}
	case reflect.Struct:
		if keep {
			into.present(path, v)
		} else {
			into.block(path, v)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			into.walk(member(path, key.String()), v.MapIndex(key), v.Type().Elem().Kind() == reflect.Struct)
		}
	case reflect.Slice:
		if v.Len() == 0 && !v.IsNil() {
			into.put(path, "[]")
		}
		for i := range v.Len() {
			into.walk(element(path, i, reflect.Indirect(v.Index(i))), v.Index(i), true)
		}
	case reflect.Bool:
		text := strconv.FormatBool(v.Bool())
		into[path] = value{text, text, !v.Bool()}
	default:
		if keep || !v.IsZero() {
			into.put(path, plainText(v))
		}
	}
}

// plainText is a text or a number. A text that is empty shows as such.
func plainText(v reflect.Value) string {
	switch {
	case v.Kind() == reflect.String && v.Len() == 0:
		return `""`
	case v.CanFloat():
		return expr.Of(v.Float()).Full()
	default:
		return fmt.Sprint(v.Interface())
	}
}

// known puts values of the types that are not written field by field.
func (into arguments) known(path string, v reflect.Value) bool {
	switch v := v.Interface().(type) {
	case spec.Pos: // moving a block is no change
	case expr.Expr:
		if !v.IsZero() {
			into[path] = value{same: v.Full(), text: written(&v)}
		}
	case spec.StepValue:
		if v.Secret != "" {
			into.put(path, "secret."+v.Secret)
		} else {
			into.known(path, reflect.ValueOf(v.Expr))
		}
	case spec.Address:
		into.put(path, v.String())
	case time.Time:
		if !v.IsZero() {
			into.put(path, strings.TrimSuffix(v.Format(time.RFC3339Nano), "T00:00:00Z"))
		}
	case time.Duration:
		if v != 0 {
			into.put(path, spec.DurationText(v))
		}
	case spec.Input:
		into.put(path, strings.TrimSuffix(string(v.Kind)+"."+v.Name+"."+v.Output, "."))
	case spec.Trigger:
		into.put(path, strings.TrimSuffix(string(v.Kind)+"."+v.Dataset, "."))
	case spec.GPUs:
		into.gpus(path, v)
	case spec.DatasetSource:
		into.source(path, &v)
	default:
		return false
	}
	return true
}

func (into arguments) gpus(path string, g spec.GPUs) {
	switch {
	case len(g.IDs) > 0:
		into.put(path, fmt.Sprintf("%q", g.IDs))
	case g.Count < 0:
		into.put(path, "all")
	case g.Count > 0:
		into.put(path, strconv.Itoa(g.Count))
	}
}

// source puts where a dataset is. Its content is of the file that is there, so it is
// compared by its digest.
func (into arguments) source(at string, s *spec.DatasetSource) {
	text := s.Location
	if s.Kind == spec.SourceVolume {
		text = "volume://" + text
	}
	into[at] = value{same: string(s.Kind) + " " + text, text: text}
	if s.File != path.Base(s.Location) && s.File != "" {
		into.put(join(at, "file"), s.File)
	}
	if s.Public {
		into.put(join(at, "public"), "true")
	}
	if len(s.Data) > 0 {
		sum := sha256.Sum256(s.Data)
		into["content"] = value{same: string(sum[:]), text: fmt.Sprintf("sha256:%.8x, %d bytes", sum, len(s.Data))}
	}
}

// written is an expression as it stands in the file, and what it says there: names of
// locals and variables hide that. Where both are too long, what it says is what counts.
func written(e *expr.Expr) string {
	full := e.Full()
	if e.Source == "" || spaceless(e.Source) == spaceless(full) {
		return full
	}
	if both := e.Source + ", that is " + full; len(both) <= maxValue {
		return both
	}
	return full
}

func spaceless(s string) string { return strings.Join(strings.Fields(s), "") }

// sizeText is a number of bytes as it is written in specs.
func sizeText(n int64) string {
	for i, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if size := int64(1) << (40 - 10*i); n%size == 0 {
			return strconv.FormatInt(n/size, 10) + unit
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// element names an element of a list: a block by its label.
func element(path string, i int, of reflect.Value) string {
	if of.Kind() == reflect.Struct {
		for _, label := range []string{"Name", "Target"} {
			if labels[of.Type().Name()+"."+label] {
				return member(path, of.FieldByName(label).String())
			}
		}
	}
	return fmt.Sprintf("%s[%d]", path, i)
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// member names a member of a map.
func member(path, key string) string {
	if !identifier.MatchString(key) {
		return path + "[" + strconv.Quote(key) + "]"
	}
	return join(path, key)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// around is how much before the first difference of two long values is shown, in bytes.
const around = 60

// pair are two values that differ as they may be shown: what differs of them shows.
func pair(was, is string) (string, string) {
	if printable(was) == printable(is) { // by what does not show
		was, is = strconv.QuoteToASCII(was), strconv.QuoteToASCII(is)
	}
	was, is = printable(was), printable(is)
	if len(was) <= maxValue && len(is) <= maxValue {
		return was, is
	}
	same := 0
	for same < min(len(was), len(is)) && was[same] == is[same] {
		same++
	}
	from := same - around
	if from <= 0 {
		return plain.Clip(was, maxValue), plain.Clip(is, maxValue)
	}
	for !utf8.RuneStart(was[from]) {
		from--
	}
	return plain.Clip("…"+was[from:], maxValue), plain.Clip("…"+is[from:], maxValue)
}

// shown is a value as it may be shown.
func shown(value string) string { return plain.Clip(printable(value), maxValue) }

// printable is a value without what steers a terminal. Its spaces stay: it may differ by
// them alone.
func printable(value string) string {
	return strings.Map(plain.Rune, strings.ToValidUTF8(value, ""))
}
