package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/review"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/lang"
)

// planner plans pull requests. It binds with a Binder of its own: what a pull request
// asks for must leave no trace in what is followed.
type planner struct {
	repo   *repository
	site   *Site // of the repo
	loader *lang.Loader

	asks   *reviewedRegistries
	turn   chan struct{} // holds one token: one plan at a time
	binder *controller.Binder
}

func newPlanner(r *repository) *planner {
	s := r.site
	b := s.Binder
	asks := &reviewedRegistries{Runtime: b.Runtime}
	p := &planner{repo: r, site: s, loader: lang.NewLoader(), asks: asks, turn: make(chan struct{}, 1), binder: &controller.Binder{
		Scope: b.Scope, Runtime: asks, Secrets: b.Secrets, Store: noStore{b.Store}, Key: b.Key, GatewayHost: b.GatewayHost, GatewayPort: b.GatewayPort, GatewayTLS: b.GatewayTLS,
	}}
	p.turn <- struct{}{}
	return p
}

// noStore reads and forgets.
type noStore struct{ reconcile.Store }

func (noStore) Save(context.Context, string, []byte) error { return nil }

// planTimeout bounds planning one pull request.
const planTimeout = 3 * time.Minute

// Plan says what merging a pull request into what base is now would do.
func (p *planner) Plan(ctx context.Context, pull reconcile.Pull, base string) (*review.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, planTimeout)
	defer cancel()
	select {
	case <-p.turn:
		defer func() { p.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	s := p.site
	commits := p.repo.source
	head, err := commits.FetchRef(ctx, pull.Ref)
	if err != nil {
		return nil, err
	}
	if head != pull.HeadSHA {
		return nil, fmt.Errorf("%w: it was %s, and is %s", reconcile.ErrStale, short(pull.HeadSHA), short(head))
	}
	r := &review.Report{
		FormatVersion: review.FormatVersion, Environment: s.Config.Environment, Include: p.repo.name(), Pull: pull.Number, Head: head, Base: base, Root: p.repo.options.Path,
	}
	merged, err := commits.Merge(ctx, base, head)
	if conflict, is := errors.AsType[*reconcile.MergeConflict](err); is {
		r.Conflicts = conflict.Paths
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	before, err := commits.TreeAt(ctx, base)
	if err != nil {
		return nil, err
	}
	err = p.fill(ctx, r, p.repo.whole(before), p.repo.whole(merged.Tree))
	if i := p.repo.include; i != nil {
		r.Share(i)
	}
	return r, err
}

func short(commit string) string { return commit[:min(len(commit), 7)] }

// fill plans a tree.
func (p *planner) fill(ctx context.Context, r *review.Report, before, after spec.Tree) error {
	s := p.site
	options := s.Config.LangOptions()
	options.WithoutIncludes = true // one that the pull request brings is not fetched before it is merged
	cfg, diags := p.loader.Load(after, options)
	r.Diagnostics = diag.Report(diags, lang.Sources(after)).Diagnostics
	if diags.HasErrors() {
		return nil
	}
	old, oldDiags := p.loader.Load(before, options)
	if oldDiags.HasErrors() {
		old = &spec.Config{Environment: cfg.Environment} // what is there does not load: all is new
	}
	now := time.Now()
	results := p.own(gate.Check(cfg, now))
	r.Policies, r.Judged = review.PoliciesOf(gate.Check(old, now), results), len(results)
	p.asks.reviewed(old)
	desired, err := p.binder.Bind(ctx, cfg, after.Commit())
	if err != nil {
		r.Error = err.Error()
		return nil
	}
	if r.Plan, err = s.Compare(ctx, desired); err != nil {
		r.Error = err.Error()
		return nil //nolint:nilerr // that it cannot be planned is what the report says
	}
	if err := plan.Guard(r.Plan, desired, s.Config.Limits); err != nil {
		r.Error = err.Error()
	}
	r.Declared = review.DeclaredOf(old, cfg)
	p.previews(ctx, r, &runner.Wanted{Config: cfg, Tree: after, Reviewed: old})
	return nil
}

// own are the results about what the repository declares.
func (p *planner) own(results []gate.Result) []gate.Result {
	i := p.repo.include
	if i == nil {
		return results
	}
	return slices.DeleteFunc(results, func(r gate.Result) bool { return review.Foreign(i, &r) })
}

// previews says what runs of the pipelines that change would do.
func (p *planner) previews(ctx context.Context, r *review.Report, wanted *runner.Wanted) {
	options := p.site.runnerOptions
	if options == nil { // by hand
		opened, done, err := p.site.openPreviews()
		if err != nil {
			r.Notes = append(r.Notes, previewsUnknown(err))
		}
		if opened == nil {
			return
		}
		defer func() { _ = done() }() // a directory for temporary files keeps them at worst
		options = opened
	}
	options = new(*options)
	options.Runtime = p.asks
	previews(ctx, r, options, wanted, p.site.liveVersions())
}

// pullWatch keeps the plans of open pull requests current on the forge.
type pullWatch struct {
	repo    *repository
	planner *planner
	log     *slog.Logger
	wake    chan struct{}
	trouble string // that was logged last

	mu     sync.Mutex
	status map[int]PullStatus
	done   map[int]shownPull
}

// PullStatus is what became of the plan of one pull request.
type PullStatus struct {
	Number   int       `json:"number"`
	Include  string    `json:"include,omitempty"` // to whose repo it is; "": the config repo itself
	URL      string    `json:"url"`
	Head     string    `json:"head"`
	Headline string    `json:"headline,omitempty"`
	Failed   bool      `json:"failed,omitempty"`
	Skipped  string    `json:"skipped,omitempty"` // why it is not planned
	Error    string    `json:"error,omitempty"`
	At       time.Time `json:"at,omitzero"`
}

// shownPull is what a pull request shows.
type shownPull struct {
	head, base string
	markdown   string
	at         time.Time
}

// replan is how old a plan of an unchanged pull request gets: what runs may have changed.
const replan = 5 * time.Minute

func newPullWatch(r *repository, log *slog.Logger) *pullWatch {
	return &pullWatch{
		repo: r, planner: newPlanner(r), log: log, wake: make(chan struct{}, 1), status: map[int]PullStatus{}, done: map[int]shownPull{},
	}
}

// Wake asks for a look now.
func (w *pullWatch) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Status returns what became of the plans, by number.
func (w *pullWatch) Status() []PullStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.SortedFunc(maps.Values(w.status), func(a, b PullStatus) int { return cmp.Compare(a.Number, b.Number) })
}

// Run looks at pull requests until ctx ends.
func (w *pullWatch) Run(ctx context.Context) {
	for {
		if base := w.followed(); base != "" {
			w.say(ctx, w.look(ctx, base))
		}
		timer := time.NewTimer(w.repo.site.Config.Interval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-w.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// say logs why pull requests cannot be looked at, once for each reason.
func (w *pullWatch) say(ctx context.Context, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != w.trouble && ctx.Err() == nil {
		w.log.Warn("plan pull requests", "include", w.repo.name(), "error", err)
	}
	w.trouble = text
}

// followed is the commit of the repository that is followed; "" before one is.
func (w *pullWatch) followed() string {
	part := w.repo.followed()
	if part == nil {
		return ""
	}
	return part.Commit().ID
}

// look plans what is open, as merged with a commit.
func (w *pullWatch) look(ctx context.Context, base string) error {
	into := w.repo.base()
	if into == "" {
		return nil // the repository was not read yet since the start
	}
	pulls, err := w.repo.forge.Pulls(ctx, reconcile.PullQuery{Base: into})
	if err != nil {
		return err
	}
	open := map[int]bool{}
	for _, pull := range pulls {
		open[pull.Number] = true
		w.one(ctx, pull, base)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for number := range w.status {
		if !open[number] {
			delete(w.status, number)
			delete(w.done, number)
		}
	}
	return nil
}

// one plans a pull request, and shows the plan where it differs from what is shown.
func (w *pullWatch) one(ctx context.Context, pull reconcile.Pull, base string) {
	before := w.done[pull.Number]
	if before.head == pull.HeadSHA && before.base == base && time.Since(before.at) < replan {
		return
	}
	s := PullStatus{Number: pull.Number, Include: w.repo.name(), URL: pull.URL, Head: pull.HeadSHA, At: time.Now()}
	if pull.Fork && !w.repo.site.Config.Forge.PlanForks {
		s.Skipped = "it is from a fork; --plan-forks plans those too"
		w.tell(s)
		return
	}
	report, err := w.planner.Plan(ctx, pull, base)
	if err == nil {
		s.Headline, s.Failed = report.Headline(), report.Failed()
		err = w.show(ctx, pull, report, before)
	}
	if err != nil {
		if !errors.Is(err, reconcile.ErrUnavailable) {
			// It is tried again when something of it has changed, or after a while.
			w.done[pull.Number] = shownPull{head: pull.HeadSHA, base: base, at: time.Now()}
		}
		s.Error = err.Error()
		w.log.Warn("plan a pull request", "number", pull.Number, "error", err)
	}
	w.tell(s)
}

func (w *pullWatch) show(ctx context.Context, pull reconcile.Pull, r *review.Report, before shownPull) error {
	text, shown := r.Markdown(), *r
	shown.Base = "" // that it is merged with a newer commit, and the same comes of it, is no news
	same := shown.Markdown()
	if before.head != pull.HeadSHA || before.markdown != same {
		if err := w.repo.forge.Comment(ctx, pull.Number, review.Marker(r.Environment, r.Include), text); err != nil {
			return err
		}
		if _, err := w.repo.forge.Status(ctx, pull.HeadSHA, r.Status(pull.URL)); err != nil {
			return err
		}
	}
	w.done[pull.Number] = shownPull{pull.HeadSHA, r.Base, same, time.Now()}
	return nil
}

func (w *pullWatch) tell(s PullStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status[s.Number] = s
}

// PlanPull plans a pull request by hand.
func (s *Site) PlanPull(ctx context.Context, number int, post bool) (*review.Report, error) {
	log := slog.New(slog.DiscardHandler)
	if s.own == nil {
		return nil, errors.New("pull requests are planned for a Git repository; --repo names a plain directory")
	}
	forge, err := openForge(s.Config, log)
	if err != nil {
		return nil, err
	}
	if forge == nil {
		return nil, errors.New("pull requests are on a forge: say which with --forge")
	}
	pull, err := forge.Pull(ctx, number)
	if err != nil {
		return nil, err
	}
	if pull.Fork && !s.Config.Forge.PlanForks {
		return nil, fmt.Errorf("pull request #%d is from a fork, so what it declares is not evaluated here; --plan-forks does it", number)
	}
	s.own.reviewedOn(forge)
	s.Config.Ref = ""
	snapshot, err := s.Source.Latest(ctx) // it is merged with what the branch is now
	if err != nil {
		return nil, err
	}
	if branch := strings.TrimPrefix(snapshot.Tree.Commit().Ref, "refs/heads/"); branch != pull.Base {
		return nil, fmt.Errorf("pull request #%d is into the branch %s, and %s was read; name that branch behind the URL: URL@%s", number, pull.Base, cmp.Or(branch, "another one"), pull.Base)
	}
	if cfg, err := s.Load(ctx, snapshot.Tree); err == nil {
		s.followed.Store(&following{cfg, snapshot.Tree}) // whose secrets are blotted out of what is posted
	}
	w := newPullWatch(s.own, log)
	r, err := w.planner.Plan(ctx, pull, snapshot.Tree.Commit().ID)
	if err != nil {
		return nil, fmt.Errorf("plan #%s: %w", strconv.Itoa(number), err)
	}
	if post {
		err = w.show(ctx, pull, r, shownPull{})
	}
	return r, err
}
