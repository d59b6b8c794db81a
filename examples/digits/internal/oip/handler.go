package oip

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Model is what a server serves. It must be safe for concurrent use.
type Model interface {
	// Metadata describes the model. It is always the same.
	Metadata() ModelMetadata
	// Infer computes every declared output. inputs holds every declared input,
	// checked against its datatype and shape.
	Infer(ctx context.Context, inputs map[string]Input) ([]Output, error)
}

// Server answers the protocol for one model.
type Server struct {
	Metadata ServerMetadata
	Model    Model
	Ready    func() bool // of the server and the model; they are ready together
	MaxBody  int64       // bytes of a request body
}

// Handler returns the routes of the protocol. Every other path is answered with
// 404 in the protocol's error form.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	get := func(path string, h func(*http.Request) (int, any)) { mux.Handle(path, only(http.MethodGet, h)) }
	get("/v2", s.server)
	get("/v2/{$}", s.server)
	get("/v2/models", s.models)
	get("/v2/health/live", s.live)
	get("/v2/health/ready", s.ready)
	for _, model := range []string{"/v2/models/{model}", "/v2/models/{model}/versions/{version}"} {
		get(model, s.modelMetadata)
		get(model+"/ready", s.modelReady)
		mux.Handle(model+"/infer", only(http.MethodPost, s.infer))
	}
	mux.Handle("/", respond(func(r *http.Request) (int, any) {
		return failed(notFound("there is nothing at %s; the protocol's paths start with /v2", r.URL.Path))
	}))
	return mux
}

// respond turns a function that returns a status and a body into a handler.
func respond(answer func(*http.Request) (int, any)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, body := answer(r)
		encoded, err := json.Marshal(body)
		if err != nil {
			status, encoded = http.StatusInternalServerError, []byte(`{"error":"the response cannot be written as JSON"}`)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(append(encoded, '\n')) // the client may be gone; there is nobody left to tell
	})
}

// only refuses every other method. HEAD goes with GET.
func only(method string, answer func(*http.Request) (int, any)) http.Handler {
	allowed := respond(answer)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == method || (method == http.MethodGet && r.Method == http.MethodHead) {
			allowed.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Allow", method)
		respond(func(*http.Request) (int, any) {
			return failed(&Error{http.StatusMethodNotAllowed, fmt.Sprintf("%s takes %s, not %s", r.URL.Path, method, r.Method)})
		}).ServeHTTP(w, r)
	})
}

func failed(err *Error) (int, any) { return err.Status, err }

func (s *Server) server(*http.Request) (int, any) { return http.StatusOK, s.Metadata }

// models is no part of the protocol, but of several servers: how a client finds
// the name of a model.
func (s *Server) models(*http.Request) (int, any) {
	return http.StatusOK, map[string][]string{"models": {s.Model.Metadata().Name}}
}

func (s *Server) live(*http.Request) (int, any) {
	return http.StatusOK, map[string]bool{"live": true}
}

func (s *Server) ready(*http.Request) (int, any) {
	ready := s.Ready()
	return readyStatus(ready), map[string]bool{"ready": ready}
}

func readyStatus(ready bool) int {
	if ready {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

func (s *Server) modelMetadata(r *http.Request) (int, any) {
	if err := s.find(r); err != nil {
		return failed(err)
	}
	return http.StatusOK, s.Model.Metadata()
}

func (s *Server) modelReady(r *http.Request) (int, any) {
	if err := s.find(r); err != nil {
		return failed(err)
	}
	ready := s.Ready()
	return readyStatus(ready), struct {
		Name  string `json:"name"`
		Ready bool   `json:"ready"`
	}{r.PathValue("model"), ready}
}

// find tells whether the path names the model, and a version of it if any.
func (s *Server) find(r *http.Request) *Error {
	model, name, version := s.Model.Metadata(), r.PathValue("model"), r.PathValue("version")
	if name != model.Name {
		return notFound("there is no model %q here; this server has %q", name, model.Name)
	}
	if version != "" && !slices.Contains(model.Versions, version) {
		return notFound("model %q has no version %q here; this server has %s", name, version, strings.Join(model.Versions, ", "))
	}
	return nil
}
