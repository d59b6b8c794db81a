// Package update decides which newer image of a model is worth a proposal. All of it
// is pure: the tags of a registry come in as values.
//
// [Choose] picks a tag by the rule that stands in the model's block; [Image] is a
// reference in its parts, written back as NAME:TAG@DIGEST: the digest says what runs,
// the tag says to people what it is called, and to Choose where to go on from.
package update
