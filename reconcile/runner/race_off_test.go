//go:build !race

package runner_test

// pipelines is how many schedules are tried.
const pipelines = 1000
