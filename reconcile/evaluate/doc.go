// Package evaluate measures how good a model's predictions are, and whether they
// treat groups of people alike, from a table with a row per prediction.
//
// [Read] takes the table in, [Predictions.Evaluate] measures. Both are pure.
//
// # Definitions
//
// They are those of scikit-learn, to 1e-9:
//
//   - precision, recall and f1 of a class of which nothing was predicted, or
//     nothing is there, are 0 (its zero_division="warn"), and a note says so. macro
//     is the mean over the classes, weighted the mean by how often each is there,
//     micro counts all together.
//   - balanced_accuracy is the mean recall of the classes that are there.
//   - roc_auc is that of the positive class; roc_auc_ovr_macro is the mean over the
//     classes, each against the rest.
//   - average_precision sums precision over the steps of recall, without
//     interpolation.
//   - log_loss is the mean of -ln of the probability of the true class, which is
//     taken as at least 2.2e-16. brier is the mean squared error of the probability
//     of the positive class; of several classes the sum over them, from 0 to 2.
//   - mcc is 0 where its denominator is. cohen_kappa is not weighted.
//   - r2 of a constant truth is 1 where every prediction is right, else 0. mape
//     divides by at least 2.2e-16 and is a share, not percent.
//
// ece, the expected calibration error (Naeini et al. 2015, Guo et al. 2017), uses
// bins of equal width, closed above, as torchmetrics does: of two classes it
// compares the probability of the positive class with how often it is there, of
// several the confidence in the likeliest class with how often it is right.
//
// # Fairness
//
// The rates of a group are those of Fairlearn: selection_rate is the share that was
// predicted positive, tpr that of the positives, fpr that of the negatives.
// demographic_parity compares selection_rate, equal_opportunity tpr, and
// equalized_odds tpr and fpr: the worse of both, or with _mean their mean.
// _difference is the greatest less the least, _ratio the least by the greatest.
// With _to_overall each group is compared with everybody. Where two rates are both
// 0 their ratio is 1: they are equal (Fairlearn gives NaN).
//
// A rate that comes from fewer rows than MinGroup is insufficient, and so is every
// measure that would need it: no number is given to a gate, as a group too small to
// tell anything about has not been shown to be treated fairly. The rows of tpr are
// the positives of the group, those of fpr its negatives.
//
// Disparities are those of Aequitas: the rate of a group by that of the reference
// group, fair from 0.8 to 1/0.8.
package evaluate
