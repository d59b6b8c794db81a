package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// shelf is a registry in memory.
type shelf struct {
	tags  []string
	err   error
	asked int
}

func (s *shelf) Tags(context.Context, string) ([]string, error) {
	s.asked++
	return s.tags, s.err
}

func (s *shelf) ResolveImage(_ context.Context, ref string) (string, error) {
	_, tag, _ := strings.Cut(ref, ":")
	return "sha256:" + strings.Repeat(tag[len(tag)-1:], 64), s.err
}

func TestNewerImagesAreLookedForAsOftenAsTheRuleSays(t *testing.T) {
	now := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	m := &spec.Model{Name: "digits", Image: "digits:1.2.0", Update: &spec.Update{Range: "~1.2", Interval: time.Hour}}
	cfg := &spec.Config{Models: []*spec.Model{m, {Name: "plain", Image: "plain:1"}}}
	registry := &shelf{tags: []string{"1.2.0", "1.2.1", "1.3.0"}}
	u := newUpdates(registry, slog.New(slog.DiscardHandler))
	look := func() string {
		u.look(t.Context(), cfg, nil, now)
		return u.found(cfg)["digits"].Ref
	}
	if why := u.unknown(cfg); len(why) != 1 || why["pin-digits"] != "the registry was not asked yet" {
		t.Errorf("before the first look: %v", why)
	}
	want := "digits:1.2.1@sha256:" + strings.Repeat("1", 64)
	if got := look(); got != want || len(u.unknown(cfg)) != 0 {
		t.Fatalf("got %q, unknown %v; want %q", got, u.unknown(cfg), want)
	}
	look()
	if registry.asked != 1 {
		t.Errorf("it was asked %d times within the interval", registry.asked)
	}
	// An outage is no word on what is wanted.
	now, registry.err = now.Add(time.Hour), errors.New("the registry is away")
	look()
	if why := u.unknown(cfg); !strings.Contains(why["pin-digits"], "the registry is away") || registry.asked != 2 {
		t.Errorf("unknown %v, asked %d times", why, registry.asked)
	}
	now, registry.err = now.Add(time.Hour), nil
	rejected := map[string]journal.Record{"digits": {Rejected: []journal.Rejection{{Release: journal.Release{Image: want}}}}}
	u.look(t.Context(), cfg, rejected, now)
	if got := u.found(cfg); len(got) != 0 || len(u.unknown(cfg)) != 0 {
		t.Errorf("what was rolled back is found again: %v", got)
	}
}
