package metrics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/fileutil"

	"github.com/fairlead/fairlead/reconcile"
)

const (
	defaultRetention = 24 * time.Hour
	defaultMaxBytes  = 512 << 20
	queryTimeout     = 30 * time.Second
	// maxQuerySamples bounds what a query holds in memory, at 16 bytes each.
	maxQuerySamples = 2_000_000
	// lookback is how old the newest sample of a series may be, as in Prometheus.
	lookback = 5 * time.Minute
	// checkup is how often the store is looked after: whether the clock went back,
	// and whether one that could not be opened can be now.
	checkup = 5 * time.Second
)

// Options say where and how much to store.
type Options struct {
	Dir       string        // is created; belongs to the store alone
	Retention time.Duration // how long samples are kept; 24 h if 0
	MaxBytes  int64         // of blocks and WAL; the oldest block goes first; 512 MiB if 0
	Log       *slog.Logger  // nil: nothing is logged
}

// Embedded is a Prometheus inside the process: it scrapes, stores, and answers.
type Embedded struct {
	opts    Options
	engine  *promql.Engine
	parser  parser.Parser
	targets chan []reconcile.ScrapeTarget // holds the newest set until run takes it
	closing context.Context               //nolint:containedctx // ends the queries that are under way when Close is called
	close   context.CancelFunc
	closed  chan struct{}
	warn    warner

	// mu is held for reading while a query runs, so that the store is not closed
	// under it.
	mu     sync.RWMutex
	lock   fileutil.Releaser // nil until it is ours
	ingest *ingest           // nil while the store is not open
	down   error             // why it is not
}

var (
	_ reconcile.Metrics = (*Embedded)(nil)
	_ reconcile.Scraper = (*Embedded)(nil)
)

// Open opens the store and begins to scrape when Scrape says what. A store that is
// damaged begins anew. If the disk is full, queries fail until there is room.
func Open(opts Options) (*Embedded, error) {
	if opts.Dir == "" {
		return nil, errors.New("open the metrics: no directory is given")
	}
	opts.Retention = cmp.Or(max(opts.Retention, 0), defaultRetention)
	opts.MaxBytes = cmp.Or(max(opts.MaxBytes, 0), defaultMaxBytes)
	opts.Log = cmp.Or(opts.Log, slog.New(slog.DiscardHandler))

	e := &Embedded{
		opts:    opts,
		parser:  parser.NewParser(parser.Options{}),
		targets: make(chan []reconcile.ScrapeTarget, 1),
		closed:  make(chan struct{}),
		warn:    warner{log: opts.Log},
	}
	e.engine = promql.NewEngine(promql.EngineOpts{
		Logger: quiet(opts.Log), MaxSamples: maxQuerySamples, Timeout: queryTimeout, LookbackDelta: lookback,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
		EnableAtModifier:         true, EnableNegativeOffset: true, Parser: e.parser,
	})
	switch err := e.open(); {
	case noRoom(err):
		e.sayDown(err)
	case err != nil:
		return nil, errors.Join(err, e.unlock())
	}
	e.closing, e.close = context.WithCancel(context.Background())
	go e.run()
	return e, nil
}

// Close ends scrapes and queries and closes the store.
func (e *Embedded) Close() error {
	e.close()
	<-e.closed
	return errors.Join(e.shut(errors.New("the store is closed")), e.unlock())
}

// Scrape implements reconcile.Scraper.
func (e *Embedded) Scrape(targets []reconcile.ScrapeTarget) {
	for {
		select {
		case e.targets <- targets:
			return
		case <-e.targets: // an older set that nobody took
		}
	}
}

// Query implements reconcile.Metrics.
func (e *Embedded) Query(ctx context.Context, query string, at time.Time) ([]reconcile.Sample, error) {
	var samples []reconcile.Sample
	err := e.reading(ctx, func(ctx context.Context, db *tsdb.DB) error {
		if err := e.ingest.failing(); err != nil { // silence of a model could be ours
			return &unavailableError{fmt.Errorf("what is scraped cannot be stored in %s: %w", e.opts.Dir, err)}
		}
		q, err := e.engine.NewInstantQuery(ctx, db, nil, query, at)
		if err != nil {
			return err
		}
		defer q.Close()
		result := q.Exec(ctx)
		if result.Err != nil {
			return result.Err
		}
		told, _ := result.Warnings.AsStrings(query, 5, 0)
		e.warn.all(query, told)
		samples, err = samplesOf(result.Value)
		return err
	})
	switch {
	case err == nil:
		return samples, nil
	case cannotAnswer(err):
		return nil, fmt.Errorf("%w: query %q: %w", reconcile.ErrMetricsUnavailable, query, err)
	default:
		return nil, fmt.Errorf("query %q: %w", query, err)
	}
}

// unavailableError says why there is nothing to read.
type unavailableError struct{ cause error }

func (e *unavailableError) Error() string { return e.cause.Error() }
func (e *unavailableError) Unwrap() error { return e.cause }

// reading calls read with the open store, in a context that ends with Close.
func (e *Embedded) reading(ctx context.Context, read func(context.Context, *tsdb.DB) error) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.ingest == nil {
		return &unavailableError{e.down}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.closing, cancel)()
	return read(ctx, e.ingest.db)
}

// cannotAnswer tells errors of the store, and of the time that a query may take,
// from mistakes in the query.
func cannotAnswer(err error) bool {
	var (
		unavailable *unavailableError
		canceled    promql.ErrQueryCanceled
		timeout     promql.ErrQueryTimeout
		storage     promql.ErrStorage
	)
	return errors.As(err, &unavailable) || errors.As(err, &canceled) || errors.As(err, &timeout) || errors.As(err, &storage) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// open opens the store. On failure it takes note why.
func (e *Embedded) open() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	db, err := e.lockAndOpen()
	if err == nil {
		e.ingest, e.down = &ingest{db: db, log: e.opts.Log}, nil
		return nil
	}
	hint := ""
	if noRoom(err) {
		hint = "the disk is full; they open by themselves when there is room: "
	}
	err = fmt.Errorf("open the metrics in %s: %s%w", e.opts.Dir, hint, err)
	e.down = err
	return err
}

func (e *Embedded) sayDown(err error) {
	e.opts.Log.Error("there are no metrics; checks of rollouts wait", slog.String("err", err.Error()))
}

func (e *Embedded) lockAndOpen() (*tsdb.DB, error) {
	if e.lock == nil {
		lock, err := lockStore(e.opts.Dir)
		if err != nil {
			return nil, err
		}
		e.lock = lock
	}
	return openStore(e.opts)
}

func (e *Embedded) unlock() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lock == nil {
		return nil
	}
	err := e.lock.Release()
	e.lock = nil
	return err
}

// shut closes the store, if it is open, once no query reads it.
func (e *Embedded) shut(why error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = why
	if e.ingest == nil {
		return nil
	}
	db := e.ingest.db
	e.ingest = nil
	if err := db.Close(); err != nil {
		return fmt.Errorf("close the metrics in %s: %w", e.opts.Dir, err)
	}
	return nil
}
