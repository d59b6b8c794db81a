// Package profile makes the reference profile of a dataset: what each of its
// features looks like, in few numbers. It is kept beside the version of a model that
// was trained on the data, and monitors compare live traffic with it, without the
// data itself.
//
// [Build] makes one in one pass over a table of any size, [Profile.Encode] writes it
// as text whose differences a person can review, and [Parse] reads it. The same
// rows in the same order give the same profile on every machine.
//
// # Features
//
// A column is numeric if each of its values is a number, categorical if not, and
// empty if there are no values.
//
// The bins of a numeric feature have fixed edges at quantiles of the data, so that
// about as many values fall into each, and a score compares like with like whatever
// comes later. A value that is so frequent that it would fill a bin has one of its
// own. An edge lies halfway between the two values that it parts. What is below the
// first edge or above the last goes into the bins underflow and overflow, which
// hold nothing in the reference.
//
// A categorical feature keeps the most frequent categories. All others go into the
// bin other, as does a category that is new; in the reference it is what did not
// find room.
//
// Up to [SampleSize] values of a feature, the bins are exact. Above, they are those
// of a uniform random sample of so many values (algorithm R of Vitter 1985, with a
// fixed seed): binned then says how many, which is what a test of significance
// needs. The rank of an edge is off by less than 0.5 % of the values then. Count,
// missing, min, max, mean and std are always of all values.
//
// Profiles of parts of the data cannot be merged, as their edges differ: make one
// of the whole.
package profile
