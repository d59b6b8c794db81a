package expr

import (
	"cmp"
	"strconv"
	"strings"
)

// Semantic Versioning 2.0.0 (semver.org), as much as comparing takes. The package
// of the Go project for it wants a leading v, which model versions do not have, and
// knows no constraints.

// semantic is one version.
type semantic struct {
	parts      [3]uint64 // major, minor, patch
	prerelease []string
}

// readVersion reads MAJOR.MINOR.PATCH[-PRERELEASE][+BUILD]. With short, minor and
// patch may be left out; written is how many numbers stand there.
func readVersion(s string, short bool) (v semantic, written int, ok bool) {
	if len(s) > 256 {
		return v, 0, false
	}
	s, build, built := strings.Cut(s, "+")
	s, prerelease, pre := strings.Cut(s, "-")
	if built && !identifiers(build, false) || pre && !identifiers(prerelease, true) {
		return v, 0, false
	}
	numbers := strings.Split(s, ".")
	if len(numbers) > 3 || len(numbers) < 3 && (!short || pre) {
		return v, 0, false
	}
	for i, n := range numbers {
		value, err := strconv.ParseUint(n, 10, 64)
		if err != nil || !number(n) {
			return v, 0, false
		}
		v.parts[i] = value
	}
	if pre {
		v.prerelease = strings.Split(prerelease, ".")
	}
	return v, len(numbers), true
}

// number tells whether s is digits without needless zeros.
func number(s string) bool {
	return digits(s) && (len(s) == 1 || s[0] != '0')
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// identifiers tells whether s is parts of letters, digits and -, with a dot between
// them, of which those of digits alone are numbers.
func identifiers(s string, numbers bool) bool {
	for part := range strings.SplitSeq(s, ".") {
		for _, c := range part {
			if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' {
				return false
			}
		}
		if part == "" || numbers && digits(part) && !number(part) {
			return false
		}
	}
	return true
}

// compare is the precedence of section 11.
func (v semantic) compare(w semantic) int {
	for i := range v.parts {
		if c := cmp.Compare(v.parts[i], w.parts[i]); c != 0 {
			return c
		}
	}
	switch {
	case v.prerelease == nil && w.prerelease == nil:
		return 0
	case v.prerelease == nil:
		return 1
	case w.prerelease == nil:
		return -1
	}
	for i := range min(len(v.prerelease), len(w.prerelease)) {
		if c := compareIdentifiers(v.prerelease[i], w.prerelease[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(v.prerelease), len(w.prerelease))
}

func compareIdentifiers(a, b string) int {
	switch {
	case digits(a) && digits(b):
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) // of any size
	case digits(a):
		return -1
	case digits(b):
		return 1
	default:
		return strings.Compare(a, b)
	}
}

// satisfies is semver(version, constraint). A constraint is comparisons with a
// comma between them, all of which must hold: =, !=, <, <=, >, >=, and ~>, which
// lets only the last part that is written grow.
func satisfies(a []any) (any, error) {
	const want = wants(`semver takes a version such as "1.4.2", and a constraint such as ">= 1.2, < 2.0" or "~> 1.2"`)
	text, isText := a[0].(string)
	constraint, isConstraint := a[1].(string)
	if !isText || !isConstraint || len(constraint) > maxPattern {
		return nil, want
	}
	v, _, ok := readVersion(text, false)
	if !ok {
		return nil, want
	}
	all := true
	for part := range strings.SplitSeq(constraint, ",") {
		holds, ok := v.satisfies(strings.TrimSpace(part))
		if !ok {
			return nil, want
		}
		all = all && holds
	}
	return all, nil
}

func (v semantic) satisfies(constraint string) (holds, ok bool) {
	rest := strings.TrimLeft(constraint, "=!<>~")
	op := constraint[:len(constraint)-len(rest)]
	bound, written, ok := readVersion(strings.TrimSpace(rest), true)
	if !ok {
		return false, false
	}
	c := v.compare(bound)
	switch op {
	case "", "=":
		return c == 0, true
	case "!=":
		return c != 0, true
	case "<":
		return c < 0, true
	case "<=":
		return c <= 0, true
	case ">":
		return c > 0, true
	case ">=":
		return c >= 0, true
	case "~>":
		for i := range written - 1 {
			if v.parts[i] != bound.parts[i] {
				return false, true
			}
		}
		return c >= 0, true
	default:
		return false, false
	}
}
