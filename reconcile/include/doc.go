// Package include composes a config repo of several: a root, and the repositories that
// its include blocks name.
//
// A [Source] is the root's Source with the trees of the others mounted into it, each
// below [spec.IncludeDir]. One that cannot be read, is refused, or does not load keeps the tree that
// it had, with a note, and holds up neither the root nor the others. Only one that was
// never read at all is waited for: without its tree everything of it would seem to be
// gone from Git.
package include
