package evaluate

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/reconcile/tabular"
)

// series is a column: as classes while there are few different values, and as
// numbers while all are.
type series struct {
	codes []int32  // of each row, into names
	names []string // different values, in the order of their rows
	index map[string]int32
	many  bool // there are more than MaxClasses values; codes and names are of no use

	numbers    []float64 // of each row; nil if one is none
	text       string    // the first that is no finite number
	fractional bool      // one is no whole number
}

// add takes a value that must be there.
func (s *series) add(v tabular.Value) error {
	if v.Missing {
		return errMissing
	}
	if number, err := finite(v); s.text == "" && err == nil {
		s.numbers = append(s.numbers, number)
		s.fractional = s.fractional || number != math.Trunc(number)
	} else if s.text == "" {
		s.numbers, s.text = nil, tabular.Clip(v.Text)
	}
	if !s.many && !s.encode(v.Text, MaxClasses) {
		s.many, s.codes, s.names, s.index = true, nil, nil, nil
	}
	if s.many && s.text != "" {
		return fmt.Errorf("there are more than %d different values, and %s is no number; is it the right column?", MaxClasses, s.text)
	}
	return nil
}

// missingGroup is the group of those of whom it is not known.
const missingGroup = "(missing)"

// addGroup takes the value of a sensitive column, which may be missing.
func (s *series) addGroup(v tabular.Value) error {
	name := v.Text
	if v.Missing {
		name = missingGroup
	}
	if !s.encode(name, MaxGroups) {
		return fmt.Errorf("there are more than %d different values; put them into classes, such as ages from 30 to 39", MaxGroups)
	}
	return nil
}

func (s *series) encode(text string, most int) bool {
	if s.index == nil {
		s.index = map[string]int32{}
	}
	code, known := s.index[text]
	if !known {
		if len(s.names) == most {
			return false
		}
		code = int32(len(s.names))
		text = strings.Clone(text) // else it keeps the whole row in memory
		s.index[text] = code
		s.names = append(s.names, text)
	}
	s.codes = append(s.codes, code)
	return true
}

// notation is how the values of the truth and the prediction are written. What is
// written in two ways is one class: 1 and 1.0, True and true.
type notation int

const (
	asText notation = iota
	asNumber
	asBool
)

func notationOf(names ...[]string) notation {
	numbers, bools, words := true, true, false
	for _, list := range names {
		for _, name := range list {
			v := tabular.Value{Text: name}
			_, isNumber := v.Number()
			_, isBool := v.Bool()
			numbers = numbers && isNumber
			bools = bools && isBool
			words = words || isBool && !isNumber
		}
	}
	switch {
	case numbers:
		return asNumber
	case bools && words:
		return asBool
	}
	return asText
}

func (n notation) canonical(name string) string {
	v := tabular.Value{Text: name}
	switch n {
	case asNumber:
		if number, is := v.Number(); is {
			return strconv.FormatFloat(number+0, 'g', -1, 64) // -0 and 0 are one
		}
	case asBool:
		if value, is := v.Bool(); is {
			return strconv.FormatBool(value)
		}
	case asText:
	}
	return name
}
