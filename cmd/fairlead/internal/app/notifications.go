package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/providers/notify"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/journal"
	dispatch "github.com/fairlead/fairlead/reconcile/notify"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// openNotifications makes what sends messages. Which notifiers there are is told with
// every revision that is followed.
func (s *Site) openNotifications(store reconcile.Store, log *slog.Logger) {
	s.dispatcher = dispatch.New(dispatch.Options{Store: store, Open: s.openNotifier, Redact: s.redact, Log: log})
	s.voice = newVoice()
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.voice.run(ctx) })
	s.close = append(s.close, func() error {
		stop()
		wg.Wait()
		last, cancel := context.WithTimeout(context.Background(), lastDelivery)
		defer cancel()
		return s.dispatcher.Flush(last)
	})
}

// openNotifier makes the sender of a notifier, with the secrets as they are now.
func (s *Site) openNotifier(ctx context.Context, n *spec.Notifier) (reconcile.Notifier, error) {
	followed := s.followed.Load()
	if followed == nil {
		return nil, errors.New("nothing was read from Git yet")
	}
	o := notify.Options{Notifier: *n, AllowPrivate: s.Config.NotifyPrivate}
	for name, into := range map[string]*spec.Sensitive{n.URLSecret: &o.URL, n.Token: &o.Token, n.SigningKey: &o.SigningKey} {
		if name == "" {
			continue
		}
		secret := followed.cfg.Secrets[name]
		if secret == nil {
			return nil, fmt.Errorf("notifier %s: secret.%s is not declared any more", n.Name, name)
		}
		values, err := s.Binder.Secrets.Resolve(ctx, []*spec.Secret{secret})
		if err != nil {
			return nil, err
		}
		*into = values[secret.Name]
	}
	return notify.New(o)
}

// scene is what all messages have in common.
func (s *Site) scene() dispatch.Scene {
	scene := dispatch.Scene{Environment: s.Config.Environment, Installation: s.Config.Owner, JournalHead: s.journalHead()}
	if s.own != nil && s.own.forge != nil {
		scene.CommitURL = s.own.forge.CommitURL
	}
	return scene
}

// ownersOf are the owners of a model or pipeline, as declared.
func (s *Site) ownersOf(model, pipeline string) []string {
	followed := s.followed.Load()
	if followed == nil {
		return nil
	}
	if m := followed.cfg.Model(model); m != nil {
		return m.Owners
	}
	for _, p := range followed.cfg.Pipelines {
		if p.Name == pipeline {
			return p.Owners
		}
	}
	return nil
}

// tell sends the message that words makes, if there is anybody to send it to. It never
// waits: words are found beside it.
func (s *Site) tell(words func(dispatch.Scene) (m reconcile.Message, news bool)) {
	if s.dispatcher == nil {
		return
	}
	s.voice.say(func() {
		if m, news := words(s.scene()); news {
			s.dispatcher.Send(m)
		}
	})
}

// notice turns an event of the controller into a message.
func (s *Site) notice(e controller.Event) {
	s.tell(func(scene dispatch.Scene) (reconcile.Message, bool) { return s.message(scene, e) })
}

// message words an event.
func (s *Site) message(scene dispatch.Scene, e controller.Event) (m reconcile.Message, news bool) {
	switch name := e.Address.ServedName(); e.Type { //nolint:exhaustive // the rest is no news to people, or is told by the journal
	case controller.DriftHealed:
		return scene.DriftHealed(name, s.ownersOf(name, ""), strings.Split(e.Message, "\n"), e.Time), true
	case controller.CommitRefused:
		if refusal, is := errors.AsType[*reconcile.Refusal](e.Err); is {
			return scene.Refused(refusal, nil, e.Time), true
		}
		return scene.Unusable(journal.RootRepo, spec.Commit{ID: e.Commit}, e.Message, nil, e.Time), true
	case controller.CommitAccepted:
		return scene.Accepted(journal.RootRepo, e.Commit, nil, e.Time), true
	case controller.PhaseChanged:
		if e.Address.Kind == spec.KindModel && e.Phase == rollout.Steady {
			return scene.Settled(name, s.ownersOf(name, ""), e.Time), true
		}
	}
	return m, false
}

// told tells people of what was decided.
func (s *Site) told(e *journal.Entry) {
	s.tell(func(scene dispatch.Scene) (reconcile.Message, bool) {
		owners := s.ownersOf(e.Model, e.Pipeline)
		if r := e.ProposalRecord; r != nil {
			if at := s.repo(r.Include); at != nil && at.forge != nil && r.Open != nil && r.Open.Pull == 0 {
				return reconcile.Message{}, false // it is told when there is something to click on
			}
			owners = s.ownersOf(r.Model, "")
		}
		return scene.Decided(e, owners)
	})
}

// settleNotifiers makes the notifiers of a revision those that messages are sent to.
func (s *Site) settleNotifiers(cfg *spec.Config) {
	if s.dispatcher == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.dispatcher.Configure(ctx, cfg.Notifiers); err != nil {
		s.log.Warn("notifiers", "error", err)
	}
	s.findings.begin()
}
