package metrics

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/fairlead/fairlead/reconcile"
)

// Types of errors in the HTTP API of Prometheus.
const (
	badData   = "bad_data"  // the query, or another parameter, is wrong
	execution = "execution" // the query is well formed and cannot be evaluated
	timeout   = "timeout"
	canceled  = "canceled"
	internal  = "internal"
	away      = "unavailable"
)

// errFormat says that an answer is not what the HTTP API of Prometheus gives.
var errFormat = errors.New("the answer is not in the format of Prometheus")

// answer is an answer of the HTTP API of Prometheus.
type answer struct {
	Status    string   `json:"status"`
	ErrorType string   `json:"errorType"`
	Error     string   `json:"error"`
	Warnings  []string `json:"warnings"`
	Data      result   `json:"data"`
}

// result is what a query gave. How Result is to be read depends on its type.
type result struct {
	ResultType string          `json:"resultType"`
	Result     json.RawMessage `json:"result"`
}

func parseAnswer(body []byte) (*answer, error) {
	a := &answer{}
	if err := json.Unmarshal(body, a); err != nil {
		return nil, fmt.Errorf("%w: %w", errFormat, err)
	}
	if a.Status != "success" && (a.Status != "error" || a.ErrorType == "") {
		return nil, fmt.Errorf("%w: its status is %q", errFormat, a.Status)
	}
	return a, nil
}

// samples returns what samplesOf would have returned where the query ran.
func (r result) samples() ([]reconcile.Sample, error) {
	switch r.ResultType {
	case "vector":
		var vector []vectorElement
		if err := json.Unmarshal(r.Result, &vector); err != nil {
			return nil, fmt.Errorf("%w: %w", errFormat, err)
		}
		samples := make([]reconcile.Sample, len(vector))
		for i, element := range vector {
			s, err := element.sample()
			if err != nil {
				return nil, fmt.Errorf("%w: element %d: %w", errFormat, i, err)
			}
			samples[i] = s
		}
		return samples, nil
	case "scalar":
		var point timed[number]
		if err := json.Unmarshal(r.Result, &point); err != nil {
			return nil, fmt.Errorf("%w: %w", errFormat, err)
		}
		return []reconcile.Sample{{Labels: map[string]string{}, Value: float64(point.what)}}, nil
	case "matrix", "string":
		return nil, wrongType(r.ResultType)
	default:
		return nil, fmt.Errorf("%w: its result type is %q", errFormat, r.ResultType)
	}
}

// vectorElement has either a value or a histogram.
type vectorElement struct {
	Metric    map[string]string    `json:"metric"`
	Value     *timed[number]       `json:"value"`
	Histogram *timed[distribution] `json:"histogram"`
}

func (e vectorElement) sample() (reconcile.Sample, error) {
	s := reconcile.Sample{Labels: e.Metric}
	if s.Labels == nil {
		s.Labels = map[string]string{}
	}
	switch {
	case e.Histogram != nil:
		h, err := e.Histogram.what.histogram()
		s.Histogram = h
		return s, err
	case e.Value != nil:
		s.Value = float64(e.Value.what)
		return s, nil
	default:
		return s, errors.New("it has neither a value nor a histogram")
	}
}

// timed is a pair of a time, which is that of the query, and something.
type timed[T any] struct{ what T }

// UnmarshalJSON implements json.Unmarshaler.
func (t *timed[T]) UnmarshalJSON(data []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("%d values stand where a time and a value should", len(pair))
	}
	return json.Unmarshal(pair[1], &t.what)
}

// number is in quotes, since JSON knows neither NaN nor infinity.
type number float64

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return err
	}
	*n = number(f)
	return nil
}

// distribution is a native histogram. A bucket is a rule for its boundaries, which
// of them belong to it, then lower, upper, count.
type distribution struct {
	Count   number              `json:"count"`
	Sum     number              `json:"sum"`
	Buckets [][]json.RawMessage `json:"buckets"`
}

func (d distribution) histogram() (*reconcile.Histogram, error) {
	h := &reconcile.Histogram{Count: float64(d.Count), Sum: float64(d.Sum)}
	for _, raw := range d.Buckets {
		if len(raw) != 4 {
			return nil, fmt.Errorf("a bucket has %d fields instead of 4", len(raw))
		}
		var lower, upper, count number
		for i, field := range []*number{&lower, &upper, &count} {
			if err := json.Unmarshal(raw[i+1], field); err != nil {
				return nil, fmt.Errorf("bucket: %w", err)
			}
		}
		if count != 0 {
			h.Buckets = append(h.Buckets, reconcile.Bucket{Lower: float64(lower), Upper: float64(upper), Count: float64(count)})
		}
	}
	return h, nil
}
