//go:build !race

package lang

// slack is for a machine that is busy with other tests.
const slack = 3
