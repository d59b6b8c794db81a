package oip

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
)

// serverMetadata is the answer to GET /v2.
type serverMetadata struct {
	name, version string
	extensions    []string
}

// modelMetadata is the answer to GET /v2/models/M.
type modelMetadata struct {
	name, platform  string
	versions        []string
	inputs, outputs []tensor
}

// tensor is an input or output as the metadata declare it. A dimension of -1 is
// variable.
type tensor struct {
	name, datatype string
	shape          []int64
}

// outputTensor is one tensor of a response.
type outputTensor struct {
	tensor
	data       json.RawMessage
	parameters object
}

// inferRequest is the body of an inference request.
type inferRequest struct {
	ID         string            `json:"id,omitempty"`
	Parameters map[string]any    `json:"parameters,omitempty"`
	Inputs     []inputTensor     `json:"inputs"`
	Outputs    []requestedOutput `json:"outputs,omitempty"`
}

type inputTensor struct {
	Name       string         `json:"name"`
	Shape      []int64        `json:"shape"`
	Datatype   string         `json:"datatype"`
	Parameters map[string]any `json:"parameters,omitempty"`
	Data       any            `json:"data,omitempty"`
}

type requestedOutput struct {
	Name       string         `json:"name"`
	Parameters map[string]any `json:"parameters,omitempty"`
}

// modelPath is where a model is found.
func modelPath(model string) string { return "/v2/models/" + url.PathEscape(model) }

// object is a JSON object whose fields are told apart as the protocol does: by
// their exact names, and missing from null from empty. Go's own decoding into
// structs does neither.
type object map[string]json.RawMessage

// parseObject reads a body. Like all errors here, those of it read on after the
// name of what was answered.
func parseObject(body []byte) (object, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, fmt.Errorf("the answer has no body, and should be a JSON object")
	}
	var o object
	if err := json.Unmarshal(body, &o); err != nil || o == nil {
		if !json.Valid(body) {
			return nil, fmt.Errorf("the answer is no valid JSON")
		}
		return nil, fmt.Errorf("the answer is JSON, but no object")
	}
	return o, nil
}

// need reads a required field, may an optional one.
func (o object) need(name string, to any) error {
	if _, there := o[name]; !there {
		return fmt.Errorf("the field %q is missing", name)
	}
	return o.may(name, to)
}

func (o object) may(name string, to any) error {
	raw, there := o[name]
	if !there {
		return nil
	}
	if string(bytes.TrimSpace(raw)) == "null" || json.Unmarshal(raw, to) != nil {
		return fmt.Errorf("the field %q is %s, and should be %s", name, shorten(string(raw), 60), kindOf(to))
	}
	return nil
}

func kindOf(to any) string {
	switch to.(type) {
	case *string:
		return "a string"
	case *bool:
		return "true or false"
	case *int64:
		return "a whole number"
	case *[]string:
		return "an array of strings"
	case *[]int64:
		return "an array of whole numbers"
	case *object:
		return "an object"
	default:
		return "an array"
	}
}

// firstError keeps reads of many fields on one line each.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func parseServerMetadata(body []byte) (*serverMetadata, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	m := &serverMetadata{}
	return m, firstError(o.need("name", &m.name), o.need("version", &m.version), o.need("extensions", &m.extensions))
}

// parseModelMetadata reads what stands there; whether it makes sense is another
// question.
func parseModelMetadata(body []byte) (*modelMetadata, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	m := &modelMetadata{}
	var inputs, outputs []json.RawMessage
	if err := firstError(o.need("name", &m.name), o.need("platform", &m.platform), o.may("versions", &m.versions),
		o.need("inputs", &inputs), o.need("outputs", &outputs)); err != nil {
		return nil, err
	}
	if m.inputs, err = parseTensors("inputs", inputs); err != nil {
		return nil, err
	}
	m.outputs, err = parseTensors("outputs", outputs)
	return m, err
}

func parseTensors(list string, raw []json.RawMessage) ([]tensor, error) {
	tensors := make([]tensor, len(raw))
	for i, one := range raw {
		if err := tensors[i].parse(one); err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", list, i, err)
		}
	}
	return tensors, nil
}

func (t *tensor) parse(raw []byte) error {
	o, err := parseObject(raw)
	if err != nil {
		return fmt.Errorf("it is no object")
	}
	return t.read(o)
}

func (t *tensor) read(o object) error {
	return firstError(o.need("name", &t.name), o.need("datatype", &t.datatype), o.need("shape", &t.shape))
}

// inferResponse is the answer to an inference request.
type inferResponse struct {
	fields  object
	model   string
	outputs []json.RawMessage
}

func parseInferResponse(body []byte) (*inferResponse, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	r := &inferResponse{fields: o}
	return r, firstError(o.need("model_name", &r.model), o.need("outputs", &r.outputs))
}

// tensors reads the outputs, data and parameters included.
func (r *inferResponse) tensors() ([]outputTensor, error) {
	list := make([]outputTensor, len(r.outputs))
	for i, raw := range r.outputs {
		o, err := parseObject(raw)
		if err == nil {
			err = firstError(list[i].read(o), o.may("parameters", &list[i].parameters))
		}
		if err != nil {
			return nil, fmt.Errorf("outputs[%d]: %w", i, err)
		}
		list[i].data = o["data"]
	}
	return list, nil
}
