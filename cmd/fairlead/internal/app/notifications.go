package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
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
	if s.Forge != nil {
		scene.CommitURL = s.Forge.CommitURL
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

// tell sends a message, if there is anybody to send it to. It never waits.
func (s *Site) tell(m reconcile.Message) {
	if s.dispatcher != nil {
		s.dispatcher.Send(m)
	}
}

// notice turns an event of the controller into a message.
func (s *Site) notice(e controller.Event) {
	if s.dispatcher == nil {
		return
	}
	switch e.Type { //nolint:exhaustive // the rest is no news to people, or is told by the journal
	case controller.DriftHealed:
		name := e.Address.ServedName()
		s.tell(s.scene().DriftHealed(name, s.ownersOf(name, ""), strings.Split(e.Message, "\n"), e.Time))
	case controller.CommitRefused:
		if refusal, is := errors.AsType[*reconcile.Refusal](e.Err); is {
			s.tell(s.scene().Refused(refusal, nil, e.Time))
			return
		}
		s.tell(s.scene().Unusable(journal.RootRepo, spec.Commit{ID: e.Commit}, e.Message, nil, e.Time))
	case controller.CommitAccepted:
		s.tell(s.scene().Accepted(journal.RootRepo, e.Commit, nil, e.Time))
	case controller.PhaseChanged:
		if name := e.Address.ServedName(); e.Address.Kind == spec.KindModel && e.Phase == rollout.Steady {
			s.tell(s.scene().Settled(name, s.ownersOf(name, ""), e.Time))
		}
	}
}

// told tells people of what was decided.
func (s *Site) told(e *journal.Entry) {
	if s.dispatcher == nil {
		return
	}
	owners := s.ownersOf(e.Model, e.Pipeline)
	if r := e.ProposalRecord; r != nil {
		if s.Forge != nil && r.Open != nil && r.Open.Pull == 0 {
			return // it is told when there is something to click on
		}
		owners = s.ownersOf(r.Model, "")
	}
	if m, news := s.scene().Decided(e, owners); news {
		s.tell(m)
	}
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
}
