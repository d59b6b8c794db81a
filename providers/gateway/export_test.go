package gateway

import "net/http"

// Handler is the published listener's handler, for tests that look at the
// routing and have no use for sockets.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// BufferPool is the gateway's own, for the benchmark's other proxies.
type BufferPool = bufferPool

// Native is what the gateway's histograms are made with.
var Native = native
