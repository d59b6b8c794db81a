package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// Options are what a Runner needs.
type Options struct {
	Scope     reconcile.Scope
	Runtime   reconcile.Runtime
	Artifacts reconcile.Artifacts
	Store     run.Store
	Journal   journal.Journal // open
	Secrets   reconcile.Secrets
	// SecretVersion is a keyed hash of a secret's value, as revisions have it.
	SecretVersion func(name string, value spec.Sensitive) string
	Download      Download
	// PublicDownload reaches nothing but public addresses. It fetches what included repos
	// declare.
	PublicDownload Download
	// Publisher turns a version into a proposal.
	Publisher Publisher
	Lineage   run.Lineage // may be nil
	// LiveVersions gives the version of each model that takes the traffic now, by
	// served name; nil while that is not known yet. It may be nil: then the declared
	// ones count.
	LiveVersions func() map[string]string

	// Parallel is how many steps of all pipelines may run at a time.
	Parallel int
	// Interval is how often everything is looked at without any hint, and how often
	// datasets that a pipeline waits for are asked about.
	Interval time.Duration
	// KeepRuns is how many runs of a pipeline are kept, KeepCache for how long a
	// result that nobody takes is.
	KeepRuns  int
	KeepCache time.Duration
	// KeepModels are the digests of artifacts that models need: those that serve, that
	// may be returned to, and those of the registry. Nothing is collected where it
	// fails.
	KeepModels func(ctx context.Context, cfg *spec.Config) (map[string]bool, error)
	Log        *slog.Logger
	// OnEvent is told of every change of a run; it must not block. It may be nil.
	OnEvent func(r *run.Run)
}

// Download fetches a file over HTTP(S).
type Download interface {
	// Get returns the content of a URL and its version as the server tells it
	// (ETag, Last-Modified), "" if it tells none. With the version that is known
	// already, and still counts, the content is nil.
	Get(ctx context.Context, url, version string) (content io.ReadCloser, now string, err error)
}

// Publisher proposes versions of models in the config repo.
type Publisher interface {
	// Publish writes the version into a proposal on top of the commit that is
	// followed: the entry of the registry, and the model that takes it.
	Publish(ctx context.Context, w *Wanted, v *spec.Version, message string) (reconcile.Proposed, error)
	// Tag writes an annotated tag for a version at the commit that is followed, of the
	// repo that declares its model; one that is there stays as it is.
	Tag(ctx context.Context, w *Wanted, v *spec.Version, message string) error
}

// Wanted is what Git wants: a commit that was accepted.
type Wanted struct {
	Config *spec.Config
	Tree   spec.Tree
	// Reviewed is set while nobody has reviewed this, and Preview is asked what it would
	// do: then only that is fetched from elsewhere which Reviewed has, too. nil: all is.
	Reviewed *spec.Config
}

// commitOf is the commit that declares what has that name, of the repo that does.
func (w *Wanted) commitOf(name string) string {
	commit := w.Tree.Commit()
	if i := w.Config.IncludeOf(name); i != nil {
		return commit.Includes[i.Name]
	}
	return commit.ID
}

// mayFetch tells whether a dataset may be read from where it says.
func (w *Wanted) mayFetch(d *spec.Dataset) bool {
	if w == nil || w.Reviewed == nil || d.Source.Kind == spec.SourceRepo {
		return true
	}
	return slices.ContainsFunc(w.Reviewed.Datasets, func(r *spec.Dataset) bool {
		return r.Source.Kind == d.Source.Kind && r.Source.Location == d.Source.Location
	})
}

// shows tells whether what is in a dataset may be quoted: to whoever writes what is
// expected of it, a failed expectation tells its content.
func (w *Wanted) shows(d *spec.Dataset) bool {
	if w == nil || w.Reviewed == nil || d.Source.Kind == spec.SourceRepo {
		return true
	}
	return slices.ContainsFunc(w.Reviewed.Datasets, func(r *spec.Dataset) bool {
		return r.Name == d.Name && reflect.DeepEqual(r.Expect, d.Expect) && reflect.DeepEqual(r.Table, d.Table)
	})
}

// Runner runs the pipelines of one environment. Make it with New, then call Serve
// once.
type Runner struct {
	opts   Options
	calls  chan func(*loop)
	ended  chan struct{} // closed when Serve has returned
	wanted atomic.Pointer[Wanted]
	fresh  chan struct{} // wanted is new
}

// New returns a Runner that does nothing before Serve.
func New(opts Options) *Runner {
	if opts.Parallel <= 0 {
		opts.Parallel = 2
	}
	if opts.Interval <= 0 {
		opts.Interval = 30 * time.Second
	}
	if opts.KeepRuns <= 0 {
		opts.KeepRuns = 100
	}
	if opts.KeepCache <= 0 {
		opts.KeepCache = 30 * 24 * time.Hour
	}
	r := &Runner{opts: opts, calls: make(chan func(*loop)), ended: make(chan struct{}), fresh: make(chan struct{}, 1)}
	return r
}

// Follow says what Git wants from now on. It returns at once.
func (r *Runner) Follow(w *Wanted) {
	r.wanted.Store(w)
	select {
	case r.fresh <- struct{}{}:
	default:
	}
}

// Serve runs pipelines until ctx ends. Steps that run go on without it. The error is
// that of taking up what was under way.
func (r *Runner) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer close(r.ended)
	defer wg.Wait()
	defer cancel()
	l, err := newLoop(ctx, r, &wg)
	if err != nil {
		return err
	}
	l.run()
	return nil
}

// errStopped answers orders to a Runner that does not run.
var errStopped = errors.New("no daemon runs pipelines here now")

// do lets the loop carry out f.
func (r *Runner) do(ctx context.Context, f func(*loop) error) error {
	done := make(chan error, 1)
	select {
	case r.calls <- func(l *loop) { done <- f(l) }:
	case <-r.ended:
		return errStopped
	case <-ctx.Done():
		return fmt.Errorf("the runner of pipelines did not answer: %w", ctx.Err())
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the runner of pipelines did not answer: %w", ctx.Err())
	}
}

// statusLimit is how long the loop may take to tell how it is.
const statusLimit = 5 * time.Second

// Status tells of every declared pipeline; of none before Git was read, or where
// nothing runs any more. It is made when it is asked for: with a thousand pipelines
// that is too much for every turn.
func (r *Runner) Status() *Status {
	ctx, cancel := context.WithTimeout(context.Background(), statusLimit)
	defer cancel()
	var status *Status
	err := r.do(ctx, func(l *loop) error {
		status = l.status(time.Now())
		return nil
	})
	if err != nil {
		return &Status{FormatVersion: StatusFormat, Pipelines: []PipelineStatus{}}
	}
	return status
}

// Runs lists runs, newest first.
func (r *Runner) Runs(ctx context.Context, pipeline string) ([]run.Summary, error) {
	return r.opts.Store.List(ctx, pipeline)
}

// Run returns a run as it was last stored.
func (r *Runner) Run(ctx context.Context, id string) (*run.Run, error) {
	got, err := r.opts.Store.Load(ctx, id)
	if errors.Is(err, run.ErrNoRun) {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	return got, err
}

// Log reads the log of an attempt; attempt 0 is the newest.
func (r *Runner) Log(ctx context.Context, id, node string, attempt int, follow bool) (io.ReadCloser, error) {
	got, err := r.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	n := got.Nodes[node]
	if n == nil {
		return nil, fmt.Errorf("%w: run %s has no step %s", ErrUnknown, id, node)
	}
	if n.From != "" && attempt == 0 {
		return nil, fmt.Errorf("%w: %s was taken from the cache; its log is that of %s", ErrUnknown, node, n.From)
	}
	if attempt == 0 {
		attempt = n.Attempt
	}
	log, err := r.opts.Store.OpenLog(ctx, id, node, attempt, follow)
	if errors.Is(err, run.ErrNoLog) {
		return nil, fmt.Errorf("%w: %s of run %s has not said anything yet", ErrUnknown, node, id)
	}
	return log, err
}
