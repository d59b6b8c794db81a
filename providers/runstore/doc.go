// Package runstore keeps runs, their logs and the cache of steps in a directory. It
// implements run.Store.
//
//	runs/ID/run.json                the run, and before it its Summary
//	runs/ID/logs/NODE.ATTEMPT.log   what an attempt printed
//	cache/KEY.json                  the result of a step; its time of modification
//	                                is when it was last taken
//	work/ID/NODE.ATTEMPT/OUTPUT     what an attempt writes, mounted into it
//
// JSON files are written whole or not at all (package durable). A list of runs
// reads only the summaries, and those of runs that did not change only once.
//
// What lies below work was written by containers, so nothing there is trusted: no
// link is followed, and directories that nobody may read, or that are nested
// thousands deep, are removed like any other.
//
// Nothing here is a source of truth. Lose the directory and steps run again, and
// logs are gone; what was published is in Git.
package runstore
