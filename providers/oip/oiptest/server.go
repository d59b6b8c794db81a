package oiptest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/fairlead/fairlead/spec"
)

// Server serves one model. It is an http.Handler.
type Server struct {
	Model      string
	Versions   []string // nil: there are no versioned paths
	Extensions []string // binary_tensor_data is the one that it has
	Signature  spec.Signature
}

// Sample returns a server with a model of many kinds of tensors and one version.
func Sample(model string) *Server {
	return &Server{
		Model: model, Versions: []string{"1"}, Extensions: []string{"binary_tensor_data"},
		Signature: spec.Signature{
			Inputs: []spec.Tensor{
				{Name: "x", Datatype: "FP32", Shape: []int64{-1, 3}},
				{Name: "k", Datatype: "INT64", Shape: []int64{1}},
				{Name: "label", Datatype: "BYTES", Shape: []int64{-1}},
				{Name: "flag", Datatype: "BOOL", Shape: []int64{-1}},
			},
			Outputs: []spec.Tensor{
				{Name: "score", Datatype: "FP64", Shape: []int64{-1}},
				{Name: "box", Datatype: "INT32", Shape: []int64{-1, 4}},
				{Name: "class", Datatype: "BYTES", Shape: []int64{-1}},
			},
		},
	}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mux := http.NewServeMux()
	answer := func(pattern string, value any) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if why := s.unknown(r); why != "" {
				refuse(w, http.StatusNotFound, why)
				return
			}
			writeJSON(w, http.StatusOK, value)
		})
	}
	answer("GET /v2", map[string]any{"name": "oiptest", "version": "1", "extensions": append([]string{}, s.Extensions...)})
	answer("GET /v2/health/live", map[string]bool{"live": true})
	answer("GET /v2/health/ready", map[string]bool{"ready": true})
	answer("GET /v2/models", map[string]any{"models": []string{s.Model}})
	paths := []string{"/v2/models/{model}"}
	if s.Versions != nil {
		paths = append(paths, "/v2/models/{model}/versions/{version}")
	}
	for _, path := range paths {
		answer("GET "+path, s.metadata())
		answer("GET "+path+"/ready", map[string]any{"name": s.Model, "ready": true})
		mux.HandleFunc("POST "+path+"/infer", s.infer)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "there is nothing here") })
	mux.ServeHTTP(w, r)
}

// unknown says what the path names that is not here.
func (s *Server) unknown(r *http.Request) string {
	if name := r.PathValue("model"); name != "" && name != s.Model {
		return fmt.Sprintf("unknown model %q", name)
	}
	if version := r.PathValue("version"); version != "" && !slices.Contains(s.Versions, version) {
		return fmt.Sprintf("unknown version %q", version)
	}
	return ""
}

func (s *Server) metadata() map[string]any {
	tensors := func(list []spec.Tensor) []any {
		out := []any{}
		for _, t := range list {
			out = append(out, map[string]any{"name": t.Name, "datatype": t.Datatype, "shape": t.Shape})
		}
		return out
	}
	m := map[string]any{
		"name": s.Model, "platform": "test_zeros", "inputs": tensors(s.Signature.Inputs), "outputs": tensors(s.Signature.Outputs),
	}
	if s.Versions != nil {
		m["versions"] = s.Versions
	}
	return m
}

// request is an inference request.
type request struct {
	ID         *string        `json:"id"`
	Parameters map[string]any `json:"parameters"`
	Inputs     []input        `json:"inputs"`
	Outputs    []struct {
		Name       string         `json:"name"`
		Parameters map[string]any `json:"parameters"`
	} `json:"outputs"`
}

type input struct {
	Name       string         `json:"name"`
	Shape      []int64        `json:"shape"`
	Datatype   string         `json:"datatype"`
	Parameters map[string]any `json:"parameters"`
	Data       []any          `json:"data"`
}

func (s *Server) infer(w http.ResponseWriter, r *http.Request) {
	if why := s.unknown(r); why != "" {
		refuse(w, http.StatusNotFound, why)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err != nil {
		refuse(w, http.StatusBadRequest, "the body breaks off")
		return
	}
	head := body
	if length := r.Header.Get("Inference-Header-Content-Length"); length != "" {
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 || n > len(body) {
			refuse(w, http.StatusBadRequest, "Inference-Header-Content-Length is wrong")
			return
		}
		head = body[:n]
	}
	var in request
	if err := json.Unmarshal(head, &in); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	rows, err := s.read(in.Inputs, int64(len(body)-len(head)))
	if err == nil {
		err = s.respond(w, &in, rows)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
	}
}

// respond answers with zeros, or returns why it does not.
func (s *Server) respond(w http.ResponseWriter, in *request, rows int64) error {
	wanted := []spec.Tensor{}
	for _, asked := range in.Outputs {
		i := slices.IndexFunc(s.Signature.Outputs, func(t spec.Tensor) bool { return t.Name == asked.Name })
		if i < 0 {
			return fmt.Errorf("there is no output %q", asked.Name)
		}
		wanted = append(wanted, s.Signature.Outputs[i])
	}
	if len(wanted) == 0 {
		wanted = s.Signature.Outputs
	}
	answer := map[string]any{"model_name": s.Model}
	if s.Versions != nil {
		answer["model_version"] = s.Versions[0]
	}
	if in.ID != nil {
		answer["id"] = *in.ID
	}
	binary := in.Parameters["binary_data_output"] == true
	outputs, raw := []any{}, []byte{}
	for _, t := range wanted {
		out, data := zeros(t, rows, binary)
		outputs, raw = append(outputs, out), append(raw, data...)
	}
	answer["outputs"] = outputs
	if !binary {
		writeJSON(w, http.StatusOK, answer)
		return nil
	}
	head, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Inference-Header-Content-Length", strconv.Itoa(len(head)))
	_, _ = w.Write(append(head, raw...))
	return nil
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"no JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func refuse(w http.ResponseWriter, status int, why string) {
	writeJSON(w, status, map[string]string{"error": why})
}
