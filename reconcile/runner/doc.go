// Package runner carries out runs of pipelines: it decides nothing that package run
// decides, and does what that says.
//
// A [Runner] has one goroutine that owns every run, and workers that fetch, start,
// watch, collect and publish, and send back what came of it:
//
//	Git         pipelines, datasets, policies ──┐                    ┌─▶ store (the run, whole)
//	clock       a time of a schedule, a wait ───┤                    ├─▶ journal (a run starts, ends, publishes)
//	people      start, cancel, resume ──────────┼─▶ loop: run.Step ──┼─▶ workers (engine, artifacts, proposals)
//	engine      lists of a run's containers ────┤                    └─▶ lineage
//	workers     answers to commands ────────────┘
//
// What is decided is stored before it is carried out. A daemon that starts takes up
// every run that has not ended: containers that run are adopted by their names.
//
// A pipeline has one run at a time. What starts one is in trigger.go, and pure.
package runner
