// Package oip is the client's side of the Open Inference Protocol, version 2, over
// REST. It answers two questions about a model server.
//
// # Does it speak the protocol?
//
// [Check] tries every requirement of the protocol, one by one, and returns a
// [Report] with a line per requirement: what is demanded and where, whether the
// server does it, and if not, what was sent, what was answered and what is wrong
// with it. It needs to know nothing about the model: its requests are made from
// the model's own metadata. This is what `fairlead oip check` prints.
//
// It is as good in the tests of a model server, whatever that is written in:
//
//	func TestServerSpeaksOpenInference(t *testing.T) {
//		server := httptest.NewServer(handler)
//		defer server.Close()
//		report := oip.Check(t.Context(), server.Client(), server.URL, "fraud")
//		for _, f := range report.Failures() {
//			t.Errorf("%s: %s: %s\n  sent %s\n  got  %s", f.ID, f.Demand, f.Reason, f.Sent, f.Answered)
//		}
//	}
//
// Package oiptest has the other side: a server that conforms, for tests of
// clients, and of this package: there, each requirement has a server that breaks
// it and nothing else.
//
// # Is it what the model declares?
//
// [Inspector] compares the metadata of one replica with the signature in Git, and
// warms the replica up, before it takes traffic.
//
// # Servers are not trusted
//
// Each exchange has a deadline and a limit of bytes, and so has the whole check.
// What a server says is shown to people cut short and without control characters.
// Redirects are not followed, and no proxy is asked.
package oip
