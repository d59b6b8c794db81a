// Package gate judges conditions: the gates of a pipeline, and policies that are for
// every model, pipeline or dataset. It is pure; the facts come in as a value.
package gate
