package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/gitdir"
)

// quiet is how long a burst of changes is collected into one hint. It is the
// delay of every hint, so it stays below what a person notices.
const quiet = 60 * time.Millisecond

// maxDirectories bounds how many directories are watched. The kernel's own limit
// is shared with every other program of the user.
const maxDirectories = 8192

// Directory wakes on every change below dir, also in directories that are made
// later. Directories whose names begin with a dot are not watched. The channel
// closes when ctx ends.
func Directory(ctx context.Context, dir string) (reconcile.Hints, error) {
	return start(ctx, dir, policy{
		descend:  func(path string) bool { return !hidden(path) },
		relevant: func(path string) bool { return !hidden(path) },
	}, dir)
}

// Git wakes when a ref of the local repository at path changes: a commit, a
// fetch, a push into it, a switch of HEAD. The channel closes when ctx ends.
func Git(ctx context.Context, path string) (reconcile.Hints, error) {
	dirs, err := gitdir.Find(path)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	refs := filepath.Join(dirs.Common, "refs")
	underRefs := func(path string) bool {
		return path == refs || strings.HasPrefix(path, refs+string(filepath.Separator))
	}
	return start(ctx, path, policy{
		descend: underRefs,
		relevant: func(path string) bool {
			// Git writes NAME.lock and renames it to NAME: the rename counts.
			if strings.HasSuffix(path, ".lock") {
				return false
			}
			return underRefs(path) || path == filepath.Join(dirs.Own, "HEAD") || path == filepath.Join(dirs.Common, "packed-refs")
		},
	}, dirs.Own, dirs.Common, refs)
}

// policy says what of a file system matters.
type policy struct {
	descend  func(dir string) bool  // whether to watch a directory below a root
	relevant func(path string) bool // whether a change of path is worth a hint
}

// watcher passes notifications on as hints.
type watcher struct {
	notify *fsnotify.Watcher
	policy policy
	hints  chan struct{}
	added  int // directories watched, or more: those that are gone still count
}

// start watches the roots, and what lies below them as far as the policy
// descends. what names the whole for error messages.
func start(ctx context.Context, what string, p policy, roots ...string) (reconcile.Hints, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, explain(what, err)
	}
	w := &watcher{notify: notify, policy: p, hints: make(chan struct{}, 1)}
	for _, root := range roots {
		if err := w.add(root); err != nil {
			return nil, errors.Join(explain(what, err), notify.Close())
		}
	}
	go w.run(ctx)
	return w.hints, nil
}

// run is the watcher's goroutine.
func (w *watcher) run(ctx context.Context) {
	defer close(w.hints)
	defer func() { _ = w.notify.Close() }() // nothing can be done about an error
	var burst <-chan time.Time              // nil while no change waits to be told
	for {
		select {
		case <-ctx.Done():
			return
		case event, open := <-w.notify.Events:
			if !open {
				return
			}
			if w.take(event) && burst == nil {
				burst = time.After(quiet)
			}
		case _, open := <-w.notify.Errors:
			if !open {
				return
			}
			// An overflow above all: something changed and nobody knows what.
			if burst == nil {
				burst = time.After(quiet)
			}
		case <-burst:
			burst = nil
			w.hint()
		}
	}
}

// hint never blocks: a hint that nobody has taken yet stands for this one too.
func (w *watcher) hint() {
	select {
	case w.hints <- struct{}{}:
	default:
	}
}

// take looks at one notification, watches a new directory, and tells whether
// the change is worth a hint.
func (w *watcher) take(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod || !w.policy.relevant(e.Name) {
		return false
	}
	if e.Op.Has(fsnotify.Create) && w.policy.descend(e.Name) {
		if info, err := os.Lstat(e.Name); err == nil && info.IsDir() {
			// Without a watch the polls still find what changes in there.
			_ = w.add(e.Name)
		}
	}
	return true
}

// add watches root and the directories below it.
func (w *watcher) add(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && path == root:
			return err
		case err != nil:
			return nil // removed while we walk: its parent is watched
		case !d.IsDir():
			return nil
		case path != root && !w.policy.descend(path):
			return fs.SkipDir
		}
		return w.watch(path)
	})
}

// watch watches one directory. The list of watches is long and copied at each
// call, so it is asked only when our own count says that it may be full.
func (w *watcher) watch(dir string) error {
	if w.added >= maxDirectories {
		if w.added = len(w.notify.WatchList()); w.added >= maxDirectories {
			return fmt.Errorf("there are more than %d directories: %w", maxDirectories, errTooMany)
		}
	}
	w.added++
	return w.notify.Add(dir)
}

// errTooMany marks our own limit, which has the same remedy as the kernel's.
var errTooMany = errors.New("too many directories to watch")

// explain says what could not be watched and what to do.
func explain(what string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("watch %s: the limit of watched directories is reached (sysctl fs.inotify.max_user_watches): %w; raise it, or rely on polling", what, err)
	case errors.Is(err, syscall.EMFILE):
		return fmt.Errorf("watch %s: the limit of watchers is reached (sysctl fs.inotify.max_user_instances): %w; raise it, or rely on polling", what, err)
	case errors.Is(err, errTooMany):
		return fmt.Errorf("watch %s: %w; rely on polling", what, err)
	default:
		return fmt.Errorf("watch %s: %w; changes are found by polling", what, err)
	}
}

// hidden tells whether the last element of path begins with a dot.
func hidden(path string) bool { return strings.HasPrefix(filepath.Base(path), ".") }
