// Package judge turns measurements of two revisions into verdicts.
//
// It is pure: no clock, no network, no randomness. [Compile] says which queries a
// check needs, [Read] makes a [Reading] of their results, [Look] weighs a reading
// against those before it, and [Evidence.Enter] begins a step. What it remembers,
// the [Evidence], is a small value that is kept in the journal.
//
// # Outcomes
//
// A look ends in one of four ways, and in the first of them that holds:
//
//	error         the measurement could not be made; the evidence stays as it is
//	fail          the evidence against the candidate reaches 1/alpha, or a plain
//	              number is beyond its bound
//	insufficient  no data, no number, fewer samples in this step than min_samples
//	              on a side that the check looks at, or a figure beyond its bound
//	pass          otherwise
//
// To fail takes five samples a side (fewer only where min_samples is lower), and
// not min_samples: evidence is good at any number, and whoever asks for a thousand
// samples before a promotion does not ask for a thousand victims.
//
// To pass takes a figure within its bound, measured in this step: nothing goes on
// because there were too few requests to prove it bad. A figure that is beyond by
// chance only delays: as requests come it falls back, or the evidence grows. The
// figure of a score_shift is that of the rollout, since a distance of few values is
// large by chance. A bound with no room, max_vs_stable = 1, is passed by a candidate
// that is like stable at every second look; write 1.5, or what you would put up with. Of 200
// simulated rollouts of a candidate that is like stable, with 0.1 % errors at 50
// requests/s, two steps of 2 min and an hour in all, 25 reach their deadline with a
// bound of 1 on errors, 5 with 1.2, none with 1.5 or 2; the median takes 352, 302,
// 262 and 242 s.
//
// Each look stands for itself. After a failure that failure_limit tolerates, the
// evidence may fall again.
//
// # How often it errs
//
// A rollout of a candidate that is like stable fails with a probability of 1 % at
// the most: at any check, at any look, however many there are and however long it
// takes. Statistical checks share that [Budget]; [Alpha] is the part of each, and
// the bounds of one check share its part.
//
// What makes that hold at every look is that evidence is not a p-value but the
// capital of a bet: a test martingale. See the sources in this package: claims and
// their likelihood ratios, stakes, and the distance of distributions. Counters are
// read as they stand, and each stretch between two looks is compared for itself.
// So weights and rates may change, and errors and latencies may go up and down over
// the day, for both revisions alike. Thresholds of latencies come from earlier
// readings and lie on the bounds of buckets, so units do not matter.
//
// It holds for requests that are given to the revisions independently of each
// other. Sticky callers are not: one caller whose every request fails counts as
// many. Widen the bounds there. Of an answer with many values the gateway counts
// one, since they depend on each other.
//
// # What each metric asks
//
//	error_ratio       5xx among the answers 2xx to 5xx; who hangs up is not counted
//	latency_pXX       max: no more than 1-q take longer. max_vs_stable = r: the
//	                  candidate's longer than r*T are no larger a share than
//	                  stable's longer than T, for T about stable's quantile. Of
//	                  answers 2xx to 4xx, since errors may be quick to give. A
//	                  request that its client gave up took longer than the client
//	                  waited: it counts as slow where that is beyond the bound,
//	                  and never as fast. The buckets are 2.2 % wide: a ratio is judged up to one of them
//	                  in favour of the candidate
//	score_shift       the distance of Kolmogorov and Smirnov between the values of
//	                  an output, 0 to 1, is at most max
//	shadow_agreement  the share of compared answers that agree; a missing one does
//	                  not
//	request_rate      plain: requests per second since the last look; beside stable,
//	                  each per share of the requests
//	restarts          plain: the restarts of the candidate's replicas
//	query             plain: one number, beside stable that of the same query with
//	                  $candidate replaced by stable
//
// Bounds relative to stable need requests to both sides, in this step and between
// two looks. Where the candidate has all of them, the outcome is insufficient.
//
// # Measured
//
// `make bench-judge` simulates rollouts with fixed seeds, in three minutes. Without
// a fault: 5, 25 and 50 %, eight looks each, five checks with seven bounds that
// allow nothing beyond stable, load and latency and errors in waves:
//
//	A/A rollouts                      rollouts  alarms      rate   95 % interval
//	all                                  10000      11    0.11 %   0.05 to 0.20 %
//	0.2 requests/s                        2500       3    0.12 %   0.02 to 0.35 %
//	2 requests/s                          2500       2    0.08 %   0.01 to 0.29 %
//	20 requests/s                         2500       3    0.12 %   0.02 to 0.35 %
//	100 requests/s                        2500       3    0.12 %   0.02 to 0.35 %
//	lognormal, sigma 0.2                  2000       3    0.15 %   0.03 to 0.44 %
//	lognormal, sigma 1                    2000       3    0.15 %   0.03 to 0.44 %
//	heavy tail, Pareto 1.5                2000       2    0.10 %   0.01 to 0.36 %
//	ties, five values                     2000       2    0.10 %   0.01 to 0.36 %
//	ties, one value of 90 %               2000       1    0.05 %   0.00 to 0.28 %
//	errors: hardly ever, 0.01 %           2000       2    0.10 %   0.01 to 0.36 %
//	errors: 1 %                           2000       5    0.25 %   0.08 to 0.58 %
//	errors: 30 %                          2000       1    0.05 %   0.00 to 0.28 %
//	errors: 0.2 % to 5 %, in waves        2000       1    0.05 %   0.00 to 0.28 %
//	errors: bursts of 40 %                2000       2    0.10 %   0.01 to 0.36 %
//	unit 1e-06                            2000       3    0.15 %   0.03 to 0.44 %
//	unit 0.001                            2000       3    0.15 %   0.03 to 0.44 %
//	unit 1                                2000       0    0.00 %   0.00 to 0.18 %
//	unit 1000                             2000       3    0.15 %   0.03 to 0.44 %
//	unit 1e+06                            2000       2    0.10 %   0.01 to 0.36 %
//
// With a fault: half of the traffic each, 50 looks, a check with max_vs_stable = 1
// and a third of the budget. Beside it a judge in the manner of Kayenta, which gets
// the same requests as 50 points a side and looks once, at the end. It knows no
// budget: its figures for "x1" and "+0 %" are its false alarms, at one look and one
// metric. Its p99 of few requests is their largest latency; ours stays the p99, and
// takes more requests.
//
//	detected, in % of 200 rollouts: Fairlead | Mann-Whitney in the manner of Kayenta
//	requests a side                               500        2,000       10,000       40,000
//	errors x1, of 1 %                         0 |   0      0 |   0      0 |   0      0 |   0
//	errors x2, of 1 %                         2 |   0     20 |   0     97 |  96    100 | 100
//	errors x5, of 1 %                        57 |   0    100 | 100    100 | 100    100 | 100
//	errors x10, of 1 %                      100 |  38    100 | 100    100 | 100    100 | 100
//	p50 +0 %, lognormal, sigma 0.2            0 |   0      0 |   0      0 |   0      0 |   0
//	p50 +10 %, lognormal, sigma 0.2          96 |  99    100 | 100    100 | 100    100 | 100
//	p50 +25 %, lognormal, sigma 0.2         100 | 100    100 | 100    100 | 100    100 | 100
//	p50 +50 %, lognormal, sigma 0.2         100 | 100    100 | 100    100 | 100    100 | 100
//	p99 +0 %, lognormal, sigma 0.2            0 |   1      0 |   0      0 |   0      0 |   0
//	p99 +10 %, lognormal, sigma 0.2          22 |  86     84 |  97    100 | 100    100 | 100
//	p99 +25 %, lognormal, sigma 0.2          99 | 100    100 | 100    100 | 100    100 | 100
//	p99 +50 %, lognormal, sigma 0.2         100 | 100    100 | 100    100 | 100    100 | 100
//	p50 +0 %, lognormal, sigma 1              0 |   0      0 |   0      0 |   0      0 |   0
//	p50 +10 %, lognormal, sigma 1             0 |   2     10 |  26     92 |  98    100 | 100
//	p50 +25 %, lognormal, sigma 1            22 |  40     92 |  98    100 | 100    100 | 100
//	p50 +50 %, lognormal, sigma 1            89 |  96    100 | 100    100 | 100    100 | 100
//	p99 +0 %, lognormal, sigma 1              0 |   0      0 |   0      0 |   0      0 |   0
//	p99 +10 %, lognormal, sigma 1             0 |   0      2 |   4      6 |  18     45 |  71
//	p99 +25 %, lognormal, sigma 1             4 |  10     10 |  21     85 |  94    100 | 100
//	p99 +50 %, lognormal, sigma 1            14 |  67     69 |  82    100 | 100    100 | 100
//	p50 +0 %, heavy tail, Pareto 1.5          0 |   0      0 |   0      0 |   0      0 |   0
//	p50 +10 %, heavy tail, Pareto 1.5        23 |  25     84 |  94    100 | 100    100 | 100
//	p50 +25 %, heavy tail, Pareto 1.5       100 | 100    100 | 100    100 | 100    100 | 100
//	p50 +50 %, heavy tail, Pareto 1.5       100 | 100    100 | 100    100 | 100    100 | 100
//	p99 +0 %, heavy tail, Pareto 1.5          0 |   0      0 |   0      0 |   0      0 |   0
//	p99 +10 %, heavy tail, Pareto 1.5         0 |   0      1 |   0      2 |   2      6 |  16
//	p99 +25 %, heavy tail, Pareto 1.5         0 |   8      2 |   6     18 |  40     91 |  96
//	p99 +50 %, heavy tail, Pareto 1.5         6 |  32     20 |  28     88 |  96    100 | 100
//
// 0 of 50 against 7 of 50 errors is p = 0.6 % by Fisher's exact test, for a single
// look. Here 9 of 50 fail with the whole budget, at any number of looks.
package judge
