package update_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile/update"
	"github.com/fairlead/fairlead/spec"
)

func none(string) bool { return false }

func TestChoose(t *testing.T) {
	tags := []string{"latest", "1", "1.2", "1.2.0", "v1.2.1", "1.2.10", "1.2.9", "1.3.0-rc.1", "1.3.0", "2.0.0", "sha-0123", "1.2.11_1", "01.9.9", "9999999999999999999999.0.0"}
	for name, c := range map[string]struct {
		current  string
		rule     spec.Update
		rejected []string
		want     string
		why      string
	}{
		"the highest, by number":       {"1.2.0", spec.Update{Range: "~1.2"}, nil, "1.2.10", "highest of the 4 tags"},
		"not below":                    {"1.2.10", spec.Update{Range: "~1.2"}, nil, "", "no tag in the range ~1.2 is above 1.2.10"},
		"above the range":              {"1.3.0", spec.Update{Range: "~1.2"}, nil, "", "above 1.3.0"},
		"no prerelease":                {"1.2.0", spec.Update{Range: ">= 1.2, < 1.3.0"}, nil, "1.2.10", ""},
		"a prerelease that it names":   {"1.2.0", spec.Update{Range: ">= 1.2.0-0, < 1.3.0"}, nil, "1.3.0-rc.1", ""},
		"from the prerelease on":       {"1.3.0-rc.1", spec.Update{Range: "^1.2"}, nil, "1.3.0", ""},
		"with a v":                     {"v1.2.0", spec.Update{Range: "<= 1.2.1"}, nil, "v1.2.1", ""},
		"no tag yet":                   {"", spec.Update{Range: "^1"}, nil, "1.3.0", ""},
		"a tag that is no version":     {"latest", spec.Update{Range: "*"}, nil, "2.0.0", ""},
		"a tag that moves":             {"1.2", spec.Update{Range: "^1"}, nil, "1.3.0", ""},
		"rejected":                     {"1.2.0", spec.Update{Range: "~1.2"}, []string{"1.2.10"}, "1.2.9", "but for one that was rejected"},
		"all rejected":                 {"1.2.10", spec.Update{Range: "*"}, []string{"1.3.0", "2.0.0"}, "", "is above 1.2.10, but for 2 that were rejected"},
		"all rejected, no version now": {"latest", spec.Update{Range: "2"}, []string{"2.0.0"}, "", "is left, but for one"},
		"an empty range":               {"1.2.0", spec.Update{Range: ">= 3"}, nil, "", "no tag is in the range >= 3"},
		"a range that is none":         {"1.2.0", spec.Update{Range: "newest"}, nil, "", `the range "newest" cannot be read`},
		"a tag that is followed":       {"stable", spec.Update{Tag: "stable"}, []string{"stable"}, "stable", "is followed"},
		"no rule":                      {"1.2.0", spec.Update{}, nil, "", "neither"},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok, why := update.Choose(c.current, c.rule, tags, func(tag string) bool { return slices.Contains(c.rejected, tag) })
			if got != c.want || ok != (c.want != "") || !strings.Contains(why, c.why) || why == "" {
				t.Errorf("got %q, %t, %q; want %q, %q", got, ok, why, c.want, c.why)
			}
		})
	}
}

func TestOfOneVersionThatIsTakenWhichIsWrittenAsTheCurrentOne(t *testing.T) {
	for current, want := range map[string]string{"1.0.0": "1.1.0", "v1.0.0": "v1.1.0", "": "1.1.0"} {
		for _, tags := range [][]string{{"1.1.0", "v1.1.0"}, {"v1.1.0", "1.1.0"}} {
			if got, _, _ := update.Choose(current, spec.Update{Range: "*"}, tags, none); got != want {
				t.Errorf("from %q: got %q; want %q", current, got, want)
			}
		}
	}
}

// TestChooseHoldsItsRules for any tags, in any order.
func TestChooseHoldsItsRules(t *testing.T) {
	tag := rapid.Custom(func(t *rapid.T) string {
		text := fmt.Sprintf("%d.%d.%d", rapid.IntRange(0, 2).Draw(t, "major"), rapid.IntRange(0, 3).Draw(t, "minor"), rapid.IntRange(0, 12).Draw(t, "patch"))
		return rapid.SampledFrom([]string{"", "v"}).Draw(t, "v") + text + rapid.SampledFrom([]string{"", "", "", "-rc.1", "-alpha", "_1"}).Draw(t, "pre")
	})
	rapid.Check(t, func(t *rapid.T) {
		tags := rapid.SliceOf(rapid.OneOf(tag, rapid.StringMatching(`[a-z0-9.v-]{1,8}`))).Draw(t, "tags")
		current := rapid.OneOf(tag, rapid.Just("latest")).Draw(t, "current")
		within := rapid.SampledFrom([]string{"*", "^1", "~1.2", ">= 1.1.0-0", "< 2", ">= 0.1, < 1.3 || 2.0.x"}).Draw(t, "range")
		down := rapid.SliceOf(tag).Draw(t, "rejected")
		rejected := func(tag string) bool { return slices.Contains(down, tag) }
		got, ok, why := update.Choose(current, spec.Update{Range: within}, tags, rejected)
		constraint, err := semver.NewConstraint(within)
		if err != nil {
			t.Fatal(err)
		}
		parse := func(tag string) *semver.Version {
			v, err := semver.StrictNewVersion(strings.TrimPrefix(tag, "v"))
			if err != nil {
				return nil
			}
			return v
		}
		fits := func(tag string) bool {
			v, now := parse(tag), parse(current)
			return v != nil && constraint.Check(v) && !rejected(tag) && (now == nil || v.GreaterThan(now))
		}
		switch {
		case why == "":
			t.Fatal("it does not say why")
		case !ok && (got != "" || slices.ContainsFunc(tags, fits)):
			t.Fatalf("got nothing (%s); there are %q", why, tags)
		case ok && (!slices.Contains(tags, got) || !fits(got)):
			t.Fatalf("got %q", got)
		case ok && slices.ContainsFunc(tags, func(o string) bool { return fits(o) && parse(o).GreaterThan(parse(got)) }):
			t.Fatalf("got %q; there is a higher one in %q", got, tags)
		}
		shuffled := rapid.Permutation(tags).Draw(t, "shuffled")
		if again, _, _ := update.Choose(current, spec.Update{Range: within}, shuffled, rejected); again != got {
			t.Fatalf("got %q, and in another order %q", got, again)
		}
		if ok {
			if after, more, _ := update.Choose(got, spec.Update{Range: within}, tags, rejected); more {
				t.Fatalf("after %q it goes on to %q", got, after)
			}
		}
	})
}

const digest = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"

func TestImages(t *testing.T) {
	for ref, want := range map[string]struct {
		image            update.Image
		host, repository string
	}{
		"digits":                                    {update.Image{Name: "digits"}, "docker.io", "library/digits"},
		"digits:1.2.0":                              {update.Image{Name: "digits", Tag: "1.2.0"}, "docker.io", "library/digits"},
		"acme/digits:1":                             {update.Image{Name: "acme/digits", Tag: "1"}, "docker.io", "acme/digits"},
		"docker.io/digits":                          {update.Image{Name: "docker.io/digits"}, "docker.io", "library/digits"},
		"index.docker.io/a/digits":                  {update.Image{Name: "index.docker.io/a/digits"}, "docker.io", "a/digits"},
		"localhost/digits":                          {update.Image{Name: "localhost/digits"}, "localhost", "digits"},
		"localhost:5000/digits":                     {update.Image{Name: "localhost:5000/digits"}, "localhost:5000", "digits"},
		"[::1]:5000/digits:v1":                      {update.Image{Name: "[::1]:5000/digits", Tag: "v1"}, "[::1]:5000", "digits"},
		"Registry/digits":                           {update.Image{Name: "Registry/digits"}, "Registry", "digits"},
		"ghcr.io/acme/x/digits@" + digest:           {update.Image{Name: "ghcr.io/acme/x/digits", Digest: digest}, "ghcr.io", "acme/x/digits"},
		"localhost:5000/digits:1.2.0@" + digest:     {update.Image{Name: "localhost:5000/digits", Tag: "1.2.0", Digest: digest}, "localhost:5000", "digits"},
		"a__b/c--d.e_f:" + strings.Repeat("x", 128): {update.Image{Name: "a__b/c--d.e_f", Tag: strings.Repeat("x", 128)}, "docker.io", "a__b/c--d.e_f"},
	} {
		got, err := update.ParseImage(ref)
		if err != nil || got != want.image || got.String() != ref {
			t.Errorf("%s: got %+v, %v", ref, got, err)
		}
		if host, repository := got.Registry(); host != want.host || repository != want.repository {
			t.Errorf("%s: got %s, %s", ref, host, repository)
		}
	}
	for _, ref := range []string{
		"", ":1", "@" + digest, "Digits", "digits:", "digits:" + strings.Repeat("x", 129), "digits@", "digits@sha256:0", "digits@" + strings.ToUpper(digest),
		"digits@" + digest + "@" + digest, "a_b.c/digits", "a//b", "/a", "a/", digest, digest[7:], "a b", "-a/b", "host.io:x/a", strings.Repeat("a/", 128) + "a", "a___b",
	} {
		if got, err := update.ParseImage(ref); err == nil {
			t.Errorf("%q: got %+v", ref, got)
		}
	}
}

func TestAnImageIsWrittenWithTagAndDigest(t *testing.T) {
	for ref, want := range map[string]string{
		"digits":                          "digits:1.3.0@" + digest,
		"localhost:5000/digits:1.2.0":     "localhost:5000/digits:1.3.0@" + digest,
		"ghcr.io/acme/digits@" + digest:   "ghcr.io/acme/digits:1.3.0@" + digest,
		"ghcr.io/acme/digits:1@" + digest: "ghcr.io/acme/digits:1.3.0@" + digest,
	} {
		i, err := update.ParseImage(ref)
		if err != nil {
			t.Fatal(err)
		}
		got := i.With("1.3.0", digest).String()
		again, err := update.ParseImage(got)
		if got != want || err != nil || again.Tag != "1.3.0" || again.Digest != digest {
			t.Errorf("%s: got %s, %v", ref, got, err)
		}
	}
}
