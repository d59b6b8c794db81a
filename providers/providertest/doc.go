// Package providertest holds the contract of each port of package reconcile as a
// test suite. A provider is done when its suite passes:
//
//	func TestSourceKeepsThePort(t *testing.T) {
//		providertest.SourceSuite(t, func(t *testing.T) (reconcile.Source, func(map[string]string)) {
//			...
//		})
//	}
//
// A rule that every provider must hold is written here and nowhere else; tests
// of one provider are about its technology.
package providertest
