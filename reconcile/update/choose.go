package update

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/fairlead/fairlead/spec"
)

// Choose returns the tag that is to be proposed, as the registry writes it, and why;
// where there is none, why not.
//
// A rule with a Tag gives that tag: whether its digest is a new one the caller sees. A
// rule with a Range gives the highest version in the range that is above the current
// one and not rejected. A version is a tag with all three numbers, with or without a v
// before them (Semantic Versioning 2.0.0, https://semver.org); other tags, among them
// 1 and 1.2, which move, are passed over. Prereleases count only where the range names
// one: ">= 1.3.0-0". Where current is no version, every one is above it.
//
// Of tags of one version (1.2.0 and v1.2.0) that is taken which is written as the
// current one, else the first in order.
func Choose(current string, u spec.Update, tags []string, rejected func(tag string) bool) (tag string, ok bool, why string) {
	switch {
	case u.Tag != "":
		return u.Tag, true, "the tag " + u.Tag + " is followed"
	case u.Range == "":
		return "", false, "the rule names neither a range nor a tag"
	}
	within, err := semver.NewConstraint(u.Range)
	if err != nil {
		return "", false, fmt.Sprintf("the range %.80q cannot be read: %v; write one such as \"~1.2\" or \">= 1.2, < 2\"", u.Range, err)
	}
	now, hasNow := version(current)
	var best candidate
	var turnedDown, inRange int
	for _, tag := range tags {
		v, isVersion := version(tag)
		if !isVersion || !within.Check(v) {
			continue
		}
		inRange++
		if hasNow && !v.GreaterThan(now) {
			continue
		}
		if rejected(tag) {
			turnedDown++
			continue
		}
		if c := (candidate{tag, v, prefixed(tag) == prefixed(current)}); best.version == nil || c.above(best) {
			best = c
		}
	}
	if best.version != nil {
		return best.tag, true, fmt.Sprintf("%s is the highest of the %d tags in the range %s", best.tag, inRange, u.Range) + besides(turnedDown)
	}
	return "", false, nothing(current, hasNow, u.Range, inRange, turnedDown)
}

// candidate is a tag that may be proposed.
type candidate struct {
	tag     string
	version *semver.Version
	alike   bool // written as the current one, with a v or without
}

func (c candidate) above(o candidate) bool {
	if order := c.version.Compare(o.version); order != 0 {
		return order > 0
	}
	if c.alike != o.alike {
		return c.alike
	}
	return c.tag < o.tag
}

// version reads a tag as a version.
func version(tag string) (*semver.Version, bool) {
	v, err := semver.StrictNewVersion(strings.TrimPrefix(tag, "v"))
	return v, err == nil
}

func prefixed(tag string) bool { return strings.HasPrefix(tag, "v") }

func nothing(current string, hasNow bool, within string, inRange, turnedDown int) string {
	switch {
	case inRange == 0:
		return "no tag is in the range " + within
	case hasNow:
		return fmt.Sprintf("no tag in the range %s is above %s", within, current) + besides(turnedDown)
	default:
		return "no tag in the range " + within + " is left" + besides(turnedDown)
	}
}

// besides tells of tags that were rejected.
func besides(turnedDown int) string {
	switch turnedDown {
	case 0:
		return ""
	case 1:
		return ", but for one that was rejected"
	default:
		return fmt.Sprintf(", but for %d that were rejected", turnedDown)
	}
}
