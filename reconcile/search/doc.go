// Package search chooses the values that the variants of a step run with: every
// combination of a matrix, or those of the trials of a search. It is pure: the same
// seed and the same results give the same values, so a search that is repeated is
// answered from the cache.
//
// # Methods
//
// random draws each value from its range, or its list.
//
// tpe is the tree-structured Parzen estimator of J. Bergstra, R. Bardenet, Y.
// Bengio and B. Kégl, Algorithms for Hyper-Parameter Optimization, NIPS 2011. The
// trials so far are split into the best few and the others; for each parameter by
// itself one density is estimated from either group; of some values that are drawn
// from the first density that one is taken for which the ratio of the first to the
// second is the greatest, which is where the expected improvement is. The details
// that the paper leaves open are those of Optuna's TPESampler (4.x) with its
// defaults: ten random trials first, the best tenth but at most 25, 24 candidates,
// a prior of weight one over the whole range, kernels as wide as the gap to their
// neighbours but no narrower than a hundredth of the range, and less weight for all
// but the newest 25 trials.
//
// # Why this is our own
//
// It is some two hundred lines. The one library for Go, github.com/c-bata/goptuna,
// had its last release in 2023 and keeps a study of its own, in memory or in a
// database, where we need a function of what is stored. Optuna itself would be a
// Python image that every host has to have, and a container per trial.
package search
