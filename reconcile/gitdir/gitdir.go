// Package gitdir finds where a Git repository on this machine keeps what it has, by the
// layout that git itself documents (gitrepository-layout(5)). It reads no objects.
package gitdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Dirs are the directories of a repository. They differ for a linked worktree only.
type Dirs struct {
	Own    string // with the HEAD
	Common string // with objects and refs
}

// Is tells whether a path is the top of a repository: a worktree, a linked worktree, a
// submodule or a bare repository.
func Is(path string) bool {
	if _, err := os.Stat(filepath.Join(path, ".git")); err == nil {
		return true
	}
	head, err := os.Stat(filepath.Join(path, "HEAD"))
	objects, oerr := os.Stat(filepath.Join(path, "objects"))
	return err == nil && oerr == nil && head.Mode().IsRegular() && objects.IsDir()
}

// Find returns the directories of the repository at a path.
func Find(path string) (Dirs, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Dirs{}, fmt.Errorf("find the repository %s: %w", path, err)
	}
	own, err := find(path)
	if err != nil {
		return Dirs{}, err
	}
	link, err := os.ReadFile(filepath.Join(own, "commondir"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Dirs{Own: own, Common: own}, nil
	case err != nil:
		return Dirs{}, fmt.Errorf("open the repository %s: %w", path, err)
	}
	return Dirs{Own: own, Common: Resolve(own, strings.TrimSpace(string(link)))}, nil
}

func find(path string) (string, error) {
	dotGit := filepath.Join(path, ".git")
	info, err := os.Stat(dotGit)
	switch {
	case err == nil && info.IsDir():
		return dotGit, nil
	case err == nil:
		// A linked worktree or a submodule: a file that points elsewhere.
		text, err := os.ReadFile(dotGit)
		if err != nil {
			return "", fmt.Errorf("open the repository %s: %w", path, err)
		}
		target, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
		if !ok {
			return "", fmt.Errorf("open the repository %s: %s does not say where the repository is; git worktree repair mends that of a worktree", path, dotGit)
		}
		return Resolve(path, target), nil
	}
	for _, part := range []string{"HEAD", "objects"} {
		_, err := os.Stat(filepath.Join(path, part))
		if errors.Is(err, fs.ErrPermission) {
			return "", fmt.Errorf("open the repository %s: %w; let the user of the daemon read it", path, err)
		}
		if err != nil {
			return "", fmt.Errorf("there is no Git repository at %s; name the top of a worktree or a bare repository (git init makes one)", path)
		}
	}
	return path, nil
}

// Resolve returns a target as the files of a repository name it, seen from base.
func Resolve(base, target string) string {
	if filepath.IsAbs(target) {
		return filepath.Clean(target)
	}
	return filepath.Join(base, target)
}
