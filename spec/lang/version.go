package lang

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// checkVersion compares required_version with the version of this program. It
// is done before all else: a spec for another version may use words that this
// one would complain about for the wrong reason.
func checkVersion(settings []*node, version string, r *reporter) bool {
	for _, n := range settings {
		a := n.args.get("required_version")
		if a == nil || a.broken || a.expr == nil {
			continue
		}
		if len(a.refs) > 0 {
			r.errorf(a.refs[0].rng, *a.place, "Reference not allowed", "The fairlead block is read before everything else, so nothing can be read in it. Write the constraint itself, such as \">= 0.1\".")
			return false
		}
		v, diags := a.expr.Value(nil)
		if diags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
			r.errorf(a.expr.Range(), *a.place, "Wrong type", "required_version takes a quoted list of constraints, such as \">= 0.1, < 2.0\".")
			return false
		}
		met, err := meets(version, v.AsString())
		switch {
		case err != nil:
			r.errorf(a.expr.Range(), *a.place, "Invalid version constraint", "%s. A constraint is an operator (=, !=, >, >=, <, <=, ~>) and a version, such as \">= 0.1, < 2.0\".", err)
			return false
		case !met:
			r.errorf(a.expr.Range(), *a.place, "Another version required", "This is Fairlead %s, and the repo is for %s. Use such a version, or change the constraint if the repo works with this one too.", version, v.AsString())
			return false
		}
	}
	return true
}

// meets tells whether a version meets all constraints. A version that is no
// release, such as that of a build from a work tree, meets any.
func meets(version, constraints string) (bool, error) {
	have, isRelease := parseVersion(version)
	for constraint := range strings.SplitSeq(constraints, ",") {
		constraint = strings.TrimSpace(constraint)
		op := strings.TrimRight(constraint[:len(constraint)-len(strings.TrimLeft(constraint, "=!<>~"))], " ")
		want, ok := parseVersion(strings.TrimSpace(constraint[len(op):]))
		if !ok {
			return false, fmt.Errorf("the part %q has no version that can be read", constraint)
		}
		met, known := compareBy(op, slices.Compare(padded(have), padded(want)), have, want)
		if !known {
			return false, fmt.Errorf("there is no operator %q", op)
		}
		if isRelease && !met {
			return false, nil
		}
	}
	return true, nil
}

// compareBy applies one operator to the outcome of a comparison.
func compareBy(op string, order int, have, want []int) (met, known bool) {
	switch op {
	case "", "=":
		return order == 0, true
	case "!=":
		return order != 0, true
	case ">":
		return order > 0, true
	case ">=":
		return order >= 0, true
	case "<":
		return order < 0, true
	case "<=":
		return order <= 0, true
	case "~>": // what stands before the last part that is written stays
		fixed := want[:max(1, len(want)-1)]
		return order >= 0 && slices.Equal(have[:min(len(have), len(fixed))], fixed), true
	default:
		return false, false
	}
}

// parseVersion reads 1, 1.2 or 1.2.3, with or without v and a pre-release part,
// which does not count.
func parseVersion(s string) ([]int, bool) {
	s = strings.TrimPrefix(s, "v")
	s, _, _ = strings.Cut(s, "-")
	s, _, _ = strings.Cut(s, "+")
	parts := strings.Split(s, ".")
	if len(parts) > 3 {
		return nil, false
	}
	version := make([]int, 0, 3)
	for _, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, false
		}
		version = append(version, n)
	}
	return version, true
}

// padded is a version with all three parts.
func padded(version []int) []int {
	full := make([]int, 3)
	copy(full, version)
	return full
}
