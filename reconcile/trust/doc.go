// Package trust judges whether a commit of a config repo may be followed.
//
// [Judge] is the verb: a pure function of rules, history, signatures and the
// evidence of reviews. It says yes, or names everything that is wrong. What cannot
// be told, because it does not parse, is not known or is missing, is refused.
//
// Whose rules count follows one thought: nothing may authorise itself. A commit is
// judged by the `trust` block of the commit that was accepted before it, as guix
// judges a commit by the authorizations of its parent. So a new signer can sign only
// what comes after the commit that names him. The operator's file on the daemon's
// host is the root and a floor under all that: its mode and its review rules hold
// beside those of the repo, and a key that it limits is limited. Where its mode is
// stricter than the one that the accepted commit was judged by, it reaches back: all
// that came after its since, or all of history, is judged, as if it had held before.
//
// Of one stretch of history from the accepted commit to the new one:
//
//   - it must not be rewound: the new commit descends from the accepted one
//   - signatures: of the newest commit or a tag on it (head), or of each (every). A
//     forge's key is good for clean merges of what is good by itself, a bot's for
//     what others merge
//   - reviews: each commit of the branch that touches what a rule is about has to
//     come from a pull request, hold exactly and wholly what was reviewed, and have the
//     approvals of others than its authors. Each author of whom neither the forge nor a
//     signature tells who it is costs one approval more
//
// [Gate] is the driver: a reconcile.Source around another one, which asks history,
// signatures and the forge for what Judge needs, and passes on only what is accepted.
// It goes along the branch commit by commit, so that several commits between two
// looks are judged as if each had been seen. What was found good is kept, so that a
// backlog gets through a slow forge by and by.
package trust
