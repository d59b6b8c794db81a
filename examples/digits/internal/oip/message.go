package oip

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// ServerMetadata is the answer to GET /v2.
type ServerMetadata struct {
	Name       string   `json:"name"`
	Version    string   `json:"version"`
	Extensions []string `json:"extensions"` // required, so never nil
}

// ModelMetadata is the answer to GET /v2/models/M.
type ModelMetadata struct {
	Name     string           `json:"name"`
	Versions []string         `json:"versions,omitempty"`
	Platform string           `json:"platform"`
	Inputs   []TensorMetadata `json:"inputs"`
	Outputs  []TensorMetadata `json:"outputs"`
}

// TensorMetadata declares an input or an output. A dimension of -1 is variable.
type TensorMetadata struct {
	Name     string   `json:"name"`
	Datatype Datatype `json:"datatype"`
	Shape    []int64  `json:"shape"`
}

// InferRequest is the body of an inference request.
type InferRequest struct {
	ID         *string           `json:"id,omitempty"` // comes back in the response
	Parameters Parameters        `json:"parameters,omitempty"`
	Inputs     []RequestInput    `json:"inputs"`
	Outputs    []RequestedOutput `json:"outputs,omitempty"` // none: all of them
}

// RequestInput is one tensor of a request.
type RequestInput struct {
	Name       string          `json:"name"`
	Shape      []int64         `json:"shape"`
	Datatype   Datatype        `json:"datatype"`
	Parameters Parameters      `json:"parameters,omitempty"`
	Data       json.RawMessage `json:"data"` // row-major, nested or flat
}

// RequestedOutput asks for one output by name.
type RequestedOutput struct {
	Name       string     `json:"name"`
	Parameters Parameters `json:"parameters,omitempty"`
}

// InferResponse is the answer to an inference request.
type InferResponse struct {
	ModelName    string   `json:"model_name"`
	ModelVersion string   `json:"model_version,omitempty"`
	ID           *string  `json:"id,omitempty"`
	Outputs      []Output `json:"outputs"`
}

// Output is one tensor of a response.
type Output struct {
	Name     string   `json:"name"`
	Shape    []int64  `json:"shape"`
	Datatype Datatype `json:"datatype"`
	Data     any      `json:"data"` // a slice of numbers, flat
}

// Parameters are named strings, numbers and booleans. The protocol gives none of
// them a meaning, and neither does this server.
type Parameters map[string]any

// check refuses values that the protocol does not allow.
func (p Parameters) check(where string) error {
	for name, value := range p {
		switch value.(type) {
		case string, float64, bool:
		default:
			return invalid("%s: parameter %q must be a string, a number or a boolean", where, name)
		}
	}
	return nil
}

// Error is a refusal that the client gets to read.
type Error struct {
	Status  int    `json:"-"` // of HTTP
	Message string `json:"error"`
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

func invalid(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) *Error {
	return &Error{Status: http.StatusNotFound, Message: fmt.Sprintf(format, args...)}
}
