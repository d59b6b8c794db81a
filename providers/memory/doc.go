// Package memory holds every port of package reconcile in memory: fast and
// deterministic, for tests, for dry runs and for measuring Fairlead without
// Docker. They are real implementations, not recordings: each passes the same
// suite of package providertest that the real provider passes. The exception is
// [Metrics], which gives the answers that a test wrote down.
//
// What makes them useful in tests is the other side of each port, the part that
// reconcile never sees: an [Engine] has methods for what people do by hand and
// for what fails, and counts its calls.
//
//	engine := memory.NewEngine()
//	engine.AddTag("digits:1", "first build")
//	runtime := engine.Runtime(reconcile.Scope{Owner: "fairlead", Environment: "prod"})
//	...                         // reconcile with it
//	err := engine.Kill(id)      // the container dies; does it come back?
//	engine.SetProgram(program)  // what containers do that start from now on
//	before := engine.Mutations()
//	...                         // reconcile once more
//	engine.Mutations() - before // must be 0
package memory
