package runstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/fairlead/fairlead/reconcile/durable"
)

// forAll lets a container write whatever user it runs as. Nobody else gets there:
// the directories above are for their owner only.
const forAll = 0o777

// Work implements run.Store.
func (s *Store) Work(ctx context.Context, id, node string, attempt int, outputs []string) (string, error) {
	name, err := attemptName(ctx, id, node, attempt)
	if err != nil {
		return "", err
	}
	for _, output := range outputs {
		if err := checkName("output", output); err != nil {
			return "", err
		}
	}
	parent := filepath.Join(s.dir, "work", id)
	s.work.Lock()
	defer s.work.Unlock()
	if err := durable.MakeDir(parent); err != nil {
		return "", err
	}
	out := filepath.Join(parent, name)
	for _, dir := range append([]string{""}, outputs...) {
		if err := makeOpen(filepath.Join(out, dir)); err != nil {
			return "", fmt.Errorf("make the directory of outputs: %w", err)
		}
	}
	return out, nil
}

// makeOpen makes a directory that everybody may write to, whatever the umask is. One
// that is there may be a container's, and stay as the container wants it.
func makeOpen(dir string) error {
	err := os.Mkdir(dir, forAll)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// No link that a container put there is followed.
	f, err := os.OpenFile(dir, syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrPermission) {
		return nil // it was closed by whom it belongs to
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	// It may be that a crash came before the Chmod: so it is done again, where we may.
	if err == nil && info.Mode().Perm() != forAll && info.Sys().(*syscall.Stat_t).Uid == uint32(os.Geteuid()) {
		err = f.Chmod(forAll)
	}
	return errors.Join(err, f.Close())
}

// RemoveWork implements run.Store. A directory that is not there is no error.
func (s *Store) RemoveWork(ctx context.Context, id, node string, attempt int) error {
	name, err := attemptName(ctx, id, node, attempt)
	if err != nil {
		return err
	}
	parent := filepath.Join(s.dir, "work", id)
	if err := removeTree(ctx, parent, name); err != nil {
		return err
	}
	s.work.Lock()
	defer s.work.Unlock()
	// The last one takes the directory of the run along; else it is not empty.
	err = os.Remove(parent)
	if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
