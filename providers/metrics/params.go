package metrics

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// params are those of one request, from its URL and its form.
type params struct {
	form url.Values
	name string // of a label, from the path
	now  time.Time
}

func wrongParam(name string, err error) error {
	return &apiError{badData, fmt.Errorf("parameter %q: %w", name, err)}
}

// time returns a point in time, given in seconds since 1970 or as in RFC 3339.
func (p params) time(name string, fallback time.Time) (time.Time, error) {
	text := p.form.Get(name)
	if text == "" {
		return fallback, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		ms := math.Round(seconds * 1000)
		if !(math.Abs(ms) < 1<<62) { // nor is it NaN
			return time.Time{}, wrongParam(name, fmt.Errorf("%q is beyond all time", text))
		}
		return time.UnixMilli(int64(ms)), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, wrongParam(name, fmt.Errorf("%q is neither a number of seconds nor a time as in RFC 3339", text))
	}
	return t, nil
}

// duration returns a time span, given in seconds or as in PromQL.
func (p params) duration(name string) (time.Duration, error) {
	text := p.form.Get(name)
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		ns := seconds * float64(time.Second)
		if !(math.Abs(ns) < math.MaxInt64) {
			return 0, wrongParam(name, fmt.Errorf("%q is too long", text))
		}
		return time.Duration(ns), nil
	}
	d, err := model.ParseDuration(text)
	if err != nil {
		return 0, wrongParam(name, fmt.Errorf("%q is neither a number of seconds nor a duration such as 5m", text))
	}
	return time.Duration(d), nil
}

// timeout is how long a query may take.
func (p params) timeout() (time.Duration, error) {
	if p.form.Get("timeout") == "" {
		return queryTimeout, nil
	}
	d, err := p.duration("timeout")
	return min(d, queryTimeout), err
}

// span returns the times that a range query is evaluated at.
func (p params) span() (start, end time.Time, step time.Duration, err error) {
	fail := func(err error) (time.Time, time.Time, time.Duration, error) {
		return time.Time{}, time.Time{}, 0, err
	}
	for _, name := range []string{"start", "end"} {
		if p.form.Get(name) == "" {
			return fail(wrongParam(name, errors.New("it is missing")))
		}
	}
	if start, err = p.time("start", p.now); err != nil {
		return fail(err)
	}
	if end, err = p.time("end", p.now); err != nil {
		return fail(err)
	}
	if step, err = p.duration("step"); err != nil {
		return fail(err)
	}
	switch {
	case end.Before(start):
		return fail(wrongParam("end", errors.New("it is before the start")))
	case step < time.Millisecond:
		return fail(wrongParam("step", errors.New("it must be a millisecond or more")))
	case end.Sub(start)/step > maxPoints:
		return fail(wrongParam("step", fmt.Errorf("it gives more than %d points per series; make it longer", maxPoints)))
	}
	return start, end, step, nil
}

// window returns the times in milliseconds between which series are looked for.
func (p params) window() (from, to int64, err error) {
	from, to = math.MinInt64, math.MaxInt64
	for name, bound := range map[string]*int64{"start": &from, "end": &to} {
		if p.form.Get(name) == "" {
			continue
		}
		t, err := p.time(name, p.now)
		if err != nil {
			return 0, 0, err
		}
		*bound = t.UnixMilli()
	}
	if to < from {
		return 0, 0, wrongParam("end", errors.New("it is before the start"))
	}
	return from, to, nil
}

// matchers returns the selectors of series; there may be several, and none.
func (p params) matchers(promql parser.Parser) ([][]*labels.Matcher, error) {
	sets := make([][]*labels.Matcher, 0, len(p.form["match[]"]))
	for _, selector := range p.form["match[]"] {
		set, err := promql.ParseMetricSelector(selector)
		if err != nil {
			return nil, wrongParam("match[]", err)
		}
		if !narrows(set) {
			return nil, wrongParam("match[]", fmt.Errorf("%s selects every series there is", selector))
		}
		sets = append(sets, set)
	}
	return sets, nil
}

// narrows tells whether a selector leaves out what has none of its labels.
func narrows(set []*labels.Matcher) bool {
	for _, m := range set {
		if !m.Matches("") {
			return true
		}
	}
	return false
}

// limit returns how many results are wanted at the most; 0 is all.
func (p params) limit() (int, error) {
	text := p.form.Get("limit")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, wrongParam("limit", fmt.Errorf("%q is no count", text))
	}
	return n, nil
}
