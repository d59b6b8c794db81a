package metrics

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/annotations"
)

const (
	// maxPoints is how many points per series a range query may give, as in
	// Prometheus, whose clients choose their step by it.
	maxPoints = 11_000
	// maxForm bounds the body of a request.
	maxForm = 1 << 20
	// maxReaders is how many requests are evaluated at a time. A dashboard sends
	// one per panel, all at once; they must not take the memory of the daemon,
	// nor keep the checks of a rollout waiting.
	maxReaders = 4
)

// Handler serves the part of the HTTP API of Prometheus that Grafana reads, below
// /api/v1. It asks for no credentials: who may come in is for the caller to say.
//
// It answers as long as the store can be read, also while nothing can be stored.
func (e *Embedded) Handler() http.Handler {
	a := &api{store: e, slots: make(chan struct{}, maxReaders)}
	mux := http.NewServeMux()
	handle := func(path string, f apiFunc) {
		mux.Handle("GET /api/v1"+path, a.serve(f))
		mux.Handle("POST /api/v1"+path, a.serve(f))
	}
	handle("/query", a.query)
	handle("/query_range", a.queryRange)
	handle("/series", a.series)
	handle("/labels", a.labelNames)
	handle("/label/{name}/values", a.labelValues)
	handle("/metadata", a.metadata)
	handle("/status/buildinfo", a.buildInfo)
	return mux
}

// api is the HTTP API over a store.
type api struct {
	store *Embedded
	slots chan struct{}
}

// apiFunc evaluates a request against the open store.
type apiFunc func(ctx context.Context, db *tsdb.DB, p params) (reply, error)

// reply is the data of a successful answer, what to warn of, and what must be
// released after it is written.
type reply struct {
	data     any // see encoder.value
	warnings annotations.Annotations
	release  func()
}

// apiError is an error with the type that the API gives it.
type apiError struct {
	kind string
	err  error
}

func (e *apiError) Error() string { return e.err.Error() }
func (e *apiError) Unwrap() error { return e.err }

// statuses of the types of errors.
var statuses = map[string]int{
	badData:   http.StatusBadRequest,
	execution: http.StatusUnprocessableEntity,
	timeout:   http.StatusServiceUnavailable,
	away:      http.StatusServiceUnavailable,
	canceled:  499, // Prometheus answers so too; the client is gone anyway
	internal:  http.StatusInternalServerError,
}

// kindOf is the type of any error.
func kindOf(err error) string {
	var (
		typed   *apiError
		late    promql.ErrQueryTimeout
		stopped promql.ErrQueryCanceled
		storage promql.ErrStorage
		missing *unavailableError
	)
	switch {
	case errors.As(err, &typed):
		return typed.kind
	case errors.As(err, &missing):
		return away
	case errors.As(err, &late) || errors.Is(err, context.DeadlineExceeded):
		return timeout
	case errors.As(err, &stopped) || errors.Is(err, context.Canceled):
		return canceled
	case errors.As(err, &storage):
		return internal
	default:
		return execution
	}
}

// serve turns an apiFunc into a handler.
func (a *api) serve(f apiFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			writeError(w, &apiError{badData, fmt.Errorf("read the form: %w", err)})
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
		defer cancel()
		select {
		case a.slots <- struct{}{}:
			defer func() { <-a.slots }()
		case <-ctx.Done():
			writeError(w, ctx.Err())
			return
		}
		p := params{form: r.Form, name: r.PathValue("name"), now: time.Now()}
		err := a.store.reading(ctx, func(ctx context.Context, db *tsdb.DB) error {
			answer, err := f(ctx, db, p)
			if answer.release != nil {
				defer answer.release()
			}
			if err != nil {
				return err
			}
			writeReply(w, p.form.Get("query"), answer)
			return nil
		})
		if err != nil {
			writeError(w, err)
		}
	})
}

func (a *api) query(ctx context.Context, db *tsdb.DB, p params) (reply, error) {
	at, err := p.time("time", p.now)
	if err != nil {
		return reply{}, err
	}
	q, err := a.store.engine.NewInstantQuery(ctx, db, nil, p.form.Get("query"), at)
	if err != nil {
		return reply{}, wrongParam("query", err)
	}
	return evaluate(ctx, q, p)
}

func (a *api) queryRange(ctx context.Context, db *tsdb.DB, p params) (reply, error) {
	start, end, step, err := p.span()
	if err != nil {
		return reply{}, err
	}
	q, err := a.store.engine.NewRangeQuery(ctx, db, nil, p.form.Get("query"), start, end, step)
	if err != nil {
		return reply{}, wrongParam("query", err)
	}
	return evaluate(ctx, q, p)
}

// evaluate runs a query within the time that the request allows.
func evaluate(ctx context.Context, q promql.Query, p params) (reply, error) {
	allowed, err := p.timeout()
	if err != nil {
		q.Close()
		return reply{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, allowed)
	defer cancel()
	result := q.Exec(ctx)
	answer := reply{data: result, warnings: result.Warnings, release: q.Close}
	if result.Err != nil {
		return answer, result.Err
	}
	return answer, nil
}
