package registry

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/fairlead/fairlead/spec"
)

// Compare orders two versions as Semantic Versioning 2.0.0 does: below 0 where a is
// older. What is no semantic version is older than any, and build metadata does not
// count.
func Compare(a, b string) int { return semver.Compare("v"+a, "v"+b) }

// Next is the version that follows the newest of a model: of those in the registry
// and of the one that the model declares. A model without any begins at 0.1.0, or at
// 1.0.0 with a major bump. A version before a release, 1.2.0-rc.1, is followed by that
// release where the bump asks for no more.
func Next(versions []*spec.Version, m *spec.Model, bump spec.VersionBump) (string, error) {
	if m == nil {
		return "", errors.New("the model is not declared any more, so it can have no next version")
	}
	newest := ""
	take := func(text string) error {
		if _, err := parse(text); err != nil {
			return err
		}
		if newest == "" || Compare(text, newest) > 0 {
			newest = text
		}
		return nil
	}
	if m.Version != "" {
		if err := take(m.Version); err != nil {
			return "", fmt.Errorf("%s: %s: %w", m.Pos, m.Address, err)
		}
	}
	for _, v := range versions {
		if v.Model != m.Name {
			continue
		}
		if err := take(v.Version); err != nil {
			return "", fmt.Errorf("%s: version %q: %w", v.Pos, v.ID(), err)
		}
	}
	return after(newest, bump), nil
}

// after is the version that a bump leads to; "" is followed by the first.
func after(version string, bump spec.VersionBump) string {
	v, _ := parse(version) // checked, or none
	major, minor, patch := v[0], v[1], v[2]
	before := semver.Prerelease("v"+version) != "" // of that release, which may be enough
	switch bump {
	case spec.BumpMajor:
		if !before || minor != 0 || patch != 0 {
			major, minor, patch = major+1, 0, 0
		}
	case spec.BumpMinor:
		if !before || patch != 0 {
			minor, patch = minor+1, 0
		}
	default:
		switch {
		case version == "":
			minor = 1
		case !before:
			patch++
		}
	}
	return fmt.Sprintf("%d.%d.%d", major, minor, patch)
}

// maxPart bounds the parts of a version, so that the next one can be written.
const maxPart = 1 << 31

// parse reads the three numbers of a semantic version.
func parse(text string) (parts [3]int, err error) {
	wrong := fmt.Errorf("%q is not a semantic version, MAJOR.MINOR.PATCH, so none can follow it", text)
	if !semver.IsValid("v" + text) {
		return parts, wrong
	}
	core, _, _ := strings.Cut(text, "+")
	core, _, _ = strings.Cut(core, "-")
	fields := strings.Split(core, ".")
	if len(fields) != len(parts) { // x/mod takes v1.2, too
		return parts, wrong
	}
	for i, field := range fields {
		if parts[i], err = strconv.Atoi(field); err != nil || parts[i] >= maxPart {
			return parts, wrong
		}
	}
	return parts, nil
}

// Tag is the name of the Git tag that registers a version, as GTO reads it:
// fraud@v1.4.0, or models=fraud@v1.4.0 for what lies below the directory models.
//
// Source: https://dvc.org/doc/gto, "Git tags format".
func Tag(dir string, v *spec.Version) string {
	name := v.Model + "@v" + v.Version
	if dir = strings.Trim(dir, "/"); dir != "" && dir != "." {
		name = dir + "=" + name
	}
	return name
}
