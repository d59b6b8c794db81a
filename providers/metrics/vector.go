package metrics

import (
	"fmt"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/fairlead/fairlead/reconcile"
)

// samplesOf returns the result of an instant query. A number counts as a vector
// with one sample that has no labels.
func samplesOf(value parser.Value) ([]reconcile.Sample, error) {
	switch v := value.(type) {
	case promql.Vector:
		samples := make([]reconcile.Sample, len(v))
		for i, s := range v {
			samples[i] = reconcile.Sample{Labels: s.Metric.Map(), Value: s.F}
			if s.H != nil {
				samples[i].Value = 0
				samples[i].Histogram = bucketsOf(s.H)
			}
		}
		return samples, nil
	case promql.Scalar:
		return []reconcile.Sample{{Labels: map[string]string{}, Value: v.V}}, nil
	default:
		return nil, wrongType(string(value.Type()))
	}
}

// wrongType says what to do about a query whose result is no vector.
func wrongType(got string) error {
	hint := ""
	if got == "matrix" {
		hint = "; put a function such as rate() or increase() around the range"
	}
	return fmt.Errorf("it gives a %s where one value per series is needed%s", got, hint)
}

// bucketsOf spells the buckets of a native histogram out. Whether a bucket
// includes its lower or its upper end is lost; at a native histogram's
// resolution it tells nothing.
func bucketsOf(h *histogram.FloatHistogram) *reconcile.Histogram {
	d := &reconcile.Histogram{Count: h.Count, Sum: h.Sum}
	for it := h.AllBucketIterator(); it.Next(); {
		if b := it.At(); b.Count != 0 {
			d.Buckets = append(d.Buckets, reconcile.Bucket{Lower: b.Lower, Upper: b.Upper, Count: b.Count})
		}
	}
	return d
}
