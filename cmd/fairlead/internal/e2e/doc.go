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
//	rollout_test.go       under load good versions are promoted, bad ones rolled
//	                      back, and nothing is lost that stable would have served
//	rolloutcrash_test.go  kill -9 anywhere in a rollout, with its data or its
//	                      remote gone too, changes neither end nor journal
//	outage_test.go        a gateway that dies is back with its table, and goes on
//	                      for as long as there is no daemon
//	prometheus_test.go    a Prometheus elsewhere gives the same verdicts
//	held_test.go          what was rejected stays out until a person says retry
//
//	pipelinepublish_test.go  from an empty cache to a version that serves; what runs
//	                         again after which change
//	pipelinefail_test.go     each way a step fails ends its run with a reason, and
//	                         nothing else
//	pipelinecrash_test.go    kill -9 anywhere in a run, a second daemon, an engine that
//	                         dies: no step runs twice, nothing is left
//	pipelineorders_test.go   runs are ended, resumed, let pass; lineage outlives the
//	                         data directory
//
//	reviewrevert_test.go    a bad version is reverted by a pull request, unless a person
//	                        is first
//	reviewapproval_test.go  a step is passed by merging its pull request, and by none
//	                        that is about something else
//	reviewcrash_test.go     kill -9 on the way to a proposal leaves one, and no second
//	reviewplan_test.go      pull requests show one plan; webhooks wake
//	trust_test.go           what is not signed, or not reviewed, changes nothing
//	include_test.go         an included repository is judged by itself
//	promotion_test.go       from staging to prod, and from a registry to its digest
//	messages_test.go        what happens is told once, to who can hear it
//	canaries_test.go        no secret shows where people review
//
// Those of rollouts, of runs that are killed and of much log try a little of each by
// default, and all of it with FAIRLEAD_ROLLOUTS=20, the number of rollouts of each
// kind; -v shows the figures.
//
// Those have a forge of their own: forgetest, real repositories behind Gitea's API.
//
// The rest is the harness. An environment is one owner's share of the engine, so
// tests do not see each other; it is taken down when its test ends, and what is
// left then is an error. Calls of the program go through a
// providertest.EngineProxy, which counts and breaks them; the tests themselves
// look past it, at the engine.
//
// There is nothing to import here.
package e2e
