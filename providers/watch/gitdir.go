package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// gitDirs returns where the repository at path keeps its HEAD and where it keeps
// its refs. The two differ for a linked worktree only. path is a worktree or a
// bare repository.
func gitDirs(path string) (gitDir, commonDir string, err error) {
	gitDir, err = findGitDir(path)
	if err != nil {
		return "", "", err
	}
	commonDir = gitDir
	link, err := os.ReadFile(filepath.Join(gitDir, "commondir"))
	switch {
	case err == nil:
		commonDir = resolve(gitDir, strings.TrimSpace(string(link)))
	case !errors.Is(err, os.ErrNotExist):
		return "", "", fmt.Errorf("watch the Git repository %s: %w", path, err)
	}
	return gitDir, commonDir, nil
}

func findGitDir(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("watch the Git repository %s: %w", path, err)
	}
	dotGit := filepath.Join(path, ".git")
	info, err := os.Stat(dotGit)
	switch {
	case err == nil && info.IsDir():
		return dotGit, nil
	case err == nil:
		// A linked worktree or a submodule: a file that points elsewhere.
		text, err := os.ReadFile(dotGit)
		target, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
		if err != nil || !ok {
			return "", fmt.Errorf("watch the Git repository %s: %s does not say where the repository is", path, dotGit)
		}
		return resolve(path, target), nil
	}
	if _, err := os.Stat(filepath.Join(path, "HEAD")); err != nil {
		return "", fmt.Errorf("watch the Git repository %s: there is none at this path; name a worktree or a bare repository", path)
	}
	return path, nil
}

// resolve returns target as seen from base.
func resolve(base, target string) string {
	if filepath.IsAbs(target) {
		return filepath.Clean(target)
	}
	return filepath.Join(base, target)
}
