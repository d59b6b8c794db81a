package trust_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/trust"
	"github.com/fairlead/fairlead/spec"
)

var noon = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

// world is a repository, a forge and a journal in memory. Ids are the numbers of the
// commits, written with 40 digits.
type world struct {
	mu      sync.Mutex
	commits map[string]*commit
	order   []string
	tags    []reconcile.RawTag
	head    string
	now     time.Time
	shallow bool
	parsed  []string // commits whose config was loaded

	record *journal.RepoRecord

	brought map[string][]int
	pulls   map[int]*pullRequest
	teams   map[string][]string
	path    string // that is configured
	away    error  // of the forge
	hidden  error  // why it tells of no team
	asked   int    // questions to the forge about commits
	calls   int    // of the forge in all
	fetched int    // refs
	refs    map[string]string
}

type commit struct {
	raw   reconcile.RawCommit
	files map[string]string
}

type pullRequest struct {
	pull    reconcile.Pull
	reviews []reconcile.Review
	commits []reconcile.PullCommit
}

func newWorld() *world {
	return &world{
		commits: make(map[string]*commit), now: noon, brought: make(map[string][]int),
		pulls: make(map[int]*pullRequest), teams: make(map[string][]string), refs: make(map[string]string),
	}
}

// draft is a commit to be made.
type draft struct {
	key     string // that signs it; "": nobody
	at      time.Time
	parents []string          // nil: the head
	files   map[string]string // that it sets; "": it removes
	tree    map[string]string // the whole tree, instead of files
	unclean bool
	beside  bool // it is not the new head
}

func (w *world) commit(d draft) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := fmt.Sprintf("%040d", len(w.order)+1)
	parents := d.parents
	if parents == nil && w.head != "" {
		parents = []string{w.head}
	}
	files, before := make(map[string]string), map[string]string{}
	for i, p := range parents {
		if i == 0 {
			before = w.commits[p].files
			files = maps.Clone(before)
			continue
		}
		files = w.join(files, parents[0], p)
	}
	if d.tree != nil {
		files = maps.Clone(d.tree)
	}
	maps.Copy(files, d.files)
	maps.DeleteFunc(files, func(_, content string) bool { return content == "" })
	if d.at.IsZero() {
		d.at = w.now
	}
	var changed []string
	for path := range files {
		if before[path] != files[path] {
			changed = append(changed, path)
		}
	}
	for path := range before {
		if _, still := files[path]; !still {
			changed = append(changed, path)
		}
	}
	slices.Sort(changed)
	w.commits[id] = &commit{
		raw: reconcile.RawCommit{
			ID: id, Raw: []byte("signed by " + d.key), Parents: parents, Author: "Somebody <some@body>", When: d.at,
			Subject: "commit " + id[38:], Changed: changed, ChangedAll: true, Clean: !d.unclean,
		},
		files: files,
	}
	w.order = append(w.order, id)
	if !d.beside {
		w.head = id
	}
	return id
}

// reach are the commits that lead to id.
func (w *world) reach(id string) map[string]bool {
	seen := make(map[string]bool)
	for left := []string{id}; len(left) > 0; {
		next := left[0]
		left = left[1:]
		if c := w.commits[next]; c != nil && !seen[next] {
			seen[next] = true
			left = append(left, c.raw.Parents...)
		}
	}
	return seen
}

func (w *world) Range(_ context.Context, from, to string) (reconcile.CommitRange, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := reconcile.CommitRange{From: from, To: to, Known: !w.shallow, Tags: w.tags}
	for _, id := range []string{from, to} {
		if id != "" && w.commits[id] == nil {
			return r, fmt.Errorf("there is no commit %s", id)
		}
	}
	before, upTo := w.reach(from), w.reach(to)
	r.Descends = from == "" || upTo[from]
	for _, id := range w.order {
		if upTo[id] && !before[id] {
			r.Commits = append(r.Commits, w.commits[id].raw)
		}
	}
	return r, nil
}

func (w *world) TreeAt(_ context.Context, id string) (spec.Tree, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.commits[id]
	if c == nil {
		return nil, fmt.Errorf("there is no commit %s", id)
	}
	if c.files["link"] != "" {
		return nil, fmt.Errorf("%s holds a link", id)
	}
	return tree{spec.Commit{ID: id, Author: c.raw.Author, Subject: c.raw.Subject, Ref: "main"}, w.below(c.files)}, nil
}

func (w *world) FileAt(_ context.Context, id, path string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if text, found := w.commits[id].files[path]; found {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

func (w *world) FetchRef(_ context.Context, ref string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fetched++
	if id, found := w.refs[ref]; found {
		return id, nil
	}
	return "", fmt.Errorf("there is no ref %s", ref)
}

// Merge takes over what theirs has changed, and knows no conflict.
func (w *world) Merge(_ context.Context, ours, theirs string) (reconcile.MergeResult, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	files := w.join(maps.Clone(w.commits[ours].files), ours, theirs)
	return reconcile.MergeResult{Tree: tree{spec.Commit{ID: theirs}, w.below(files)}}, nil
}

// below are the files below the configured path.
func (w *world) below(files map[string]string) map[string]string {
	if w.path == "" {
		return files
	}
	all := make(map[string]string)
	for path, text := range files {
		if inside, found := strings.CutPrefix(path, w.path+"/"); found {
			all[inside] = text
		}
	}
	return all
}

func (w *world) join(files map[string]string, ours, theirs string) map[string]string {
	mine, other := w.reach(ours), w.reach(theirs)
	base := map[string]string{}
	for _, id := range w.order {
		if mine[id] && other[id] {
			base = w.commits[id].files
		}
	}
	for path, text := range w.commits[theirs].files {
		if base[path] != text {
			files[path] = text
		}
	}
	for path := range base {
		if _, still := w.commits[theirs].files[path]; !still {
			delete(files, path)
		}
	}
	return files
}

// tree is a tree of files in memory. Each file is its own hash.
type tree struct {
	commit spec.Commit
	files  map[string]string
}

func (t tree) Commit() spec.Commit { return t.commit }

func (t tree) Files() []spec.File {
	var all []spec.File
	for _, path := range slices.Sorted(maps.Keys(t.files)) {
		all = append(all, spec.File{Path: path, Hash: t.files[path]})
	}
	return all
}

func (t tree) Read(path string) ([]byte, error) { return []byte(t.files[path]), nil }

// load reads a tree: trust.hcl is a spec.Trust as JSON, models/NAME.hcl says the
// owners of a model and its version, vars.hcl is a part of every model.
func (w *world) load(_ context.Context, t spec.Tree) (*spec.Config, error) {
	w.mu.Lock()
	w.parsed = append(w.parsed, t.Commit().ID)
	w.mu.Unlock()
	c := &spec.Config{}
	vars, _ := t.Read("vars.hcl")
	for _, f := range t.Files() {
		data, _ := t.Read(f.Path)
		if string(data) == "broken" {
			return nil, fmt.Errorf("%s:1: it does not parse", f.Path)
		}
		if f.Path == "trust.hcl" {
			c.Trust = &spec.Trust{Pos: spec.Pos{File: f.Path, Line: 1}}
			if err := json.Unmarshal(data, c.Trust); err != nil {
				return nil, err
			}
		}
		if name, is := strings.CutPrefix(f.Path, "models/"); is {
			name = strings.TrimSuffix(name, ".hcl")
			owners, version, _ := strings.Cut(string(data), " ")
			m := &spec.Model{
				Name: name, Address: spec.Address{Kind: spec.KindModel, Name: name}, Version: version + string(vars),
				Pos: spec.Pos{File: f.Path, Line: 1},
			}
			if owners != "-" {
				m.Owners = strings.Split(owners, ",")
			}
			c.Models = append(c.Models, m)
		}
	}
	return c, nil
}

// Verify is the port of signatures: what is signed says by which key.
func (w *world) Verify(raw []byte, signers []spec.Signer) reconcile.SignatureCheck {
	text, _, _ := strings.Cut(string(raw[strings.LastIndex(string(raw), "signed by "):]), "\n")
	key, word, _ := strings.Cut(strings.TrimPrefix(text, "signed by "), " ")
	switch {
	case key == "":
		return reconcile.SignatureCheck{State: reconcile.SignatureNone}
	case word == "badly":
		return reconcile.SignatureCheck{State: reconcile.SignatureBad, Reason: "it is of other bytes"}
	}
	for i := range signers {
		if slices.Contains(signers[i].SSH, key) {
			good := reconcile.SignatureCheck{State: reconcile.SignatureGood, Signer: signers[i].Name, Key: "SHA256:" + key}
			good.Revoked = word == "revoked"
			if word == "expired" {
				good.Expired = noon.Add(-time.Hour)
			}
			return good
		}
	}
	return reconcile.SignatureCheck{State: reconcile.SignatureUnknown, Key: "SHA256:" + key}
}

// Latest is the source of the gate.
func (w *world) Latest(ctx context.Context) (reconcile.Snapshot, error) {
	w.mu.Lock()
	head := w.head
	w.mu.Unlock()
	t, err := w.TreeAt(ctx, head)
	return reconcile.Snapshot{Tree: t}, err
}

func (w *world) Accepted(context.Context) (journal.RepoRecord, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.record == nil {
		return journal.RepoRecord{}, false, nil
	}
	return *w.record, true, nil
}

func (w *world) Accept(_ context.Context, r journal.RepoRecord) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.record = &r
	return nil
}

// forge is the forge of a world.
type forge struct {
	reconcile.Forge
	*world
}

func (f forge) Latest(context.Context, string) (reconcile.Pull, error) {
	return reconcile.Pull{}, reconcile.ErrNoPull
}

func (f forge) Brought(_ context.Context, id string) ([]reconcile.Pull, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	f.calls++
	if f.away != nil {
		return nil, f.away
	}
	var all []reconcile.Pull
	for _, n := range f.brought[id] {
		all = append(all, f.pulls[n].pull)
	}
	return all, nil
}

func (f forge) Reviews(_ context.Context, n int) ([]reconcile.Review, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	return slices.Clone(f.pulls[n].reviews), f.away
}

func (f forge) PullCommits(_ context.Context, n int) ([]reconcile.PullCommit, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	return f.pulls[n].commits, f.away
}

func (f forge) Members(_ context.Context, team string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.hidden != nil {
		return nil, f.hidden
	}
	if members, found := f.teams[team]; found {
		return members, f.away
	}
	return nil, reconcile.ErrNoTeam
}

// clock is the time of the world.
func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// gate makes the gate of a world, with a forge.
func (w *world) gate(root *spec.Trust) *trust.Gate {
	return trust.New(trust.Options{
		Source: w, Commits: w, Signatures: w, Forge: forge{world: w}, Memory: w, Root: root, Load: w.load,
		Branch: "main", Path: w.path, Now: w.clock,
	})
}

// pull makes a pull request of one commit by an author onto the head, and merges it
// with the key that is given. It returns its number and the merge.
func (w *world) pull(author, key string, files map[string]string, reviews ...reconcile.Review) (number int, merge string) {
	base := w.head
	head := w.commit(draft{key: author, files: files, beside: true})
	merge = w.commit(draft{key: key, parents: []string{base, head}})
	return w.merged(author, head, merge, reviews...), merge
}

// merged notes a pull request that brought a commit into main.
func (w *world) merged(author, head, merge string, reviews ...reconcile.Review) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	number := len(w.pulls) + 1
	for i := range reviews {
		if reviews[i].Commit == "" {
			reviews[i].Commit = head
		}
	}
	ref := fmt.Sprintf("refs/pull/%d/head", number)
	w.refs[ref] = head
	w.pulls[number] = &pullRequest{
		pull: reconcile.Pull{
			Number: number, URL: fmt.Sprintf("https://forge/pull/%d", number), Author: author, State: reconcile.PullMerged,
			Base: "main", Head: "feature", HeadSHA: head, Ref: ref, Merged: merge, MergedBy: "merger",
		},
		reviews: reviews,
		commits: []reconcile.PullCommit{{ID: head, Author: author}},
	}
	w.brought[merge] = append(w.brought[merge], number)
	return number
}

func approved(by string) reconcile.Review {
	return reconcile.Review{By: by, State: reconcile.ReviewApproved, Official: true, At: noon}
}

func encoded(t testing.TB, rules *spec.Trust) string {
	t.Helper()
	data, err := json.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func person(name string) spec.Signer {
	return spec.Signer{Name: name, SSH: []string{name}, Role: spec.SignerPerson}
}
