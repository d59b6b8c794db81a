package registry

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// Next is the version that follows the newest of a model: of those in the registry
// and of the one that the model declares. A model without any begins at 0.1.0, or at
// 1.0.0 with a major bump.
func Next(versions []*spec.Version, m *spec.Model, bump spec.VersionBump) (string, error) {
	if m == nil {
		return "", fmt.Errorf("the model is not declared any more")
	}
	var newest [3]int
	take := func(text string) error {
		v, err := parse(text)
		if err != nil {
			return err
		}
		for i := range v {
			if v[i] != newest[i] {
				if v[i] > newest[i] {
					newest = v
				}
				return nil
			}
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
	switch bump {
	case spec.BumpMajor:
		newest = [3]int{newest[0] + 1, 0, 0}
	case spec.BumpMinor:
		newest = [3]int{newest[0], newest[1] + 1, 0}
	default:
		if newest == [3]int{} {
			newest[1] = 1
			break
		}
		newest[2]++
	}
	return fmt.Sprintf("%d.%d.%d", newest[0], newest[1], newest[2]), nil
}

// parse reads the numbers of a semantic version. One before a release, 1.2.0-rc.1,
// counts as that release.
func parse(text string) ([3]int, error) {
	core, _, _ := strings.Cut(text, "+")
	core, _, _ = strings.Cut(core, "-")
	parts := strings.Split(core, ".")
	var v [3]int
	if len(parts) != 3 {
		return v, fmt.Errorf("%q is not a semantic version, MAJOR.MINOR.PATCH, so none can follow it", text)
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return v, fmt.Errorf("%q is not a semantic version, MAJOR.MINOR.PATCH, so none can follow it", text)
		}
		v[i] = n
	}
	return v, nil
}
