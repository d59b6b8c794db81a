package gateway

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"slices"
	"strconv"

	"github.com/fairlead/fairlead/reconcile"
)

// heard is an answer as a whole.
type heard struct {
	status   int
	encoding string
	body     []byte
}

// comparison compares the answers of stable and candidate to the same request.
type comparison struct {
	tolerance float64
	outputs   []reconcile.ScoredOutput
	// distances are the mean relative differences of the declared outputs.
	distances map[string]float64
}

// compare tells whether both answers say the same. Of inferences that is the
// outputs by name, whatever their order and nesting: floating-point numbers agree
// within the tolerance, anything else exactly. An integer is mostly a class, and
// the next class is not nearly right. Errors of the client agree by their status,
// since their text is for people. Any other answer agrees byte by byte.
func (c *comparison) compare(oip bool, stable, candidate heard) (agree bool, err error) {
	if stable.status != candidate.status {
		return false, nil
	}
	if oip && stable.status/100 == 4 {
		return true, nil
	}
	before, err := stable.plain()
	if err != nil {
		return false, err
	}
	now, err := candidate.plain()
	if err != nil {
		return false, err
	}
	if !oip || stable.status != http.StatusOK {
		return bytes.Equal(before, now), nil
	}
	want, wantErr := readOutputs(before)
	got, gotErr := readOutputs(now)
	switch {
	case wantErr != nil && gotErr != nil: // for example with binary tensors
		return bytes.Equal(before, now), nil
	case wantErr != nil || gotErr != nil:
		return false, nil
	}
	return c.compareOutputs(want, got), nil
}

// maxPlain bounds what a compressed answer may become.
const maxPlain = 4 * maxKept

var errEncoding = errors.New("the encoding of an answer is unknown")

// plain is the body without its encoding.
func (h heard) plain() ([]byte, error) {
	switch h.encoding {
	case "", "identity":
		return h.body, nil
	case "gzip":
		reader, err := gzip.NewReader(bytes.NewReader(h.body))
		if err != nil {
			return nil, fmt.Errorf("decode an answer: %w", err)
		}
		return io.ReadAll(io.LimitReader(reader, maxPlain))
	default:
		return nil, errEncoding
	}
}

func (c *comparison) compareOutputs(want, got []tensor) bool {
	agree := len(want) == len(got)
	byName := make(map[string]tensor, len(got))
	for _, g := range slices.Backward(got) { // of two of one name the first counts
		byName[g.Name] = g
	}
	for _, w := range want {
		g, there := byName[w.Name]
		if !there {
			agree = false
			continue
		}
		same, distance, numbers := c.compareTensors(w, g)
		agree = agree && same
		declared := slices.ContainsFunc(c.outputs, func(o reconcile.ScoredOutput) bool { return o.Name == w.Name })
		if declared && numbers {
			if c.distances == nil {
				c.distances = map[string]float64{}
			}
			c.distances[w.Name] = distance
		}
	}
	return agree
}

// compareTensors walks over two tensors at once. The distance is the mean of the
// relative differences of their elements; numbers tells whether there is one:
// both have the same number of elements, all of them numbers.
func (c *comparison) compareTensors(a, b tensor) (same bool, distance float64, numbers bool) {
	next, stop := iter.Pull(leaves(b.Data))
	defer stop()
	inexact := isFloat(a.Datatype) && a.Datatype == b.Datatype
	same, numbers = a.Datatype == b.Datatype, true
	sum, n := 0.0, 0
	for left := range leaves(a.Data) {
		right, ok := next()
		if !ok {
			return false, 0, false
		}
		n++
		away, isNumber := relativeDistance(left, right)
		numbers = numbers && isNumber
		sum += away
		same = same && (bytes.Equal(left, right) || isNumber && (inexact && away <= c.tolerance || away == 0 && exactAsFloat(left, right)))
	}
	if _, more := next(); more || n == 0 {
		return same && !more, 0, false
	}
	return same, sum / float64(n), numbers
}

// exactAsFloat tells whether both numbers as written are surely what they were
// parsed to: 7 and 7.0 are the same, two large integers may only seem so.
func exactAsFloat(a, b []byte) bool { return len(a) <= 15 && len(b) <= 15 }

// relativeDistance is |a-b| as a part of the larger of the two: 0 for equal
// numbers, 1 beside a zero, 2 at the most.
func relativeDistance(left, right []byte) (distance float64, numbers bool) {
	a, errA := strconv.ParseFloat(string(left), 64)
	b, errB := strconv.ParseFloat(string(right), 64)
	if errA != nil || errB != nil {
		return 0, false
	}
	if a == b {
		return 0, true
	}
	return math.Abs(a-b) / max(math.Abs(a), math.Abs(b)), true
}
