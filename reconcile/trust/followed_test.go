package trust_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/trust"
	"github.com/fairlead/fairlead/spec"
)

// durable is a memory that keeps all that was accepted, while it can be written.
type durable struct {
	*world
	broken  error
	records []journal.RepoRecord
}

func (m *durable) Accept(ctx context.Context, r journal.RepoRecord) error {
	if err := errors.Join(ctx.Err(), m.broken); err != nil {
		return err
	}
	m.records = append(m.records, r)
	return m.world.Accept(ctx, r)
}

// What is followed is what the next is judged from, also while that cannot be noted.
func TestFollowedAndNotNoted(t *testing.T) {
	block := func(names ...string) *spec.Trust {
		rules := &spec.Trust{Mode: spec.TrustEvery}
		for _, name := range names {
			rules.Signers = append(rules.Signers, person(name))
		}
		return rules
	}
	w := begin(t, block("ann", "mallory"), nil)
	m := &durable{world: w, broken: errors.New("the journal is away")}
	g := trust.New(trust.Options{Source: w, Commits: w, Signatures: w, Memory: m, Load: w.load, Branch: "main", Now: w.clock})
	first := w.head
	out := w.commit(draft{key: "ann", files: map[string]string{"trust.hcl": encoded(t, block("ann"))}})
	if got := latest(t, g); got != "" {
		t.Fatal(got)
	}
	if err := g.Followed(t.Context(), out); !errors.Is(err, m.broken) {
		t.Fatalf("following says %v", err)
	}
	w.commit(draft{key: "mallory", parents: []string{first}})
	if got, want := latest(t, g), "trust.rewind"; got != want {
		t.Errorf("the branch set back: got %q, want %q", got, want)
	}
	w.commit(draft{key: "mallory", parents: []string{out}})
	if got, want := latest(t, g), "trust.signed"; got != want {
		t.Errorf("one who was taken out: got %q, want %q", got, want)
	}
	w.commit(draft{key: "ann", parents: []string{out}})
	if got := latest(t, g); got != "" {
		t.Fatal(got)
	}
	for range 2 {
		if err := g.Followed(t.Context(), w.head); !errors.Is(err, m.broken) {
			t.Fatalf("following says %v", err)
		}
	}
	m.broken = nil
	if err := g.Followed(t.Context(), w.head); err != nil {
		t.Fatal(err)
	}
	r := m.records[0]
	if len(m.records) != 1 || r.Accepted != w.head || r.Before != first || len(r.Commits) != 2 || r.Commits[0].ID != out || r.Commits[0].Signer != "ann" || r.Rules == nil {
		t.Errorf("the records are %+v", m.records)
	}
	if got := latest(t, w.gate(nil)); got != "" {
		t.Errorf("the next process says %q", got)
	}
}

// The record is written before anybody is asked who brought the commit.
func TestASlowForgeLosesNoRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, &spec.Trust{Mode: spec.TrustEvery, Signers: signers()}, nil)
		m := &durable{world: w}
		g := trust.New(trust.Options{Source: w, Commits: w, Signatures: w, Forge: hanging{forge{world: w}}, Memory: m, Load: w.load, Branch: "main", Now: w.clock})
		w.commit(draft{key: "ann"})
		if got := latest(t, g); got != "" {
			t.Fatal(got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if err := g.Followed(ctx, w.head); err != nil {
			t.Errorf("following says %v", err)
		}
		if w.record.Accepted != w.head || w.record.Rules == nil || len(w.record.Commits) != 1 {
			t.Errorf("the record is %+v", w.record)
		}
	})
}

// Who brought a commit is added to its record.
func TestWhoBroughtItComesLater(t *testing.T) {
	w := begin(t, nil, nil)
	m := &durable{world: w}
	g := trust.New(trust.Options{Source: w, Commits: w, Signatures: w, Forge: forge{world: w}, Memory: m, Load: w.load, Branch: "main", Now: w.clock})
	n, merge := w.pull("carl", "", map[string]string{"models/a.hcl": "- 2"}, approved("ann"))
	follow(t, w, g)
	if len(m.records) != 2 || len(m.records[0].Pulls) != 0 || len(m.records[1].Pulls) != 1 || m.records[1].Pulls[0].Number != n {
		t.Fatalf("the records are %+v", m.records)
	}
	for _, r := range m.records {
		if r.Accepted != merge || r.Before != w.order[0] || len(r.Commits) != 2 || r.Rules == nil {
			t.Errorf("a record is %+v", r)
		}
	}
}

// gated is a forge that waits until it may answer, and says when it is asked.
type gated struct {
	forge
	asked, open chan struct{}
}

func (f gated) Brought(ctx context.Context, id string) ([]reconcile.Pull, error) {
	f.asked <- struct{}{}
	<-f.open
	return f.forge.Brought(ctx, id)
}

// What is found out late does not undo what is followed by then.
func TestWhoBroughtItComesTooLate(t *testing.T) {
	w := begin(t, nil, nil)
	m := &durable{world: w}
	f := gated{forge{world: w}, make(chan struct{}, 10), make(chan struct{})}
	g := trust.New(trust.Options{Source: w, Commits: w, Signatures: w, Forge: f, Memory: m, Load: w.load, Branch: "main", Now: w.clock})
	var done []chan error
	for i := range 2 {
		w.pull("carl", "", map[string]string{"models/a.hcl": fmt.Sprint("- ", i+2)}, approved("ann"))
		if got := latest(t, g); got != "" {
			t.Fatal(got)
		}
		head, end := w.head, make(chan error, 1)
		go func() { end <- g.Followed(context.Background(), head) }()
		done = append(done, end)
		<-f.asked
	}
	close(f.open)
	for _, end := range done {
		if err := <-end; err != nil {
			t.Error(err)
		}
	}
	if w.record.Accepted != w.head || len(w.record.Pulls) != 1 || w.record.Pulls[0].Number != 2 {
		t.Errorf("the record is %+v", w.record)
	}
}

// What was followed while nobody asked for signatures is judged once somebody does.
func TestTrustIsTurnedOn(t *testing.T) {
	every := func(since string) *spec.Trust {
		return &spec.Trust{Mode: spec.TrustEvery, Signers: signers(), Since: since}
	}
	head := &spec.Trust{Mode: spec.TrustHead, Signers: signers()}
	follows := func(root *spec.Trust, keys ...string) func(t *testing.T, w *world) {
		return func(t *testing.T, w *world) {
			for i, key := range keys {
				w.commit(draft{key: key, files: map[string]string{"models/a.hcl": fmt.Sprint("- ", i+2)}})
			}
			follow(t, w, w.gate(root))
		}
	}
	tests := []struct {
		name  string
		first *spec.Trust // that the repo declares
		then  func(t *testing.T, w *world)
		root  func(w *world) *spec.Trust
		want  string
		next  string // of a signed commit on top of it; "-": that is no question
	}{
		{"with what came before it sealed, unsigned", nil, follows(nil, ""), func(w *world) *spec.Trust { return every(w.order[0]) }, "trust.signed", "trust.signed"},
		{"with what came before it sealed, signed", nil, follows(nil, "ann", "bob"), func(w *world) *spec.Trust { return every(w.order[0]) }, "", ""},
		{"one in the middle is unsigned", nil, follows(nil, "ann", "", "ann"), func(w *world) *spec.Trust { return every(w.order[0]) }, "trust.signed", "trust.signed"},
		{"one in the middle is unsigned, which nobody asked for", nil, follows(nil, "ann", "", "ann"), func(*world) *spec.Trust { return head }, "", ""},
		{"all of it sealed", nil, follows(nil, ""), func(w *world) *spec.Trust { return every(w.head) }, "", ""},
		{"without a seal, unsigned", nil, follows(nil, ""), func(*world) *spec.Trust { return every("") }, "trust.signed", "trust.signed"},
		{"without a seal, signed", nil, follows(nil, "ann"), func(*world) *spec.Trust { return every("") }, "", ""},
		{"of the newest alone, unsigned", nil, follows(nil, ""), func(*world) *spec.Trust { return head }, "trust.signed", ""},
		{"from the newest alone to every", nil, follows(head, "", "ann"), func(*world) *spec.Trust { return every("") }, "trust.signed", "trust.signed"},
		{"what was judged so stays good", nil, func(t *testing.T, w *world) {
			follows(every(""), "ann")(t, w)
			w.commits[w.head].raw.Raw = []byte("signed by ")
		}, func(*world) *spec.Trust { return every("") }, "", ""},
		{"by the repo itself", nil, func(t *testing.T, w *world) {
			w.commit(draft{files: map[string]string{"trust.hcl": encoded(t, every(""))}})
			follow(t, w, w.gate(nil))
		}, func(*world) *spec.Trust { return nil }, "", ""},
		{"by the repo itself, and by the operator", nil, func(t *testing.T, w *world) {
			w.commit(draft{files: map[string]string{"trust.hcl": encoded(t, every(""))}})
			follow(t, w, w.gate(nil))
		}, func(*world) *spec.Trust { return every("") }, "trust.signed", "trust.signed"},
		{"and the branch is set back", nil, func(t *testing.T, w *world) {
			follows(nil, "ann")(t, w)
			w.head = w.order[0]
		}, func(w *world) *spec.Trust { return every(w.order[0]) }, "trust.rewind", "-"},
		{"and what was followed is gone", nil, func(t *testing.T, w *world) {
			follows(nil, "ann")(t, w)
			w.record.Rules.Since = w.order[0]
			w.record.Accepted, w.head = fmt.Sprintf("%040x", 0xdead), w.order[0]
		}, func(w *world) *spec.Trust { return every(w.order[0]) }, "trust.rewind", "-"},
		{"and the seal is no part of it", nil, follows(nil, "ann"), func(*world) *spec.Trust { return every("nonsense") }, "trust.since", "trust.since"},
		{"a mode that nobody knows", nil, follows(nil, "ann"), func(*world) *spec.Trust { return &spec.Trust{Mode: "often"} }, "", "trust.mode"}, // no new commit is followed by it
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := begin(t, test.first, nil)
			test.then(t, w)
			root := test.root(w)
			g, accepted := w.gate(root), *w.record
			if got := latest(t, g); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			for _, r := range g.Refusals() {
				if r.Rule == "trust.signed" && !strings.Contains(r.Remedy, `since = "`+accepted.Accepted+`"`) {
					t.Errorf("it does not tell the way out: %s", r.Remedy)
				}
			}
			if test.want == "" && root != nil && root.Mode != "often" { // it is noted, so that it is judged once
				follow(t, w, g)
				if w.record.Mode != string(root.Mode) || w.record.Before != accepted.Before || w.record.Accepted != accepted.Accepted {
					t.Errorf("the record is %+v", w.record)
				}
				w.commits[w.head].raw.Raw = []byte("signed by ")
				if got := latest(t, w.gate(root)); got != "" {
					t.Errorf("judged again: %q", got)
				}
			}
			if test.next == "-" {
				return
			}
			w.commit(draft{key: "ann"})
			if got := latest(t, w.gate(root)); got != test.next {
				t.Errorf("a commit on top of it: got %q, want %q", got, test.next)
			}
		})
	}
}
