package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/fairlead/fairlead/reconcile/journal"
)

// position is where the journal stands: a commit, with as much of its trees as
// the next one is made from. It is never changed, only replaced.
type position struct {
	commit  plumbing.Hash // zero: nothing was decided yet
	when    time.Time     // of the committer
	sealed  bool          // the commit is signed
	root    []object.TreeEntry
	folders map[string][]object.TreeEntry // with the records
}

// positionAt reads the trees of a commit.
func positionAt(repo *repository, id plumbing.Hash) (position, error) {
	if id.IsZero() {
		return position{}, nil
	}
	commit, err := repo.commit(id)
	if err != nil {
		return position{}, err
	}
	p := position{commit: id, when: commit.Committer.When, sealed: commit.PGPSignature != "", folders: map[string][]object.TreeEntry{}}
	if p.root, err = treeEntries(repo, commit.TreeHash); err != nil {
		return position{}, err
	}
	for _, name := range journal.Folders() {
		if p.folders[name], err = folder(repo, p.root, name); err != nil {
			return position{}, err
		}
	}
	return p, nil
}

// folder lists a directory of a tree; none where there is none of that name.
func folder(repo *repository, root []object.TreeEntry, name string) ([]object.TreeEntry, error) {
	i := entryNamed(root, name)
	if i < 0 || root[i].Mode != filemode.Dir {
		return nil, nil
	}
	return treeEntries(repo, root[i].Hash)
}

func treeEntries(repo *repository, id plumbing.Hash) ([]object.TreeEntry, error) {
	raw, err := repo.read(plumbing.TreeObject, id, maxMetaObject)
	if err != nil {
		return nil, err
	}
	return parseTree(raw)
}

func entryNamed(entries []object.TreeEntry, name string) int {
	return slices.IndexFunc(entries, func(e object.TreeEntry) bool { return e.Name == name })
}

// records reads the record of every model.
func (p position) records(repo *repository) (map[string]journal.Record, error) {
	return readRecords(repo, p, journal.Folder, journal.DecodeRecord)
}

// verify reads every record and keeps none.
func (p position) verify(repo *repository) error {
	if _, err := p.records(repo); err != nil {
		return err
	}
	return p.verifyOthers(repo)
}

// verifyOthers reads the records of all that is no model.
func (p position) verifyOthers(repo *repository) error {
	if _, err := readRecords(repo, p, journal.PipelineFolder, journal.DecodePipelineRecord); err != nil {
		return err
	}
	if _, err := readRecords(repo, p, journal.RepoFolder, journal.DecodeRepoRecord); err != nil {
		return err
	}
	_, err := readRecords(repo, p, journal.ProposalFolder, journal.DecodeProposalRecord)
	return err
}

func readRecords[R any](repo *repository, p position, folder string, decode func(string, []byte) (R, error)) (map[string]R, error) {
	all := map[string]R{}
	for _, e := range p.folders[folder] {
		name, ours := journal.NameOf(e.Name)
		if !ours {
			continue
		}
		data, err := repo.read(plumbing.BlobObject, e.Hash, maxMetaObject)
		if err != nil {
			return nil, err
		}
		if all[name], err = decode(name, data); err != nil {
			return nil, &contentError{commit: p.commit, path: folder + "/" + e.Name, cause: err}
		}
	}
	return all, nil
}

// contentError is a file of the journal that is read without damage and cannot be
// used. Another copy of the journal would not help.
type contentError struct {
	commit plumbing.Hash
	path   string
	cause  error
}

func (e *contentError) Error() string {
	return fmt.Sprintf("%s at %s: %s", e.path, shortHash(e.commit), e.cause)
}
func (e *contentError) Unwrap() error { return e.cause }

// next makes the commit of an entry on top of a position, and the objects that
// come with it. A signed one names the journal's branch.
func (p position) next(e journal.Entry, by Author, branch string) (position, []plumbing.EncodedObject, error) {
	message, err := journal.EncodeMessage(e)
	if err != nil {
		return position{}, nil, err
	}
	if by.Signer != nil {
		message = journal.BindMessage(message, branch)
	}
	var objects []plumbing.EncodedObject
	add := func(o plumbing.EncodedObject) plumbing.Hash {
		objects = append(objects, o)
		return o.Hash()
	}
	after := position{when: e.At, sealed: by.Signer != nil, root: p.root, folders: maps.Clone(p.folders)}
	name := e.Folder()
	files := without(after.folders[name], journal.FileName(e.Subject()))
	data, err := e.EncodedRecord()
	if err != nil {
		return position{}, nil, err
	}
	if data != nil {
		blob, err := encoded(plumbing.BlobObject, data)
		if err != nil {
			return position{}, nil, err
		}
		files = append(files, object.TreeEntry{Name: journal.FileName(e.Subject()), Mode: filemode.Regular, Hash: add(blob)})
	}
	if after.folders == nil {
		after.folders = map[string][]object.TreeEntry{}
	}
	after.folders[name], after.root = files, without(after.root, name)
	if len(files) > 0 {
		tree, err := encodedTree(files)
		if err != nil {
			return position{}, nil, err
		}
		after.root = append(after.root, object.TreeEntry{Name: name, Mode: filemode.Dir, Hash: add(tree)})
	}
	root, err := encodedTree(after.root)
	if err != nil {
		return position{}, nil, err
	}
	commit, when, err := p.encodedCommit(message, e.At, add(root), by)
	if err != nil {
		return position{}, nil, err
	}
	after.commit, after.when = add(commit), when
	return after, objects, nil
}

// encodedCommit makes a commit. Its author's time is that of the decision. Its
// committer's time never goes back, even where a clock does, so that whoever
// looks for a time knows where to stop.
func (p position) encodedCommit(message string, at time.Time, tree plumbing.Hash, by Author) (plumbing.EncodedObject, time.Time, error) {
	author, committer := by.at(at), by.at(at)
	if committer.When.Before(p.when) {
		committer.When = p.when.UTC()
	}
	commit := object.Commit{Author: author, Committer: committer, Message: message, TreeHash: tree}
	if !p.commit.IsZero() {
		commit.ParentHashes = []plumbing.Hash{p.commit}
	}
	o, err := sealedCommit(&commit, by.Signer)
	return o, committer.When, err
}

func encoded(t plumbing.ObjectType, data []byte) (*plumbing.MemoryObject, error) {
	o := new(plumbing.MemoryObject)
	o.SetType(t)
	_, err := o.Write(data)
	return o, err
}

func encodedTree(entries []object.TreeEntry) (*plumbing.MemoryObject, error) {
	slices.SortFunc(entries, func(a, b object.TreeEntry) int { return strings.Compare(sortName(&a), sortName(&b)) })
	o := new(plumbing.MemoryObject)
	return o, (&object.Tree{Entries: entries}).Encode(o)
}

// without is a copy of the entries that lacks one, with room for another.
func without(entries []object.TreeEntry, name string) []object.TreeEntry {
	kept := make([]object.TreeEntry, 0, len(entries)+1)
	for _, e := range entries {
		if e.Name != name {
			kept = append(kept, e)
		}
	}
	return kept
}

// changed lists the files of the records that differ between two positions.
func (p position) changed(q position) map[string]bool {
	differ := map[string]bool{}
	compare := func(folder string, before, after []object.TreeEntry) {
		was := map[string]plumbing.Hash{}
		for _, e := range before {
			was[e.Name] = e.Hash
		}
		for _, e := range after {
			if was[e.Name] != e.Hash {
				differ[folder+"/"+e.Name] = true
			}
			delete(was, e.Name)
		}
		for name := range was {
			differ[folder+"/"+name] = true
		}
	}
	for _, name := range journal.Folders() {
		compare(name, p.folders[name], q.folders[name])
	}
	return differ
}

// recordPath is the file that an entry writes.
func recordPath(e journal.Entry) string {
	return e.Folder() + "/" + journal.FileName(e.Subject())
}

// walkBack calls visit for a commit and its first parents, newest first, until
// visit says that it has seen enough.
func walkBack(ctx context.Context, repo *repository, from plumbing.Hash, visit func(*object.Commit) (enough bool, err error)) error {
	for id := from; !id.IsZero(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		commit, err := repo.commit(id)
		if err != nil {
			return err
		}
		enough, err := visit(commit)
		if err != nil || enough || len(commit.ParentHashes) == 0 {
			return err
		}
		id = commit.ParentHashes[0]
	}
	return nil
}

// ancestry lists the commits that lead to tip, parents first, as far as they are
// not known already.
func ancestry(ctx context.Context, repo *repository, tip plumbing.Hash, known func(plumbing.Hash) bool) ([]plumbing.Hash, error) {
	if tip.IsZero() || known(tip) {
		return nil, nil
	}
	type visit struct {
		id      plumbing.Hash
		parents []plumbing.Hash // that are still to be visited
	}
	var order []plumbing.Hash
	seen := map[plumbing.Hash]bool{}
	var path []visit
	enter := func(id plumbing.Hash) error {
		if id.IsZero() || seen[id] || known(id) {
			return nil
		}
		seen[id] = true
		commit, err := repo.commit(id)
		if err != nil {
			return err
		}
		path = append(path, visit{id, commit.ParentHashes})
		return ctx.Err()
	}
	if err := enter(tip); err != nil {
		return nil, err
	}
	for len(path) > 0 {
		last := &path[len(path)-1]
		if len(last.parents) == 0 {
			order = append(order, last.id)
			path = path[:len(path)-1]
			continue
		}
		parent := last.parents[0]
		last.parents = last.parents[1:]
		if err := enter(parent); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// introduced lists the objects that come with a commit: itself, and what of its
// tree its first parent has not got.
func introduced(repo *repository, id plumbing.Hash) ([]plumbing.Hash, error) {
	commit, err := repo.commit(id)
	if err != nil {
		return nil, err
	}
	before := plumbing.ZeroHash
	if len(commit.ParentHashes) > 0 {
		parent, err := repo.commit(commit.ParentHashes[0])
		if err != nil {
			return nil, err
		}
		before = parent.TreeHash
	}
	return newInTree(repo, commit.TreeHash, before, []plumbing.Hash{id}, 0)
}

var errDeep = errors.New("the journal's tree is deeper than any that fairlead writes")

// newInTree appends what a tree has and an older one has not.
func newInTree(repo *repository, tree, old plumbing.Hash, found []plumbing.Hash, depth int) ([]plumbing.Hash, error) {
	if tree == old {
		return found, nil
	}
	if depth > 16 {
		return nil, errDeep
	}
	found = append(found, tree)
	entries, err := treeEntries(repo, tree)
	if err != nil {
		return nil, err
	}
	was := map[string]object.TreeEntry{}
	if !old.IsZero() {
		before, err := treeEntries(repo, old)
		if err != nil {
			return nil, err
		}
		for _, e := range before {
			was[e.Name] = e
		}
	}
	for _, e := range entries {
		before := was[e.Name]
		switch {
		case before.Hash == e.Hash, e.Mode == filemode.Submodule:
		case e.Mode == filemode.Dir:
			if before.Mode != filemode.Dir {
				before.Hash = plumbing.ZeroHash
			}
			if found, err = newInTree(repo, e.Hash, before.Hash, found, depth+1); err != nil {
				return nil, err
			}
		default:
			found = append(found, e.Hash)
		}
	}
	return found, nil
}
