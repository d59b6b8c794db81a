package gateway

import (
	"encoding/json"
	"errors"
	"iter"
	"slices"
)

// tensor is one output of an Open Inference answer. Its data may be nested or
// flat; both are walked alike.
type tensor struct {
	Name     string          `json:"name"`
	Datatype string          `json:"datatype"`
	Data     json.RawMessage `json:"data"`
}

// maxOutputs bounds the outputs of one answer. Models have a few; what has more
// is no inference to compare or to count.
const maxOutputs = 256

var (
	errNoOutputs   = errors.New("the answer has no outputs")
	errManyOutputs = errors.New("the answer has more outputs than are looked at")
)

// readOutputs reads the outputs of an inference.
func readOutputs(body []byte) ([]tensor, error) {
	var answer struct {
		Outputs []tensor `json:"outputs"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	switch {
	case answer.Outputs == nil:
		return nil, errNoOutputs
	case len(answer.Outputs) > maxOutputs:
		return nil, errManyOutputs
	}
	return answer.Outputs, nil
}

func findTensor(tensors []tensor, name string) int {
	return slices.IndexFunc(tensors, func(t tensor) bool { return t.Name == name })
}

// leaves walks over the elements of data, which is valid JSON: numbers, strings
// and words as they are written, in order, however deep they are nested.
func leaves(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := 0; i < len(data); {
			switch data[i] {
			case '[', ']', ',', ' ', '\t', '\r', '\n':
				i++
			default:
				end := leafEnd(data, i)
				if !yield(data[i:end]) {
					return
				}
				i = end
			}
		}
	}
}

// leafEnd is where the element that starts at i is over.
func leafEnd(data []byte, i int) int {
	if data[i] != '"' {
		for i++; i < len(data) && !slices.Contains([]byte("[],\" \t\r\n"), data[i]); i++ {
		}
		return i
	}
	for i++; i < len(data) && data[i] != '"'; i++ {
		if data[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(data))
}
