// Package gate judges conditions: the gates of a pipeline, and policies that are for
// every model, pipeline or dataset. It is pure; the facts come in as a value.
//
// A condition passes, fails, or has no evidence: a fact that it asks for is absent,
// is NaN, or is of another kind. The last two deny alike. What a denial means is a
// matter of the level: a hard one stands, a soft one a person may override with a
// reason, an advisory one is only said.
//
// [Judge] is for gates, [Policies] for policies. [ModelFacts], [PipelineFacts] and
// [DatasetFacts] make the facts of what is declared; package schema documents them
// for users, and a test holds the two together. [Denials] is what the loop asks
// before it changes a model, [OfPipeline] what a run asks before it publishes.
package gate
