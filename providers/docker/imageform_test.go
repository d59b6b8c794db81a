package docker_test

import (
	"strings"
	"testing"

	"github.com/distribution/reference"

	"github.com/fairlead/fairlead/reconcile/update"
)

// FuzzImagesAreReadAsDockerReadsThem compares the reading of references in
// reconcile/update, which knows no Docker, with Docker's own.
func FuzzImagesAreReadAsDockerReadsThem(f *testing.F) {
	const digest = "@sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"
	for _, ref := range []string{
		"a", "a:1", "a/b", "a.b/c", "a_b.c/d", "a:5/b", "a:5/b:c", "localhost/a", "Abc/d", "aBc", "[::1]/a", "[::1]:5/a:b", "index.docker.io/a", "docker.io/a/b",
		"a" + digest, "a:b" + digest, "a.b:5/c/d:e" + digest, digest[1:], digest[8:], "a__b", "a___b", "a---b", "a..b/c", "-a/b", "a-/b", "a.-b/c", "host:x/y", "sha256:1",
		"docker.io/library/a", "docker.io/a:b", "a@sha512:0", "a@" + digest, "index.docker.io/library", "docker.io/", "A.b/c", "localhost:/a", "a:@", "é/a", "a:é",
	} {
		f.Add(ref)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		ours, err := update.ParseImage(ref)
		theirs, refused := reference.ParseNormalizedNamed(ref)
		if err != nil {
			digested, isDigested := theirs.(reference.Digested)
			switch {
			case refused != nil, len(ref) > 255: // they count less of the name
			case reference.Domain(theirs) == "": // no host, and no place on Docker Hub: a_b.c/d
			case isDigested && digested.Digest().Algorithm() != "sha256":
			case strings.HasPrefix(ref, "sha256:"): // the id of an image
			default:
				t.Fatalf("%q: we refuse what Docker takes for %s", ref, theirs)
			}
			return
		}
		if refused != nil {
			t.Fatalf("%q: we take %+v, and Docker refuses it: %v", ref, ours, refused)
		}
		host, repository := ours.Registry()
		tag, digest := "", ""
		if tagged, ok := theirs.(reference.Tagged); ok {
			tag = tagged.Tag()
		}
		if digested, ok := theirs.(reference.Digested); ok {
			digest = digested.Digest().String()
		}
		if host != reference.Domain(theirs) || repository != reference.Path(theirs) || tag != ours.Tag || digest != ours.Digest {
			t.Fatalf("%q: we read %s %s %+v; Docker reads %s", ref, host, repository, ours, theirs)
		}
		if ours.String() != ref {
			t.Fatalf("%q is written %q", ref, ours)
		}
	})
}
