//go:build race

package runner_test

// pipelines is how many schedules are tried: the race detector makes each ten times as
// dear.
const pipelines = 100
