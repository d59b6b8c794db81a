// Package review says what a pull request would change, where it is reviewed.
//
// A [Report] is a value: what merging would do to one environment, with the diagnostics
// of what does not load. [Report.Markdown] is the comment that Fairlead keeps on the pull
// request, and [Report.Status] the check beside its newest commit. All of them are pure.
//
// What a pull request says is a stranger's text. In the comment it can neither mention
// people nor load images, nor forge a part of the page: every value stands in a code span
// or is escaped. Values of secrets are in no Report, because none is in a plan.
package review
