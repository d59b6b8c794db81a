// Package edge is what stands at the gateway's door: who may come in, how many
// at a time, and with which certificate the gateway shows itself. It knows
// routes, headers and clocks, but no replica and no model.
//
//	connection ─▶ TLS ─▶ Authenticator ─▶ Limiter ─▶ the gateway's routing
//
// # Successive tables
//
// [Limiters] and [Authenticators] belong to one routing table, are made with it,
// and never change. The next table's are made from them: what stays the same
// keeps its state, so that a push neither refills a bucket nor forgets which
// tokens were found good. A request holds on to what it began with.
//
// # Who may come in
//
// An [Authenticator] takes either of two proofs. Where both are there, one good
// one is enough.
//
//   - An API key, in X-Api-Key, or in Authorization as Bearer or ApiKey. Only its
//     SHA-256 is known here, and all keys of the route are compared in constant
//     time.
//   - A JSON Web Token (RFC 7519) in Authorization as Bearer: signed by one of
//     the route's public keys with an asymmetric algorithm, from the issuer, for
//     the audience, with an expiry. Clocks may differ by [Leeway]. The key
//     decides which algorithms fit, never the token: a token that claims HS256,
//     and was made with the public key as its secret, is refused like any other.
//
// Whoever brings nothing, or something that is not good, gets 401 and is told in
// WWW-Authenticate what to bring (RFC 6750). 403 does not occur: a route is open
// to all of its keys and tokens alike.
//
// An API key is between the caller and the gateway, so [Verdict.Strip] removes it
// before the request goes on. A token is forwarded: models read claims from it,
// and its audience says that it is meant for them. On routes without
// authentication, and for X-Api-Key on routes without keys, headers pass as they
// are, because then they are the model's own.
//
// A good token is remembered until it expires, by its SHA-256, so that a caller
// costs one signature check and then a hash and a lookup per request. Only good
// ones are kept: nobody can fill the memory by making tokens up.
//
// # How many
//
// A [Limiter] bounds the rate of a route (a token bucket, kept as one number) and
// the requests that are open at a time. In any stretch of t seconds it lets
// through at most rate*t + burst, also when many ask at once. What is above it
// learns after how many seconds asking again is worthwhile.
//
// # Certificates
//
// [TLS] serves a pair of files, which it reads again when they change, or gets
// and renews certificates by ACME (RFC 8555) with the TLS-ALPN-01 challenge on
// the same port, and HTTP-01 where the gateway has a plain listener too. A broken
// new pair leaves the old one in force. TLS 1.2 and up, with forward secrecy and
// authenticated encryption only; HTTP/2 and HTTP/1.1.
//
// # Cost
//
// Neither a request with a key or a known token, nor one that passes a limit,
// allocates memory:
//
//	go test -run '^$' -bench . -benchmem ./providers/gateway/edge
//
// On two busy cores a key took about 0.1 µs, a known token of 0.5 KiB 0.4 µs, a
// token seen for the first time 30 µs (RSA of 2048 bit) and a limit 0.1 µs. ACME
// makes the stripped binary 2.1 MB larger, all the rest 0.3 MB.
package edge
