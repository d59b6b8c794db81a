package app

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/spec"
)

// LastWords is what a container that fails wrote last.
type LastWords struct {
	Address   spec.Address `json:"address"`
	Container string       `json:"container"`
	Lines     []string     `json:"lines"`
}

// How much of it is shown: enough for the end of a stack trace, and bounded
// whatever a container writes.
const (
	lastWordsModels  = 3
	lastWordsLines   = 10
	lastWordsColumns = 300
	lastWordsTime    = 10 * time.Second
)

// LastWords asks for the last output of one replica of each failing model, and
// of the gateway if that fails. What cannot be had is left out: this is for an
// error message that must not fail itself. A model that prints its secrets does
// so for those who may read its log, and not for those who may run Fairlead.
func (s *Site) LastWords(ctx context.Context, status *controller.Status, secrets map[string]spec.Sensitive) []LastWords {
	ctx, cancel := context.WithTimeout(ctx, lastWordsTime)
	defer cancel()
	containers, err := s.Runtime.List(ctx, reconcile.Filter{})
	if err != nil {
		return nil
	}
	var found []LastWords
	add := func(address spec.Address, belongs func(*reconcile.Container) bool) {
		c := failing(containers, belongs)
		if c == nil || len(found) == lastWordsModels {
			return
		}
		if text, err := s.Runtime.Logs(ctx, c.ID, lastWordsLines); err == nil && strings.TrimSpace(text) != "" {
			found = append(found, LastWords{Address: address, Container: c.Name, Lines: printable(spec.Redact(text, maps.Values(secrets)))})
		}
	}
	if status.Gateway.Failed() {
		add(spec.Address{Kind: spec.KindGateway}, func(c *reconcile.Container) bool { return c.Kind == spec.KindGateway })
	}
	for i := range status.Models {
		m := &status.Models[i]
		if m.Ready < m.Replicas {
			add(m.Address, func(c *reconcile.Container) bool { return c.Model == m.Name && c.Revision == m.Revision })
		}
	}
	return found
}

// failing picks a container that ended over one that runs but is not healthy.
func failing(containers []reconcile.Container, belongs func(*reconcile.Container) bool) *reconcile.Container {
	var pick *reconcile.Container
	for i := range containers {
		c := &containers[i]
		if !belongs(c) {
			continue
		}
		ended := c.Restarts > 0 || c.State == reconcile.StateExited || c.State == reconcile.StateRestarting || c.State == reconcile.StateDead
		if ended {
			return c
		}
		if pick == nil {
			pick = c
		}
	}
	return pick
}

// printable splits output into lines that can do a terminal no harm.
func printable(text string) []string {
	lines := strings.Split(strings.TrimRight(text, "\r\n "), "\n")
	lines = lines[max(0, len(lines)-lastWordsLines):]
	for i, line := range lines {
		runes := []rune(strings.Map(func(r rune) rune {
			if r == '\t' {
				return ' '
			}
			if !unicode.IsPrint(r) {
				return -1
			}
			return r
		}, line))
		if len(runes) > lastWordsColumns {
			runes = append(runes[:lastWordsColumns], '…')
		}
		lines[i] = string(runes)
	}
	return slices.Clip(lines)
}
