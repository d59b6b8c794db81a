// Package e2e holds the tests of the whole program: the static binary, as it is
// shipped, on a real Docker Engine, a real Git repository and real requests. What
// they promise, by file:
//
//	apply_test.go    a second apply changes nothing, whatever the specs
//	crash_test.go    kill -9 between any two engine calls leaves nothing behind,
//	                 and no request notices
//	faults_test.go   Git away, answers lost, events missed, two daemons
//	heal_test.go     what people do to containers is put right
//	restart_test.go  the engine itself dies and comes back
//	secrets_test.go  no secret shows anywhere but in the container that uses it
//
// The rest is the harness. An environment is one owner's share of the engine, so
// tests do not see each other; it is taken down when its test ends, and what is
// left then is an error. Calls of the program go through a
// providertest.EngineProxy, which counts and breaks them; the tests themselves
// look past it, at the engine.
//
// There is nothing to import here.
package e2e
