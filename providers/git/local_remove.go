package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// remove deletes the ref as git does: out of packed-refs first, as it would show again
// otherwise, and then the loose one.
func (u localUpstream) remove(ctx context.Context, old plumbing.Hash) error {
	return u.explain(ctx, u.view(func(repo *repository) error {
		if err := u.writable(repo); err != nil {
			return err
		}
		return explainTarget(u.locked(repo, func(*os.File) (becomes bool, err error) {
			current, err := refOf(repo, u.branch)
			switch {
			case err != nil || current.IsZero():
				return false, err
			case current != old:
				return false, errMoved
			}
			if err := unpackRef(repo.common, u.branch); err != nil {
				return false, err
			}
			loose := filepath.Join(repo.common, filepath.FromSlash(u.branch.String()))
			if err := os.Remove(loose); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return false, err
			}
			return false, syncDir(filepath.Dir(loose))
		}))
	}))
}

// unpackRef takes a ref out of packed-refs, under the lock that git takes for it. go-git
// has the same, by a temporary file in a directory that it expects and does not make.
func unpackRef(dir string, name plumbing.ReferenceName) (err error) {
	path := filepath.Join(dir, "packed-refs")
	packed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !bytes.Contains(packed, []byte(" "+name+"\n")) {
		return nil
	}
	if err != nil {
		return err
	}
	lock, err := os.OpenFile(path+".lock", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s.lock exists: %w", path, errLocked)
	}
	if err != nil {
		return explainDisk(err)
	}
	defer func() {
		if err != nil {
			_ = lock.Close()
			_ = os.Remove(path + ".lock")
			err = explainDisk(err)
		}
	}()
	if packed, err = os.ReadFile(path); err != nil { // as it is under the lock
		return err
	}
	var kept strings.Builder
	gone := false
	for line := range strings.Lines(string(packed)) {
		if peeled := strings.HasPrefix(line, "^"); !peeled {
			gone = strings.HasSuffix(strings.TrimRight(line, "\n"), " "+name.String())
		}
		if !gone {
			kept.WriteString(line)
		}
	}
	if _, err := lock.WriteString(kept.String()); err != nil {
		return err
	}
	if err := errors.Join(giveTo(path+".lock", dir), lock.Sync(), lock.Close()); err != nil {
		return err
	}
	return os.Rename(path+".lock", path)
}
