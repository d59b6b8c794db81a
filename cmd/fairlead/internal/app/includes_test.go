package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec"
)

// textRepo is a repository with the text of one spec file.
func textRepo(t *testing.T, text string) *configRepo {
	t.Helper()
	r := newConfigRepo(t, 0)
	if err := os.Remove(filepath.Join(r.dir, "common.hcl")); err != nil {
		t.Fatal(err)
	}
	r.text(text)
	return r
}

// text commits another text.
func (r *configRepo) text(text string) {
	r.tb.Helper()
	r.write("specs.hcl", text)
	r.git("add", "-A")
	r.git("commit", "-q", "-m", "other specs")
}

// What one include says wrongly about its own versions must not keep the root, or
// another include, from being followed.
func TestAnIncludeThatRewritesAVersionHoldsUpNoOther(t *testing.T) {
	version := func(metric string) string {
		return fmt.Sprintf("version \"a_m@1.0.0\" {\n  artifact = \"oci://local/a_m@sha256:%s\"\n  created = \"2026-03-03\"\n  metrics = { accuracy = %s }\n}\n", strings.Repeat("6c3c624b", 8), metric)
	}
	a := textRepo(t, version("0.9"))
	own := "include \"a\" {\n  repo = \"file://" + a.dir + "\"\n}\nmodel \"own\" {\n  image = \"own:%s\"\n}\n"
	root := textRepo(t, fmt.Sprintf(own, "1"))
	s, _, err := memorySite(root.dir, t.TempDir(), "default")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	look := func() (*spec.Config, spec.Commit, string) {
		t.Helper()
		snapshot, err := s.Source.Latest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := s.loadNext(t.Context(), snapshot.Tree)
		if err != nil {
			t.Fatal(err)
		}
		s.follow(cfg, snapshot.Tree)
		return cfg, snapshot.Tree.Commit(), strings.Join(snapshot.Notes, "\n")
	}
	_, first, _ := look()
	a.text(version("0.99"))
	root.text(fmt.Sprintf(own, "2"))
	cfg, second, notes := look()
	if cfg.Model("own").Image != "own:2" || second.ID == first.ID {
		t.Errorf("the root's commit is not followed: %s", cfg.Model("own").Image)
	}
	if second.Includes["a"] != first.Includes["a"] || !strings.Contains(notes, "a_m@1.0.0") {
		t.Errorf("of the include %s is followed, and the notes say %q", second.Includes["a"], notes)
	}
}
