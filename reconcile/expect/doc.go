// Package expect compares the rows of a dataset with what is expected of it, in one
// pass over the file.
//
// An expectation becomes one [Assertion] per condition, in the words of Great
// Expectations and of the data quality facets of OpenLineage: row_count, exists,
// missing, type, min, max, values, pattern, unique. Each says how many rows break
// it, and which is the first.
//
// What counts:
//
//   - A missing value breaks the bound on missing ones and nothing else.
//   - An infinite value, and one that is no number, breaks min, max, and the types
//     integer and number.
//   - Where all values of a column are missing, nothing but the bound on missing
//     ones is broken: say missing if they must be there.
//   - Without any row no condition on a column holds: there is nothing to tell by.
//     Only row_count has an answer then.
package expect
