package gateway

import (
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
)

// serve answers one request of the published listener: it finds out who should
// answer, and passes it on.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	id := requestID(r.Header)
	if status, message := s.refuse(r); status != 0 {
		s.turnAway(w, status, id, message)
		return
	}
	now := s.routing.Load()
	to := now.matchHost(r.Host, r.URL.Path)
	if to == nil {
		if s.own(w, r, id, now) {
			return
		}
		to = now.anyHost.find(r.URL.Path)
	}
	if to == nil {
		s.turnAway(w, http.StatusNotFound, id, notFound(r, now))
		return
	}
	if to.model.guarded && isAmbiguous(r.URL.Path) {
		s.turnAway(w, http.StatusBadRequest, id, "the path has an empty segment, a backslash, a dot segment with parameters or something encoded twice in it, and could pass for another one; send the path that it stands for")
		return
	}
	spare := true
	if to.doors != nil || to.spareDoors != nil {
		var ok bool
		if spare, ok = s.enter(w, r, id, to); !ok {
			return
		}
	}
	if upgrade := r.Header["Upgrade"]; upgrade != nil {
		if isWebsocket(upgrade) {
			s.upgraded.Add(1)
			defer s.upgraded.Add(-1)
		} else {
			// Anything else would leave HTTP where the gateway cannot follow:
			// over h2c, requests would pass unseen on one connection.
			delete(r.Header, "Upgrade")
		}
	}
	delete(r.Header, mirroredHeader) // is the gateway's to say
	s.forward(w, r, id, to, spare)
}

func isWebsocket(upgrade []string) bool {
	return len(upgrade) == 1 && strings.EqualFold(textproto.TrimString(upgrade[0]), "websocket")
}

// refuse tells why a request goes nowhere, or 0.
func (s *Server) refuse(r *http.Request) (status int, message string) {
	if size := headerSize(r); size > s.config.Limits.Header {
		return http.StatusRequestHeaderFieldsTooLarge, fmt.Sprintf("the request header has %d bytes, this gateway takes %d; send fewer or shorter cookies and headers", size, s.config.Limits.Header)
	}
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		// The one asks for a tunnel, the other for the header as the model got it.
		return http.StatusMethodNotAllowed, "this gateway takes no " + r.Method
	}
	if hasDotSegment(r.URL.Path) {
		return http.StatusBadRequest, "the path has a segment . or .. in it; send the path that it stands for"
	}
	return 0, ""
}

// headerSize is about what the header took on the wire.
func headerSize(r *http.Request) int {
	size := len(r.RequestURI)
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v) + 4
		}
	}
	return size
}

func notFound(r *http.Request, now *routing) string {
	if now.table.Version == 0 {
		return "this gateway has no routing table yet; the daemon (fairlead serve) pushes it"
	}
	if rest, named := strings.CutPrefix(r.URL.Path, modelsPath); named {
		name, _, _ := strings.Cut(rest, "/")
		return fmt.Sprintf("there is no model %q here; GET /v2/models lists those that are", name)
	}
	return fmt.Sprintf("no route leads from %q; models answer below /v2/models/NAME and at the paths of their route blocks", r.URL.Path)
}

// own answers the paths of the Open Inference Protocol that are about the server
// as a whole: the gateway speaks for all models behind it. It reports false for
// any other path.
func (s *Server) own(w http.ResponseWriter, r *http.Request, id string, now *routing) bool {
	var answer any
	switch r.URL.Path {
	case "/v2", "/v2/":
		answer = serverMetadata{Name: "fairlead", Version: s.config.Version, Extensions: []string{}}
	case "/v2/health/live":
		answer = liveness{Live: true}
	case "/v2/health/ready":
		answer = readiness{Ready: true}
	case "/v2/models", modelsPath:
		answer = modelList{Models: now.served}
	default:
		return false
	}
	w.Header().Set(requestIDHeader, id)
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		writeProblem(w, http.StatusMethodNotAllowed, id, r.URL.Path+" answers GET only")
	case answer == readiness{Ready: true} && s.stopping.Load():
		writeProblem(w, http.StatusServiceUnavailable, id, "the gateway stops and finishes its open requests")
	case answer == readiness{Ready: true} && now.table.Version == 0:
		writeProblem(w, http.StatusServiceUnavailable, id, "the gateway has no routing table yet; the daemon (fairlead serve) pushes it")
	default:
		writeJSON(w, http.StatusOK, answer)
	}
	return true
}

type serverMetadata struct {
	Name       string   `json:"name"`
	Version    string   `json:"version"`
	Extensions []string `json:"extensions"`
}

type liveness struct {
	Live bool `json:"live"`
}

type readiness struct {
	Ready bool `json:"ready"`
}

type modelList struct {
	Models []string `json:"models"`
}
