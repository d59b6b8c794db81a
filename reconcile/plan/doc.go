// Package plan says what differs between what Git wants and what runs, and why.
//
// [Diff] is pure. Its result, a [Plan], is a value made for reading: JSON first,
// and text is rendered from the same value. It is what `fairlead plan` prints,
// what the daemon serves at /api/v1/plan, and what [Guard] judges before
// anything is done. A plan is never executed step by step: acting is left to
// package rollout, which decides each move from a fresh observation. Both see
// the same facts, and a property test holds them together: a plan is empty
// exactly when rollout has nothing left to do.
//
// Old values come from the containers themselves, which carry the inputs of
// their revision in a label. So a plan needs nothing but Git and the engine.
package plan
