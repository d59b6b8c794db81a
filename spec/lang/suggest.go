package lang

import (
	"slices"
	"strings"
)

// didYouMean returns " Did you mean ...?" with the known name nearest to the
// one that was written, or "" if none is near.
func didYouMean(written string, known []string) string {
	if near := Nearest(written, known); near != "" {
		return " Did you mean " + near + "?"
	}
	return ""
}

// Nearest returns the known name with the smallest edit distance, the first in
// alphabetical order where several are as near. A name is near if fewer than
// about a third of its letters differ, so that short names are not suggested
// for each other at random.
func Nearest(written string, known []string) string {
	if len(written) > 128 {
		return ""
	}
	names := slices.Sorted(slices.Values(known))
	best, bestDistance := "", 0
	lower := strings.ToLower(written)
	for _, name := range names {
		limit := max(1, min(3, (max(len(written), len(name))+1)/3))
		if name == written || len(name)-len(written) > limit || len(written)-len(name) > limit {
			continue
		}
		d := editDistance(lower, strings.ToLower(name))
		if d <= limit && (best == "" || d < bestDistance) {
			best, bestDistance = name, d
		}
	}
	return best
}

// editDistance counts the insertions, deletions, substitutions and swaps of
// neighbours that turn a into b.
func editDistance(a, b string) int {
	before := make([]int, len(b)+1)
	previous := make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(previous[j]+1, row[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, previous = previous, row
	}
	return previous[len(b)]
}
