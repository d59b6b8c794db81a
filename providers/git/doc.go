// Package git takes desired state from a Git repository, and keeps the journal of
// decisions in one. It is the only package that imports go-git, and it needs no
// git program.
//
// # Where from
//
// A path or file:// URL is a repository on this machine: its object store is
// read in place, so the way from a commit to its plan is a matter of
// milliseconds. An http(s) or ssh URL is a remote: one branch of it is fetched,
// with its history, into a bare clone in the data directory. Nothing is ever
// checked out. Files are read as blobs from the commit's tree, and their content
// is in the [reconcile.Snapshot]; what becomes of the repository afterwards does
// not matter to it.
//
// # What is accepted
//
// A revision counts only once its commit, every tree and every blob below the
// path have been read and their hashes verified. go-git can report a fetch as a
// success and have no objects; then, and whenever the clone does not read any
// more, a fresh clone is made beside it and takes its place. Trees and blobs
// that the last revision had too are not read again, so the cost of a commit is
// the cost of what it changes.
//
// A tree that holds a symlink, a submodule, or a name that means something else
// on some file system is refused, and so is one that exceeds the [Limits]. The
// error names each path.
//
// # Rewritten history
//
// The clone has the whole history of its branch, so the source can tell a
// forward step from a rewrite (force push) and from a rewind. [Options.OnRewrite]
// follows or refuses them; a snapshot that was reached by one says so in its
// Notes. The commit to compare with is the one accepted last; after a restart
// the caller passes it in as [Options.Accepted], so that a lost clone does not
// hide a rewrite.
//
// # History, and merges that are not made
//
// A Source is [reconcile.Commits] as well. Whose commits these are is judged elsewhere;
// here they are read as they are stored, byte for byte. What git would let stand in for
// them, replace refs and grafts, is passed over and noted. Dates only order the work.
// An object whose bytes do not have its id is refused; the hash sees the known attacks
// on SHA-1. Beside its branch a clone has only the annotated tags on the newest commit,
// and what [Source.FetchRef] was asked for, below refs/fairlead/.
//
// [Source.Merge] merges as git does, or says conflict; it never merges to something
// else. It says conflict, where git would go on, in three classes: a file may have a
// new name, there are several best common ancestors that disagree, or lines repeat so
// that ways to diff might not agree on the change. Of 300 random histories, all about
// such things, git merges 181 cleanly; 136 of them are merged here, to the same trees.
//
// # What go-git cannot be trusted with
//
// It is not safe for concurrent use, has no time-outs and may panic on damaged
// input. One operation at a time has its turn, always with a deadline, and
// panics become errors. An operation that outlives its deadline is abandoned
// together with the clone it may still be writing to: clones have numbered
// directories, and the next operation makes a new one. Packs are vetted before
// anything inflates them into memory.
//
// A server that answers 429 or 503 with Retry-After is not called before that time: the
// error is a *reconcile.RetryError, and so is that of each call in between.
//
// Credentials are given to the host of the URL and to nobody else: redirects to
// another host are not followed, and over plain http they are sent to loopback
// only. No error text holds them.
//
// # The journal
//
// A [Journal] has a bare repository of its own on this host. Append writes one
// small pack with the entry's commit, trees and record, then replaces the ref;
// each is synced, because go-git syncs nothing. A crash at any point leaves the
// commit before or the new one. When there are 64 packs of a size they are joined, beside
// the decisions, which do not wait for that; Close ends it:
// 10,000 entries are about 100 files and 9 MB, and no number needs more than about 500.
//
// [Journal.Run] delivers to the same branch of the remote: over http or ssh as a
// push that is never forced; to a repository on this machine by writing objects
// and the ref as git does, owned by who owns the repository. What a remote does
// not take stays queued. Where somebody else was faster, their commits are
// fetched and our entries made again on top. A copy that is lost or damaged is
// fetched anew when the journal opens; only when neither copy can be had does it
// not open.
//
// Where an [Author] has a [Signer], each commit is signed, so that git verify-commit
// agrees. With [JournalOptions.Trusted] a remote's entries are only taken if one of those
// keys signed them: what is here counts until a person has put the remote right. The
// newest entry is written to [JournalOptions.HeadFile], beside the decisions. What a journal finds that nobody
// may have meant, [JournalOptions.Found] is told: entries that do not count, entries that
// are gone, a head that cannot be written.
//
// [VerifyJournal] walks over all of a journal, without the network: signatures over raw
// bytes, one parent each, the one file that the entry is about, times, and the heads that
// were kept elsewhere. It reads objects by their ids, so neither replace refs nor grafts
// deceive it; it reports them, as they deceive git. What one who has no key does to the
// branch shows at the first entry that is not what it was; what is cut off at the end
// shows by a head.
//
// # Proposals
//
// [Proposals] pushes branches below fairlead/, each with one commit on a commit of
// the branch that is followed. Trees are edited entry by entry, so that all else in
// them stays as it is, and pushed in the ways of the journal. A branch moves only from
// the commit that was looked at, and only where Fairlead made that commit: its
// committer and the trailer Fairlead-Proposal say so.
//
// # Measured
//
// `go test -bench Journal` measures the journal. On two busy cores, beside 0.2 to 0.9 ms for one
// small file written and synced, an Append took 4 to 10 ms, and all of 10,000
// entries were read in 0.2 to 0.9 s. A signature adds 0.05 ms. Of 10,000 signed entries
// about 200 models, all were verified in 1.0 s, and the records of any time found in 0.4 s.
package git
