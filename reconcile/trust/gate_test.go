package trust_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/trust"
	"github.com/fairlead/fairlead/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What is refused is overtaken by the next good commit, and what is followed is what
// the next is judged from.
func TestOvertaken(t *testing.T) {
	w := begin(t, &spec.Trust{Mode: spec.TrustHead, Signers: signers()}, nil)
	first := w.head
	g := w.gate(nil)
	bad := w.commit(draft{})
	if got := latest(t, g); got != "trust.signed" {
		t.Fatal(got)
	}
	if err := g.Followed(t.Context(), bad); err == nil {
		t.Error("a refused commit counts as followed")
	}
	w.commit(draft{key: "ann"})
	follow(t, w, g)
	want := journal.RepoRecord{FormatVersion: journal.RecordFormat, Repo: journal.RootRepo, Accepted: w.head, Before: first, Mode: "head", Since: noon}
	r := *w.record
	if r.Accepted != want.Accepted || r.Before != want.Before || r.Mode != want.Mode || !r.Since.Equal(want.Since) || r.Repo != want.Repo || r.FormatVersion != want.FormatVersion {
		t.Errorf("the record is %+v", r)
	}
	if len(r.Commits) != 2 || r.Commits[0].Signer != "" || r.Commits[1].Signer != "ann" || r.Commits[1].Key != "SHA256:ann" {
		t.Errorf("the commits are %+v", r.Commits)
	}
	if r.Rules == nil || r.Rules.Trust == nil || r.Rules.Trust.Mode != spec.TrustHead {
		t.Errorf("the rules are %+v", r.Rules)
	}
	if err := g.Followed(t.Context(), w.head); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

// All that is wrong is said, the first of it as the error.
func TestAllRefusals(t *testing.T) {
	w := begin(t, &spec.Trust{Mode: spec.TrustEvery, Signers: signers()}, nil)
	for range 7 {
		w.commit(draft{})
	}
	g := w.gate(nil)
	_, err := g.Latest(t.Context())
	var r *reconcile.Refusal
	if !errors.As(err, &r) || len(g.Refusals()) != 7 {
		t.Fatalf("%d refusals, %v", len(g.Refusals()), err)
	}
	if r.Head.ID != w.head || r.Commit != w.order[1] || !strings.HasSuffix(r.Reason, "; and 3 more") {
		t.Errorf("it says %+v", r)
	}
	if strings.Contains(g.Refusals()[0].Reason, "more") {
		t.Error("the refusals themselves were changed")
	}
}

func TestRulesAreOff(t *testing.T) {
	w := begin(t, nil, nil)
	first := w.head
	g := w.gate(nil)
	n, merge := w.pull("carl", "", map[string]string{"models/a.hcl": "- 2"}, approved("ann"))
	follow(t, w, g)
	if w.record.Accepted != merge || len(w.record.Pulls) != 1 || w.record.Pulls[0].Number != n || w.record.Pulls[0].Approvals[0].By != "ann" ||
		!slices.Equal(w.record.Pulls[0].Objects, []string{"model.a"}) || len(w.record.Commits) != 2 {
		t.Errorf("the record is %+v", w.record)
	}
	w.away = errors.New("the forge is broken")
	w.head = first
	follow(t, w, g) // back, without a word of the forge
	w.commit(draft{files: map[string]string{"models/a.hcl": "broken"}})
	if got := latest(t, g); got != "" {
		t.Errorf("what does not parse is a matter of trust: %q", got)
	}
}

func TestWithoutTrustNothingIsParsed(t *testing.T) {
	w := begin(t, nil, nil)
	g := w.gate(nil)
	w.commit(draft{})
	follow(t, w, g)
	w.parsed = nil
	w.commit(draft{})
	if latest(t, g); len(w.parsed) != 0 {
		t.Errorf("%v were parsed, which costs time", w.parsed)
	}
}

func TestAcceptedConfigThatNoLongerLoads(t *testing.T) {
	rules := &spec.Trust{Mode: spec.TrustHead, Signers: signers()}
	broken := map[string]string{"models/a.hcl": "broken"}
	tests := []struct {
		name   string
		rules  *spec.Trust
		record *journal.AcceptedRules
		key    string
		want   string
	}{
		{"it may have had rules", rules, nil, "ann", "trust.rules"},
		{"it cannot have had any", nil, nil, "", ""},
		{"the journal has them, good", rules, &journal.AcceptedRules{Trust: rules}, "ann", ""},
		{"the journal has them, bad", rules, &journal.AcceptedRules{Trust: rules}, "", "trust.signed"},
		{"the journal knows that there are none", rules, &journal.AcceptedRules{}, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := broken
			if test.rules != nil {
				files = map[string]string{"models/a.hcl": "broken", "zz.hcl": "trust {}"}
			}
			w := begin(t, test.rules, files)
			w.record.Rules = test.record
			w.commit(draft{key: test.key})
			if got := latest(t, w.gate(nil)); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
		})
	}
	t.Run("who owned what is not known", func(t *testing.T) {
		owned := &spec.Trust{Mode: spec.TrustOff, Reviews: []spec.ReviewRule{{Name: "own", Owners: true}}}
		w := begin(t, owned, broken)
		w.record.Rules = &journal.AcceptedRules{Trust: owned}
		w.pull("carl", "", map[string]string{"models/a.hcl": "- 1"}, approved("ann"))
		if got := latest(t, w.gate(nil)); got != "trust.rules" {
			t.Fatalf("got %q", got)
		}
	})
}

// A tree that cannot be read hides nothing of what changed.
func TestAcceptedTreeThatDoesNotRead(t *testing.T) {
	rules := &spec.Trust{Mode: spec.TrustOff, Reviews: []spec.ReviewRule{{Name: "all", Paths: []string{"models/**"}}}}
	begun := func() *world {
		w := begin(t, nil, map[string]string{"link": "x"})
		w.record.Rules = &journal.AcceptedRules{}
		return w
	}
	w := begun()
	w.commit(draft{files: map[string]string{"link": "", "models/a.hcl": ""}})
	if got, want := latest(t, w.gate(rules)), `trust.review "all"`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	w = begun()
	w.pull("carl", "", map[string]string{"link": "", "models/a.hcl": ""})
	if got := latest(t, w.gate(rules)); got != "" {
		t.Errorf("got %q", got)
	}
	w = begin(t, nil, nil)
	w.pull("carl", "", map[string]string{"link": "x"})
	w.pull("carl", "", map[string]string{"link": ""})
	if got := latest(t, w.gate(rules)); got != "" {
		t.Errorf("one that does not read on the way: %q", got)
	}
}

// What does not load is refused for want of approvals all the same, and is judged by
// what the older config declares in the files.
func TestNewConfigThatDoesNotLoad(t *testing.T) {
	w := begin(t, &spec.Trust{Mode: spec.TrustOff, Reviews: []spec.ReviewRule{{Name: "own", Owners: true}}},
		map[string]string{"models/a.hcl": "@ann 1", "models/b.hcl": "@bob 1"})
	n, _ := w.pull("carl", "", map[string]string{"models/a.hcl": "broken"}, approved("bob"))
	g := w.gate(nil)
	if got, want := latest(t, g), `trust.review "own" waiting`; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	w.pulls[n].reviews[0].By = "ann"
	w.pass(time.Minute)
	if got := latest(t, g); got != "" {
		t.Fatalf("got %q", got)
	}
	// The commit that mends it answers for both.
	w.pull("carl", "", map[string]string{"models/a.hcl": "@eve 2"}, approved("bob"))
	if got, want := latest(t, g), `trust.review "own" waiting`; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// Of several pull requests between two looks each needs the owners of what it
// changes itself.
func TestEachPullItsOwners(t *testing.T) {
	w := begin(t, &spec.Trust{Mode: spec.TrustHead, Signers: signers(), Reviews: []spec.ReviewRule{{Name: "own", Owners: true}}},
		map[string]string{"models/a.hcl": "@ann 1", "models/b.hcl": "@bob 1"})
	w.pull("carl", "", map[string]string{"models/a.hcl": "@ann 2"}, approved("ann")) // the merge is not signed
	w.pull("carl", "ann", map[string]string{"models/b.hcl": "@bob 2"}, approved("bob"))
	g := w.gate(nil)
	follow(t, w, g)
	if len(w.record.Pulls) != 2 || !slices.Equal(w.record.Pulls[0].Objects, []string{"model.a"}) || !slices.Equal(w.record.Pulls[1].Objects, []string{"model.b"}) {
		t.Errorf("the pulls are %+v", w.record.Pulls)
	}
}

// Owners are those of the accepted commit, whoever took an object over since.
func TestOwnersAreThoseThatWereAccepted(t *testing.T) {
	w := begin(t, &spec.Trust{Mode: spec.TrustHead, Signers: signers(), Reviews: []spec.ReviewRule{{Name: "own", Owners: true}}},
		map[string]string{"models/a.hcl": "@ann 1"})
	w.pull("carl", "", map[string]string{"models/a.hcl": "@eve 1"}, approved("ann")) // the merge is not signed
	w.pull("carl", "ann", map[string]string{"models/a.hcl": "@eve 2"}, approved("eve"))
	if got, want := latest(t, w.gate(nil)), `trust.review "own" waiting`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What a forge merged is as good as all that leads to it, however long that is.
func TestManyMergesOfTheForge(t *testing.T) {
	for _, first := range []string{"ann", ""} {
		w := begin(t, &spec.Trust{Mode: spec.TrustHead, Signers: signers()}, nil)
		w.commit(draft{key: first})
		for range 60 {
			w.pull("ann", "forge", map[string]string{"x": "1"})
		}
		r, err := w.Range(t.Context(), w.record.Accepted, w.head)
		if err != nil || len(r.Commits) < 121 {
			t.Fatal(len(r.Commits), err)
		}
		want := ""
		if first == "" {
			want = "trust.role"
		}
		if got := latest(t, w.gate(nil)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestNoForge(t *testing.T) {
	w := begin(t, &spec.Trust{Mode: spec.TrustOff, Reviews: []spec.ReviewRule{{Name: "all"}}}, nil)
	w.commit(draft{files: map[string]string{"models/a.hcl": "- 2"}})
	g := trust.New(trust.Options{Source: w, Commits: w, Signatures: w, Memory: w, Load: w.load, Now: w.clock})
	if got, want := latest(t, g), `trust.review "all"`; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	if reason := g.Refusals()[0].Reason; !strings.Contains(reason, "no forge") {
		t.Errorf("it does not say what is missing: %s", reason)
	}
}

// plain is a source of a directory that is not in Git.
type plain struct{ world }

func (p *plain) Latest(context.Context) (reconcile.Snapshot, error) {
	return reconcile.Snapshot{Tree: tree{files: map[string]string{}}, Notes: []string{"a directory"}}, nil
}

func TestPlainDirectory(t *testing.T) {
	p := &plain{world: world{now: noon}}
	options := trust.Options{Source: p, Commits: p, Signatures: p, Memory: p, Load: p.load, Now: p.clock}
	g := trust.New(options)
	snap, err := g.Latest(t.Context())
	if err != nil || len(snap.Notes) != 1 {
		t.Fatal(snap, err)
	}
	if err := g.Followed(t.Context(), ""); err != nil || p.record != nil {
		t.Fatal(p.record, err)
	}
	options.Root = &spec.Trust{Mode: spec.TrustHead, Since: "x"}
	if _, err := trust.New(options).Latest(t.Context()); !errors.Is(err, reconcile.ErrRefused) {
		t.Fatalf("a directory has no signature: %v", err)
	}
}

// forgetful is a memory that is away.
type forgetful struct{}

func (forgetful) Accepted(context.Context) (journal.RepoRecord, bool, error) {
	return journal.RepoRecord{}, false, errors.New("the journal is away")
}

func (forgetful) Accept(context.Context, journal.RepoRecord) error {
	return errors.New("the disk is full")
}

func TestMemoryIsAway(t *testing.T) {
	w := begin(t, nil, nil)
	g := trust.New(trust.Options{Source: w, Commits: w, Signatures: w, Memory: forgetful{}, Load: w.load, Now: w.clock})
	if _, err := g.Latest(t.Context()); err == nil || errors.Is(err, reconcile.ErrRefused) {
		t.Errorf("without memory: %v", err)
	}
	if err := g.Followed(t.Context(), w.head); err == nil {
		t.Error("nothing could be noted, and nobody says so")
	}
}

// hanging is a forge that answers when it is told to stop.
type hanging struct{ forge }

func (hanging) Brought(ctx context.Context, _ string) ([]reconcile.Pull, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("asking the forge: %w", ctx.Err())
}

func TestAForgeThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, &spec.Trust{Mode: spec.TrustOff, Reviews: []spec.ReviewRule{{Name: "all"}}}, nil)
		w.pull("carl", "", map[string]string{"models/a.hcl": "- 2"})
		g := trust.New(trust.Options{
			Source: w, Commits: w, Signatures: w, Forge: hanging{forge{world: w}}, Memory: w, Load: w.load, Now: w.clock, Timeout: 200 * time.Millisecond,
		})
		if got, want := latest(t, g), `trust.review "all" waiting`; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestConcurrent(t *testing.T) {
	w := begin(t, &spec.Trust{Mode: spec.TrustEvery, Signers: signers(), Reviews: []spec.ReviewRule{{Name: "all", Approvals: 1}}}, nil)
	g := w.gate(nil)
	for i := range 3 {
		w.pull("carl", "ann", map[string]string{"models/a.hcl": fmt.Sprint("- ", i)}, approved("bob"))
	}
	for _, id := range w.order {
		w.commits[id].raw.Raw = []byte("signed by ann")
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				snap, err := g.Latest(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				if err := g.Followed(context.Background(), snap.Tree.Commit().ID); err != nil {
					t.Error(err)
					return
				}
				g.Refusals()
			}
		})
	}
	all.Wait()
	if w.record.Accepted != w.head {
		t.Errorf("%s is accepted, the head is %s", w.record.Accepted, w.head)
	}
}

// A webhook says that there may be approvals: nobody waits for a minute then.
func TestAHintHasWaitingCommitsLookedIntoAgain(t *testing.T) {
	w := begin(t, &spec.Trust{Mode: spec.TrustOff, Reviews: []spec.ReviewRule{{Name: "own", Owners: true}}}, map[string]string{"models/a.hcl": "@ann 1"})
	n, _ := w.pull("carl", "", map[string]string{"models/a.hcl": "@ann 2"}, approved("bob"))
	g := w.gate(nil)
	g.Hint() // before anything was judged
	const waits = `trust.review "own" waiting`
	if got := latest(t, g); got != waits {
		t.Fatalf("got %q, want %q", got, waits)
	}
	w.pulls[n].reviews[0].By = "ann"
	if got := latest(t, g); got != waits {
		t.Fatalf("without a hint, within the minute: %q", got)
	}
	g.Hint()
	if got := latest(t, g); got != "" {
		t.Errorf("after a hint: %q", got)
	}
}

// Who answers for a commit is who signed it, whatever it says of its author.
func TestWhoBroughtACommit(t *testing.T) {
	w := begin(t, &spec.Trust{Mode: spec.TrustHead, Signers: signers()}, nil)
	g := w.gate(nil)
	w.commit(draft{key: "ann"})
	if got := latest(t, g); got != "" {
		t.Fatal(got)
	}
	for _, when := range []string{"before it is noted", "after"} {
		if got := g.Brought(t.Context(), w.head); got != "ann" {
			t.Errorf("%s: got %q", when, got)
		}
		follow(t, w, g)
	}
	if got := g.Brought(t.Context(), "other"); got != "" {
		t.Errorf("of a commit that nobody knows: %q", got)
	}
}
