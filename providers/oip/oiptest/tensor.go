package oiptest

import (
	"fmt"
	"math"
	"slices"

	"github.com/fairlead/fairlead/spec"
)

// widths are the bytes of an element in binary form; 4 is the length that stands
// before a string.
var widths = map[string]int64{
	"BOOL": 1, "UINT8": 1, "INT8": 1, "UINT16": 2, "INT16": 2, "FP16": 2, "UINT32": 4, "INT32": 4, "FP32": 4,
	"UINT64": 8, "INT64": 8, "FP64": 8, "BYTES": 4,
}

// read checks the inputs of a request and returns the size of what varies.
func (s *Server) read(inputs []input, binary int64) (rows int64, err error) {
	rows = 1
	for _, declared := range s.Signature.Inputs {
		i := slices.IndexFunc(inputs, func(in input) bool { return in.Name == declared.Name })
		if i < 0 {
			return 0, fmt.Errorf("input %q is missing", declared.Name)
		}
		in := inputs[i]
		if in.Datatype != declared.Datatype {
			return 0, fmt.Errorf("input %q is %s, not %s", in.Name, declared.Datatype, in.Datatype)
		}
		if len(in.Shape) != len(declared.Shape) {
			return 0, fmt.Errorf("input %q has %d dimensions, not %d", in.Name, len(declared.Shape), len(in.Shape))
		}
		for d, size := range in.Shape {
			if size < 1 || declared.Shape[d] >= 0 && declared.Shape[d] != size {
				return 0, fmt.Errorf("input %q has the shape %v, not %v", in.Name, declared.Shape, in.Shape)
			}
			if declared.Shape[d] < 0 {
				rows = size
			}
		}
		if size, isBinary := in.Parameters["binary_data_size"].(float64); isBinary {
			if in.Data != nil || int64(size) < widths[in.Datatype]*count(in.Shape) || int64(size) > binary {
				return 0, fmt.Errorf("input %q: binary_data_size is wrong", in.Name)
			}
			binary -= int64(size)
			continue
		}
		if err := in.check(); err != nil {
			return 0, err
		}
	}
	if len(inputs) > len(s.Signature.Inputs) {
		return 0, fmt.Errorf("there are %d inputs, and the model has %d", len(inputs), len(s.Signature.Inputs))
	}
	if binary != 0 {
		return 0, fmt.Errorf("%d bytes belong to no input", binary)
	}
	return rows, nil
}

func count(shape []int64) int64 {
	n := int64(1)
	for _, size := range shape {
		n *= size
	}
	return n
}

// check wants data that are flat, or nested just as the shape says.
func (in input) check() error {
	flat := in.Data
	if len(in.Data) > 0 {
		if _, nested := in.Data[0].([]any); nested {
			var err error
			if flat, err = flatten(in.Data, in.Shape); err != nil {
				return fmt.Errorf("input %q: %w", in.Name, err)
			}
		}
	}
	if int64(len(flat)) != count(in.Shape) {
		return fmt.Errorf("input %q has %d elements, and its shape %v", in.Name, len(flat), in.Shape)
	}
	for _, v := range flat {
		if !in.holds(v) {
			return fmt.Errorf("input %q: %v is no %s", in.Name, v, in.Datatype)
		}
	}
	return nil
}

func (in input) holds(v any) bool {
	switch v := v.(type) {
	case string:
		return in.Datatype == "BYTES"
	case bool:
		return in.Datatype == "BOOL"
	case float64:
		whole := v == math.Trunc(v)
		return in.Datatype == "FP32" || in.Datatype == "FP64" || in.Datatype != "BYTES" && in.Datatype != "BOOL" && whole
	}
	return false
}

func flatten(rows []any, shape []int64) ([]any, error) {
	if int64(len(rows)) != shape[0] {
		return nil, fmt.Errorf("%d rows, and the shape says %d", len(rows), shape[0])
	}
	if len(shape) == 1 {
		return rows, nil
	}
	var flat []any
	for _, row := range rows {
		nested, ok := row.([]any)
		if !ok {
			return nil, fmt.Errorf("it is not nested as the shape says")
		}
		inner, err := flatten(nested, shape[1:])
		if err != nil {
			return nil, err
		}
		flat = append(flat, inner...)
	}
	return flat, nil
}

// zeros is an output tensor of a response, and its data where they are binary.
func zeros(t spec.Tensor, rows int64, binary bool) (out map[string]any, raw []byte) {
	shape := slices.Clone(t.Shape)
	for i, size := range shape {
		if size < 0 {
			shape[i] = rows
		}
	}
	out = map[string]any{"name": t.Name, "datatype": t.Datatype, "shape": shape}
	if binary {
		raw = make([]byte, widths[t.Datatype]*count(shape))
		out["parameters"] = map[string]any{"binary_data_size": len(raw)}
		return out, raw
	}
	data := make([]any, count(shape))
	for i := range data {
		switch t.Datatype {
		case "BOOL":
			data[i] = false
		case "BYTES":
			data[i] = ""
		default:
			data[i] = 0
		}
	}
	out["data"] = data
	return out, nil
}
