package git_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/providers/git/signature"
	"github.com/fairlead/fairlead/reconcile/audit"
)

// forger rewrites a journal as somebody who can write to the repository, and has not got
// the key, could.
type forger struct {
	t     testing.TB
	rand  *rand.Rand
	dir   string
	repo  *gogit.Repository
	other *signature.Signer
	chain []*object.Commit // oldest first
}

func newForger(t testing.TB, r *rand.Rand, dir string, other *signature.Signer) *forger {
	t.Helper()
	repo, err := gogit.PlainOpen(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := &forger{t: t, rand: r, dir: dir, repo: repo, other: other}
	ref, err := repo.Reference(plumbing.NewBranchReferenceName(journalBranch), true)
	if err != nil {
		t.Fatal(err)
	}
	for id := ref.Hash(); ; {
		c, err := repo.CommitObject(id)
		if err != nil {
			t.Fatal(err)
		}
		f.chain = append(f.chain, c)
		if len(c.ParentHashes) == 0 {
			break
		}
		id = c.ParentHashes[0]
	}
	slices.Reverse(f.chain)
	return f
}

func (f *forger) store(o plumbing.EncodedObject) plumbing.Hash {
	f.t.Helper()
	id, err := f.repo.Storer.SetEncodedObject(o)
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

// write makes a commit, with the signature that it had, none, or one of another key.
func (f *forger) write(c object.Commit) *object.Commit {
	f.t.Helper()
	switch f.rand.IntN(3) {
	case 0: // keeps what it had
	case 1:
		c.PGPSignature = ""
	case 2:
		c.PGPSignature = ""
		bare := new(plumbing.MemoryObject)
		if err := c.Encode(bare); err != nil {
			f.t.Fatal(err)
		}
		reader, _ := bare.Reader()
		payload := make([]byte, bare.Size())
		if _, err := reader.Read(payload); err != nil {
			f.t.Fatal(err)
		}
		armored, err := f.other.Sign(payload)
		if err != nil {
			f.t.Fatal(err)
		}
		c.PGPSignature = armored
	}
	o := new(plumbing.MemoryObject)
	if err := c.Encode(o); err != nil {
		f.t.Fatal(err)
	}
	c.Hash = f.store(o)
	return &c
}

// publish makes a chain the journal. What is the same as before stays as it is.
func (f *forger) publish(chain []*object.Commit) {
	f.t.Helper()
	parent := plumbing.ZeroHash
	for i, c := range chain {
		if i < len(f.chain) && c == f.chain[i] {
			parent = c.Hash
			continue
		}
		next := *c
		next.ParentHashes = nil
		if i > 0 {
			next.ParentHashes = []plumbing.Hash{parent}
		}
		next.ParentHashes = append(next.ParentHashes, c.ParentHashes[min(len(c.ParentHashes), 1):]...)
		parent = f.write(next).Hash
	}
	f.point(parent)
}

func (f *forger) point(to plumbing.Hash) {
	f.t.Helper()
	if err := f.repo.Storer.SetReference(plumbing.NewHashReference(plumbing.NewBranchReferenceName(journalBranch), to)); err != nil {
		f.t.Fatal(err)
	}
}

// copied is the chain with one commit that may be changed. Those behind it are made
// anew, as their parent is another one.
func (f *forger) copied(i int, change func(*object.Commit)) []*object.Commit {
	chain := slices.Clone(f.chain[:i])
	for _, c := range f.chain[i:] {
		again := *c
		chain = append(chain, &again)
	}
	change(chain[i])
	return chain
}

// file puts a file into a tree, and returns the new tree. nil removes it.
func (f *forger) file(tree plumbing.Hash, path string, mode filemode.FileMode, data []byte) plumbing.Hash {
	f.t.Helper()
	name, rest, deeper := strings.Cut(path, "/")
	var entries []object.TreeEntry
	below := plumbing.ZeroHash
	if !tree.IsZero() {
		old, err := f.repo.TreeObject(tree)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, e := range old.Entries {
			if e.Name == name {
				below = e.Hash
				continue
			}
			entries = append(entries, e)
		}
	}
	switch {
	case deeper:
		entries = append(entries, object.TreeEntry{Name: name, Mode: filemode.Dir, Hash: f.file(below, rest, mode, data)})
	case data != nil:
		blob := new(plumbing.MemoryObject)
		blob.SetType(plumbing.BlobObject)
		if _, err := blob.Write(data); err != nil {
			f.t.Fatal(err)
		}
		entries = append(entries, object.TreeEntry{Name: name, Mode: mode, Hash: f.store(blob)})
	}
	slices.SortFunc(entries, func(a, b object.TreeEntry) int { return strings.Compare(a.Name, b.Name) })
	o := new(plumbing.MemoryObject)
	if err := (&object.Tree{Entries: entries}).Encode(o); err != nil {
		f.t.Fatal(err)
	}
	return f.store(o)
}

// somewhere is a commit that has both a file and an entry that tells which.
func (f *forger) somewhere() (i int, path string, content string) {
	f.t.Helper()
	for {
		i = f.rand.IntN(len(f.chain))
		tree, err := f.chain[i].Tree()
		if err != nil {
			f.t.Fatal(err)
		}
		var paths []string
		_ = tree.Files().ForEach(func(file *object.File) error { paths = append(paths, file.Name); return nil })
		if len(paths) == 0 {
			continue
		}
		path = paths[f.rand.IntN(len(paths))]
		file, err := tree.File(path)
		if err != nil {
			f.t.Fatal(err)
		}
		if content, err = file.Contents(); err != nil {
			f.t.Fatal(err)
		}
		return i, path, content
	}
}

// tampering is one way to change a journal. It returns the number of the first entry
// that is not what it was; 0: nothing before the end is.
type tampering func(f *forger) (first int)

var tamperings = map[string]tampering{
	"rewrite a message": func(f *forger) int {
		i := f.rand.IntN(len(f.chain))
		f.publish(f.copied(i, func(c *object.Commit) {
			c.Message = strings.Replace(c.Message, "Fairlead-Actor: ", "Fairlead-Actor: not-", 1)
		}))
		return i + 1
	},
	"change the reason": func(f *forger) int {
		i := f.rand.IntN(len(f.chain))
		f.publish(f.copied(i, func(c *object.Commit) { c.Message = strings.Replace(c.Message, ": ", ": all fine, ", 1) }))
		return i + 1
	},
	"change a time": func(f *forger) int {
		i := f.rand.IntN(len(f.chain))
		f.publish(f.copied(i, func(c *object.Commit) {
			d := time.Duration(1+f.rand.IntN(100)) * time.Minute
			c.Committer.When, c.Author.When = c.Committer.When.Add(d), c.Author.When.Add(d)
		}))
		return i + 1
	},
	"change who committed": func(f *forger) int {
		i := f.rand.IntN(len(f.chain))
		f.publish(f.copied(i, func(c *object.Commit) { c.Committer.Email, c.Author.Email = "eve@example.org", "eve@example.org" }))
		return i + 1
	},
	"drop an entry": func(f *forger) int {
		i := f.rand.IntN(len(f.chain) - 1)
		f.publish(slices.Delete(f.copied(i, func(*object.Commit) {}), i, i+1))
		return i + 1
	},
	"swap two entries": func(f *forger) int {
		i := f.rand.IntN(len(f.chain) - 1)
		chain := f.copied(i, func(*object.Commit) {})
		chain[i], chain[i+1] = chain[i+1], chain[i]
		f.publish(chain)
		return i + 1
	},
	"put the rest in another order": func(f *forger) int {
		i := f.rand.IntN(len(f.chain) - 1)
		chain := f.copied(i, func(*object.Commit) {})
		slices.Reverse(chain[i:])
		f.publish(chain)
		return i + 1
	},
	"cut off the end": func(f *forger) int {
		f.point(f.chain[f.rand.IntN(len(f.chain)-1)].Hash)
		return 0
	},
	"replace by an older head and go on": func(f *forger) int {
		i := f.rand.IntN(len(f.chain) - 1)
		forged := *f.chain[len(f.chain)-1]
		f.publish(append(slices.Clone(f.chain[:i+1]), &forged))
		return i + 2
	},
	"delete the branch": func(f *forger) int {
		if err := f.repo.Storer.RemoveReference(plumbing.NewBranchReferenceName(journalBranch)); err != nil {
			f.t.Fatal(err)
		}
		return 0
	},
	"insert an entry": func(f *forger) int {
		i := f.rand.IntN(len(f.chain))
		forged := *f.chain[(i+1+f.rand.IntN(len(f.chain)-1))%len(f.chain)] // another one than stands there
		f.publish(slices.Insert(f.copied(i, func(*object.Commit) {}), i, &forged))
		return i + 1
	},
	"say an entry twice at the end": func(f *forger) int {
		forged := *f.chain[len(f.chain)-1]
		f.publish(append(slices.Clone(f.chain), &forged))
		return len(f.chain) + 1
	},
	"append a foreign commit": func(f *forger) int {
		last := *f.chain[len(f.chain)-1]
		last.Message = "tidy up\n"
		f.publish(append(slices.Clone(f.chain), &last))
		return len(f.chain) + 1
	},
	"amend the last": func(f *forger) int {
		i := len(f.chain) - 1
		f.publish(f.copied(i, func(c *object.Commit) {
			c.Message = strings.Replace(c.Message, "Fairlead-At: 2026", "Fairlead-At: 2027", 1)
		}))
		return i + 1
	},
	"edit a record": func(f *forger) int {
		i, path, content := f.somewhere()
		f.publish(f.copied(i, func(c *object.Commit) {
			c.TreeHash = f.file(c.TreeHash, path, filemode.Regular, []byte(strings.Replace(content, "1", "2", 3)+" "))
		}))
		return i + 1
	},
	"edit a record from then on": func(f *forger) int {
		i, path, content := f.somewhere()
		chain := f.copied(i, func(*object.Commit) {})
		for _, c := range chain[i:] {
			c.TreeHash = f.file(c.TreeHash, path, filemode.Regular, []byte(strings.Replace(content, "1", "2", 3)+" "))
		}
		f.publish(chain)
		return i + 1
	},
	"remove a record": func(f *forger) int {
		i, path, _ := f.somewhere()
		f.publish(f.copied(i, func(c *object.Commit) { c.TreeHash = f.file(c.TreeHash, path, 0, nil) }))
		return i + 1
	},
	"add a file": func(f *forger) int {
		i := f.rand.IntN(len(f.chain))
		f.publish(f.copied(i, func(c *object.Commit) {
			c.TreeHash = f.file(c.TreeHash, "models/extra.json", filemode.Regular, []byte("{}"))
		}))
		return i + 1
	},
	"make a record executable": func(f *forger) int {
		i, path, content := f.somewhere()
		f.publish(f.copied(i, func(c *object.Commit) { c.TreeHash = f.file(c.TreeHash, path, filemode.Executable, []byte(content)) }))
		return i + 1
	},
	"strip the signature": func(f *forger) int {
		i := f.rand.IntN(len(f.chain))
		f.publish(f.copied(i, func(c *object.Commit) { c.PGPSignature = ""; c.Message += "\n" }))
		return i + 1
	},
	"merge another history": func(f *forger) int {
		root := *f.chain[0]
		root.Message = "another beginning\n"
		foreign := f.write(root)
		merge := *f.chain[len(f.chain)-1]
		merge.ParentHashes = []plumbing.Hash{merge.Hash, foreign.Hash}
		f.publish(append(slices.Clone(f.chain), &merge))
		return len(f.chain) + 1
	},
	"begin later": func(f *forger) int {
		i := 1 + f.rand.IntN(len(f.chain)-1)
		chain := []*object.Commit{}
		for _, c := range f.chain[i:] {
			again := *c
			again.ParentHashes = nil
			chain = append(chain, &again)
		}
		f.publish(chain)
		return 1
	},
	"hide an entry with a replace ref": func(f *forger) int {
		i := f.rand.IntN(len(f.chain))
		forged := *f.chain[i]
		forged.Message = strings.Replace(forged.Message, "Fairlead-Actor: ", "Fairlead-Actor: not-", 1)
		name := plumbing.ReferenceName("refs/replace/" + f.chain[i].Hash.String())
		if err := f.repo.Storer.SetReference(plumbing.NewHashReference(name, f.write(forged).Hash)); err != nil {
			f.t.Fatal(err)
		}
		return 0
	},
	"hide entries with a graft": func(f *forger) int {
		last := f.chain[len(f.chain)-1].Hash
		if err := os.MkdirAll(filepath.Join(f.dir, "info"), 0o755); err != nil {
			f.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(f.dir, "info", "grafts"), []byte(fmt.Sprintf("%s %s\n", last, f.chain[0].Hash)), 0o600); err != nil {
			f.t.Fatal(err)
		}
		return 0
	},
	"damage a pack": func(f *forger) int {
		packs, err := filepath.Glob(filepath.Join(f.dir, "objects", "pack", "*.pack"))
		if err != nil || len(packs) == 0 {
			f.t.Fatal(packs, err)
		}
		path := packs[f.rand.IntN(len(packs))]
		data, err := os.ReadFile(path)
		if err != nil {
			f.t.Fatal(err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			f.t.Fatal(err)
		}
		for i := 12; i < len(data)-20; i++ {
			data[i] ^= 0x55
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			f.t.Fatal(err)
		}
		return 0
	},
}

func TestEveryTamperingIsFound(t *testing.T) {
	t.Parallel()
	const attempts = 200
	key, other := signer(t), signer(t)
	// A few good journals, each of which is spoiled many times.
	const originals = 4
	var dirs [originals]string
	var heads [originals]audit.Head
	for i := range dirs {
		r := rand.New(rand.NewPCG(8, uint64(i)))
		dirs[i] = filepath.Join(t.TempDir(), "journal.git")
		j := openJournal(t, git.JournalOptions{Dir: dirs[i], Author: author(key)})
		randomJournal(t, r, j, 6+5*i)
		head, err := j.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		heads[i] = head
	}
	names := slices.Sorted(maps.Keys(tamperings))
	missed := 0
	for n := range attempts {
		name := names[n%len(names)]
		r := rand.New(rand.NewPCG(9, uint64(n)))
		original := r.IntN(originals)
		dir := filepath.Join(t.TempDir(), "spoiled.git")
		if err := os.CopyFS(dir, os.DirFS(dirs[original])); err != nil {
			t.Fatal(err)
		}
		f := newForger(t, r, dir, other)
		first := tamperings[name](f)
		report, err := git.VerifyJournal(t.Context(), git.AuditOptions{Dir: dir, Branch: journalBranch, Trusted: []string{key.PublicKey()}, Heads: []audit.Head{heads[original]}})
		if err == nil && report.OK() {
			missed++
			t.Errorf("attempt %d, %s: nothing is found", n, name)
		}
		// What a head shows is about no entry, and comes last: this one would be found
		// without any.
		if err == nil && first > 0 && len(report.Problems) > 0 && report.Problems[0].Entry != first {
			t.Errorf("attempt %d, %s: the first problem is %s; want one of entry %d", n, name, report.Problems[0], first)
		}
	}
	t.Logf("%d of %d tamperings are found", attempts-missed, attempts)
}
