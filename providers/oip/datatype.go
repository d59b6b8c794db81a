package oip

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The datatypes that travel in the protocol's JSON form. BF16, which the gRPC
// form has, is not among them.
const (
	typeBool  = "BOOL"
	typeFP16  = "FP16"
	typeFP32  = "FP32"
	typeFP64  = "FP64"
	typeBytes = "BYTES"
)

// integers gives the width in bits of every integer datatype; negative for the
// signed ones.
var integers = map[string]int{
	"UINT8": 8, "UINT16": 16, "UINT32": 32, "UINT64": 64,
	"INT8": -8, "INT16": -16, "INT32": -32, "INT64": -64,
}

// knownType tells whether the protocol has the datatype.
func knownType(datatype string) bool {
	return integers[datatype] != 0 || slices.Contains([]string{typeBool, typeFP16, typeFP32, typeFP64, typeBytes}, datatype)
}

// sampleValue is an element that any model should be able to take: a small
// number, since that is also a valid index, class and token.
func sampleValue(datatype string) any {
	switch datatype {
	case typeBool:
		return true
	case typeBytes:
		return "1"
	case typeFP16, typeFP32, typeFP64:
		return 0.5
	default:
		return 1
	}
}

// sampleBinary is sampleValue in the form of the binary tensor extension:
// little-endian, and strings behind their length.
func sampleBinary(datatype string) []byte {
	switch datatype {
	case typeBool:
		return []byte{1}
	case typeBytes:
		return []byte{1, 0, 0, 0, '1'}
	case typeFP16:
		return []byte{0x00, 0x38}
	case typeFP32:
		return binary.LittleEndian.AppendUint32(nil, math.Float32bits(0.5))
	case typeFP64:
		return binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.5))
	default:
		one := make([]byte, elementSize(datatype))
		one[0] = 1
		return one
	}
}

// elementSize is the number of bytes of one element in binary form; 0 where it
// varies.
func elementSize(datatype string) int {
	switch datatype {
	case typeBool:
		return 1
	case typeBytes:
		return 0
	case typeFP16:
		return 2
	case typeFP32:
		return 4
	case typeFP64:
		return 8
	default:
		return max(integers[datatype], -integers[datatype]) / 8
	}
}

// fits tells why a token of JSON is no element of the datatype, or returns nil.
func fits(datatype string, token json.Token) error {
	switch value := token.(type) {
	case bool:
		if datatype == typeBool {
			return nil
		}
	case string:
		if datatype == typeBytes {
			return nil
		}
	case json.Number:
		return numberFits(datatype, value.String())
	case nil:
		return fmt.Errorf("null is no element of a tensor")
	}
	return fmt.Errorf("%s is no %s", shorten(fmt.Sprintf("%#v", token), 40), datatype)
}

func numberFits(datatype, text string) error {
	bits, whole := integers[datatype], integers[datatype] != 0
	var err error
	switch {
	case whole && strings.ContainsAny(text, ".eE"):
		// 1.0 is the same number as 1; only what has a fraction is none.
		var v float64
		if v, err = strconv.ParseFloat(text, 64); err == nil && v != math.Trunc(v) {
			err = strconv.ErrSyntax
		}
	case bits > 0:
		_, err = strconv.ParseUint(text, 10, bits)
	case bits < 0:
		_, err = strconv.ParseInt(text, 10, -bits)
	case datatype == typeFP32:
		_, err = strconv.ParseFloat(text, 32)
	case datatype == typeFP16, datatype == typeFP64:
		_, err = strconv.ParseFloat(text, 64)
	default:
		err = strconv.ErrSyntax
	}
	if err != nil {
		return fmt.Errorf("the number %s is no %s", shorten(text, 40), datatype)
	}
	return nil
}

// checkData reads the data of a tensor, flat or nested, and tells why it does not
// fit shape and datatype, or returns nil. It looks at one element at a time: the
// shape is the server's word and may be any size.
func checkData(data json.RawMessage, shape []int64, datatype string) error {
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	if open, err := decoder.Token(); err != nil || open != json.Delim('[') {
		return fmt.Errorf("data is no array")
	}
	r := dataReader{decoder, datatype}
	return r.array(shape, true)
}

type dataReader struct {
	*json.Decoder
	datatype string
}

// array reads the rest of an array whose [ has been read. Only the outermost one
// may be flat.
func (r dataReader) array(shape []int64, outermost bool) error {
	want, nested := elements(shape), false
	for n := int64(0); ; n++ {
		token, err := r.Token()
		if err != nil {
			return fmt.Errorf("data is no array: %w", err)
		}
		switch token {
		case json.Delim(']'):
			if n != want {
				return fmt.Errorf("data holds %d elements where the shape %s says %d", n, shapeText(shape), want)
			}
			return nil
		case json.Delim('['):
			if len(shape) < 2 || n > 0 && !nested {
				return fmt.Errorf("data is nested deeper than the shape says")
			}
			nested, want = true, shape[0]
			if err := r.array(shape[1:], false); err != nil {
				return err
			}
		default:
			if nested || !outermost && len(shape) > 1 {
				return fmt.Errorf("data is neither flat nor nested as the shape says")
			}
			if err := fits(r.datatype, token); err != nil {
				return fmt.Errorf("element %d: %w", n, err)
			}
		}
	}
}

// elements is the product of the dimensions, or MaxInt64 where it is larger.
func elements(shape []int64) int64 {
	n := int64(1)
	for _, size := range shape {
		switch {
		case size <= 0:
			return 0
		case n > math.MaxInt64/size:
			n = math.MaxInt64
		default:
			n *= size
		}
	}
	return n
}

// shapeText is a shape as people write it: [-1, 64].
func shapeText(shape []int64) string {
	sizes := make([]string, len(shape))
	for i, size := range shape {
		sizes[i] = strconv.FormatInt(size, 10)
	}
	return "[" + strings.Join(sizes, ", ") + "]"
}
