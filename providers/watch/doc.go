// Package watch turns file system notifications into hints that wake the
// reconciler: [Git] for the refs of a local repository, [Directory] for a plain
// directory.
//
// A hint says "look again" and nothing else. Notifications get lost: queues
// overflow, directories are replaced, network file systems send none. So nobody
// may depend on them; the reconciler polls as well, and a hint only makes it
// faster. Bursts, such as a checkout of a thousand files, become one hint.
package watch
