// Package directory takes desired state from a plain directory: for the first
// steps with Fairlead, for plan before a commit, and for repos that something
// else keeps up to date.
//
// It reads through os.Root, so nothing outside of the directory can be reached,
// and it refuses what a Git repository must not hold either: symlinks, special
// files and names that mean something else on another file system. Directories
// whose names begin with a dot, .git above all, are left out.
//
// Reading again is cheap: a file whose size, modification time and inode stand
// as they were is not opened. The result has no commit: its Commit is the zero
// value, and people see "worktree".
//
// A directory has no atomic change. Whoever edits several files at once may be
// seen half-way; use Git where that matters.
package directory
