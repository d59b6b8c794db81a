package trust_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/trust"
	"github.com/fairlead/fairlead/spec"
)

// drawWorld makes a history of a few commits and pull requests after an accepted one.
func drawWorld(t *rapid.T, tb testing.TB) *world {
	rule := spec.ReviewRule{
		Name: "r", Approvals: rapid.IntRange(0, 2).Draw(t, "approvals"), Owners: rapid.Bool().Draw(t, "owners"),
		From: rapid.SampledFrom([][]string{nil, {"@ann"}, {"@vision"}}).Draw(t, "from"), Paths: rapid.SampledFrom([][]string{nil, {"models/**"}, {"models/a.hcl"}}).Draw(t, "paths"),
	}
	rules := &spec.Trust{
		Mode:    rapid.SampledFrom([]spec.TrustMode{spec.TrustOff, spec.TrustHead, spec.TrustEvery}).Draw(t, "mode"),
		Signers: signers(), Reviews: []spec.ReviewRule{rule}, Groups: []spec.Group{{Name: "vision", Members: []string{"ann", "bob"}}},
	}
	w := begin(tb, rules, map[string]string{"models/a.hcl": "@ann 0", "models/b.hcl": "@bob 0"})
	key := rapid.SampledFrom([]string{"ann", "ann", "bob", "forge", "bot", "", "mallory"})
	for i := range rapid.IntRange(1, 4).Draw(t, "commits") {
		files := map[string]string{
			"models/" + rapid.SampledFrom([]string{"a", "b"}).Draw(t, "model") + ".hcl": fmt.Sprintf("@%s %d", rapid.SampledFrom([]string{"ann", "bob", "eve"}).Draw(t, "owner"), i+1),
		}
		if rapid.IntRange(0, 3).Draw(t, "push") == 0 {
			w.commit(draft{key: key.Draw(t, "key"), files: files})
			continue
		}
		var reviews []reconcile.Review
		for range rapid.IntRange(0, 4).Draw(t, "reviews") {
			r := approved(rapid.SampledFrom([]string{"ann", "bob", "dora", "carl"}).Draw(t, "by"))
			r.State = rapid.SampledFrom([]reconcile.ReviewState{reconcile.ReviewApproved, reconcile.ReviewApproved, reconcile.ReviewChanges}).Draw(t, "state")
			reviews = append(reviews, r)
		}
		w.drawPull(t, key, files, reviews)
	}
	return w
}

// drawPull brings a pull request of one commit or two, in any of the ways that forges
// have.
func (w *world) drawPull(t *rapid.T, key *rapid.Generator[string], files map[string]string, reviews []reconcile.Review) {
	base, way := w.head, rapid.SampledFrom([]string{"merge", "merge", "squash", "forward"}).Draw(t, "way")
	var commits []reconcile.PullCommit
	head := base
	if rapid.Bool().Draw(t, "two") {
		head = w.commit(draft{key: key.Draw(t, "key"), parents: []string{head}, files: map[string]string{"models/c.hcl": "- " + base}, beside: true})
		commits = append(commits, reconcile.PullCommit{ID: head, Author: "carl"})
	}
	head = w.commit(draft{key: key.Draw(t, "key"), parents: []string{head}, files: files, beside: true})
	commits = append(commits, reconcile.PullCommit{ID: head, Author: "carl"})
	switch way {
	case "merge":
		w.commit(draft{key: key.Draw(t, "key"), parents: []string{base, head}})
	case "squash":
		w.commit(draft{key: key.Draw(t, "key"), parents: []string{base}, tree: w.commits[head].files})
	case "forward":
		w.head = head
	}
	n := w.merged("carl", head, w.head, reviews...)
	w.pulls[n].commits = commits
	for _, c := range commits {
		if way == "forward" && c.ID != head {
			w.brought[c.ID] = []int{n}
		}
	}
}

// verdict is what a new gate says of the head.
func verdict(t *rapid.T, w *world, root *spec.Trust) bool {
	_, err := w.gate(root).Latest(t.Context())
	return err == nil
}

// An oracle of the signatures: in mode every each commit is signed by a key that is
// known, so an unsigned one anywhere is the end.
func TestAnUnsignedCommitIsNeverAccepted(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		every := &spec.Trust{Mode: spec.TrustEvery, Signers: signers()}
		i := rapid.IntRange(1, len(w.order)-1).Draw(rt, "which")
		id := w.order[i]
		w.commits[id].raw.Raw = []byte("signed by ")
		if w.reach(w.head)[id] && verdict(rt, w, every) {
			rt.Errorf("accepted with %s unsigned", id)
		}
		if w.commit(draft{}); verdict(rt, w, every) {
			rt.Error("accepted with an unsigned head")
		}
	})
}

func TestWhatIsTakenAwayNeverHelps(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		before := verdict(rt, w, nil)
		for n := range w.pulls {
			w.pulls[n].reviews = slices.DeleteFunc(w.pulls[n].reviews, func(r reconcile.Review) bool {
				return r.State == reconcile.ReviewApproved && rapid.Bool().Draw(rt, "withdrawn")
			})
		}
		if rapid.Bool().Draw(rt, "without a pull request") {
			delete(w.brought, w.head)
		}
		for n := range w.pulls {
			if rapid.Bool().Draw(rt, "by somebody") {
				w.pulls[n].commits[0].Author = ""
			}
		}
		if rapid.Bool().Draw(rt, "merged otherwise") {
			w.commits[w.head].raw.Clean = false
		}
		// An approval that was taken back by the newer word stays none, whatever is
		// taken away, but an older one comes back where the newer is an approval.
		if !before && verdict(rt, w, nil) {
			rt.Error("accepted with less evidence")
		}
	})
}

func TestMoreRulesNeverHelp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		before := verdict(rt, w, nil)
		root := &spec.Trust{
			Mode:    rapid.SampledFrom([]spec.TrustMode{spec.TrustOff, spec.TrustHead, spec.TrustEvery}).Draw(rt, "root"),
			Reviews: []spec.ReviewRule{{Name: "root", Approvals: rapid.IntRange(0, 2).Draw(rt, "more"), From: []string{"@ann", "@bob"}}},
		}
		if !before && verdict(rt, w, root) {
			rt.Error("accepted with more rules")
		}
	})
}

// However many commits come between two looks, the gate that sees each of them and
// the one that sees the last agree, where the former accepts all.
func TestLookingOftenMakesNoDifference(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		often, head, first := w.gate(nil), w.head, *w.record
		for _, id := range slices.Backward(branch(w, head)) {
			w.head = id
			if _, err := often.Latest(rt.Context()); err == nil {
				if err := often.Followed(rt.Context(), id); err != nil {
					rt.Fatal(err)
				}
			}
		}
		good := w.record.Accepted == head
		w.record, w.head = &first, head
		if verdict(rt, w, nil) != good {
			rt.Errorf("seen each: %v; seen at once: %v", good, !good)
		}
	})
}

// Whatever was followed before the operator asks for signatures, the verdict is as if
// they had been asked for all the time.
func TestTurningOnReachesBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		root := &spec.Trust{Mode: spec.TrustEvery, Signers: signers(), Since: w.order[0]}
		all := verdict(rt, w, root)
		w.record.Accepted = rapid.SampledFrom(branch(w, w.head)).Draw(rt, "followed")
		w.record.Mode = rapid.SampledFrom([]string{"", "off", "head"}).Draw(rt, "then")
		if got := verdict(rt, w, root); got != all {
			rt.Errorf("turned on later: %v; always on: %v", got, all)
		}
	})
}

// branch are the commits of the branch, newest first, without the first.
func branch(w *world, id string) []string {
	var all []string
	for len(w.commits[id].raw.Parents) > 0 {
		all = append(all, id)
		id = w.commits[id].raw.Parents[0]
	}
	return all
}

// One push that is signed, or is not, with nothing known about it: what generated
// histories once got through.
func TestJudgeOfOnePush(t *testing.T) {
	w := begin(t, nil, nil)
	w.commit(draft{key: "ann", files: map[string]string{"models/a.hcl": "@ann 1"}})
	known, err := w.Range(t.Context(), w.record.Accepted, w.head)
	if err != nil {
		t.Fatal(err)
	}
	unknown := known
	unknown.Known = false
	reviewed := trust.Rules{Root: &spec.Trust{Mode: spec.TrustOff, Reviews: []spec.ReviewRule{{Name: "r"}}}}
	tests := []struct {
		name     string
		r        reconcile.CommitRange
		rules    trust.Rules
		evidence *trust.Evidence
	}{
		{"without rules, of a history that is not known", unknown, trust.Rules{}, nil},
		{"with empty evidence", known, reviewed, &trust.Evidence{Differs: []string{"models/a.hcl"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := trust.Input{Repo: "root", Head: spec.Commit{ID: w.head}, Range: test.r, Rules: test.rules, Evidence: test.evidence, Now: noon}
			if trust.Judge(in).Accepted() {
				t.Error("accepted")
			}
		})
	}
}

// Judge itself never accepts what is not there.
func TestJudgeWithNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		r, err := w.Range(rt.Context(), w.record.Accepted, w.head)
		if err != nil {
			rt.Fatal(err)
		}
		rules := trust.Rules{Root: &spec.Trust{Mode: spec.TrustHead, Signers: signers()}}
		in := trust.Input{Repo: "root", Head: spec.Commit{ID: w.head}, Range: r, Rules: rules, Now: noon}
		if trust.Judge(in).Accepted() {
			rt.Error("accepted without a signature being checked")
		}
		in.Rules.Root.Mode, in.Range.Commits = spec.TrustEvery, nil
		if trust.Judge(in).Accepted() {
			rt.Error("accepted without any commit")
		}
		in.Range = r
		in.Rules = trust.Rules{Root: &spec.Trust{Mode: spec.TrustOff, Reviews: []spec.ReviewRule{{Name: "r"}}}}
		if trust.Judge(in).Accepted() {
			rt.Error("accepted without evidence")
		}
		in.Evidence = &trust.Evidence{Differs: []string{"models/a.hcl"}}
		if trust.Judge(in).Accepted() {
			rt.Error("accepted with empty evidence")
		}
		in.Rules, in.Range.Known = trust.Rules{}, false
		if trust.Judge(in).Accepted() {
			rt.Error("accepted with a history that is not known")
		}
	})
}
