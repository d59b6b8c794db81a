package metrics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/annotations"
)

// errTruncated warns that there is more.
var errTruncated = errors.New("there are more results than the limit")

// series lists the labels of all series that a selector finds.
func (a *api) series(ctx context.Context, db *tsdb.DB, p params) (reply, error) {
	limit, err := p.limit()
	if err != nil {
		return reply{}, err
	}
	selectors, err := p.matchers(a.store.parser)
	if err != nil {
		return reply{}, err
	}
	if len(selectors) == 0 {
		return reply{}, wrongParam("match[]", errors.New("it is missing"))
	}
	from, to, err := p.window()
	if err != nil {
		return reply{}, err
	}
	querier, err := db.Querier(from, to)
	if err != nil {
		return reply{}, err
	}
	answer := reply{release: func() { _ = querier.Close() }} // it was only read
	hints := &storage.SelectHints{Start: from, End: to, Func: "series", Limit: beyond(limit)}
	sets := make([]storage.SeriesSet, len(selectors))
	for i, selector := range selectors {
		sets[i] = querier.Select(ctx, true, hints, selector...) // sorted, so that they can be merged
	}
	merged := storage.NewMergeSeriesSet(sets, 0, storage.ChainedSeriesMerge)
	found := []labels.Labels{}
	for merged.Next() {
		if limit > 0 && len(found) == limit {
			answer.warnings.Add(errTruncated)
			break
		}
		found = append(found, merged.At().Labels())
	}
	answer.data = found
	answer.warnings.Merge(merged.Warnings())
	return answer, errors.Join(merged.Err(), ctx.Err())
}

// beyond is a limit that shows whether there is more than limit.
func beyond(limit int) int {
	if limit == 0 {
		return 0
	}
	return limit + 1
}

func (a *api) labelNames(ctx context.Context, db *tsdb.DB, p params) (reply, error) {
	return a.names(ctx, db, p, func(q storage.Querier, hints *storage.LabelHints, set ...*labels.Matcher) ([]string, annotations.Annotations, error) {
		return q.LabelNames(ctx, hints, set...)
	})
}

func (a *api) labelValues(ctx context.Context, db *tsdb.DB, p params) (reply, error) {
	name := p.name
	if strings.HasPrefix(name, "U__") { // how a client writes a name that does not fit into a path
		name = model.UnescapeName(name, model.ValueEncodingEscaping)
	}
	if !model.UTF8Validation.IsValidLabelName(name) {
		return reply{}, &apiError{badData, fmt.Errorf("%q is no name of a label", name)}
	}
	return a.names(ctx, db, p, func(q storage.Querier, hints *storage.LabelHints, set ...*labels.Matcher) ([]string, annotations.Annotations, error) {
		return q.LabelValues(ctx, name, hints, set...)
	})
}

// listing lists names or values of the series that match.
type listing func(storage.Querier, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error)

// names lists what any of the selectors finds, or all without a selector.
func (a *api) names(_ context.Context, db *tsdb.DB, p params, list listing) (reply, error) {
	limit, err := p.limit()
	if err != nil {
		return reply{}, err
	}
	selectors, err := p.matchers(a.store.parser)
	if err != nil {
		return reply{}, err
	}
	if len(selectors) == 0 {
		selectors = append(selectors, nil)
	}
	from, to, err := p.window()
	if err != nil {
		return reply{}, err
	}
	querier, err := db.Querier(from, to)
	if err != nil {
		return reply{}, err
	}
	answer := reply{release: func() { _ = querier.Close() }} // it was only read
	found := map[string]bool{}
	for _, selector := range selectors {
		names, warnings, err := list(querier, &storage.LabelHints{Limit: beyond(limit)}, selector...)
		if err != nil {
			return answer, err
		}
		answer.warnings.Merge(warnings)
		for _, name := range names {
			found[strings.Clone(name)] = true
		}
	}
	sorted := slices.AppendSeq([]string{}, maps.Keys(found)) // never nil, which would be null in JSON
	slices.Sort(sorted)
	if limit > 0 && len(sorted) > limit {
		sorted = sorted[:limit]
		answer.warnings.Add(errTruncated)
	}
	answer.data = sorted
	return answer, nil
}

// metadata is what metrics say of themselves. It is not kept: clients show it as
// a hint beside a name, and do without.
func (a *api) metadata(context.Context, *tsdb.DB, params) (reply, error) {
	return reply{data: map[string]any{}}, nil
}

// buildInfo tells which Prometheus this speaks like, by which clients decide what
// they may ask.
func (a *api) buildInfo(context.Context, *tsdb.DB, params) (reply, error) {
	return reply{data: map[string]string{
		"version": libraryVersion(), "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": runtime.Version(),
	}}, nil
}

// libraryVersion is the version of Prometheus whose libraries these are. Those of
// Prometheus 3.14.0 have the version v0.314.0.
func libraryVersion() string {
	const unknown = "3.0.0"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknown
	}
	for _, dep := range info.Deps {
		if dep.Path != "github.com/prometheus/prometheus" {
			continue
		}
		var minor, patch int
		if _, err := fmt.Sscanf(dep.Version, "v0.%d.%d", &minor, &patch); err == nil {
			return fmt.Sprintf("%d.%d.%d", minor/100, minor%100, patch)
		}
	}
	return unknown
}
