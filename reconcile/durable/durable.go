// Package durable writes files such that a crash, a power cut or a full disk leaves
// the old content or the new one, never a mixture: a temporary file beside the
// target is written, synced and renamed over the target, and the directory is
// synced. It is here, among the ports, because several providers keep files.
package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Temporary files are named so that Sweep finds those that a crash left behind.
const (
	tempPrefix = ".fairlead-"
	tempSuffix = ".tmp"
)

// Replace replaces the file at path by what write produces, mode 0600, and makes
// its directory if absent. On any error the old file stands as it was, and the
// error says what to do.
func Replace(path string, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	if err := MakeDir(dir); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, tempPrefix+"*"+tempSuffix)
	if err != nil {
		return Explain(path, err)
	}
	defer func() {
		if err != nil {
			_ = temp.Close()           // the error that counts is err
			_ = os.Remove(temp.Name()) // Sweep removes it later if this fails
			err = Explain(path, err)
		}
	}()
	if err := write(temp); err != nil {
		return err
	}
	if err := temp.Sync(); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// MakeDir creates a directory with all its parents, for their owner only, such that
// they survive a power cut.
func MakeDir(dir string) error {
	if isDir(dir) {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := MakeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !isDir(dir) { // somebody else may have made it
		return fmt.Errorf("create the directory: %w", err)
	}
	if err := syncDir(parent); err != nil {
		return fmt.Errorf("create the directory %s: %w", dir, err)
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Sweep removes the temporary files of a directory that were last written before
// the given time. Younger ones may belong to a write that is going on.
func Sweep(dir string, before time.Time) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read the directory %s: %w", dir, err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) || !strings.HasSuffix(e.Name(), tempSuffix) {
			continue
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || info.ModTime().After(before) {
			continue // gone by now, or not ours to judge
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the left-over file %s: %w", filepath.Join(dir, e.Name()), err)
		}
	}
	return nil
}

// Explain says what a failed write means and what to do about it.
func Explain(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("write %s: %w; the content from before is untouched; free space in %s", path, err, filepath.Dir(path))
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("write %s: %w; the data directory must be writable for this user", path, err)
	default:
		return fmt.Errorf("write %s: %w; the content from before is untouched", path, err)
	}
}

// syncDir makes a rename in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
