package trust

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// evidence adds to the input what is known of the reviews of a stretch: of the commits
// that a rule concerns, or of all.
func (w *walk) evidence(ctx context.Context, in *Input, pos position, all bool) error {
	e := &Evidence{
		NoForge: w.Forge == nil, Path: w.Path, Branch: w.branch(),
		Commits: make(map[string]CommitEvidence), Teams: make(map[string]Team), Aside: make(map[string]time.Time),
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
