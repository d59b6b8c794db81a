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
	"github.com/fairlead/fairlead/reconcile/gitdir"
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
	return err == nil && info.IsDir() && !gitdir.Is(c.Repo)
}

// Hints watches what can be watched: the refs of a local repository, or a plain
// directory. Everything else is polled.
func Hints(ctx context.Context, c Config) (reconcile.Hints, error) {
	path := strings.TrimPrefix(c.Repo, "file://")
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return nil, nil
	}
	if gitdir.Is(path) {
		return watch.Git(ctx, path)
	}
	return watch.Directory(ctx, filepath.Join(path, filepath.FromSlash(c.Path)))
}
