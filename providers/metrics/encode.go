package metrics

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
)

// writeReply streams a successful answer. Once it has begun it can only break off,
// which the client sees, so errors of the connection end it and nothing else.
func writeReply(w http.ResponseWriter, query string, r reply) {
	w.Header().Set("Content-Type", "application/json")
	e := &encoder{to: w}
	e.raw(`{"status":"success","data":`)
	e.value(r.data)
	warnings, infos := r.warnings.AsStrings(query, 10, 10)
	e.texts(`,"warnings":`, warnings)
	e.texts(`,"infos":`, infos)
	e.raw("}")
	e.flush()
}

func writeError(w http.ResponseWriter, err error) {
	kind := kindOf(err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(statuses[kind])
	e := &encoder{to: w}
	e.raw(`{"status":"error","errorType":"` + kind + `","error":`)
	e.json(err.Error())
	e.raw("}")
	e.flush()
}

// encoder writes the JSON of the Prometheus API. Results can be large, so they go
// out piece by piece, and numbers without encoding/json.
type encoder struct {
	to     io.Writer
	buf    []byte
	broken bool
}

const flushAt = 64 << 10

func (e *encoder) flush() {
	if !e.broken && len(e.buf) > 0 {
		_, err := e.to.Write(e.buf)
		e.broken = err != nil // the client is gone
	}
	e.buf = e.buf[:0]
}

func (e *encoder) raw(s string) {
	if len(e.buf) > flushAt {
		e.flush()
	}
	e.buf = append(e.buf, s...)
}

// json encodes strings, and maps and lists of them, which cannot fail.
func (e *encoder) json(v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	e.raw(string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))))
}

func (e *encoder) texts(key string, list []string) {
	if len(list) > 0 {
		e.raw(key)
		e.json(list)
	}
}

// value encodes the data of an answer.
func (e *encoder) value(data any) {
	switch v := data.(type) {
	case *promql.Result:
		e.result(v)
	case []labels.Labels:
		list(e, v, e.labels)
	default:
		e.json(v)
	}
}

// list encodes the elements as an array.
func list[T any](e *encoder, elements []T, one func(T)) {
	e.raw("[")
	for i, element := range elements {
		if i > 0 {
			e.raw(",")
		}
		one(element)
	}
	e.raw("]")
}

func (e *encoder) result(r *promql.Result) {
	e.raw(`{"resultType":"` + string(r.Value.Type()) + `","result":`)
	switch v := r.Value.(type) {
	case promql.Vector:
		list(e, v, e.sample)
	case promql.Matrix:
		list(e, v, e.series)
	case promql.Scalar:
		e.point(promql.FPoint{T: v.T, F: v.V})
	case promql.String:
		e.raw("[")
		e.seconds(v.T)
		e.raw(",")
		e.json(v.V)
		e.raw("]")
	}
	e.raw("}")
}

func (e *encoder) sample(s promql.Sample) {
	e.raw(`{"metric":`)
	e.labels(s.Metric)
	if s.H != nil {
		e.raw(`,"histogram":`)
		e.distribution(promql.HPoint{T: s.T, H: s.H})
	} else {
		e.raw(`,"value":`)
		e.point(promql.FPoint{T: s.T, F: s.F})
	}
	e.raw("}")
}

func (e *encoder) series(s promql.Series) {
	e.raw(`{"metric":`)
	e.labels(s.Metric)
	if len(s.Floats) > 0 {
		e.raw(`,"values":`)
		list(e, s.Floats, e.point)
	}
	if len(s.Histograms) > 0 {
		e.raw(`,"histograms":`)
		list(e, s.Histograms, e.distribution)
	}
	e.raw("}")
}

func (e *encoder) labels(ls labels.Labels) { e.json(ls.Map()) }

func (e *encoder) point(p promql.FPoint) {
	e.raw("[")
	e.seconds(p.T)
	e.raw(",")
	e.number(p.F)
	e.raw("]")
}

func (e *encoder) distribution(p promql.HPoint) {
	e.raw("[")
	e.seconds(p.T)
	e.raw(`,{"count":`)
	e.number(p.H.Count)
	e.raw(`,"sum":`)
	e.number(p.H.Sum)
	separator := `,"buckets":[`
	for it := p.H.AllBucketIterator(); it.Next(); {
		b := it.At()
		if b.Count == 0 {
			continue
		}
		e.raw(separator)
		e.bucket(b)
		separator = ","
	}
	if separator == "," {
		e.raw("]")
	}
	e.raw("}]")
}

// bucket begins with the rule for its boundaries: 0 the upper one belongs to it, 1
// the lower one, 2 neither, 3 both.
func (e *encoder) bucket(b histogram.Bucket[float64]) {
	rule := "[2,"
	switch {
	case b.LowerInclusive && b.UpperInclusive:
		rule = "[3,"
	case b.LowerInclusive:
		rule = "[1,"
	case b.UpperInclusive:
		rule = "[0,"
	}
	e.raw(rule)
	e.number(b.Lower)
	e.raw(",")
	e.number(b.Upper)
	e.raw(",")
	e.number(b.Count)
	e.raw("]")
}

// number is in quotes, since JSON knows neither NaN nor infinity.
func (e *encoder) number(f float64) {
	format := byte('f')
	if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	e.raw(`"`)
	e.buf = strconv.AppendFloat(e.buf, f, format, -1, 64)
	e.raw(`"`)
}

// seconds writes a time in milliseconds as seconds, without a rounding error.
func (e *encoder) seconds(ms int64) {
	if ms < 0 {
		e.raw("-")
		ms = -ms
	}
	e.buf = strconv.AppendInt(e.buf, ms/1000, 10)
	if rest := ms % 1000; rest != 0 {
		e.buf = append(e.buf, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
	}
}
