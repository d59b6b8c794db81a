package expr

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MissingError says that a value depends on a fact which is not there, or is no
// evidence.
type MissingError struct {
	Path []string // of the fact; nil where it is no single fact
	Why  string   // continues "step.train.metrics.accuracy ...", or stands alone without Path
}

// Error implements error.
func (e *MissingError) Error() string {
	if len(e.Path) == 0 {
		return e.Why
	}
	return dotted(e.Path) + " " + e.Why
}

func isMissing(err error) bool {
	_, is := errors.AsType[*MissingError](err)
	return is
}

// known is how many names of what is there are listed for a name that is not.
const known = 6

// absent says that path[i] is none of the names of the object that it is looked
// for in.
func absent(path []string, i int, object map[string]any) *MissingError {
	why := "is not there"
	if i < len(path)-1 {
		why += "; there is no " + dotted(path[:i+1])
	} else if i > 0 {
		in := dotted(path[:i])
		names := sortedKeys(object)
		switch {
		case len(names) == 0:
			why += "; " + in + " is empty"
		case len(names) > known:
			why += fmt.Sprintf("; %s has %s and %d more", in, strings.Join(names[:known], ", "), len(names)-known)
		default:
			why += fmt.Sprintf("; %s has %s", in, strings.Join(names, ", "))
		}
	}
	return &MissingError{Path: slices.Clone(path), Why: why}
}

// TypeError says that an operation cannot be done with the values that it is given.
type TypeError struct {
	Op       Op
	Operands []any  // values, as far as they are known
	Want     string // what the operation takes
	Part     string // the part of the expression that it is about
	Source   string // the whole, as it was written
}

// Error implements error.
func (e *TypeError) Error() string {
	text := e.Want
	if e.Part != "" {
		text = shorten(e.Part, 120) + ": " + text
	}
	var said []string
	for _, v := range e.Operands {
		said = append(said, described(v))
	}
	if len(said) > 0 {
		text += ", and this is " + strings.Join(said, " and ")
	}
	if e.Source != "" && e.Source != e.Part {
		text += " (in: " + shorten(e.Source, 200) + ")"
	}
	return text
}

// described is a value with its kind: the text "a", the number 3.
func described(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "the bool " + scalar(v)
	case float64:
		return "the number " + scalar(v)
	default:
		return kindOf(v) + ", " + Format(v)
	}
}
