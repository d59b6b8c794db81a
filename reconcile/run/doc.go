// Package run is the life of a run of a pipeline: which steps run when, with what,
// what becomes of those that fail, and when the gates let the result be published.
// It is pure. [Step] is given a run, what was observed and the time, and says what
// should be under way:
//
//	commands, wake := run.Step(r, input, now)
//
// The driver (package runner) stores the run before it carries any command out, and
// Step names a command again until its answer has come. So a daemon that is killed at
// any moment finds in the store what it had decided, and in the engine's list how far
// it got: a container that runs is adopted, one that has ended is collected, and what
// had succeeded is never started again.
//
// # A run
//
//	queued ─▶ preparing ─▶ running ─▶ judging ─▶ publishing ─▶ exiting ─▶ done
//	             │            │          │           │            ▲
//	             └────────────┴──────────┴───────────┴────────────┘
//	               failed, denied or cancelled: the exit steps still run
//
// # A node
//
// A step is one node, and one with a matrix or a search is one node for each variant:
// train.0, train.1, ...
//
//	waiting ─▶ looking ─▶ ready ─▶ starting ─▶ running ─▶ collecting ─▶ succeeded
//	   │          │ hit     ▲         │           │  │        │
//	   │          └──▶ succeeded      │           │  └─▶ stopping ─▶ cancelled
//	   ▼                    │         ▼           ▼           ▼
//	skipped              backoff ◀── an attempt failed ──▶ failed
//
// A node whose needs failed is skipped; nodes that need nothing of it go on, so that
// their results are in the cache when the run is resumed. The run fails all the same.
//
// # The cache
//
// The key of a node is the hash of all that its result follows from ([KeyParts]): the
// pinned image, entrypoint, command, declared environment, versions of secrets, the
// content of every input, names of outputs. Not of resources, retries or time-outs,
// nor of names and order of blocks. Only what succeeded is kept. An entry whose
// outputs are not in the store any more is a miss.
package run
