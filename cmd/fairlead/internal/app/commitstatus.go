package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// statusContext is the name of the check that says what became of a commit. Each include
// has its own: one repository may be composed in several ways.
func statusContext(environment, include string) string {
	if include == "" {
		return "fairlead/" + environment
	}
	return "fairlead/" + environment + "/" + include
}

// statusOf is what became of the commit that is followed, and of the newest one where
// that is refused; waiting: for nothing but its review. It is pure. The text is of the
// first model that is not at rest.
func statusOf(s *controller.Status, include string, waiting bool) map[string]reconcile.CommitStatus {
	all := map[string]reconcile.CommitStatus{}
	put := func(commit string, state reconcile.CommitState, text string) {
		if commit != "" {
			all[commit] = reconcile.CommitStatus{Context: statusContext(s.Environment, include), State: state, Text: oneLine(text)}
		}
	}
	if s.Commit.ID != "" && s.Models != nil {
		state, text := stateOf(s)
		put(s.Commit.ID, state, text)
	}
	if s.Source.Refused && s.Source.Commit != s.Commit.ID {
		if waiting {
			put(s.Source.Commit, reconcile.CommitPending, "waits: "+s.Source.Error)
		} else {
			put(s.Source.Commit, reconcile.CommitFailure, "refused: "+s.Source.Error)
		}
	}
	return all
}

func stateOf(s *controller.Status) (reconcile.CommitState, string) {
	var held, failed, rolling []string
	for i := range s.Models {
		m := &s.Models[i]
		switch why := m.Name + ": " + m.Reason; {
		case m.Phase == rollout.Held:
			held = append(held, why)
		case m.Failed():
			if m.Error != "" {
				why = m.Name + ": " + m.Error
			}
			failed = append(failed, why)
		case m.Phase != rollout.Steady:
			rolling = append(rolling, why)
		}
	}
	switch {
	case len(failed) > 0:
		return reconcile.CommitFailure, several(failed)
	case len(held) > 0:
		return reconcile.CommitHeld, several(held)
	case len(rolling) > 0 || !s.Converged:
		return reconcile.CommitPending, several(append(rolling, "coming up")[:max(len(rolling), 1)])
	default:
		return reconcile.CommitSuccess, fmt.Sprintf("%d models are as this commit wants them", len(s.Models))
	}
}

// several is the first of some, and how many more there are.
func several(all []string) string {
	if len(all) == 1 {
		return all[0]
	}
	return fmt.Sprintf("%s (and %d more)", all[0], len(all)-1)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// share is the part of a status that is about an included repository, in the form of one.
func (r *repository) share(s *controller.Status) *controller.Status {
	own := *s
	own.Commit = spec.Commit{ID: s.Commit.Includes[r.name()]}
	own.Source, own.Models, own.Converged = controller.SourceStatus{}, []controller.ModelStatus{}, true
	followed := r.site.followed.Load()
	if followed == nil {
		return &own
	}
	for i := range s.Models {
		if m := &s.Models[i]; r.declares(followed.cfg, m.Name) {
			own.Models = append(own.Models, *m)
			own.Converged = own.Converged && m.Phase == rollout.Steady
		}
	}
	for _, refusal := range r.gate.Refusals() {
		own.Source = controller.SourceStatus{Commit: refusal.Head.ID, Refused: true, Error: refusal.Error()}
	}
	return &own
}

// reasonURL is the page that says why a commit has its state: the pull request that would
// end a hold, else the newest decision of the journal, which is in the config repo.
func (r *repository) reasonURL(state reconcile.CommitState) string {
	if url := r.wayOut(state); url != "" {
		return url
	}
	if head := r.site.journalHead(); head != "" && r.include == nil {
		return r.forge.CommitURL(head)
	}
	return ""
}

// wayOut is the page of the pull request that would end a hold; "" as long as there is
// none. One in another repository is for who keeps what includes that, and only they.
func (r *repository) wayOut(state reconcile.CommitState) string {
	if state != reconcile.CommitHeld {
		return ""
	}
	held := r.site.held()
	for _, p := range r.site.crews.proposals() {
		if r.include != nil && p.Include != r.name() {
			continue
		}
		if p.URL != "" && held[p.Model] && (p.Kind == journal.ProposeRevert || p.Kind == journal.ProposePromote) {
			return p.URL
		}
	}
	return ""
}

// held are the models that are.
func (s *Site) held() map[string]bool {
	held := map[string]bool{}
	for _, m := range s.models() {
		held[m.Name] = m.Phase == rollout.Held
	}
	return held
}

// waiting: the newest commit is refused for nothing but evidence that may come.
func (r *repository) waiting() bool {
	if r.gate == nil {
		return false
	}
	all := r.gate.Refusals()
	return len(all) > 0 && !slices.ContainsFunc(all, func(r *reconcile.Refusal) bool { return !r.Waiting })
}

// commitStatuses keeps the status of commits current on the forge. States come by
// quickly, and only the newest of each commit is sent.
type commitStatuses struct {
	repo *repository
	log  *slog.Logger
	wake chan struct{}
	sent map[string]reconcile.CommitStatus
	// failed are attempts that the forge refused: each look would be refused again.
	failed map[string]failedStatus
}

// failedStatus is a status that could not be set.
type failedStatus struct {
	status reconcile.CommitStatus
	reason string
	at     time.Time
}

// refusedPause is how long a status that a forge refused is left alone, unless it changes.
const refusedPause = 10 * time.Minute

func newCommitStatuses(r *repository, log *slog.Logger) *commitStatuses {
	return &commitStatuses{repo: r, log: log, wake: make(chan struct{}, 1), sent: map[string]reconcile.CommitStatus{}, failed: map[string]failedStatus{}}
}

// Wake says that a status may have changed. It never blocks.
func (c *commitStatuses) Wake() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// statusPause bounds how often statuses are sent: a rollout passes many states.
const statusPause = 2 * time.Second

// Run sends what changes until ctx ends.
func (c *commitStatuses) Run(ctx context.Context) {
	site := c.repo.site
	retry := time.NewTimer(site.Config.Interval)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		case <-retry.C:
		}
		if current := site.current.Load(); current != nil {
			status := current.Status()
			if c.repo.include != nil {
				status = c.repo.share(status)
			}
			c.send(ctx, statusOf(status, c.repo.name(), c.repo.waiting()))
		}
		retry.Reset(site.Config.Interval)
		pause := time.NewTimer(statusPause)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// settle gives commits that are followed no more their last status, where they have none.
func (c *commitStatuses) settle(ctx context.Context, all map[string]reconcile.CommitStatus) {
	for commit, last := range c.sent {
		if _, current := all[commit]; current || len(all) == 0 {
			continue
		}
		if last.State == reconcile.CommitPending { // one that was held, or failed, stays that
			last.State, last.Text = reconcile.CommitSuccess, "overtaken by a newer commit"
			if _, err := c.repo.forge.Status(ctx, commit, last); err != nil {
				if ctx.Err() == nil {
					c.log.Warn("set the last status of a commit", "commit", short(commit), "error", err)
				}
				continue // at the next look
			}
		}
		delete(c.sent, commit)
	}
}

func (c *commitStatuses) send(ctx context.Context, all map[string]reconcile.CommitStatus) {
	for commit, status := range all {
		wayOut := c.repo.wayOut(status.State) // which comes later
		if before, known := c.sent[commit]; known && before.State == status.State && before.Text == status.Text && (wayOut == "" || wayOut == before.URL) {
			continue
		}
		status.URL = c.repo.reasonURL(status.State)
		before := c.failed[commit]
		if before.status.State == status.State && before.status.Text == status.Text && time.Since(before.at) < refusedPause {
			continue
		}
		delete(c.failed, commit)
		if _, err := c.repo.forge.Status(ctx, commit, status); err != nil {
			c.fail(ctx, commit, failedStatus{status, err.Error(), time.Now()}, before.reason, err)
			continue
		}
		c.sent[commit] = status
	}
	c.settle(ctx, all)
}

// fail notes that a status could not be set. What may pass is tried again at the next
// look; the rest after a while, and it is told once.
func (c *commitStatuses) fail(ctx context.Context, commit string, f failedStatus, told string, err error) {
	if ctx.Err() != nil {
		return
	}
	if f.reason != told {
		c.log.Warn("set the status of a commit", "commit", short(commit), "error", err)
	}
	if errors.Is(err, reconcile.ErrUnavailable) {
		f.at = time.Time{}
	}
	if len(c.failed) >= maxFailedStatuses {
		clear(c.failed)
	}
	c.failed[commit] = f
}

// maxFailedStatuses bounds what is kept of them.
const maxFailedStatuses = 100
