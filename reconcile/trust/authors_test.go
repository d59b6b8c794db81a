package trust_test

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// Of whom nobody knows who it is may be whoever approved.
func TestAuthorsThatNobodyKnows(t *testing.T) {
	const waits = `trust.review "all" waiting`
	tests := []struct {
		name  string
		key   string   // that signs the commit of the pull request
		mails []string // of authors that the forge does not know
		by    []string
		want  string
	}{
		{"one approval", "", []string{"x@y"}, []string{"mallory"}, waits},
		{"one more", "", []string{"x@y"}, []string{"mallory", "ann"}, ""},
		{"two of one address", "", []string{"x@y", "X@y "}, []string{"mallory", "ann"}, ""},
		{"two addresses", "", []string{"x@y", "z@y"}, []string{"mallory", "ann"}, waits},
		{"two addresses, two more", "", []string{"x@y", "z@y"}, []string{"mallory", "ann", "bob"}, ""},
		{"no address", "", []string{""}, []string{"mallory"}, waits},
		{"signed by another", "bob", []string{"x@y"}, []string{"mallory"}, ""},
		{"signed by a bot", "bot", []string{"x@y"}, []string{"mallory"}, ""},
		{"signed by who approves", "ann", []string{"x@y"}, []string{"ann"}, waits},
		{"signed by the forge", "forge", []string{"x@y"}, []string{"mallory"}, waits},
		{"signed by one whose key is revoked", "gone", []string{"x@y"}, []string{"mallory"}, waits},
		{"signed by somebody", "eve", []string{"x@y"}, []string{"mallory"}, waits},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rules := &spec.Trust{Mode: spec.TrustOff, Signers: signers(), Reviews: []spec.ReviewRule{{Name: "all", Approvals: 1}}}
			for _, squashed := range []bool{false, true} {
				w := begin(t, rules, nil)
				base, change := w.head, map[string]string{"models/a.hcl": "- 2"}
				head := w.commit(draft{key: test.key, files: change, beside: true})
				parents := []string{base, head}
				if squashed {
					parents = parents[:1]
				}
				n := w.merged("carl", head, w.commit(draft{parents: parents, files: change}))
				commits := &w.pulls[n].commits
				*commits = nil
				for _, mail := range test.mails {
					*commits = append(*commits, reconcile.PullCommit{ID: head, Email: mail})
				}
				for _, by := range test.by {
					w.pulls[n].reviews = append(w.pulls[n].reviews, review(by, func(r *reconcile.Review) { r.Commit = head }))
				}
				if got := latest(t, w.gate(nil)); got != test.want {
					t.Errorf("squashed %v: got %q, want %q", squashed, got, test.want)
				}
			}
		})
	}
}

// Who signed a commit of a pull request is an author, whoever the forge takes it to
// be of.
func TestSignersAreAuthors(t *testing.T) {
	ann := person("ann")
	ann.Login = "Annie"
	w := begin(t, &spec.Trust{
		Mode: spec.TrustEvery, Signers: []spec.Signer{ann, person("bob")}, Reviews: []spec.ReviewRule{{Name: "all", Approvals: 1}},
	}, nil)
	n, _ := w.pull("ann", "bob", map[string]string{"models/a.hcl": "- 2"}, approved("annie"))
	w.pulls[n].pull.Author, w.pulls[n].commits[0].Author = "fairlead", ""
	g := w.gate(nil)
	if got, want := latest(t, g), `trust.review "all" waiting`; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	w.pulls[n].reviews[0].By = "bob"
	w.pass(time.Minute)
	if got := latest(t, g); got != "" {
		t.Fatalf("one person cannot approve what a bot proposes: %q", got)
	}
}
