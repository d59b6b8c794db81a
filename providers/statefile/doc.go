// Package statefile keeps on disk the little that a daemon must remember and
// that is not in Git. Everything lies in the operator's data directory:
//
//	Store      small JSON values by key; implements reconcile.Store
//	Snapshots  the last good revision with all its files, in one file;
//	           implements reconcile.Snapshots
//	Lock       who owns the data directory: one process at a time
//
// Every write goes to a temporary file beside the target, is synced, renamed
// over the target, and the directory is synced. A crash, a power cut or a full
// disk leaves the old content or the new one, never a mixture.
//
// Nothing here is a source of truth. Lose the directory and the daemon builds
// all of it again from Git and the engine.
package statefile
