// Package rest is how a forge is called: what every provider below providers/forge
// needs around the HTTP client of its SDK, and nothing that only one of them knows.
//
// A [Client] makes an [http.Client] that an SDK gets. Each request of it has a
// deadline, goes to the configured server only (a redirect to another host is an
// error, so a credential never leaves), gets the credential of the moment, and reads
// so many bytes at most. Once the server has said that it is asked too often, no
// request leaves before the time it named. [Client.Failed] turns what went wrong into
// words for people, and into the errors that reconcile.Forge promises.
package rest
