package registry_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile/registry"
	"github.com/fairlead/fairlead/spec"
)

// versions are entries of model.digits.
func versions(numbers ...string) []*spec.Version {
	var list []*spec.Version
	for i, n := range numbers {
		list = append(list, &spec.Version{Model: "digits", Version: n, Pos: spec.Pos{File: "versions/digits/" + n + ".hcl", Line: i + 1}})
	}
	return list
}

func model(version string) *spec.Model {
	return &spec.Model{Address: spec.Address{Kind: spec.KindModel, Name: "digits"}, Name: "digits", Version: version, Pos: spec.Pos{File: "digits.hcl", Line: 1}}
}

func TestNextFollowsTheNewest(t *testing.T) {
	other := &spec.Version{Model: "other", Version: "9.0.0"}
	for _, c := range []struct {
		entries             []*spec.Version
		declared            string
		patch, minor, major string
	}{
		{nil, "", "0.1.0", "0.1.0", "1.0.0"},
		{[]*spec.Version{other}, "1.1.0", "1.1.1", "1.2.0", "2.0.0"},
		{versions("1.2.0", "1.10.0", "1.9.3"), "1.1.0", "1.10.1", "1.11.0", "2.0.0"},
		{versions("1.2.0"), "2.0.7", "2.0.8", "2.1.0", "3.0.0"},
		{versions("1.2.0", "1.3.0-rc.1"), "", "1.3.0", "1.3.0", "2.0.0"},
		{versions("1.2.4-rc.1"), "", "1.2.4", "1.3.0", "2.0.0"},
		{versions("2.0.0-alpha", "1.9.0"), "", "2.0.0", "2.0.0", "2.0.0"},
		{versions("1.2.0+build.7"), "", "1.2.1", "1.3.0", "2.0.0"},
		{versions("0.0.1"), "", "0.0.2", "0.1.0", "1.0.0"},
	} {
		for bump, want := range map[spec.VersionBump]string{spec.BumpPatch: c.patch, spec.BumpMinor: c.minor, spec.BumpMajor: c.major} {
			got, err := registry.Next(c.entries, model(c.declared), bump)
			if err != nil || got != want {
				t.Errorf("after %d entries and %q, %s is %q, %v; want %s", len(c.entries), c.declared, bump, got, err, want)
			}
		}
	}
}

func TestNextOfWhatIsNoVersion(t *testing.T) {
	for declared, entry := range map[string]string{"latest": "1.0.0", "1.2": "1.0.0", "v1.2.0": "1.0.0", "1.0.0": "1.0", "01.2.3": "1.0.0", "1.0.99999999999": "1.0.0"} {
		_, err := registry.Next(versions(entry), model(declared), spec.BumpPatch)
		if err == nil || !strings.Contains(err.Error(), "digits") || !strings.Contains(err.Error(), ".hcl:1") || !strings.Contains(err.Error(), "not a semantic version") {
			t.Errorf("%s, %s: got %v", declared, entry, err)
		}
	}
	if _, err := registry.Next(nil, nil, spec.BumpPatch); err == nil {
		t.Error("a model that is not there has a next version")
	}
}

func TestNextIsNewerThanAll(t *testing.T) {
	number := rapid.StringMatching(`(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})(-[a-z]{1,3}(\.[1-9])?)?`)
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(number, 0, 5).Draw(t, "versions")
		bump := rapid.SampledFrom([]spec.VersionBump{spec.BumpPatch, spec.BumpMinor, spec.BumpMajor}).Draw(t, "bump")
		next, err := registry.Next(versions(list...), model(""), bump)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range list {
			if registry.Compare(next, v) <= 0 {
				t.Fatalf("%s does not follow %s", next, v)
			}
		}
	})
}

func TestTagsAreThoseOfGTO(t *testing.T) {
	v := &spec.Version{Model: "fraud", Version: "1.4.0"}
	for dir, want := range map[string]string{"": "fraud@v1.4.0", ".": "fraud@v1.4.0", "models": "models=fraud@v1.4.0", "a/b/": "a/b=fraud@v1.4.0"} {
		if got := registry.Tag(dir, v); got != want {
			t.Errorf("in %q it is %q; want %q", dir, got, want)
		}
	}
}
