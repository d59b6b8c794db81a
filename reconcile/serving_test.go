package reconcile

import "testing"

func TestWhatServes(t *testing.T) {
	weighted := func(candidate string, revisions ...RoutedRevision) *RoutedModel {
		return &RoutedModel{Candidate: candidate, Revisions: revisions}
	}
	one := func(revision string, weight int) RoutedRevision {
		return RoutedRevision{Revision: revision, Weight: weight}
	}
	for name, c := range map[string]struct {
		model *RoutedModel
		want  string
	}{
		"nothing is routed":              {nil, ""},
		"no revision has any weight":     {weighted("", one("a", 0)), ""},
		"the one with the most":          {weighted("b", one("a", 25), one("b", 75)), "b"},
		"of two halves, stable":          {weighted("a", one("a", 50), one("b", 50)), "b"},
		"of two halves, in either order": {weighted("b", one("a", 50), one("b", 50)), "a"},
	} {
		if got := c.model.Serving(); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
