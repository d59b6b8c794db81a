package proposer_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/propose"
	"github.com/fairlead/fairlead/reconcile/proposer"
	"github.com/fairlead/fairlead/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is a repository and its forge, as far as a Proposer sees them.
type place struct {
	branches map[string]branch
	merged   map[string]bool
	pulls    []reconcile.Pull
	calls    []string
	asked    map[string]int   // questions, by the name of the call
	fail     map[string]error // by the name of the call
	commits  int
}

type branch struct {
	tip    string
	theirs bool
	files  map[string][]byte
}

func newPlace() *place {
	return &place{branches: map[string]branch{}, merged: map[string]bool{}, asked: map[string]int{}, fail: map[string]error{}}
}

func (p *place) call(name string, about any) error {
	question := slices.Contains([]string{"look", "latest", "pull", "pulls", "merge"}, name)
	if question {
		p.asked[name]++
	}
	if err := p.fail[name]; err != nil {
		return err
	}
	if !question {
		p.calls = append(p.calls, fmt.Sprint(name, " ", about))
	}
	return nil
}

func (p *place) Propose(_ context.Context, w reconcile.Proposal) (reconcile.Proposed, error) {
	if err := p.call("propose", w.Branch); err != nil {
		return reconcile.Proposed{}, err
	}
	b := p.branches[w.Branch]
	if b.theirs {
		return reconcile.Proposed{}, reconcile.ErrNotOurs
	}
	if b.tip != "" && maps.EqualFunc(b.files, w.Files, slices.Equal) {
		return reconcile.Proposed{Branch: w.Branch, Commit: b.tip}, nil
	}
	p.commits++
	p.branches[w.Branch] = branch{tip: fmt.Sprintf("%040x", p.commits), files: w.Files}
	return reconcile.Proposed{Branch: w.Branch, Commit: p.branches[w.Branch].tip, Pushed: true}, nil
}

func (p *place) Look(_ context.Context, name, commit, _ string) (reconcile.ProposalBranch, error) {
	b := p.branches[name]
	return reconcile.ProposalBranch{Tip: b.tip, Ours: b.tip != "" && !b.theirs, Merged: p.merged[commit]}, p.call("look", name)
}

func (p *place) Withdraw(_ context.Context, name string) error {
	err := p.call("withdraw", name)
	if err == nil {
		delete(p.branches, name)
	}
	return err
}

// commits is the part of a history that proposals need. What fails conflicts.
type commits struct {
	reconcile.Commits
	*place
}

func (c commits) Merge(_ context.Context, ours, _ string) (reconcile.MergeResult, error) {
	return reconcile.MergeResult{}, c.call("merge", ours)
}

func (p *place) Tag(context.Context, string, string, string) error { return nil }

// forge is the part of a forge that proposals need.
type forge struct {
	reconcile.Forge
	*place
}

func (f forge) Latest(_ context.Context, head string) (reconcile.Pull, error) {
	if err := f.call("latest", head); err != nil {
		return reconcile.Pull{}, err
	}
	for _, p := range slices.Backward(f.pulls) {
		if p.Head == head {
			return p, nil
		}
	}
	return reconcile.Pull{}, reconcile.ErrNoPull
}

// Pulls lists those that are open, at the newest commit of their branch.
func (f forge) Pulls(context.Context, reconcile.PullQuery) ([]reconcile.Pull, error) {
	var open []reconcile.Pull
	for _, p := range slices.Backward(f.pulls) {
		if p.State == reconcile.PullOpen {
			p.HeadSHA = f.branches[p.Head].tip
			open = append(open, p)
		}
	}
	return open, f.call("pulls", "")
}

func (f forge) Pull(_ context.Context, n int) (reconcile.Pull, error) {
	if err := f.call("pull", n); err != nil {
		return reconcile.Pull{}, err
	}
	return f.pulls[n-1], nil
}

func (f forge) EditPull(_ context.Context, n int, title, body string) error {
	err := f.call("edit", n)
	if err == nil {
		f.pulls[n-1].Title, f.pulls[n-1].Body = title, body
	}
	return err
}

func (f forge) OpenPull(_ context.Context, n reconcile.NewPull) (reconcile.Pull, error) {
	if err := f.call("open", n.Head); err != nil {
		return reconcile.Pull{}, err
	}
	f.pulls = append(f.pulls, reconcile.Pull{
		Number: len(f.pulls) + 1, State: reconcile.PullOpen, Head: n.Head, Title: n.Title, Body: n.Body, HeadSHA: f.branches[n.Head].tip, URL: "https://forge.test/1",
	})
	return f.pulls[len(f.pulls)-1], nil
}

func (f forge) ClosePull(_ context.Context, n int) error {
	err := f.call("close", n)
	if err == nil {
		f.pulls[n-1].State = reconcile.PullClosed
	}
	return err
}

// tree is what is followed at first.
func tree() spec.Tree { return treeAt(strings.Repeat("c", 40)) }

func treeAt(commit string) spec.Tree {
	data := []byte("model \"digits\" {}\n")
	return spec.NewTree(spec.Commit{ID: commit}, []spec.Content{{File: spec.File{Path: "digits.hcl", Hash: "1", Size: int64(len(data))}, Data: data}})
}

// held is a model that Git wants at a release which was rejected.
func held() *propose.Input {
	stable := journal.Release{Revision: "one", Version: "1.0.0", Image: "digits:1"}
	bad := journal.Release{Revision: "two", Version: "1.1.0", Image: "digits:2"}
	return &propose.Input{
		Environment: "prod",
		Config:      &spec.Config{Models: []*spec.Model{{Address: spec.Address{Kind: spec.KindModel, Name: "digits"}, Name: "digits", Image: "digits:2", Version: "1.1.0"}}},
		Wanted:      map[string]string{"digits": "two"},
		Records: map[string]journal.Record{"digits": {Stable: &stable, Rejected: []journal.Rejection{{
			Release: bad, Cause: journal.CauseFailed, Reason: "errors 5.2 % of 412 requests", At: time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC),
		}}}},
	}
}

type fixture struct {
	*place
	journal *memory.Journal
	in      *propose.Input
	tree    spec.Tree // that is followed
	opened  []journal.ProposalRecord
	ended   []journal.ProposalRecord
	edits   int
	byHand  error
	options proposer.Options
	subject *proposer.Proposer
}

func newFixture(withForge bool) *fixture {
	f := &fixture{place: newPlace(), journal: memory.NewJournal(), in: held(), tree: tree()}
	f.options = proposer.Options{
		Environment: "prod", Proposals: f.place, Base: "main", Journal: f.journal, Commits: commits{place: f.place}, Interval: time.Hour, Log: slog.New(slog.DiscardHandler),
		Input: func(context.Context) (*propose.Input, spec.Tree, error) { return f.in, f.tree, nil },
		Edit: func(_ context.Context, _ spec.Tree, w *propose.Wish) (map[string][]byte, error) {
			f.edits++
			return map[string][]byte{"digits.hcl": []byte(w.ID)}, f.byHand
		},
		OnOpened: func(r *journal.ProposalRecord) { f.opened = append(f.opened, *r) },
		OnEnded:  func(r *journal.ProposalRecord) { f.ended = append(f.ended, *r) },
	}
	if withForge {
		f.options.Forge = forge{place: f.place}
	}
	f.restart()
	return f
}

func (f *fixture) restart() { f.subject = proposer.New(f.options) }

func (f *fixture) look(t *testing.T) {
	t.Helper()
	f.subject.Look(t.Context())
}

// also holds another model in the same way.
func (f *fixture) also(name string) {
	more := held()
	m := *more.Config.Models[0]
	m.Name, m.Address.Name = name, name
	f.in.Config.Models = append(f.in.Config.Models, &m)
	f.in.Wanted[name], f.in.Records[name] = "two", more.Records["digits"]
}

// wantAsked checks what was asked since the last time.
func (f *fixture) wantAsked(t *testing.T, when string, want map[string]int) {
	t.Helper()
	if !maps.Equal(f.asked, want) {
		t.Errorf("%s: %v was asked; want %v", when, f.asked, want)
	}
	clear(f.asked)
}
