//go:build race

package lang

// slack is how much slower everything is under the race detector.
const slack = 10
