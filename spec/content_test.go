package spec_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/spec"
)

func TestTreeOfAnyFilesReadsThemSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOf(rapid.StringMatching(`[a-c/.-]{1,6}`), rapid.String()).Draw(t, "files")
		var contents []spec.Content
		for path, data := range want {
			contents = append(contents, spec.Content{File: spec.File{Path: path, Size: int64(len(data))}, Data: []byte(data)})
		}
		tree := spec.NewTree(spec.Commit{}, contents)
		files := tree.Files()
		if len(files) != len(want) {
			t.Fatalf("%d files; want %d", len(files), len(want))
		}
		for i, f := range files {
			if i > 0 && files[i-1].Path >= f.Path {
				t.Fatalf("%q stands before %q", files[i-1].Path, f.Path)
			}
			if data, err := tree.Read(f.Path); err != nil || string(data) != want[f.Path] {
				t.Fatalf("%q reads %q, %v", f.Path, data, err)
			}
		}
		if _, err := tree.Read("absent"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("an absent file: %v", err)
		}
	})
}

func TestFileNamesThatMeanSomethingElseAreRefused(t *testing.T) {
	for _, good := range []string{"a.hcl", ".gitignore", ".gitattributes", "git", "GIT~2", "a b", "ä.hcl", "日本.hcl", "...", "a.git", "x~1"} {
		if err := spec.CheckFileName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", ".", "..", "a/b", `a\b`, "a\x00b", "a\nb", "a\x7f", "\xff", strings.Repeat("a", 256),
		".git", ".Git", ".git ", ".git.", ".git:stream", "git~1", "GIT~1", ".gi\u200dt", "a\u202eb", "\ufeffa",
	} {
		if err := spec.CheckFileName(bad); err == nil {
			t.Errorf("%q is allowed", bad)
		}
	}
}

func TestNamesThatCaseDoesNotTellApartFoldAlike(t *testing.T) {
	for _, pair := range [][2]string{{"A.hcl", "a.HCL"}, {"Ä", "ä"}, {"ß", "ẞ"}, {"K", "\u212a"}} {
		if spec.FoldName(pair[0]) != spec.FoldName(pair[1]) {
			t.Errorf("%q and %q fold apart", pair[0], pair[1])
		}
	}
	if spec.FoldName("a") == spec.FoldName("b") {
		t.Error("a and b fold alike")
	}
}
