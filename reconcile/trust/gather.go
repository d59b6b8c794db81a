package trust

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// evidence adds to the input what is known of the reviews of a stretch: of the commits
// that a rule concerns, or of all.
func (w *walk) evidence(ctx context.Context, in *Input, pos position, all bool) error {
	e := &Evidence{
		NoForge: w.Forge == nil, Path: w.Path, Branch: w.branch(),
		Commits: make(map[string]CommitEvidence), Teams: make(map[string]Team),
	}
	line := newLine(in.Range, in.Sealed).branch
	var err error
	if e.Differs, err = w.differs(ctx, pos.id, in.Range.To, line); err != nil {
		return err
	}
	if in.Rules.Owned() {
		if pos.err != nil {
			return &reconcile.Refusal{
				Rule: "trust.rules", Commit: pos.id,
				Reason: fmt.Sprintf("who owns what in %s, which was accepted, cannot be read: %v", short(pos.id), pos.err),
				Remedy: "set since in the operator's trust file to a full commit id whose config is good",
			}
		}
		if e.Owners, err = w.codeowners(ctx, pos.rules, in.Range.To, e.Differs); err != nil {
			return err
		}
	}
	for id, touched := range w.touched(ctx, pos, line) {
		e.Commits[id] = CommitEvidence{Touched: touched}
	}
	in.Evidence = e
	if !e.NoForge {
		w.ask(ctx, in, all)
	}
	return ctx.Err()
}

// branch is the name of the branch that is followed, where that is known.
func (g *Gate) branch() string { return strings.TrimPrefix(g.Branch, "refs/heads/") }

// differs lists the paths from the top in which two commits differ: below the
// configured path, and CODEOWNERS. Where the older one has no tree that reads, that
// is all that any commit changed.
func (w *walk) differs(ctx context.Context, from, to string, line []*reconcile.RawCommit) ([]string, error) {
	after, err := w.hashes(ctx, to)
	if err != nil {
		return nil, err
	}
	var all []string
	before, err := w.hashes(ctx, from)
	if err != nil {
		for _, c := range line {
			all = append(all, c.Changed...)
		}
	}
	top := strings.Trim(w.Path, "/")
	add := func(path string) {
		if top != "" && top != "." {
			path = top + "/" + path
		}
		all = append(all, path)
	}
	for path, hash := range before {
		if after[path] != hash {
			add(path)
		}
	}
	for path := range after {
		if _, was := before[path]; !was {
			add(path)
		}
	}
	for _, path := range codeownersPaths {
		if slices.Contains(all, path) {
			continue
		}
		same, err := w.sameFile(ctx, path, from, to)
		if err != nil {
			return nil, err
		}
		if !same {
			all = append(all, path)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), ctx.Err()
}

// hashes are those of the files below the configured path at a commit; none at "".
func (w *walk) hashes(ctx context.Context, id string) (map[string]string, error) {
	all := make(map[string]string)
	if id == "" {
		return all, nil
	}
	tree, err := w.tree(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, f := range tree.Files() {
		all[f.Path] = f.Hash
	}
	return all, nil
}

func (w *walk) sameFile(ctx context.Context, path, a, b string) (bool, error) {
	one, err := w.file(ctx, a, path)
	if err != nil {
		return false, err
	}
	other, err := w.file(ctx, b, path)
	return (one == nil) == (other == nil) && bytes.Equal(one, other), err
}

// file is a file of a commit; nil if there is none.
func (w *walk) file(ctx context.Context, id, path string) ([]byte, error) {
	if id == "" {
		return nil, nil
	}
	data, err := w.Commits.FileAt(ctx, id, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case data == nil:
		data = []byte{}
	}
	return data, nil
}

// codeowners reads CODEOWNERS of the accepted commit. The new one has to be readable
// as well where it differs: the next commit is judged by it.
func (w *walk) codeowners(ctx context.Context, old, head string, differs []string) (Codeowners, error) {
	if slices.ContainsFunc(differs, isCodeowners) {
		if _, err := w.codeownersAt(ctx, head); err != nil {
			return Codeowners{}, err
		}
	}
	return w.codeownersAt(ctx, old)
}

func (w *walk) codeownersAt(ctx context.Context, id string) (Codeowners, error) {
	files := make(map[string][]byte)
	for _, path := range codeownersPaths {
		data, err := w.file(ctx, id, path)
		if err != nil {
			return Codeowners{}, err
		}
		if data != nil {
			files[path] = data
		}
	}
	c, err := ParseCodeowners(files, w.Dialect)
	if err != nil {
		return c, &reconcile.Refusal{
			Rule: "trust.codeowners", Commit: id, Reason: fmt.Sprintf("CODEOWNERS of %s cannot be read: %v", short(id), err),
			Remedy: "correct it; if that is the accepted commit, set since in the operator's trust file to a full commit id where it is correct",
		}
	}
	return c, nil
}

// maxLoads bounds how many configs of one stretch are read to tell which commit
// touches what. Beyond it, each commit is taken to touch all that any does.
const maxLoads = 100

// touched finds out for each commit of the branch which objects it changes, of those
// in which the end differs from the accepted commit. Commits whose config does not
// load are taken to touch what is touched together with the next that does.
func (w *walk) touched(ctx context.Context, pos position, line []*reconcile.RawCommit) map[string][]Touched {
	all := make(map[string][]Touched)
	before, last := pos.config, pos.config
	var open []*reconcile.RawCommit
	for i, c := range line {
		if !w.configured(c) {
			continue
		}
		open = append(open, c)
		if i >= maxLoads && i < len(line)-1 {
			continue
		}
		config, err := w.load(ctx, c.ID)
		if err != nil {
			continue
		}
		touched := Diff(last, config)
		for _, c := range open {
			all[c.ID] = touched
		}
		last, open = config, nil
	}
	for _, c := range open { // the end does not load, so it cannot be followed
		all[c.ID] = declaredIn(last, c.Changed, w.Path)
	}
	if len(open) == 0 {
		net := Diff(before, last)
		for id := range all {
			all[id] = settled(all[id], net)
		}
	}
	return all
}

// settled leaves of what is touched what differs in the end, with the owners that it
// had in the accepted commit.
func settled(touched, net []Touched) []Touched {
	var kept []Touched
	for _, t := range touched {
		i, found := slices.BinarySearchFunc(net, t.Address, func(n Touched, address string) int { return strings.Compare(n.Address, address) })
		if !found {
			continue
		}
		t.Owners = net[i].Owners
		t.Paths = slices.Concat(t.Paths, net[i].Paths)
		slices.Sort(t.Paths)
		t.Paths = slices.Compact(t.Paths)
		kept = append(kept, t)
	}
	return kept
}

// declaredIn are the objects of a config that changed files declare.
func declaredIn(config *spec.Config, changed []string, top string) []Touched {
	return slices.DeleteFunc(Diff(config, nil), func(t Touched) bool {
		return !slices.ContainsFunc(t.Paths, func(path string) bool {
			return slices.ContainsFunc(changed, func(c string) bool {
				inside, ok := below(top, c)
				return ok && inside == path
			})
		})
	})
}

// volunteer adds to a record what no rule asked for: which commits came, and by which
// pull requests, as far as the forge tells.
func (g *Gate) volunteer(ctx context.Context, p pending, record *journal.RepoRecord) {
	if record.Before == "" {
		return // all of history is not asked about
	}
	head := p.tree.Commit()
	r, err := g.Commits.Range(ctx, record.Before, head.ID)
	if err != nil {
		return
	}
	in := Input{Repo: g.Name, Head: head, Range: r, Now: g.Now()}
	if g.Forge != nil {
		w := &walk{Gate: g, head: head, snap: reconcile.Snapshot{Tree: p.tree}, full: r}
		pos, err := w.at(ctx, journal.RepoRecord{Accepted: record.Before, Rules: &journal.AcceptedRules{}})
		if err == nil {
			err = w.evidence(ctx, &in, pos, true)
		}
		if err != nil {
			in.Evidence = nil
		}
	}
	v := Judge(in)
	if len(record.Pulls) == 0 {
		record.Pulls = newest(v.Pulls)
	}
	if len(record.Commits) == 0 {
		record.Commits = newest(v.Commits)
	}
}

// ask asks the forge about the commits that rules concern, or about all, and about
// the teams that are named. It stops asking where the forge is away.
func (w *walk) ask(ctx context.Context, in *Input, all bool) {
	const most = 50 // pull requests of the newest commits, where nobody needs them
	ctx, cancel := context.WithTimeout(ctx, w.Timeout/2)
	defer cancel()
	q := inquiry{walk: w, known: make(map[int]PullEvidence)}
	j := newJudge(*in)
	changes := j.changes()
	for i, ch := range changes {
		if all && i < len(changes)-most || !all && !j.needed(ch) {
			continue
		}
		e := in.Evidence.Commits[ch.ID]
		e.Pulls, e.Err = q.brought(ctx, ch.RawCommit)
		in.Evidence.Commits[ch.ID] = e
	}
	q.compare(ctx, in.Evidence, newLine(in.Range, in.Sealed).branch)
	for _, name := range in.names() {
		in.Evidence.Teams[name] = q.team(ctx, name)
	}
	if later, ok := errors.AsType[*reconcile.RetryError](q.away); ok {
		w.again = later.After
		if latest := w.Now().Add(15 * time.Minute); w.again.After(latest) {
			w.again = latest
		}
		if soonest := w.Now().Add(again); w.again.Before(soonest) {
			w.again = soonest
		}
	}
}

// needed tells whether any rule concerns a change.
func (j *judge) needed(ch change) bool {
	for _, t := range j.Rules.each() {
		for i := range t.Reviews {
			if _, concerns := concerned(t.Reviews[i], ch, j.Evidence.Path); concerns {
				return true
			}
		}
	}
	return false
}

// inquiry is one round of questions to the forge.
type inquiry struct {
	*walk
	known map[int]PullEvidence
	away  error // why it is not asked any more
}

// answer keeps that the forge is away.
func (q *inquiry) answer(err error) error {
	if errors.Is(err, reconcile.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		q.away = err
	}
	return err
}

func (q *inquiry) brought(ctx context.Context, c *reconcile.RawCommit) ([]PullEvidence, error) {
	const most = 10 // pull requests that one commit can have come by
	if q.away != nil {
		return nil, q.away
	}
	pulls, err := q.Forge.Brought(ctx, c.ID)
	if q.answer(err) != nil {
		return nil, err
	}
	var all []PullEvidence
	for _, p := range pulls[:min(len(pulls), most)] {
		e, err := q.pull(ctx, p)
		if q.answer(err) != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func (q *inquiry) pull(ctx context.Context, p reconcile.Pull) (PullEvidence, error) {
	if e, known := q.known[p.Number]; known {
		return e, nil
	}
	e := PullEvidence{Pull: p, NotSame: "it is no squash or rebase of it"}
	var err error
	if e.Reviews, err = q.Forge.Reviews(ctx, p.Number); err != nil {
		return e, err
	}
	if e.Commits, err = q.Forge.PullCommits(ctx, p.Number); err != nil {
		return e, err
	}
	q.known[p.Number] = e
	return e, nil
}

func (q *inquiry) team(ctx context.Context, name string) Team {
	if q.away != nil {
		return Team{Err: q.away}
	}
	members, err := q.Forge.Members(ctx, name)
	switch {
	case errors.Is(err, reconcile.ErrNoTeam):
		return Team{}
	case q.answer(err) != nil:
		return Team{Err: err}
	}
	return Team{Known: true, Members: members}
}

// compare finds out of each squash and rebase whether the branch holds what was
// reviewed. A rebase is a run of commits that one pull request brought.
func (q *inquiry) compare(ctx context.Context, e *Evidence, line []*reconcile.RawCommit) {
	type run struct{ first, last int }
	runs := make(map[int]run)
	for i, c := range line {
		for _, p := range e.Commits[c.ID].Pulls {
			number := p.Pull.Number
			if len(c.Parents) != 1 || has(p.Commits, c.ID) {
				continue
			}
			if r, going := runs[number]; going && r.last == i-1 {
				runs[number] = run{r.first, i}
			} else if !going {
				runs[number] = run{i, i}
			}
		}
	}
	for _, number := range slices.Sorted(maps.Keys(runs)) {
		r := runs[number]
		commits := line[r.first : r.last+1]
		why := q.squashed(ctx, q.known[number].Pull, commits)
		for _, c := range commits {
			for i := range e.Commits[c.ID].Pulls {
				if p := &e.Commits[c.ID].Pulls[i]; p.Pull.Number == number {
					p.Same, p.NotSame = why == "", why
				}
			}
		}
	}
}

func has(commits []reconcile.PullCommit, id string) bool {
	return slices.ContainsFunc(commits, func(c reconcile.PullCommit) bool { return c.ID == id })
}

// squashed says why commits on the branch are not known to hold what merging the
// head of a pull request gives; "": they do.
func (q *inquiry) squashed(ctx context.Context, p reconcile.Pull, commits []*reconcile.RawCommit) string {
	first, last := commits[0], commits[len(commits)-1]
	if p.Ref == "" {
		return "the forge does not say where its head can be fetched"
	}
	head, err := q.Commits.FetchRef(ctx, p.Ref)
	switch {
	case err != nil:
		return "its head cannot be fetched: " + err.Error()
	case head != p.HeadSHA:
		return "its head is " + short(head) + " by now, not " + short(p.HeadSHA)
	}
	merged, err := q.Commits.Merge(ctx, first.Parents[0], head)
	if err != nil {
		return "what it gives cannot be told: " + err.Error()
	}
	tree, err := q.tree(ctx, last.ID)
	if err != nil {
		return "it cannot be read: " + err.Error()
	}
	if !slices.EqualFunc(merged.Tree.Files(), tree.Files(), func(a, b spec.File) bool { return a.Path == b.Path && a.Hash == b.Hash }) {
		return "it differs from what merging " + short(head) + " gives"
	}
	for _, path := range codeownersPaths {
		changed := slices.ContainsFunc(commits, func(c *reconcile.RawCommit) bool { return slices.Contains(c.Changed, path) })
		if same, err := q.sameFile(ctx, path, head, last.ID); changed && (err != nil || !same) {
			return path + " differs from what was reviewed"
		}
	}
	return ""
}
