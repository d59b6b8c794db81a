package oip

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// Datatype is the type of the elements of a tensor.
type Datatype string

// The datatypes of the protocol.
const (
	BOOL   Datatype = "BOOL"
	UINT8  Datatype = "UINT8"
	UINT16 Datatype = "UINT16"
	UINT32 Datatype = "UINT32"
	UINT64 Datatype = "UINT64"
	INT8   Datatype = "INT8"
	INT16  Datatype = "INT16"
	INT32  Datatype = "INT32"
	INT64  Datatype = "INT64"
	FP16   Datatype = "FP16"
	FP32   Datatype = "FP32"
	FP64   Datatype = "FP64"
	BYTES  Datatype = "BYTES"
)

// numberRange is what a number of a datatype can be.
type numberRange struct {
	lowest, highest float64
	whole           bool
}

// rangeOf returns the range of a datatype that travels as JSON numbers. FP16 has
// no portable JSON form; BOOL and BYTES are not numbers.
func rangeOf(d Datatype) (r numberRange, numeric bool) {
	switch d {
	case UINT8:
		return numberRange{0, math.MaxUint8, true}, true
	case UINT16:
		return numberRange{0, math.MaxUint16, true}, true
	case UINT32:
		return numberRange{0, math.MaxUint32, true}, true
	case UINT64:
		return numberRange{0, math.MaxUint64, true}, true
	case INT8:
		return numberRange{math.MinInt8, math.MaxInt8, true}, true
	case INT16:
		return numberRange{math.MinInt16, math.MaxInt16, true}, true
	case INT32:
		return numberRange{math.MinInt32, math.MaxInt32, true}, true
	case INT64:
		return numberRange{math.MinInt64, math.MaxInt64, true}, true
	case FP32:
		return numberRange{-math.MaxFloat32, math.MaxFloat32, false}, true
	case FP64:
		return numberRange{-math.MaxFloat64, math.MaxFloat64, false}, true
	case BOOL, FP16, BYTES:
	}
	return numberRange{}, false
}

func (r numberRange) holds(v float64) bool {
	return v >= r.lowest && v <= r.highest && (!r.whole || v == math.Trunc(v))
}

// Input is a tensor that was checked against its declaration.
type Input struct {
	Shape []int64
	Data  []float64 // flat, row-major
}

// read checks a tensor of a request against the model's declaration.
func (declared TensorMetadata) read(in RequestInput) (Input, error) {
	if err := in.Parameters.check("input \"" + in.Name + "\""); err != nil {
		return Input{}, err
	}
	sent, numeric := rangeOf(in.Datatype)
	if !numeric {
		return Input{}, invalid("input %q is %s; datatype %q cannot be taken for it, send %s, FP64 or an integer datatype",
			in.Name, declared.Datatype, in.Datatype, declared.Datatype)
	}
	count, err := declared.count(in.Shape)
	if err != nil {
		return Input{}, err
	}
	if len(in.Data) == 0 {
		return Input{}, invalid("input %q has no data", in.Name)
	}
	data, err := flatten(in.Data, in.Shape, count)
	if err != nil {
		return Input{}, invalid("input %q: %s", in.Name, err.Error())
	}
	wanted, _ := rangeOf(declared.Datatype)
	for i, v := range data {
		if !sent.holds(v) {
			return Input{}, invalid("input %q: element %d is %v, which is not %s", in.Name, i, v, in.Datatype)
		}
		if !wanted.holds(v) {
			return Input{}, invalid("input %q: element %d is %v, which does not fit the model's %s", in.Name, i, v, declared.Datatype)
		}
	}
	return Input{Shape: in.Shape, Data: data}, nil
}

// maxElements bounds the size of one tensor. A body within any sensible limit
// holds fewer; the bound keeps the product of the dimensions from overflowing.
const maxElements = 1 << 30

// count returns the number of elements of a shape that fits the declaration.
func (declared TensorMetadata) count(shape []int64) (int, error) {
	fits := len(shape) == len(declared.Shape)
	count := int64(1)
	for i := 0; fits && i < len(shape); i++ {
		fits = shape[i] >= 1 && (declared.Shape[i] == -1 || declared.Shape[i] == shape[i])
		if fits && shape[i] > maxElements/count {
			return 0, invalid("input %q: shape %s is too large", declared.Name, text(shape))
		}
		count *= shape[i]
	}
	if !fits {
		return 0, invalid("input %q has shape %s, got %s; -1 stands for any size from 1",
			declared.Name, text(declared.Shape), text(shape))
	}
	return int(count), nil
}

// flatten returns the numbers of a JSON array that is either flat or nested as
// the shape says.
func flatten(raw json.RawMessage, shape []int64, count int) ([]float64, error) {
	// Go's decoder takes null for a zero; the protocol has no missing elements.
	if bytes.Contains(raw, []byte("null")) {
		return nil, invalid("data holds null")
	}
	if !nested(raw) {
		shape = []int64{int64(count)}
	}
	return appendNumbers(make([]float64, 0, min(count, len(raw))), raw, shape)
}

func nested(raw json.RawMessage) bool {
	inner, isArray := bytes.CutPrefix(bytes.TrimSpace(raw), []byte("["))
	return isArray && bytes.HasPrefix(bytes.TrimSpace(inner), []byte("["))
}

func appendNumbers(data []float64, raw json.RawMessage, shape []int64) ([]float64, error) {
	if len(shape) == 1 {
		var numbers []float64
		if err := json.Unmarshal(raw, &numbers); err != nil {
			return nil, invalid("data must be numbers, flat or nested as the shape says: %s", jsonReason(err))
		}
		if int64(len(numbers)) != shape[0] {
			return nil, invalid("data holds %d numbers where the shape says %d", len(numbers), shape[0])
		}
		return append(data, numbers...), nil
	}
	var rows []json.RawMessage
	if err := json.Unmarshal(raw, &rows); err != nil {
		return nil, invalid("data must be numbers, flat or nested as the shape says: %s", jsonReason(err))
	}
	if int64(len(rows)) != shape[0] {
		return nil, invalid("data holds %d rows where the shape says %d", len(rows), shape[0])
	}
	var err error
	for _, row := range rows {
		if data, err = appendNumbers(data, row, shape[1:]); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// text is a shape as a person writes it: [-1, 64].
func text(shape []int64) string {
	sizes := make([]string, len(shape))
	for i, size := range shape {
		sizes[i] = strconv.FormatInt(size, 10)
	}
	return "[" + strings.Join(sizes, ", ") + "]"
}
