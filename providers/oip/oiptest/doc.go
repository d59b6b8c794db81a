// Package oiptest is a model server for tests: it conforms to the Open Inference
// Protocol, version 2, and answers every request that fits its metadata with
// zeros.
//
//	server := httptest.NewServer(oiptest.Sample("fraud"))
//	defer server.Close()
//
// It is written apart from package oip and shares no code with it: each is the
// proof of the other.
package oiptest
