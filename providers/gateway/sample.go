package gateway

import (
	"context"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// The values of a model's outputs are counted from a sample of its answers: what
// is enough for a distribution, and too little to be felt. All of it is bounded,
// and what is too much is left out.
const (
	maxSampled       = 256 << 10 // bytes of an answer
	samplesPerSecond = 100       // answers of a revision
	sampleQueue      = 64        // answers that wait to be read
)

// sample is one answer to be read.
type sample struct {
	series  *series // of the revision that gave it
	outputs []reconcile.ScoredOutput
	body    []byte
}

// samples is the queue of answers between those who serve and the one who reads.
type samples chan sample

// offer puts an answer in the queue, unless that is full.
func (q samples) offer(s sample) {
	select {
	case q <- s:
	default:
	}
}

// read counts the values of queued answers until ctx ends.
func (q samples) read(ctx context.Context) {
	for {
		select {
		case s := <-q:
			s.count()
		case <-ctx.Done():
			return
		}
	}
}

// count adds one value of each declared numeric output to its distribution. Those
// of one answer, say the items of a batch, depend on each other: were all of them
// counted, one odd answer would look like a thousand of them, and a comparison of
// two revisions would take chance for a difference.
func (s sample) count() {
	tensors, err := readOutputs(s.body)
	if err != nil {
		return // not what the protocol says; oip check tells about that
	}
	for _, output := range s.outputs {
		i := findTensor(tensors, output.Name)
		if i < 0 || !isNumeric(output.Datatype) {
			continue
		}
		histogram := s.series.histogram(s.series.metrics.outputs, output.Name)
		if histogram == nil {
			return
		}
		if value, ok := tensors[i].pick(rand.IntN); ok {
			(*histogram).Observe(value)
		}
	}
}

// pick takes one element of the tensor, as likely as any other. It is false if
// that is no number. draw gives a random index below n.
func (t tensor) pick(draw func(n int) int) (float64, bool) {
	total := 0
	for range leaves(t.Data) {
		total++
	}
	if total == 0 {
		return 0, false
	}
	picked := draw(total)
	for leaf := range leaves(t.Data) {
		if picked--; picked < 0 {
			value, err := strconv.ParseFloat(string(leaf), 64)
			return value, err == nil && !math.IsInf(value, 0)
		}
	}
	return 0, false
}

func isNumeric(datatype string) bool {
	return isFloat(datatype) || strings.HasPrefix(datatype, "INT") || strings.HasPrefix(datatype, "UINT")
}

func isFloat(datatype string) bool {
	return strings.HasPrefix(datatype, "FP") || strings.HasPrefix(datatype, "BF")
}

// rate admits so many per second.
type rate struct {
	mu     sync.Mutex
	second int64
	n      int
}

func (r *rate) admit(now time.Time, perSecond int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if second := now.Unix(); second != r.second {
		r.second, r.n = second, 0
	}
	r.n++
	return r.n <= perSecond
}
