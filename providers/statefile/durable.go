package statefile

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

// Temporary files are named so that sweep finds those that a crash left behind.
const (
	tempPrefix = ".fairlead-"
	tempSuffix = ".tmp"
)

// writeDurably replaces the file at path by what write produces, mode 0600. On
// any error the old file stands as it was.
func writeDurably(path string, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	if err := makeDir(dir); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, tempPrefix+"*"+tempSuffix)
	if err != nil {
		return explainWrite(path, err)
	}
	defer func() {
		if err != nil {
			_ = temp.Close()           // the error that counts is err
			_ = os.Remove(temp.Name()) // sweep removes it later if this fails
			err = explainWrite(path, err)
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

// syncDir makes a rename in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// explainWrite says what a failed write means and what to do about it.
func explainWrite(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("write %s: %w; the content from before is untouched; free space in %s", path, err, filepath.Dir(path))
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("write %s: %w; the data directory must be writable for this user", path, err)
	default:
		return fmt.Errorf("write %s: %w; the content from before is untouched", path, err)
	}
}

// makeDir creates the directory with all its parents, readable for its owner
// only, and removes what a crash left in it.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create the directory %s: %w", dir, err)
	}
	return sweep(dir, time.Now().Add(-time.Hour))
}

// sweep removes temporary files that were last written before the given time.
// Younger ones may belong to a write that is going on.
func sweep(dir string, before time.Time) error {
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
