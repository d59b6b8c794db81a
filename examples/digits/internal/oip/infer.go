package oip

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// infer answers also while the server is not ready: requests that are on their
// way when it starts to shut down still count.
func (s *Server) infer(r *http.Request) (int, any) {
	if err := s.find(r); err != nil {
		return failed(err)
	}
	response, err := s.respondTo(r)
	if refusal, ok := errors.AsType[*Error](err); ok {
		return failed(refusal)
	}
	if err != nil {
		return failed(&Error{http.StatusInternalServerError, "the model failed: " + err.Error()})
	}
	return http.StatusOK, response
}

func (s *Server) respondTo(r *http.Request) (*InferResponse, error) {
	request, err := s.readRequest(r)
	if err != nil {
		return nil, err
	}
	model := s.Model.Metadata()
	inputs, err := model.readInputs(request.Inputs)
	if err != nil {
		return nil, err
	}
	if err := model.checkRequested(request.Outputs); err != nil {
		return nil, err
	}
	outputs, err := s.Model.Infer(r.Context(), inputs)
	if err != nil {
		return nil, err
	}
	response := &InferResponse{ModelName: model.Name, ID: request.ID, Outputs: pick(outputs, request.Outputs)}
	if len(model.Versions) > 0 {
		response.ModelVersion = model.Versions[0]
	}
	return response, nil
}

func (s *Server) readRequest(r *http.Request) (*InferRequest, error) {
	if r.Header.Get("Inference-Header-Content-Length") != "" {
		return nil, invalid("this server does not offer the binary_tensor_data extension; send all data as JSON")
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, s.MaxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &Error{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is over the limit of %d bytes", s.MaxBody)}
	}
	if err != nil {
		return nil, invalid("the body could not be read to its end")
	}
	var request InferRequest
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, invalid("the body is not an inference request: %s", jsonReason(err))
	}
	if err := request.Parameters.check("request"); err != nil {
		return nil, err
	}
	return &request, nil
}

// readInputs checks that each declared input is there, exactly once, and that
// there is nothing else.
func (m ModelMetadata) readInputs(sent []RequestInput) (map[string]Input, error) {
	inputs := make(map[string]Input, len(m.Inputs))
	for _, in := range sent {
		i := slices.IndexFunc(m.Inputs, func(t TensorMetadata) bool { return t.Name == in.Name })
		if i < 0 {
			return nil, invalid("model %q has no input %q; it has %s", m.Name, in.Name, names(m.Inputs))
		}
		if _, twice := inputs[in.Name]; twice {
			return nil, invalid("input %q is there twice", in.Name)
		}
		input, err := m.Inputs[i].read(in)
		if err != nil {
			return nil, err
		}
		inputs[in.Name] = input
	}
	for _, declared := range m.Inputs {
		if _, found := inputs[declared.Name]; !found {
			return nil, invalid("input %q is missing; model %q needs %s", declared.Name, m.Name, names(m.Inputs))
		}
	}
	return inputs, nil
}

func (m ModelMetadata) checkRequested(requested []RequestedOutput) error {
	for _, out := range requested {
		if !slices.ContainsFunc(m.Outputs, func(t TensorMetadata) bool { return t.Name == out.Name }) {
			return invalid("model %q has no output %q; it has %s", m.Name, out.Name, names(m.Outputs))
		}
		if err := out.Parameters.check(fmt.Sprintf("output %q", out.Name)); err != nil {
			return err
		}
	}
	return nil
}

// pick returns the requested outputs in the order of the request; without a
// list, all.
func pick(outputs []Output, requested []RequestedOutput) []Output {
	if len(requested) == 0 {
		return outputs
	}
	picked := make([]Output, 0, len(requested))
	for _, out := range requested {
		i := slices.IndexFunc(outputs, func(o Output) bool { return o.Name == out.Name })
		picked = append(picked, outputs[i])
	}
	return picked
}

func names(tensors []TensorMetadata) string {
	quoted := make([]string, len(tensors))
	for i, t := range tensors {
		quoted[i] = fmt.Sprintf("%q", t.Name)
	}
	return strings.Join(quoted, ", ")
}

// jsonReason says what is wrong with a JSON text in the words of JSON instead of
// those of Go.
func jsonReason(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		where := ""
		if wrong.Field != "" {
			where = fmt.Sprintf(" at %q", wrong.Field)
		}
		return fmt.Sprintf("unexpected %s%s", wrong.Value, where)
	}
	if broken, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("%s at byte %d", broken.Error(), broken.Offset)
	}
	return err.Error()
}
