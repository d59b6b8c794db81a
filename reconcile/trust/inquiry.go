package trust

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// ask asks the forge about the commits that rules concern, or about all, and about
// the teams that are named. It stops asking where the forge is away.
func (w *walk) ask(ctx context.Context, in *Input, all bool) {
	const most = 50 // pull requests of the newest commits, where nobody needs them
	ctx, cancel := context.WithTimeout(ctx, w.Timeout/2)
	defer cancel()
	j := newJudge(*in)
	changes := j.changes()
	for i, ch := range changes {
		if all && i < len(changes)-most || !all && !j.needed(ch) {
			continue
		}
		e := in.Evidence.Commits[ch.ID]
		e.Pulls, e.Err = w.brought(ctx, ch.RawCommit)
		in.Evidence.Commits[ch.ID] = e
	}
	w.compare(ctx, in, newLine(in.Range, in.Sealed).branch)
	for _, name := range in.names() {
		in.Evidence.Teams[name] = w.team(ctx, name)
	}
	if later, ok := errors.AsType[*reconcile.RetryError](w.away); ok {
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

// answer keeps that the forge is away.
func (w *walk) answer(err error) error {
	if errors.Is(err, reconcile.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		w.away = err
	}
	return err
}

func (w *walk) brought(ctx context.Context, c *reconcile.RawCommit) ([]PullEvidence, error) {
	const most = 10 // pull requests that one commit can have come by
	pulls, known := w.answers.brought(c.ID, w.number, w.Now())
	if !known {
		if w.away != nil {
			return nil, w.away
		}
		var err error
		if pulls, err = w.Forge.Brought(ctx, c.ID); w.answer(err) != nil {
			return nil, err
		}
		pulls = pulls[:min(len(pulls), most)]
		w.answers.keepBrought(c.ID, pulls, w.number, w.Now())
	}
	var all []PullEvidence
	for _, p := range pulls {
		e, err := w.pull(ctx, p)
		if w.answer(err) != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func (w *walk) pull(ctx context.Context, p reconcile.Pull) (PullEvidence, error) {
	e, current := w.answers.pull(p, w.number, w.Now())
	if current {
		return e, nil
	}
	if w.away != nil {
		return e, w.away
	}
	e = PullEvidence{Pull: p, Commits: e.Commits, NotSame: "it is no squash or rebase of it"}
	var err error
	if e.Reviews, err = w.Forge.Reviews(ctx, p.Number); err != nil {
		return e, err
	}
	if e.Commits == nil {
		if e.Commits, err = w.Forge.PullCommits(ctx, p.Number); err != nil {
			return e, err
		}
	}
	w.answers.keepPull(e, w.number, w.Now())
	return e, nil
}

func (w *walk) team(ctx context.Context, name string) Team {
	if team, known := w.teams[name]; known {
		return team
	}
	if w.away != nil {
		return Team{Err: w.away}
	}
	members, err := w.Forge.Members(ctx, name)
	team := Team{Known: err == nil, Members: members}
	if err != nil && !errors.Is(err, reconcile.ErrNoTeam) {
		return Team{Err: w.answer(err)}
	}
	if w.teams == nil {
		w.teams = make(map[string]Team)
	}
	w.teams[name] = team
	return team
}

// compare finds out of each squash and rebase whether the branch holds what was
// reviewed. A rebase is a run of commits that one pull request brought.
func (w *walk) compare(ctx context.Context, in *Input, line []*reconcile.RawCommit) {
	type run struct {
		PullEvidence
		first, last int
	}
	runs := make(map[int]run)
	for i, c := range line {
		for _, p := range in.Evidence.Commits[c.ID].Pulls {
			number := p.Pull.Number
			if len(c.Parents) != 1 || has(p.Commits, c.ID) {
				continue
			}
			if r, going := runs[number]; going && r.last == i-1 {
				runs[number] = run{p, r.first, i}
			} else if !going {
				runs[number] = run{p, i, i}
			}
		}
	}
	for _, number := range slices.Sorted(maps.Keys(runs)) {
		r := runs[number]
		commits := line[r.first : r.last+1]
		why := w.squashed(ctx, r.Pull, commits)
		if why == "" {
			w.aside(ctx, in, r.PullEvidence, commits)
		}
		for _, c := range commits {
			for i := range in.Evidence.Commits[c.ID].Pulls {
				if p := &in.Evidence.Commits[c.ID].Pulls[i]; p.Pull.Number == number {
					p.Same, p.NotSame = why == "", why
				}
			}
		}
	}
}

// aside checks the signatures of the commits of a squashed pull request, where nobody
// else knows whose they are. They were fetched to compare.
func (w *walk) aside(ctx context.Context, in *Input, e PullEvidence, commits []*reconcile.RawCommit) {
	nameless := func(c reconcile.PullCommit) bool { return c.Author == "" }
	if in.Checks == nil || !slices.ContainsFunc(e.Commits, nameless) {
		return
	}
	r, err := w.Commits.Range(ctx, commits[0].Parents[0], e.Pull.HeadSHA)
	if err != nil {
		w.answers.keepSame(squashOf(e.Pull, commits), false) // so that it is fetched again
		return
	}
	for i := range r.Commits {
		c := &r.Commits[i]
		if has(e.Commits, c.ID) {
			in.Checks[c.ID] = w.check(in.Rules.signersKey(), c.ID, c.Raw, in.Rules)
			in.Evidence.Aside[c.ID] = c.When
		}
	}
}

func has(commits []reconcile.PullCommit, id string) bool {
	return slices.ContainsFunc(commits, func(c reconcile.PullCommit) bool { return c.ID == id })
}

// squashed says why commits on the branch are not known to hold what merging the
// head of a pull request gives; "": they do.
func (w *walk) squashed(ctx context.Context, p reconcile.Pull, commits []*reconcile.RawCommit) string {
	first, last := commits[0], commits[len(commits)-1]
	this := squashOf(p, commits)
	if w.answers.isSame(this) {
		return ""
	}
	if p.Ref == "" {
		return "the forge does not say where its head can be fetched"
	}
	head, err := w.Commits.FetchRef(ctx, p.Ref)
	switch {
	case err != nil:
		return "its head cannot be fetched: " + err.Error()
	case head != p.HeadSHA:
		return "its head is " + short(head) + " by now, not " + short(p.HeadSHA)
	}
	merged, err := w.Commits.Merge(ctx, first.Parents[0], head)
	if err != nil {
		return "what it gives cannot be told: " + err.Error()
	}
	tree, err := w.tree(ctx, last.ID)
	if err != nil {
		return "it cannot be read: " + err.Error()
	}
	if !slices.EqualFunc(merged.Tree.Files(), tree.Files(), func(a, b spec.File) bool { return a.Path == b.Path && a.Hash == b.Hash }) {
		return "it differs from what merging " + short(head) + " gives"
	}
	for _, path := range codeownersPaths {
		changed := slices.ContainsFunc(commits, func(c *reconcile.RawCommit) bool { return slices.Contains(c.Changed, path) })
		if same, err := w.sameFile(ctx, path, head, last.ID); changed && (err != nil || !same) {
			return path + " differs from what was reviewed"
		}
	}
	w.answers.keepSame(this, true)
	return ""
}

func squashOf(p reconcile.Pull, commits []*reconcile.RawCommit) squash {
	return squash{head: p.HeadSHA, first: commits[0].ID, last: commits[len(commits)-1].ID}
}
