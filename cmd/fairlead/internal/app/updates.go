package app

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/propose"
	"github.com/fairlead/fairlead/reconcile/update"
	"github.com/fairlead/fairlead/spec"
)

// registries is what update rules ask.
type registries interface {
	// Tags lists the tags of a repository.
	Tags(ctx context.Context, repository string) ([]string, error)
	// ResolveImage returns the digest that a reference means now.
	ResolveImage(ctx context.Context, ref string) (string, error)
}

// updates looks for newer images of models, each as often as its rule says.
type updates struct {
	ask registries
	log *slog.Logger

	mu    sync.Mutex
	looks map[string]lookedUp // by model
}

// lookedUp is what a registry had.
type lookedUp struct {
	rule  spec.Update // the one that it was asked for
	image string      // that was declared then
	found propose.NewImage
	at    time.Time
	err   string
}

func newUpdates(ask registries, log *slog.Logger) *updates {
	return &updates{ask: ask, log: log, looks: map[string]lookedUp{}}
}

// updateTimeout bounds the questions about one model.
const updateTimeout = time.Minute

// look asks registries about the models whose time has come, and tells whether
// anything was asked.
func (u *updates) look(ctx context.Context, cfg *spec.Config, records map[string]journal.Record, now time.Time) (asked bool) {
	for _, m := range cfg.Models {
		if m.Update == nil || ctx.Err() != nil || !u.due(m, now) {
			continue
		}
		asked = true
		record := records[m.Name]
		found, err := u.find(ctx, m, &record)
		l := lookedUp{rule: ruleOf(m), image: m.Image, found: found, at: now}
		if err != nil {
			l.err = err.Error()
			u.log.Warn("look for a newer image", "model", m.Name, "error", err)
		}
		u.mu.Lock()
		u.looks[m.Name] = l
		u.mu.Unlock()
	}
	return asked
}

// ruleOf is an update rule without its place, which may move.
func ruleOf(m *spec.Model) spec.Update {
	rule := *m.Update
	rule.Pos = spec.Pos{}
	return rule
}

func (u *updates) due(m *spec.Model, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	l, known := u.looks[m.Name]
	return !known || l.rule != ruleOf(m) || l.image != m.Image || !now.Before(l.at.Add(m.Update.Interval))
}

func (u *updates) find(ctx context.Context, m *spec.Model, r *journal.Record) (propose.NewImage, error) {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	image, err := update.ParseImage(m.Image)
	if err != nil {
		return propose.NewImage{}, err
	}
	var tags []string
	if m.Update.Range != "" {
		if tags, err = u.ask.Tags(ctx, image.Name); err != nil {
			return propose.NewImage{}, err
		}
	}
	rejected := func(tag string) bool { return rejectedTag(r, image.Name, tag) }
	tag, newer, why := update.Choose(image.Tag, *m.Update, tags, rejected)
	if !newer {
		return propose.NewImage{}, nil
	}
	digest, err := u.ask.ResolveImage(ctx, image.Name+":"+tag)
	if err != nil {
		return propose.NewImage{}, err
	}
	if digest == image.Digest {
		return propose.NewImage{}, nil
	}
	return propose.NewImage{Ref: image.With(tag, digest).String(), Why: why}, nil
}

// rejectedTag: a release of that tag is in the ledger of the model.
func rejectedTag(r *journal.Record, name, tag string) bool {
	for _, j := range r.Rejected {
		if image, err := update.ParseImage(j.Image); err == nil && image.Name == name && image.Tag == tag {
			return true
		}
	}
	return false
}

// found is what registries have of the models that are declared.
func (u *updates) found(cfg *spec.Config) map[string]propose.NewImage {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := map[string]propose.NewImage{}
	for _, m := range cfg.Models {
		if l, known := u.looks[m.Name]; known && m.Update != nil && l.rule == ruleOf(m) && l.found.Ref != "" {
			all[m.Name] = l.found
		}
	}
	return all
}

// unknown says of the models with a rule about whose registry nothing is known why that
// is, by the key of the proposal.
func (u *updates) unknown(cfg *spec.Config) map[string]string {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := map[string]string{}
	for _, m := range cfg.Models {
		if m.Update == nil {
			continue
		}
		key := propose.Key(journal.ProposePin, m.Name)
		switch l, known := u.looks[m.Name]; {
		case !known || l.rule != ruleOf(m) || l.image != m.Image:
			all[key] = "the registry was not asked yet"
		case l.err != "":
			all[key] = "the registry could not be asked: " + l.err
		}
	}
	return all
}

// runUpdates looks for newer images until ctx ends.
func (s *Site) runUpdates(ctx context.Context) {
	for {
		if f := s.followed.Load(); f != nil && slices.ContainsFunc(f.cfg.Models, func(m *spec.Model) bool { return m.Update != nil }) {
			records, err := s.recent.records(ctx, s)
			if err == nil && s.updates.look(ctx, f.cfg, records, time.Now()) {
				s.crews.wake()
			}
		}
		timer := time.NewTimer(s.Config.Interval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}
