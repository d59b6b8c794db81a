// Package oip speaks the Open Inference Protocol, version 2, over REST: the
// server's side of it, for one [Model].
//
// The handler answers
//
//	GET  /v2                                        what the server is
//	GET  /v2/models                                 the name of the model
//	GET  /v2/health/live, /v2/health/ready          200, or 503 while not ready
//	GET  /v2/models/M[/versions/V]                  inputs and outputs of the model
//	GET  /v2/models/M[/versions/V]/ready            200, or 503 while not ready
//	POST /v2/models/M[/versions/V]/infer            inference
//
// Every error is a JSON object with the one field "error", whatever went wrong:
// 400 for a request that does not fit the model, 404 for an unknown model,
// version or path, 405 for the wrong method, 413 for a body over the limit, 500
// when the model fails.
//
// The protocol leaves some things to the server. This one takes numbers of every
// numeric JSON datatype for a numeric input, as long as each of them fits the
// datatype that the request names and the one that the model declares; it takes
// data nested or flat; it refuses an empty batch; and it knows no binary tensors.
package oip
