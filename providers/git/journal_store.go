package git

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// store is the journal's own bare repository: what Append has written is here,
// whatever becomes of the remote. Objects come in small packs, one for each
// write, and tidy joins them; a ref names the newest commit, and is replaced by a
// rename. go-git syncs nothing, so all that must survive a power cut is written
// here and not by it.
type store struct {
	dir    string
	branch plumbing.ReferenceName
	limits Limits
	fan    int // see tidy
	// gate keeps packs in place while they are read: tidy removes them. What a decision
	// needs, new packs and refs, is not behind it: somebody who reads all of the journal
	// would have it wait.
	gate sync.RWMutex
}

// errNoStore: the store does not exist.
var errNoStore = errors.New("there is no journal yet")

// deliveredRef is the newest commit that the remote is known to have.
func (s *store) deliveredRef() plumbing.ReferenceName {
	return plumbing.ReferenceName("refs/remotes/delivered/" + s.branch.Short())
}

// view opens the store for one reading.
func (s *store) view(read func(*clone) error) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	return s.open(read)
}

// open is view for who reads no packs.
func (s *store) open(read func(*clone) error) error {
	if _, err := os.Stat(s.dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w in %s: %w", errNoStore, s.dir, err)
	} else if err != nil {
		return fmt.Errorf("open the journal: %w; its directory must be readable for this user", err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "HEAD")); err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	repo := openClone(s.dir)
	defer repo.close()
	return recovering(func() error { return read(repo) })
}

// head reads the newest commit; zero: nothing was decided yet. A store that had a
// newest commit once and has none now is damaged.
func (s *store) head() (plumbing.Hash, error) {
	var id plumbing.Hash
	err := s.view(func(repo *clone) (err error) {
		if id, err = refOf(&repo.repository, s.branch); err != nil || !id.IsZero() {
			return err
		}
		commits, err := repo.stores[0].IterEncodedObjects(plumbing.CommitObject)
		if err != nil {
			return fmt.Errorf("%w: %w", errUnreadable, err)
		}
		return commits.ForEach(func(o plumbing.EncodedObject) error {
			// One without a parent is what a crash in the first Append leaves.
			if commit, err := repo.commit(o.Hash()); err != nil || len(commit.ParentHashes) > 0 {
				return fmt.Errorf("%w: it holds commits, and the ref %s is gone", errUnreadable, s.branch)
			}
			return nil
		})
	})
	return id, err
}

// ref reads a ref; zero: there is none.
func (s *store) ref(name plumbing.ReferenceName) (plumbing.Hash, error) {
	var id plumbing.Hash
	err := s.open(func(repo *clone) (err error) {
		id, err = refOf(&repo.repository, name)
		return err
	})
	return id, err
}

// refOf reads a ref of a repository; zero: there is none.
func refOf(repo *repository, name plumbing.ReferenceName) (plumbing.Hash, error) {
	ref, err := repo.ref(name)
	switch {
	case errors.Is(err, plumbing.ErrReferenceNotFound):
		return plumbing.ZeroHash, nil
	case err != nil:
		return plumbing.ZeroHash, fmt.Errorf("%w: the ref %s cannot be read: %w", errUnreadable, name, err)
	case ref.Hash().IsZero():
		return plumbing.ZeroHash, fmt.Errorf("%w: the ref %s is empty", errUnreadable, name)
	}
	return ref.Hash(), nil
}

// looks is how often a damage is looked at, at the most, while packs come and go: a reader
// who is slow meets more than one.
const looks = 20

// steady calls read, and again where it finds a damage and packs came and went meanwhile:
// a daemon beside this process joins them. A damage is believed at the second look at the
// earliest.
func steady(gitDir string, read func() error) error {
	for look := 1; ; look++ {
		before := packNames(gitDir)
		err := read()
		if !errors.Is(err, errUnreadable) || look == looks || look > 1 && slices.Equal(before, packNames(gitDir)) {
			return err
		}
	}
}

// packNames lists the packs of a repository, sorted; none of one that cannot be listed,
// which whoever reads it will notice.
func packNames(gitDir string) []string {
	names, err := filepath.Glob(filepath.Join(gitDir, "objects", "pack", "*.pack"))
	if err != nil {
		return nil
	}
	return names
}

// add stores objects, durably, as one pack.
func (s *store) add(ctx context.Context, objects []plumbing.EncodedObject) error {
	pack, err := packOf(objects)
	if err != nil {
		return err
	}
	into := openClone(s.dir)
	defer into.close()
	return into.store(ctx, pack, s.limits)
}

// packOf makes a pack of objects as they are. The encoder of go-git would make a compressor
// for each pack, and that takes a megabyte.
func packOf(objects []plumbing.EncodedObject) (io.Reader, error) {
	var distinct []plumbing.EncodedObject
	known := map[plumbing.Hash]bool{}
	for _, o := range objects {
		if id := o.Hash(); !known[id] {
			known[id] = true
			distinct = append(distinct, o)
		}
	}
	pack := new(bytes.Buffer)
	out := &packWriter{to: bufio.NewWriter(pack), sum: sha1.New()} // Git's own hash
	err := out.header(len(distinct))
	for _, o := range distinct {
		if err == nil {
			err = out.object(o)
		}
	}
	if err == nil {
		_, err = out.end()
	}
	if err != nil {
		return nil, fmt.Errorf("make a pack: %w", err)
	}
	return pack, nil
}

// encodePack makes a pack of the objects in a storage. Within a window of objects
// it keeps the differences only.
func encodePack(from storer.EncodedObjectStorer, ids []plumbing.Hash, window uint) (io.Reader, error) {
	pack := new(bytes.Buffer)
	if _, err := packfile.NewEncoder(pack, from, false).Encode(ids, window); err != nil {
		return nil, fmt.Errorf("make a pack: %w", err)
	}
	return pack, nil
}

// setRef moves a ref, durably: when it returns, and not before, the new commit is
// the one that is found after a crash. The old one must be as the caller knows it.
func (s *store) setRef(name plumbing.ReferenceName, old, next plumbing.Hash) error {
	current, err := s.ref(name)
	if err != nil {
		return err
	}
	if current != old {
		return fmt.Errorf("%w: %s is at %s, and %s was written last; is another fairlead at work in %s?", errMoved, name.Short(), shortHash(current), shortHash(old), s.dir)
	}
	return writeRef(s.dir, name, next)
}

// writeRef replaces the file of a ref.
func writeRef(dir string, name plumbing.ReferenceName, id plumbing.Hash) (err error) {
	path := filepath.Join(dir, filepath.FromSlash(name.String()))
	if err := makeDirs(dir, filepath.Dir(path)); err != nil {
		return explainDisk(err)
	}
	temp, err := os.CreateTemp(dir, unfinishedRef)
	if err != nil {
		return explainDisk(err)
	}
	defer func() {
		if err != nil {
			_ = temp.Close()           // the error that counts is err
			_ = os.Remove(temp.Name()) // swept later if this fails
			err = explainDisk(err)
		}
	}()
	if _, err := temp.WriteString(id.String() + "\n"); err != nil {
		return err
	}
	if err := errors.Join(temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// unfinishedRef is the pattern of refs that are being written.
const unfinishedRef = "fairlead-ref-*.tmp"

// makeDirs makes the directories from root down to dir, and makes them last.
func makeDirs(root, dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if dir != root {
		if err := makeDirs(root, filepath.Dir(dir)); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// createBeside makes an empty store in a directory of its own beside the real
// one, for replaceBy.
func (s *store) createBeside() (*store, error) {
	parent := filepath.Dir(s.dir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, fmt.Errorf("make room for the journal: %w; the data directory must be writable for this user", err)
	}
	dir, err := os.MkdirTemp(parent, filepath.Base(s.dir)+"-*.new")
	if err != nil {
		return nil, explainDisk(fmt.Errorf("make room for the journal: %w", err))
	}
	made := &store{dir: dir, branch: s.branch, limits: s.limits, fan: s.fan}
	storage := newStorage(osfs.New(dir, osfs.WithBoundOS()))
	defer func() { _ = storage.Close() }() // it has written a few small files, and git.Init has told if it could not
	if _, err := git.InitWithOptions(storage, nil, git.InitOptions{DefaultBranch: s.branch}); err != nil {
		made.discard()
		return nil, explainDisk(fmt.Errorf("make the journal in %s: %w", dir, err))
	}
	if err := made.makeDurable(); err != nil {
		made.discard()
		return nil, explainDisk(fmt.Errorf("make the journal in %s: %w", dir, err))
	}
	return made, nil
}

// makeDurable syncs what go-git has written, and makes the directories in which
// each Append only adds a file.
func (s *store) makeDurable() error {
	for _, dir := range []string{filepath.Join("objects", "pack"), filepath.Dir(s.branch.String()), filepath.Dir(s.deliveredRef().String())} {
		if err := makeDirs(s.dir, filepath.Join(s.dir, dir)); err != nil {
			return err
		}
	}
	for _, name := range []string{"HEAD", "config"} {
		f, err := os.Open(filepath.Join(s.dir, name))
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return syncDir(s.dir)
}

// discard removes a store that came to nothing.
func (s *store) discard() { _ = os.RemoveAll(s.dir) } // swept later if this fails

// replaceBy puts another store in the place of this one. What is there moves
// aside, for a person to look at.
func (s *store) replaceBy(fresh *store) error {
	s.gate.Lock()
	defer s.gate.Unlock()
	if _, err := os.Lstat(s.dir); err == nil {
		if err := os.RemoveAll(s.aside()); err != nil {
			return fmt.Errorf("make room for the damaged journal: %w", err)
		}
		if err := os.Rename(s.dir, s.aside()); err != nil {
			return fmt.Errorf("set the damaged journal aside: %w", err)
		}
	}
	if err := os.Rename(fresh.dir, s.dir); err != nil {
		return fmt.Errorf("put the journal in place: %w", err)
	}
	return syncDir(filepath.Dir(s.dir))
}

// aside is where a damaged store is kept.
func (s *store) aside() string { return s.dir + ".damaged" }

// sweep removes what a killed process left behind. What is young may belong to
// one that is alive. What cannot be removed now is tried again at the next start.
func (s *store) sweep() {
	var left []string
	for _, pattern := range []string{
		s.dir + "-*.new",
		filepath.Join(s.dir, unfinishedRef),
		filepath.Join(s.dir, "objects", "pack", "*.idx"),
	} {
		found, err := filepath.Glob(pattern)
		if err == nil {
			left = append(left, found...)
		}
	}
	for _, path := range left {
		if base, isIndex := strings.CutSuffix(path, ".idx"); isIndex {
			if _, err := os.Stat(base + ".pack"); err == nil {
				continue
			}
		}
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > time.Hour {
			_ = os.RemoveAll(path)
		}
	}
}
