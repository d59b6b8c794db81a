package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

const (
	// maxRange bounds the commits of one range, which are held in memory.
	maxRange = 100_000
	// maxChanged bounds the paths that a commit is told to change.
	maxChanged = 10_000
	// maxFile bounds what FileAt reads.
	maxFile = 1 << 20
)

// read does what does not write, in the repository or the current clone.
func read[T any](ctx context.Context, s *Source, work func(context.Context, *repository, state) (T, error)) (T, error) {
	return inTurn(ctx, s, func(ctx context.Context, before state, clones clones) (T, error) {
		if s.link.location.local() {
			value, err := readOnce(ctx, s, before, work)
			if errors.Is(err, errUnreadable) { // somebody else's git may have repacked it meanwhile
				value, err = readOnce(ctx, s, before, work)
			}
			return value, err
		}
		var none T
		have, err := fetched(clones)
		if err != nil {
			return none, err
		}
		defer have.close()
		value, err := work(ctx, &have.repository, before)
		return value, damaged(have, err)
	}, func(T) {})
}

func readOnce[T any](ctx context.Context, s *Source, before state, work func(context.Context, *repository, state) (T, error)) (value T, err error) {
	err = recovering(func() error {
		repo, err := openLocal(s.link.location.path)
		if err != nil {
			return err
		}
		defer repo.close()
		value, err = work(ctx, repo, before)
		return err
	})
	return value, err
}

// fetched opens the current clone.
func fetched(clones clones) (*clone, error) {
	have, err := clones.current()
	if err == nil && have == nil {
		err = errNotFetched
	}
	return have, err
}

// errNotFetched: there is no clone of the remote.
var errNotFetched = errors.New("nothing of it has been fetched yet")

// commitID reads a full commit id.
func commitID(id string) (plumbing.Hash, error) {
	if !fullID.MatchString(id) {
		return plumbing.ZeroHash, fmt.Errorf("%q is not a full commit id", printable(id))
	}
	return plumbing.NewHash(id), nil
}

// Range implements [reconcile.Commits]. Replace refs and grafts count for nothing.
func (s *Source) Range(ctx context.Context, from, to string) (reconcile.CommitRange, error) {
	return read(ctx, s, func(ctx context.Context, repo *repository, _ state) (reconcile.CommitRange, error) {
		r := reconcile.CommitRange{From: from, To: to}
		tip, err := commitID(to)
		if err != nil {
			return r, err
		}
		var start plumbing.Hash
		if from != "" {
			if start, err = commitID(from); err != nil {
				return r, err
			}
		}
		found, err := newWalk(ctx, repo).between(start, tip)
		if err != nil {
			return r, err
		}
		r.Descends, r.Known = found.descends, found.known
		r.Commits = make([]reconcile.RawCommit, 0, len(found.commits))
		for _, id := range found.commits {
			commit, err := describe(ctx, repo, id)
			if err != nil {
				return r, err
			}
			r.Commits = append(r.Commits, commit)
		}
		if r.Tags, err = tagsAt(repo, tip); err != nil {
			return r, err
		}
		r.Notes, err = passedOver(repo)
		return r, err
	})
}

// describe is a commit with what it changes.
func describe(ctx context.Context, repo *repository, id plumbing.Hash) (reconcile.RawCommit, error) {
	raw, err := repo.read(plumbing.CommitObject, id, maxMetaObject)
	if err != nil {
		return reconcile.RawCommit{}, err
	}
	facts, err := parseCommit(raw)
	if err != nil {
		return reconcile.RawCommit{}, fmt.Errorf("commit %s is not sound: %w", shortHash(id), err)
	}
	c := reconcile.RawCommit{
		ID: id.String(), Raw: raw, Author: facts.author, Email: facts.email,
		When: facts.when, Subject: facts.subject, Clean: true,
	}
	for _, parent := range facts.parents {
		c.Parents = append(c.Parents, parent.String())
	}
	if c.Changed, c.ChangedAll, err = changedBy(ctx, repo, facts); err != nil {
		return c, err
	}
	if len(facts.parents) > 1 {
		c.Clean, err = cleanMerge(ctx, repo, facts)
	}
	return c, err
}

// changedBy lists the paths in which a commit differs from its first parent.
func changedBy(ctx context.Context, repo *repository, c commitFacts) (paths []string, all bool, err error) {
	var older plumbing.Hash
	if len(c.parents) > 0 {
		if !repo.has(c.parents[0]) {
			return nil, false, nil // here a shallow repository ends
		}
		parent, err := repo.facts(c.parents[0])
		if err != nil {
			return nil, false, err
		}
		older = parent.tree
	}
	d := &treeDiff{ctx: ctx, repo: repo, limit: maxChanged}
	changes, err := d.between(older, c.tree)
	if _, much := errors.AsType[*diffLimitError](err); err != nil && !much {
		return nil, false, err
	}
	for i := range changes {
		paths = append(paths, changes[i].path)
	}
	return paths, err == nil, nil
}

// TreeAt implements [reconcile.Commits].
func (s *Source) TreeAt(ctx context.Context, commit string) (spec.Tree, error) {
	return read(ctx, s, func(ctx context.Context, repo *repository, before state) (spec.Tree, error) {
		id, err := commitID(commit)
		if err != nil {
			return nil, err
		}
		facts, err := repo.existing(id)
		if err != nil {
			return nil, err
		}
		return s.treeOf(ctx, repo, before, id, facts.tree)
	})
}

// treeOf reads what lies below the path in a tree, and calls it that of the commit.
func (s *Source) treeOf(ctx context.Context, repo *repository, before state, of, tree plumbing.Hash) (spec.Tree, error) {
	commit, err := repo.commit(of)
	if err != nil {
		return nil, err
	}
	read := &treeReader{ctx: ctx, repo: repo, limits: s.options.Limits.Tree, at: shortHash(of)}
	top, err := read.tree(tree, s.options.Path, before.tree)
	if err != nil {
		return nil, err
	}
	return top.snapshot(commitOf(commit, "")), nil
}

// FileAt implements [reconcile.Commits].
func (s *Source) FileAt(ctx context.Context, commit, file string) ([]byte, error) {
	return read(ctx, s, func(_ context.Context, repo *repository, _ state) ([]byte, error) {
		id, err := commitID(commit)
		if err != nil {
			return nil, err
		}
		facts, err := repo.existing(id)
		if err != nil {
			return nil, err
		}
		data, err := fileIn(repo, facts.tree, file)
		if err != nil {
			return nil, fmt.Errorf("the file %s of commit %s: %w", printable(file), shortHash(id), err)
		}
		return data, nil
	})
}

// fileIn reads a file by its path from a tree.
func fileIn(repo *repository, tree plumbing.Hash, file string) ([]byte, error) {
	if file == "" || path.Clean("/" + file)[1:] != file {
		return nil, errors.New("it is no path from the top of the repository")
	}
	segments := strings.Split(file, "/")
	for i, name := range segments {
		entries, err := repo.directory(tree)
		if err != nil {
			return nil, err
		}
		e, ok := entries[name]
		last := i == len(segments)-1
		switch {
		case !ok, !last && e.mode != filemode.Dir:
			return nil, fs.ErrNotExist
		case last && e.mode != filemode.Regular && e.mode != filemode.Executable:
			return nil, errors.New("it is no regular file")
		}
		tree = e.id
	}
	data, err := repo.read(plumbing.BlobObject, tree, maxFile)
	return data, err
}
