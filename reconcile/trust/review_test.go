package trust_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// review is a review that was changed a little.
func review(by string, change func(*reconcile.Review)) reconcile.Review {
	r := approved(by)
	change(&r)
	return r
}

func later(r reconcile.Review, state reconcile.ReviewState) reconcile.Review {
	r.At, r.State = r.At.Add(time.Minute), state
	return r
}

// Which approvals count.
func TestApprovals(t *testing.T) {
	all := func(approvals int, from ...string) spec.ReviewRule {
		return spec.ReviewRule{Name: "all", Approvals: approvals, From: from}
	}
	const short, waits = `trust.review "all"`, `trust.review "all" waiting`
	is := func(r ...reconcile.Review) []reconcile.Review { return r }
	ann := approved("ann")
	tests := []struct {
		name    string
		rule    spec.ReviewRule
		reviews []reconcile.Review
		want    string
	}{
		{"none", all(1), nil, waits},
		{"one", all(1), is(ann), ""},
		{"one of two", all(2), is(ann), waits},
		{"two of one person", all(2), is(ann, ann), waits},
		{"two of one person, written otherwise", all(2), is(ann, approved("ANN")), waits},
		{"two of two", all(2), is(ann, approved("bob")), ""},
		{"of the author", all(1), is(approved("carl")), waits},
		{"of the author, written otherwise", all(1), is(approved("Carl")), waits},
		{"of nobody", all(1), is(approved("")), waits},
		{"a comment", all(1), is(review("ann", func(r *reconcile.Review) { r.State = reconcile.ReviewCommented })), waits},
		{"a comment after an approval", all(1), is(ann, later(ann, reconcile.ReviewCommented)), ""},
		{"taken back", all(1), is(ann, later(ann, reconcile.ReviewChanges)), waits},
		{"taken back by the other spelling", all(1), is(ann, later(approved("Ann"), reconcile.ReviewChanges)), waits},
		{"taken back, listed first", all(1), is(later(ann, reconcile.ReviewChanges), ann), waits},
		{"dismissed", all(1), is(ann, later(ann, reconcile.ReviewDismissed)), waits},
		{"a state that nobody knows", all(1), is(ann, later(ann, "maybe")), waits},
		{"approved after changes were asked for", all(1), is(review("ann", func(r *reconcile.Review) { r.State = reconcile.ReviewChanges }), later(ann, reconcile.ReviewApproved)), ""},
		{"changes asked for by another", all(1), is(ann, review("bob", func(r *reconcile.Review) { r.State = reconcile.ReviewChanges })), ""},
		{"not official", all(1), is(review("ann", func(r *reconcile.Review) { r.Official = false })), waits},
		{"stale", all(1), is(review("ann", func(r *reconcile.Review) { r.Stale = true })), waits},
		{"of another head", all(1), is(review("ann", func(r *reconcile.Review) { r.Commit = "other" })), waits},
		{"from a login", all(1, "@Ann"), is(ann), ""},
		{"from another login", all(1, "@bob"), is(ann), waits},
		{"from a group", all(1, "@vision"), is(ann), ""},
		{"from a group, of somebody else", all(1, "@vision"), is(approved("dora")), waits},
		{"from a team of the forge", all(1, "@acme/ops"), is(approved("dora")), ""},
		{"from a team of the forge, of somebody else", all(1, "@acme/ops"), is(ann), waits},
		{"from a team that is not there", all(1, "@acme/none"), is(ann), waits},
		{"from somebody who is called as the team that is not there", all(1, "@acme/none"), is(approved("acme/none")), waits},
		{"from a signer, whose name is a team of the forge as well", all(1, "@bob"), is(approved("dora")), waits},
		{"from a login that somebody made a team of", all(1, "@dan"), is(approved("dora")), waits},
		{"from a login, whose name is a team of the forge as well", all(1, "@dan"), is(approved("dan")), ""},
		{"from an address", all(1, "bob@acme"), is(approved("bob@acme")), waits},
		{"from a group that is a team of the forge as well", all(1, "@both"), is(approved("dora")), waits},
		{"no approval, but a pull request", all(0), nil, ""},
		{"of a path that is not touched", spec.ReviewRule{Name: "all", Approvals: 9, Paths: []string{"other/**"}}, nil, ""},
		{"of a directory", spec.ReviewRule{Name: "all", Approvals: 1, Paths: []string{"/models/"}}, nil, waits},
		{"of a glob that does not parse", spec.ReviewRule{Name: "all", Approvals: 1, Paths: []string{"[a"}}, nil, waits},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rules := &spec.Trust{Mode: spec.TrustOff, Signers: signers(), Reviews: []spec.ReviewRule{test.rule}, Groups: []spec.Group{
				{Name: "both", Members: []string{"ann"}}, {Name: "vision", Members: []string{"ann", "bob"}},
			}}
			w := begin(t, rules, nil)
			w.teams["acme/ops"] = []string{"Dora"}
			w.teams["both"], w.teams["bob"], w.teams["dan"] = []string{"dora"}, []string{"dora"}, []string{"dora"}
			w.pull("carl", "", map[string]string{"models/a.hcl": "- 2"}, test.reviews...)
			if got := latest(t, w.gate(nil)); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
		})
	}
	t.Run("a team that cannot be asked for is no login, and is said to be unknown", func(t *testing.T) {
		w := begin(t, &spec.Trust{Mode: spec.TrustOff, Reviews: []spec.ReviewRule{all(1, "@acme/ops")}}, nil)
		w.pull("carl", "", map[string]string{"models/a.hcl": "- 2"}, approved("acme/ops"))
		for _, hidden := range []error{errors.New("the token may not read teams"), nil} {
			w.hidden = hidden
			g := w.gate(nil)
			if got := latest(t, g); got != waits {
				t.Fatalf("got %q, want %q", got, waits)
			}
			if reason := g.Refusals()[0].Reason; !strings.Contains(reason, "the team @acme/ops cannot be asked for") {
				t.Errorf("it says %s", reason)
			}
		}
	})
	t.Run("a direct push", func(t *testing.T) {
		w := begin(t, &spec.Trust{Mode: spec.TrustOff, Reviews: []spec.ReviewRule{all(0)}}, nil)
		w.commit(draft{files: map[string]string{"models/a.hcl": "- 2"}})
		if got := latest(t, w.gate(nil)); got != short {
			t.Fatalf("got %q, want %q", got, short)
		}
	})
}

// A pull request speaks only for a commit that holds what was reviewed.
func TestPullsAreBound(t *testing.T) {
	change := map[string]string{"models/a.hcl": "- 2"}
	const no, waits = `trust.review "all"`, `trust.review "all" waiting`
	edited := func(do func(p *pullRequest)) func(w *world) {
		return func(w *world) {
			n, _ := w.pull("carl", "", change, approved("ann"))
			do(w.pulls[n])
		}
	}
	// squash makes one commit of a branch of two.
	squash := func(spoil func(w *world, d *draft)) func(w *world) {
		return func(w *world) {
			one := w.commit(draft{files: change, beside: true})
			two := w.commit(draft{parents: []string{one}, files: map[string]string{"models/b.hcl": "- 1"}, beside: true})
			w.commit(draft{files: map[string]string{"README": "of another pull request"}})
			w.merged("carl", w.head, w.head, approved("ann"))
			d := draft{files: map[string]string{"models/a.hcl": "- 2", "models/b.hcl": "- 1"}}
			if spoil != nil {
				spoil(w, &d)
			}
			merge := w.commit(d)
			n := w.merged("carl", two, merge, approved("ann"))
			w.pulls[n].commits = []reconcile.PullCommit{{ID: one, Author: "carl"}, {ID: two, Author: "carl"}}
		}
	}
	tests := []struct {
		name string
		do   func(w *world)
		want string
	}{
		{"merged", edited(func(*pullRequest) {}), ""},
		{"not merged", edited(func(p *pullRequest) { p.pull.State = reconcile.PullOpen }), no},
		{"into another branch", edited(func(p *pullRequest) { p.pull.Base = "dev" }), no},
		{"head not known", edited(func(p *pullRequest) { p.pull.HeadSHA = "" }), no},
		{"author not known", edited(func(p *pullRequest) { p.pull.Author = "" }), no},
		{"commits not known", edited(func(p *pullRequest) { p.commits = nil }), no},
		{"another head than the one that was merged", edited(func(p *pullRequest) {
			p.pull.HeadSHA, p.commits[0].ID, p.reviews[0].Commit = "other", "other", "other"
		}), no},
		{"approved by the author of one of its commits", edited(func(p *pullRequest) {
			p.commits = append(p.commits, reconcile.PullCommit{ID: "x", Author: "Ann"})
		}), waits},
		{"approved by the committer of one of its commits", edited(func(p *pullRequest) { p.commits[0].Committer = "Ann" }), waits},
		{"merged with changes of its own", func(w *world) {
			_, merge := w.pull("carl", "", change, approved("ann"))
			w.commits[merge].raw.Clean = false
		}, no},
		{"fast forward", func(w *world) {
			one := w.commit(draft{files: change})
			two := w.commit(draft{files: map[string]string{"models/b.hcl": "- 1"}})
			n := w.merged("carl", two, two, approved("ann"))
			w.brought[one] = []int{n}
			w.pulls[n].commits = []reconcile.PullCommit{{ID: one, Author: "carl"}, {ID: two, Author: "carl"}}
		}, ""},
		{"a part of what was approved", func(w *world) {
			one := approvedInTwo(t, w, spec.ReviewRule{Name: "all", Approvals: 1})
			w.head = one
		}, no},
		{"a part of what was approved, and more on top of it", func(w *world) {
			one := approvedInTwo(t, w, spec.ReviewRule{Name: "all", Approvals: 1})
			w.commit(draft{parents: []string{one}, files: map[string]string{"models/a.hcl": "- anything"}})
		}, no},
		{"all of what was approved", func(w *world) {
			approvedInTwo(t, w, spec.ReviewRule{Name: "all", Approvals: 1})
		}, ""},
		{"all of what was approved, one after the other", func(w *world) {
			approvedInTwo(t, w, spec.ReviewRule{Name: "all", Approvals: 1})
			w.head = w.pulls[1].pull.HeadSHA
			w.pull("carl", "", change, approved("ann"))
		}, ""},
		{"squash", squash(nil), ""},
		{"squash with more than was reviewed", squash(func(_ *world, d *draft) { d.files["models/c.hcl"] = "- evil" }), no},
		{"squash with another CODEOWNERS", squash(func(_ *world, d *draft) { d.files["CODEOWNERS"] = "* @evil" }), no},
		{"squash whose head has moved", func(w *world) {
			squash(nil)(w)
			w.refs["refs/pull/2/head"] = w.commit(draft{beside: true})
		}, no},
		{"squash whose head is gone", func(w *world) {
			squash(nil)(w)
			delete(w.refs, "refs/pull/2/head")
		}, no},
		{"rebase", func(w *world) {
			one := w.commit(draft{files: change, beside: true})
			two := w.commit(draft{parents: []string{one}, files: map[string]string{"models/b.hcl": "- 1"}, beside: true})
			w.pull("carl", "", map[string]string{"README": "of another"}, approved("ann"))
			first := w.commit(draft{files: change})
			second := w.commit(draft{files: map[string]string{"models/b.hcl": "- 1"}})
			n := w.merged("carl", two, second, approved("ann"))
			w.brought[first] = []int{n}
			w.pulls[n].commits = []reconcile.PullCommit{{ID: one, Author: "carl"}, {ID: two, Author: "carl"}}
		}, ""},
		{"a direct push among what was reviewed", func(w *world) {
			w.commit(draft{files: map[string]string{"models/b.hcl": "- 1"}})
			w.pull("carl", "", change, approved("ann"))
		}, no},
		{"a direct push that is undone", func(w *world) {
			w.commit(draft{files: map[string]string{"models/b.hcl": "- 1", "trust.hcl": encoded(t, &spec.Trust{Mode: spec.TrustOff})}})
			w.commit(draft{tree: w.commits[w.record.Accepted].files})
			w.pull("carl", "", change, approved("ann"))
		}, ""},
		{"a direct push that is not wholly undone", func(w *world) {
			w.commit(draft{files: map[string]string{"models/b.hcl": "- 1", "models/c.hcl": "- 1"}})
			w.commit(draft{files: map[string]string{"models/b.hcl": ""}})
		}, no},
		{"what the accepted commit brought is undone beside it", func(w *world) {
			old := w.head
			w.pull("carl", "", change, approved("ann"))
			w.record.Accepted = w.head
			side := w.commit(draft{parents: []string{old}, files: map[string]string{"README": "x"}, beside: true})
			w.merged("carl", side, side, approved("ann"))
			w.commit(draft{parents: []string{side, w.head}, tree: w.commits[side].files})
		}, no},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := begin(t, &spec.Trust{Mode: spec.TrustOff, Reviews: []spec.ReviewRule{{Name: "all", Approvals: 1}}}, nil)
			test.do(w)
			if got := latest(t, w.gate(nil)); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
		})
	}
}

// approvedInTwo brings an approved pull request of two commits, of which the first
// turns the rules off and the second on again. It returns the first.
func approvedInTwo(t *testing.T, w *world, rule spec.ReviewRule) string {
	t.Helper()
	base := w.head
	on, off := &spec.Trust{Mode: spec.TrustOff, Reviews: []spec.ReviewRule{rule}}, &spec.Trust{Mode: spec.TrustOff}
	one := w.commit(draft{files: map[string]string{"models/a.hcl": "- evil", "trust.hcl": encoded(t, off)}, beside: true})
	two := w.commit(draft{parents: []string{one}, files: map[string]string{"models/a.hcl": "- 3", "trust.hcl": encoded(t, on)}, beside: true})
	n := w.merged("carl", two, w.commit(draft{parents: []string{base, two}}), approved("ann"))
	w.pulls[n].commits = []reconcile.PullCommit{{ID: one, Author: "carl"}, {ID: two, Author: "carl"}}
	w.brought[one], w.brought[two] = []int{n}, []int{n}
	return one
}

func TestOwners(t *testing.T) {
	// Of the accepted commit: a is of ann, b of the group ops, c of nobody.
	files := map[string]string{
		"models/a.hcl": "@ann 1", "models/b.hcl": "@ops 1", "models/c.hcl": "- 1", "models/d.hcl": "d@example.org 1",
		"vars.hcl": "x", "docs/readme": "x",
	}
	const waits = `trust.review "own" waiting`
	tests := []struct {
		name   string
		owners string // CODEOWNERS
		paths  []string
		files  map[string]string
		by     []string // who approved
		want   string
	}{
		{"an owner", "", nil, map[string]string{"models/a.hcl": "@ann 2"}, []string{"ann"}, ""},
		{"no owner", "", nil, map[string]string{"models/a.hcl": "@ann 2"}, []string{"bob"}, waits},
		{"of a group", "", nil, map[string]string{"models/b.hcl": "@ops 2"}, []string{"bob"}, ""},
		{"of nobody", "", nil, map[string]string{"models/c.hcl": "- 2"}, nil, ""},
		{"of an address, which is no login", "", nil, map[string]string{"models/d.hcl": "- 2"}, []string{"ann", "bob"}, waits},
		{"the change takes it over", "", nil, map[string]string{"models/a.hcl": "@eve 2"}, []string{"eve"}, waits},
		{"the owner gives it away", "", nil, map[string]string{"models/a.hcl": "@eve 2"}, []string{"ann"}, ""},
		{"removed", "", nil, map[string]string{"models/a.hcl": ""}, []string{"bob"}, waits},
		{"new", "", nil, map[string]string{"models/e.hcl": "@eve 1"}, []string{"ann"}, waits},
		{"new, its owner agrees", "", nil, map[string]string{"models/e.hcl": "@eve 1"}, []string{"eve"}, ""},
		{"two objects, one owner", "", nil, map[string]string{"models/a.hcl": "@ann 2", "models/b.hcl": "@ops 2"}, []string{"ann"}, waits},
		{"two objects, both owners", "", nil, map[string]string{"models/a.hcl": "@ann 2", "models/b.hcl": "@ops 2"}, []string{"ann", "bob"}, ""},
		{"from far away", "", []string{"models/a.hcl"}, map[string]string{"vars.hcl": "y"}, nil, waits},
		{"from far away, the owner agrees", "", []string{"models/a.hcl"}, map[string]string{"vars.hcl": "y"}, []string{"ann"}, ""},
		{"another object than the rule is about", "", []string{"models/c.hcl"}, map[string]string{"models/a.hcl": "@ann 2"}, nil, ""},
		{"an object that the rule is not about, beside one that it is", "", []string{"models/c.hcl"}, map[string]string{"models/a.hcl": "@ann 2", "models/c.hcl": "- 2"}, nil, ""},

		{"CODEOWNERS changes itself, and the rule is about other paths", "* @bob", []string{"models/**"}, map[string]string{"CODEOWNERS": "* @eve"}, []string{"ann"}, waits},
		{"CODEOWNERS", "* @bob\n/vars.hcl @ann", nil, map[string]string{"docs/readme": "y"}, []string{"bob"}, ""},
		{"CODEOWNERS, somebody else", "* @bob\n/vars.hcl @ann", nil, map[string]string{"docs/readme": "y"}, []string{"ann"}, waits},
		{"CODEOWNERS, the last match wins", "* @bob\n/docs/ @ann", nil, map[string]string{"docs/readme": "y"}, []string{"bob"}, waits},
		{"CODEOWNERS, the last match gives nobody", "* @bob\n/docs/", nil, map[string]string{"docs/readme": "y"}, nil, ""},
		{"CODEOWNERS, a team", "* @acme/team", nil, map[string]string{"docs/readme": "y"}, []string{"tim"}, ""},
		{"CODEOWNERS changes itself", "* @bob", nil, map[string]string{"CODEOWNERS": "* @eve"}, []string{"eve"}, waits},
		{"CODEOWNERS is taken away", "* @bob", nil, map[string]string{"CODEOWNERS": ""}, []string{"bob"}, ""},
		{"CODEOWNERS that is nobody's", "/x @bob", []string{"models/**"}, map[string]string{"CODEOWNERS": ""}, nil, waits},
		{"CODEOWNERS that is nobody's, with a word of somebody", "/x @bob", []string{"models/**"}, map[string]string{"CODEOWNERS": ""}, []string{"ann"}, ""},
		{"CODEOWNERS comes", "", []string{"models/**"}, map[string]string{".github/CODEOWNERS": "* @eve"}, nil, waits},
		{"CODEOWNERS that nobody can read", "[Section]\n* @bob", nil, map[string]string{"docs/readme": "y"}, []string{"bob"}, "trust.codeowners"},
		{"CODEOWNERS that nobody will be able to read", "* @bob", nil, map[string]string{"CODEOWNERS": "[Section]"}, []string{"bob"}, "trust.codeowners"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rule := spec.ReviewRule{Name: "own", Owners: true, Paths: test.paths}
			all := maps.Clone(files)
			if test.owners != "" {
				all["CODEOWNERS"] = test.owners
			}
			w := begin(t, &spec.Trust{Mode: spec.TrustOff, Reviews: []spec.ReviewRule{rule}, Groups: []spec.Group{{Name: "ops", Members: []string{"bob"}}}}, all)
			w.teams["acme/team"] = []string{"tim"}
			var reviews []reconcile.Review
			for _, by := range test.by {
				reviews = append(reviews, approved(by))
			}
			w.pull("carl", "", test.files, reviews...)
			if got := latest(t, w.gate(nil)); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
		})
	}
}

// Below the configured path everything counts, outside of it only CODEOWNERS.
func TestConfiguredPath(t *testing.T) {
	rule := spec.ReviewRule{Name: "own", Owners: true, Paths: []string{"models/**"}}
	const waits = `trust.review "own" waiting`
	squash := func(files, more map[string]string) func(w *world) {
		return func(w *world) {
			head := w.commit(draft{files: files, beside: true})
			all := maps.Clone(files)
			maps.Copy(all, more)
			w.merged("carl", head, w.commit(draft{files: all}), approved("ann"), approved("bob"))
		}
	}
	tests := []struct {
		name string
		do   func(w *world)
		want string
	}{
		{"outside", func(w *world) { w.commit(draft{files: map[string]string{"models/x.hcl": "- 1"}}) }, ""},
		{"inside", func(w *world) { w.pull("carl", "", map[string]string{"deploy/models/a.hcl": "- 2"}, approved("ann")) }, waits},
		{"inside, its owner agrees", func(w *world) { w.pull("carl", "", map[string]string{"deploy/models/a.hcl": "- 2"}, approved("bob")) }, ""},
		{"CODEOWNERS outside", func(w *world) { w.pull("carl", "", map[string]string{"CODEOWNERS": ""}) }, waits},
		{"squash", squash(map[string]string{"deploy/models/a.hcl": "- 2"}, nil), ""},
		{"squash with CODEOWNERS", squash(map[string]string{"deploy/models/a.hcl": "- 2"}, map[string]string{"CODEOWNERS": "* @eve"}), `trust.review "own"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := begin(t, nil, map[string]string{
				"CODEOWNERS": "/deploy/models/ @bob", "deploy/models/a.hcl": "- 1",
				"deploy/trust.hcl": encoded(t, &spec.Trust{Mode: spec.TrustOff, Reviews: []spec.ReviewRule{rule}}),
			})
			w.path = "deploy"
			test.do(w)
			if got := latest(t, w.gate(nil)); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
		})
	}
}

// A commit of which not every path is known may have changed any.
func TestTooManyFiles(t *testing.T) {
	for _, owners := range []bool{false, true} {
		rule := spec.ReviewRule{Name: "models", Paths: []string{"models/z/**"}, Approvals: 1, Owners: owners}
		w := begin(t, &spec.Trust{Mode: spec.TrustOff, Reviews: []spec.ReviewRule{rule}}, nil)
		_, merge := w.pull("carl", "", map[string]string{"other": "x"})
		w.commits[merge].raw.Changed, w.commits[merge].raw.ChangedAll = nil, false
		if got, want := latest(t, w.gate(nil)), `trust.review "models"`; strings.TrimSuffix(got, " waiting") != want || owners == strings.HasSuffix(got, "waiting") {
			t.Errorf("owners %v: got %q", owners, got)
		}
	}
}

// A change of the rules has to meet all of them, whatever paths they are about.
func TestRulesGuardThemselves(t *testing.T) {
	rules := &spec.Trust{
		Mode: spec.TrustOff, Reviews: []spec.ReviewRule{{Name: "models", Paths: []string{"models/**"}, Approvals: 1, From: []string{"@vision"}}},
		Groups: []spec.Group{{Name: "vision", Members: []string{"ann"}}},
	}
	weaker := *rules
	weaker.Groups = []spec.Group{{Name: "vision", Members: []string{"ann", "eve"}}}
	change := map[string]string{"trust.hcl": encoded(t, &weaker)}
	tests := []struct {
		name string
		do   func(w *world)
		want string
	}{
		{"by a push", func(w *world) { w.commit(draft{files: change}) }, `trust.review "models"`},
		{"by one who is new", func(w *world) { w.pull("carl", "", change, approved("eve")) }, `trust.review "models" waiting`},
		{"by one of the group", func(w *world) { w.pull("carl", "", change, approved("ann")) }, ""},
		{"then the new one approves", func(w *world) {
			w.pull("carl", "", change, approved("ann"))
			w.pull("carl", "", map[string]string{"models/a.hcl": "- 2"}, approved("eve"))
		}, ""},
		{"and it is not touched", func(w *world) { w.commit(draft{files: map[string]string{"other": "x"}}) }, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := begin(t, rules, nil)
			test.do(w)
			if got := latest(t, w.gate(nil)); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
		})
	}
	t.Run("the repo does not say who is in a group of the operator", func(t *testing.T) {
		w := begin(t, &weaker, nil)
		w.pull("carl", "", map[string]string{"models/a.hcl": "- 2"}, approved("eve"))
		if got, want := latest(t, w.gate(rules)), `trust.review "models" waiting`; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestTheForgeIsAway(t *testing.T) {
	rules := &spec.Trust{Mode: spec.TrustHead, Signers: signers(), Reviews: []spec.ReviewRule{{Name: "all", Approvals: 1}}}
	w := begin(t, rules, nil)
	w.pull("carl", "", map[string]string{"models/a.hcl": "- 2"})
	g := w.gate(nil)
	if got := latest(t, g); got != "trust.signed" || w.asked != 0 {
		t.Fatalf("got %q, asked %d times; the signature is not good, so nobody need be asked", got, w.asked)
	}
	w = begin(t, rules, nil)
	n, _ := w.pull("carl", "ann", map[string]string{"models/a.hcl": "- 2"})
	g, w.away = w.gate(nil), &reconcile.RetryError{After: noon.Add(5 * time.Minute), Cause: errors.New("rate limit")}
	for range 3 {
		if got, want := latest(t, g), `trust.review "all" waiting`; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	w.pass(4 * time.Minute)
	if latest(t, g); w.asked != 1 {
		t.Errorf("the forge was asked %d times before it wants to be", w.asked)
	}
	w.pass(time.Minute)
	w.away = nil
	if latest(t, g); w.asked != 2 {
		t.Errorf("the forge was asked %d times in all; it answers again", w.asked)
	}
	w.pulls[n].reviews = append(w.pulls[n].reviews, review("bob", func(r *reconcile.Review) { r.Commit = w.pulls[n].pull.HeadSHA }))
	w.pass(30 * time.Second)
	if got := latest(t, g); got == "" || w.asked != 2 {
		t.Errorf("got %q, asked %d times within a minute", got, w.asked)
	}
	w.pass(30 * time.Second)
	if got := latest(t, g); got != "" || w.asked != 3 {
		t.Errorf("got %q, asked %d times; it is approved by now", got, w.asked)
	}
	if latest(t, g); w.asked != 3 {
		t.Errorf("what is accepted was asked for again: %d", w.asked)
	}
	if err := g.Followed(t.Context(), w.head); err != nil {
		t.Fatal(err)
	}
	if pulls := w.record.Pulls; len(pulls) != 1 || len(pulls[0].Approvals) != 1 || fmt.Sprint(pulls[0].Approvals[0].By, pulls[0].Approvals[0].Rules) != "bob[all]" {
		t.Errorf("the record holds %+v", pulls)
	}
}
