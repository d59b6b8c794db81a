package app

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// redactor blots the values of the secrets that the followed revision declares out of
// what leaves the house: comments, statuses, messages. None should be in there. This is
// for what others wrote, such as an engine's error.
type redactor struct {
	mu     sync.Mutex
	of     *spec.Config
	values map[string]spec.Sensitive
}

// redactTimeout bounds reading the values.
const redactTimeout = 10 * time.Second

// redact returns the text without the values of secrets.
func (s *Site) redact(text string) string {
	followed := s.followed.Load()
	if followed == nil {
		return text
	}
	r := &s.redactor
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of != followed.cfg {
		r.of, r.values = followed.cfg, s.resolveEach(followed.cfg, r.values)
	}
	return spec.Redact(text, maps.Values(r.values))
}

// resolveEach resolves every secret that can be. One that was replaced a moment ago may
// still be quoted, so the values before stay for one revision.
func (s *Site) resolveEach(cfg *spec.Config, before map[string]spec.Sensitive) map[string]spec.Sensitive {
	ctx, cancel := context.WithTimeout(context.Background(), redactTimeout)
	defer cancel()
	values := map[string]spec.Sensitive{}
	for name, secret := range cfg.Secrets {
		resolved, err := s.Binder.Secrets.Resolve(ctx, []*spec.Secret{secret})
		if err != nil {
			continue // what has no value cannot be quoted
		}
		values[name] = resolved[secret.Name]
		if old, was := before[name]; was && old != values[name] {
			values["before "+name] = old
		}
	}
	return values
}

func (s *Site) redactStatus(c reconcile.CommitStatus) reconcile.CommitStatus {
	c.Text, c.Summary = s.redact(c.Text), s.redact(c.Summary)
	annotations := make([]reconcile.Annotation, 0, len(c.Annotations))
	for _, a := range c.Annotations {
		a.Title, a.Message = s.redact(a.Title), s.redact(a.Message)
		annotations = append(annotations, a)
	}
	c.Annotations = annotations
	return c
}
