package oip

import (
	"encoding/json"
	"slices"
	"strings"
)

// maxElements bounds the requests that are made from metadata, whose shapes are
// the server's word.
const maxElements = 1 << 22

// sample makes a request that fits the metadata: every variable dimension has the
// given size, so that inputs which share one agree.
func (m *modelMetadata) sample(size int64, nested bool) (*inferRequest, error) {
	request := &inferRequest{Inputs: make([]inputTensor, len(m.inputs))}
	total := int64(0)
	for i, t := range m.inputs {
		switch {
		case !knownType(t.datatype):
			return nil, skip("input %q has an unknown datatype", shorten(t.name, 60))
		case t.datatype == typeFP16:
			return nil, skip("input %q is FP16, which has no portable form in JSON", shorten(t.name, 60))
		}
		shape := t.sized(size)
		n := elements(shape)
		if total += min(n, maxElements); n > maxElements || total > maxElements {
			return nil, skip("a request would hold over %d elements, by the shapes in the metadata", maxElements)
		}
		request.Inputs[i] = inputTensor{Name: t.name, Shape: shape, Datatype: t.datatype, Data: sampleData(shape, t.datatype, nested)}
	}
	return request, nil
}

// sized is the shape with a size for what varies.
func (t tensor) sized(size int64) []int64 {
	shape := make([]int64, len(t.shape))
	for i, declared := range t.shape {
		if shape[i] = declared; declared < 0 {
			shape[i] = size
		}
	}
	return shape
}

func sampleData(shape []int64, datatype string, nested bool) json.RawMessage {
	element, err := json.Marshal(sampleValue(datatype))
	if err != nil {
		return nil // the samples are numbers, a string and true
	}
	if !nested || len(shape) == 0 {
		return array(string(element), elements(shape))
	}
	text := string(element)
	for _, size := range slices.Backward(shape) {
		text = string(array(text, size))
	}
	return json.RawMessage(text)
}

// array is n times the same element.
func array(element string, n int64) json.RawMessage {
	return json.RawMessage("[" + strings.TrimSuffix(strings.Repeat(element+",", int(n)), ",") + "]")
}

// encode is the body of the request. What is in it always has a JSON form.
func (r *inferRequest) encode() []byte {
	body, err := json.Marshal(r)
	if err != nil {
		return nil
	}
	return body
}
