// Package registry answers questions about the versions of models: which comes next,
// what one was made from, where it serves, what tells two apart. It is pure.
//
// There is no registry but the config repo: a version is a block in it, [spec.Version],
// that never changes once it is there. Where versions serve is in the journal.
package registry
