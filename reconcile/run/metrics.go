package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxMetrics bounds the file of a step's metrics, in bytes.
const MaxMetrics = 1 << 20

// maxFigures bounds the metrics of one step: they go into messages and records.
const maxFigures = 1000

// noNumber finds what Python's json and others write and JSON does not have.
var noNumber = regexp.MustCompile(`[:\[,]\s*(-?(?:NaN|Infinity|Inf|nan|inf))\b`)

// ParseMetrics reads the metrics of a step: a JSON object of numbers. Objects in it
// are flattened, {"a": {"b": 1}} to a.b. Anything that is no finite number is an
// error that names it: a gate must not read it as evidence.
func ParseMetrics(data []byte) (map[string]float64, error) {
	if len(data) > MaxMetrics {
		return nil, fmt.Errorf("the metrics have %d bytes; at most %d are read", len(data), MaxMetrics)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var root map[string]any
	err := decoder.Decode(&root)
	if err == nil && root == nil {
		err = errors.New("it is null")
	}
	if err != nil {
		if found := noNumber.FindSubmatch(data); found != nil {
			return nil, fmt.Errorf("the metrics hold %s, which is no number in JSON and no evidence; find out why the step could not compute it", found[1])
		}
		return nil, fmt.Errorf("the metrics do not read as a JSON object of numbers: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the metrics hold more than one JSON object")
	}
	metrics := map[string]float64{}
	return metrics, flatten(metrics, "", root, 0)
}

// maxNesting is far beyond what a person nests.
const maxNesting = 16

// maxMetricName is the most characters of a metric's name.
const maxMetricName = 128

// validMetricName refuses what could be a line of its own in a message. A regular
// expression of all letters there are, repeated so often, takes megabytes.
func validMetricName(name string) bool {
	if name == "" || utf8.RuneCountInString(name) > maxMetricName {
		return false
	}
	for _, c := range name {
		if !unicode.IsLetter(c) && !unicode.IsNumber(c) && !strings.ContainsRune("_.,:/@+ -", c) {
			return false
		}
	}
	return true
}

func flatten(into map[string]float64, prefix string, from map[string]any, depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("the metrics are nested deeper than %d objects", maxNesting)
	}
	for name, value := range from {
		if prefix != "" {
			name = prefix + "." + name
		}
		if !validMetricName(name) {
			return fmt.Errorf("the name of a metric is %.60q; use letters, digits and _ . , : / @ + -, at most 128", name)
		}
		if _, twice := into[name]; twice {
			return fmt.Errorf("the metric %s is there twice, once as an object", name)
		}
		if len(into) >= maxFigures {
			return fmt.Errorf("there are more than %d metrics", maxFigures)
		}
		switch v := value.(type) {
		case json.Number:
			number, err := v.Float64()
			if err != nil || math.IsInf(number, 0) || math.IsNaN(number) {
				return fmt.Errorf("the metric %s is %s, which is no finite number", name, v)
			}
			into[name] = number
		case map[string]any:
			if err := flatten(into, name, v, depth+1); err != nil {
				return err
			}
		case nil:
			return fmt.Errorf("the metric %s is null; leave out what was not measured", name)
		default:
			return fmt.Errorf("the metric %s is no number but %s", name, kindOf(v))
		}
	}
	return nil
}

func kindOf(v any) string {
	switch v := v.(type) {
	case string:
		return "a text" // which one is for the step's log: a reason is journaled
	case bool:
		return fmt.Sprintf("%t; write 1 or 0", v)
	default:
		return "a list; write one metric for each"
	}
}
