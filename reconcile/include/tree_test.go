package include_test

import (
	"testing"

	"github.com/fairlead/fairlead/reconcile/include"
	"github.com/fairlead/fairlead/spec"
)

// A part that is changed and put back is all that differs, also where the composition was
// stored and read again.
func TestAPartIsChangedByItself(t *testing.T) {
	w := newWorld()
	composed := w.want(t, "r1 a@a1 b@b1", mountA+"a "+mountB+"b root.hcl=r").Tree
	var stored []spec.Content
	for _, f := range composed.Files() {
		data, err := composed.Read(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, spec.Content{File: f, Data: data})
	}
	for what, c := range map[string]spec.Tree{"composed": composed, "stored": spec.NewTree(composed.Commit(), stored)} {
		if got := include.Part(c, "none"); got != nil {
			t.Errorf("%s: there is a part of no include, %v", what, got.Files())
		}
		part := include.Part(c, "a")
		if part == nil || part.Commit().ID != "a1" || len(part.Files()) != 1 || part.Files()[0].Path != "m.hcl" {
			t.Fatalf("%s: the part is %+v", what, part)
		}
		next := include.With(c, "a", tree("a2", map[string]string{"n.hcl": "new"}))
		if key := next.Commit().Key(); key != "r1 a@a2 b@b1" || c.Commit().Key() != "r1 a@a1 b@b1" {
			t.Errorf("%s: the commits are %s, and were %s", what, key, c.Commit().Key())
		}
		for path, want := range map[string]string{"root.hcl": "r", ".fairlead/include/a/n.hcl": "new", ".fairlead/include/b/m.hcl": "b"} {
			if data, err := next.Read(path); err != nil || string(data) != want {
				t.Errorf("%s: %s is %q, %v", what, path, data, err)
			}
		}
		if len(next.Files()) != 3 {
			t.Errorf("%s: the files are %+v", what, next.Files())
		}
	}
}
