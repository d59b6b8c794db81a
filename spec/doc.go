// Package spec is Fairlead's domain: what a team can declare about the models
// that it serves. It holds plain values and nothing else. No package below it
// knows a technology, and it imports the standard library only, so every other
// package can share these words without dragging in a parser or a client.
//
// The way of a declaration: [Tree] is the config repo at one commit. Package
// spec/lang reads it and returns a [Config] for one environment: models with
// every overlay applied and every default filled in. From then on nobody looks
// at HCL again. Package reconcile compares a Config with what runs.
//
// A zero value means what its field says; "not set" never has a second, hidden
// meaning. Durations are time.Duration, sizes are bytes (int64), weights are
// whole percent.
package spec
