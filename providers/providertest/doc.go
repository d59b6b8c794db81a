// Package providertest holds the contract of each port of package reconcile as a
// test suite, and what such tests need from the world.
//
// A provider is done when its suite passes. The suite knows the port and nothing
// else: what happens behind the port's back (somebody kills a container, the
// network breaks) it asks of the provider's own test, through a small interface
// such as [RuntimeHost].
//
//	func TestRuntimeKeepsItsContract(t *testing.T) {
//		providertest.RuntimeSuite(t, newEngineHost(t))
//	}
//
// For tests against a real Docker Engine there are [EngineSocket], which skips a
// test where no engine answers, [ReplicaImage], a small image made without any
// registry, and [EngineProxy], which counts the calls to an engine and makes it
// fail in the ways that engines fail. None of them needs Docker's client library,
// so tests of every package may use them.
package providertest
