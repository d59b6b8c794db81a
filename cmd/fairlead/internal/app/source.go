package app

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/fairlead/fairlead/providers/directory"
	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/providers/statefile"
	"github.com/fairlead/fairlead/providers/watch"
	"github.com/fairlead/fairlead/reconcile"
)

// openSource opens what Repo names: a plain directory, or a Git repository.
func (s *Site) openSource(ctx context.Context, snapshots *statefile.Snapshots) (err error) {
	c := s.Config
	if isPlainDirectory(c) {
		s.Source, err = directory.New(directory.Options{Dir: filepath.Join(c.Repo, filepath.FromSlash(c.Path))})
		return err
	}
	accepted := ""
	if last, err := snapshots.LastGood(ctx); err == nil {
		accepted = last.Tree.Commit().ID
	}
	options := gitOptions(c, accepted)
	source, err := git.New(options)
	if err != nil {
		return err
	}
	s.own = &repository{site: s, options: options, source: source}
	s.Source = source
	return nil
}

func gitOptions(c Config, accepted string) git.Options {
	return git.Options{
		URL: c.Repo, Branch: c.Branch, Ref: c.Ref, Path: c.Path, DataDir: c.Data, Accepted: accepted,
		OnRewrite: git.OnRewrite(c.OnRewrite), Auth: c.GitAuth, Timeout: c.GitTimeout,
	}
}

// isPlainDirectory: a directory that is not the top of a repository.
func isPlainDirectory(c Config) bool {
	info, err := os.Stat(c.Repo)
	return err == nil && info.IsDir() && !IsRepository(c.Repo)
}

// IsRepository tells whether path is the top of a Git repository, bare or not.
func IsRepository(path string) bool {
	if _, err := os.Stat(filepath.Join(path, ".git")); err == nil {
		return true
	}
	head, err := os.Stat(filepath.Join(path, "HEAD"))
	objects, oerr := os.Stat(filepath.Join(path, "objects"))
	return err == nil && oerr == nil && head.Mode().IsRegular() && objects.IsDir()
}

// Hints watches what can be watched: the refs of a local repository, or a plain
// directory. Everything else is polled.
func Hints(ctx context.Context, c Config) (reconcile.Hints, error) {
	path := strings.TrimPrefix(c.Repo, "file://")
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return nil, nil
	}
	if IsRepository(path) {
		return watch.Git(ctx, path)
	}
	return watch.Directory(ctx, filepath.Join(path, filepath.FromSlash(c.Path)))
}
