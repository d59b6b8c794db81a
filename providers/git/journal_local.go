package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/objfile"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// localUpstream is a repository on this machine, which is written to as git
// writes: objects first, then the ref under its lock. What is written belongs to
// whoever owns the repository, also where the daemon is root.
type localUpstream struct {
	link   link
	branch plumbing.ReferenceName
	// loose is the number of entries whose objects may lie loose in the
	// repository. Whoever works there has git gc run by itself; a repository that
	// only fairlead writes to would fill up.
	loose int
}

// defaultLoose makes about 4,000 files at most.
const defaultLoose = 1000

func (u localUpstream) tip(ctx context.Context) (tip plumbing.Hash, err error) {
	err = u.view(func(repo *repository) (err error) {
		tip, err = refOf(repo, u.branch)
		return err
	})
	return tip, u.explain(ctx, err)
}

// view opens the repository for one reading. Somebody else's git may repack it
// meanwhile, so a damage is believed at the second look.
func (u localUpstream) view(read func(*repository) error) error {
	once := func() error {
		return recovering(func() error {
			repo, err := openLocal(u.link.location.path)
			if err != nil {
				return err
			}
			defer repo.close()
			return read(repo)
		})
	}
	return steady(u.link.location.path, once)
}

func (u localUpstream) explain(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, errMoved) {
		return err
	}
	return u.link.explain(ctx, err)
}

func (u localUpstream) fetch(ctx context.Context, into *clone, tip plumbing.Hash, _ []plumbing.Hash) error {
	return u.explain(ctx, u.view(func(repo *repository) error {
		missing, err := ancestry(ctx, repo, tip, into.has)
		if err != nil {
			return err
		}
		for len(missing) > 0 {
			batch := missing[:min(len(missing), maxBatch)]
			missing = missing[len(batch):]
			ids, err := introducedBy(repo, batch)
			if err != nil {
				return err
			}
			objects, err := readAll(repo, ids)
			if err != nil {
				return err
			}
			pack, err := packOf(objects)
			if err != nil {
				return err
			}
			if err := into.store(ctx, pack, u.link.limits); err != nil {
				return err
			}
		}
		return nil
	}))
}

// readAll reads objects of any type, and checks that they are what their ids say.
func readAll(repo *repository, ids []plumbing.Hash) ([]plumbing.EncodedObject, error) {
	objects := make([]plumbing.EncodedObject, 0, len(ids))
	for _, id := range ids {
		found, err := repo.find(id)
		if err != nil {
			return nil, fmt.Errorf("%w: %s cannot be read: %w", errUnreadable, id, err)
		}
		data, err := repo.read(found.Type(), id, maxMetaObject)
		if err != nil {
			return nil, err
		}
		o, err := encoded(found.Type(), data)
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

func (u localUpstream) push(ctx context.Context, from *store, old plumbing.Hash, batch []plumbing.Hash) error {
	var objects []plumbing.EncodedObject
	err := from.view(func(repo *clone) error {
		ids, err := introducedBy(&repo.repository, batch)
		if err != nil {
			return err
		}
		objects, err = readAll(&repo.repository, ids)
		return err
	})
	if err != nil {
		return fmt.Errorf("deliver the journal: %w", err)
	}
	next := batch[len(batch)-1]
	if err := u.put(ctx, old, next, objects); err != nil {
		return err
	}
	// What cannot be gathered now is gathered after another delivery.
	_ = u.view(func(repo *repository) error { return u.gather(ctx, repo, next) })
	return nil
}

func (u localUpstream) put(ctx context.Context, old, next plumbing.Hash, objects []plumbing.EncodedObject) error {
	return u.explain(ctx, u.view(func(repo *repository) error {
		if err := u.writable(repo); err != nil {
			return err
		}
		if err := u.write(ctx, repo, objects); err != nil {
			return explainTarget(err)
		}
		return explainTarget(u.move(repo, old, next))
	}))
}

// explainTarget says what it means that the repository cannot be written to.
func explainTarget(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w; let the user of the daemon write to the repository", err)
	}
	return err
}

// writable refuses where the branch cannot be moved behind somebody's back.
func (u localUpstream) writable(repo *repository) error {
	worktrees, err := filepath.Glob(filepath.Join(repo.common, "worktrees", "*", "HEAD"))
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(repo.common, "index")); err == nil { // a bare repository has none
		worktrees = append(worktrees, filepath.Join(repo.common, "HEAD"))
	}
	for _, head := range worktrees {
		text, err := os.ReadFile(head)
		if err == nil && strings.TrimSpace(string(text)) == "ref: "+u.branch.String() {
			return fmt.Errorf("the branch %s is checked out (%s); switch to another one, fairlead writes to it", u.branch.Short(), head)
		}
	}
	// A branch that has the name of one of our folders.
	for name := u.branch.String(); ; {
		name = name[:strings.LastIndexByte(name, '/')]
		if name == "refs/heads" || name == "refs/tags" {
			return nil
		}
		if id, err := refOf(repo, plumbing.ReferenceName(name)); err == nil && !id.IsZero() {
			return fmt.Errorf("there is a branch %s, so there can be no branch %s; rename it", plumbing.ReferenceName(name).Short(), u.branch.Short())
		}
	}
}

// unpackLimit is the number of objects from which they are written as a pack. It
// is that of git: few objects wait, loose, for the housekeeping of whoever works
// in the repository.
const unpackLimit = 100

func (u localUpstream) write(ctx context.Context, repo *repository, objects []plumbing.EncodedObject) error {
	var missing []plumbing.EncodedObject
	for _, o := range objects {
		if !repo.has(o.Hash()) {
			missing = append(missing, o)
		}
	}
	if len(missing) > unpackLimit {
		pack, err := packOf(missing)
		if err != nil {
			return err
		}
		return u.storeIn(ctx, repo, pack)
	}
	for _, o := range missing {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := writeLoose(repo.common, o); err != nil {
			return err
		}
	}
	return nil
}

// loosePath is the file of a loose object.
func loosePath(gitDir string, id plumbing.Hash) string {
	hex := id.String()
	return filepath.Join(gitDir, "objects", hex[:2], hex[2:])
}

// writeLoose writes one object as a file of its own, durably.
func writeLoose(gitDir string, o plumbing.EncodedObject) (err error) {
	path := loosePath(gitDir, o.Hash())
	adopt := adoptedBy(filepath.Join(gitDir, "objects"))
	if err := makeOwned(filepath.Join(gitDir, "objects"), filepath.Dir(path)); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "tmp_obj_*") // git prunes such
	if err != nil {
		return explainDisk(err)
	}
	defer func() {
		if err != nil {
			_ = temp.Close()
			_ = os.Remove(temp.Name())
			err = explainDisk(err)
		}
	}()
	content, err := o.Reader()
	if err != nil {
		return err
	}
	w := objfile.NewWriter(temp)
	if err := w.WriteHeader(o.Type(), o.Size()); err != nil {
		return err
	}
	if _, err := io.Copy(w, content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := errors.Join(adopt(temp.Name()), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// gather makes a pack of the journal's loose objects when there are many.
func (u localUpstream) gather(ctx context.Context, repo *repository, tip plumbing.Hash) error {
	// As git does it: the objects are spread evenly over 256 directories.
	sample, err := os.ReadDir(filepath.Join(repo.common, "objects", "17"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil || len(sample) < 3*u.loose/256 {
		return err
	}
	var loose []plumbing.Hash // newest first
	err = walkBack(ctx, repo, tip, func(c *object.Commit) (bool, error) {
		if _, err := os.Stat(loosePath(repo.common, c.Hash)); err != nil {
			return true, nil
		}
		loose = append(loose, c.Hash)
		return len(loose) == u.loose, nil
	})
	if err != nil || len(loose) < u.loose {
		return err
	}
	slices.Reverse(loose)
	ids, err := introducedBy(repo, loose)
	if err != nil {
		return err
	}
	pack, err := encodePack(repo.stores[0], ids, packWindow)
	if err != nil {
		return err
	}
	if err := u.storeIn(ctx, repo, pack); err != nil {
		return err
	}
	for _, id := range ids {
		if err := os.Remove(loosePath(repo.common, id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// storeIn stores a pack in the repository.
func (u localUpstream) storeIn(ctx context.Context, repo *repository, pack io.Reader) error {
	into := &clone{repository: *repo, adopt: adoptedBy(filepath.Join(repo.common, "objects"))}
	into.path = repo.common
	return into.store(ctx, pack, u.link.limits)
}

// adoptedBy returns what gives a new file in a repository the permissions of an
// object, and the owner that the repository has.
func adoptedBy(like string) func(path string) error {
	return func(path string) error {
		if err := os.Chmod(path, 0o444); err != nil {
			return err
		}
		return giveTo(path, like)
	}
}

// giveTo makes the owner of one path own another. Only root can, and only root
// needs it.
func giveTo(path, like string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Lchown(path, int(owner.Uid), int(owner.Gid))
}

// makeOwned makes a directory, and those above it up to a root that has to be
// there, for the repository's owner. A repository that goes away meanwhile, such
// as one on a network disk, must not be found half made where it was.
func makeOwned(root, dir string) error {
	err := os.Mkdir(dir, 0o755)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != root:
		if err := makeOwned(root, filepath.Dir(dir)); err != nil {
			return err
		}
		return makeOwned(root, dir)
	case err != nil:
		return explainDisk(err)
	}
	return errors.Join(giveTo(dir, filepath.Dir(dir)), syncDir(filepath.Dir(dir)))
}

// staleLock is the age from which a lock of our branch was left behind by a
// process that was killed: it is held for milliseconds, and by fairlead only.
const staleLock = 10 * time.Second

// errLocked: somebody else holds the lock of a ref.
var errLocked = errors.New("another program writes to the branch")

// move replaces the ref as git does: with a lock file that becomes the ref.
func (u localUpstream) move(repo *repository, old, next plumbing.Hash) error {
	return u.locked(repo, func(lock *os.File) (becomes bool, err error) {
		current, err := refOf(repo, u.branch)
		switch {
		case err != nil:
			return false, err
		case current == next:
			return false, nil
		case current != old:
			return false, errMoved
		}
		_, err = lock.WriteString(next.String() + "\n")
		return true, err
	})
}

// locked calls change while nobody else may move the ref. becomes: what was written to
// the lock file is the ref from now on.
func (u localUpstream) locked(repo *repository, change func(lock *os.File) (becomes bool, err error)) (err error) {
	path := filepath.Join(repo.common, filepath.FromSlash(u.branch.String()))
	if err := makeOwned(repo.common, filepath.Dir(path)); err != nil {
		return err
	}
	lock := path + ".lock"
	if info, err := os.Stat(lock); err == nil && time.Since(info.ModTime()) > staleLock {
		_ = os.Remove(lock) // if it cannot be removed, it cannot be made
	}
	f, err := os.OpenFile(lock, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: %w", lock, errLocked)
	}
	if err != nil {
		return explainDisk(err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(lock)
			err = explainDisk(err)
		}
	}()
	becomes, err := change(f)
	switch {
	case err != nil:
		return err
	case !becomes:
		return errors.Join(f.Close(), os.Remove(lock))
	}
	if err := errors.Join(giveTo(lock, filepath.Dir(path)), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(lock, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
