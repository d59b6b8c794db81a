package app

import (
	"context"
	"maps"
	"sync"
	"time"

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

// tellable is how long a value must be to be looked for. A shorter one is found in
// anything, and what is blotted out would tell whoever guesses that the guess is right.
const tellable = 8

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
		if len(resolved[secret.Name].Reveal()) < tellable {
			continue
		}
		values[name] = resolved[secret.Name]
		if old, was := before[name]; was && old != values[name] {
			values["before "+name] = old
		}
	}
	return values
}
