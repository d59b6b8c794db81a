// Package statefile keeps on disk the little that a daemon must remember and
// that is not in Git. Store and Snapshots lie in the operator's data directory; a
// lock lies wherever those meet who must exclude each other:
//
//	Store      small JSON values by key; implements reconcile.Store
//	Snapshots  the last good revision with all its files, in one file;
//	           implements reconcile.Snapshots
//	Lock       what one process at a time may have, such as an environment or
//	           a socket; it lasts as long as the process
//
// Every value goes to a temporary file beside the target, is synced, renamed
// over the target, and the directory is synced. A crash, a power cut or a full
// disk leaves the old content or the new one, never a mixture.
//
// Nothing here is a source of truth. Lose the data directory and the daemon builds
// all of it again from Git and the engine.
package statefile
