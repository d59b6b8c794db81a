package view_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// escapes are the codes of a terminal.
var escapes = regexp.MustCompile(`\x1b\[[?\d;]*[a-zA-Z]`)

// film is a rollout from its begin to its promotion, as statuses that follow on
// each other. Every second one is no news.
func film() []*app.DaemonStatus {
	at := func(change func(*controller.ModelStatus)) *app.DaemonStatus {
		m := rollingModel()
		m.Rollout.Checks = m.Rollout.Checks[:1]
		change(&m)
		return &app.DaemonStatus{Status: controller.Status{FormatVersion: "1.0", Environment: "prod", Owner: "fairlead", Commit: samplePlan().Commit, Models: []controller.ModelStatus{steadyModel(), m}}}
	}
	step := func(n, weight int) func(*controller.ModelStatus) {
		return func(m *controller.ModelStatus) { m.Rollout.Step, m.Rollout.Weight = n, weight }
	}
	var all []*app.DaemonStatus
	for _, change := range []func(*controller.ModelStatus){
		func(m *controller.ModelStatus) { m.Rollout, m.Phase, m.Reason = nil, rollout.Steady, "" },
		step(1, 5), step(2, 25),
		func(m *controller.ModelStatus) {
			m.Rollout.Paused = &journal.Pause{Actor: "ann", Reason: "lunch"}
		},
		step(2, 25),
		func(m *controller.ModelStatus) {
			m.Rollout.Checks[0].Verdict = &judge.Verdict{Check: "errors", Outcome: judge.Insufficient, Text: "errors: no requests"}
		},
		func(m *controller.ModelStatus) {
			m.Rollout, m.Phase, m.Reason = nil, rollout.Held, "Git wants what was rejected"
			m.Last = &journal.Ended{Outcome: journal.RolledBack, Revision: "36cbc3a60313", Version: "1.4.0", Reason: "5 % failed", At: now}
		},
	} {
		all = append(all, at(change), at(change))
	}
	end := at(func(m *controller.ModelStatus) { m.Rollout, m.Phase, m.Reason = nil, rollout.Steady, "" })
	end.Models, end.Converged = end.Models[1:], true
	return append(all, end)
}

func TestWatchWithoutATerminalIsALinePerChange(t *testing.T) {
	golden(t, "watch-lines", func(v *view.View) error {
		w := v.Watch(false, nil)
		for i, s := range film() {
			if err := w.Show(s, now.Add(time.Duration(i)*time.Second)); err != nil {
				return err
			}
		}
		gone := errors.New("no daemon answers")
		if err := errors.Join(w.Away(gone, now), w.Away(gone, now), w.Show(film()[0], now)); err != nil {
			return err
		}
		return w.End(now)
	})
}

func TestWatchAsJSONIsADocumentPerChange(t *testing.T) {
	var out bytes.Buffer
	w := (&view.View{Out: &out}).Watch(true, func() (int, int) { return 80, 24 })
	for _, s := range film() {
		if err := w.Show(s, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Away(errors.New("gone"), now), w.End(now)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if len(lines) != 8 {
		t.Errorf("%d documents, want 8", len(lines))
	}
	for _, line := range lines {
		var s app.DaemonStatus
		if err := json.Unmarshal([]byte(line), &s); err != nil || s.FormatVersion == "" {
			t.Errorf("%v: %s", err, line)
		}
	}
}

func TestWatchOnATerminalDrawsInPlaceAndFits(t *testing.T) {
	var out bytes.Buffer
	columns, lines := 40, 12
	w := (&view.View{Out: &out, Color: true}).Watch(false, func() (int, int) { return columns, lines })
	s := film()[2]
	if err := w.Show(s, now); err != nil {
		t.Fatal(err)
	}
	first := out.String()
	if !strings.HasPrefix(first, "\x1b[?1049h\x1b[?25l\x1b[?2026h\x1b[H") || !strings.HasSuffix(first, "\x1b[J\x1b[?2026l") {
		t.Errorf("a frame begins and ends otherwise: %q", first)
	}
	drawn := strings.Split(strings.TrimSuffix(first, "\x1b[J\x1b[?2026l"), "\r\n")
	if len(drawn) > lines {
		t.Errorf("%d lines on a terminal of %d", len(drawn), lines)
	}
	for _, line := range drawn {
		if n := utf8.RuneCountInString(escapes.ReplaceAllString(line, "")); n > columns {
			t.Errorf("%d columns on a terminal of %d: %q", n, columns, line)
		}
	}
	out.Reset()
	columns, lines = 200, 60
	if err := errors.Join(w.Away(errors.New("no daemon answers"), now), w.End(now)); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Contains(got, "\x1b[?1049h") || !strings.Contains(got, "\x1b[?25h\x1b[?1049l") || !strings.Contains(got, "when it last answered: no daemon answers") {
		t.Errorf("the terminal is not given back with the last table on it: %q", got)
	}
}

func TestWatchSaysWhatTheStrategyIs(t *testing.T) {
	m := rollingModel()
	m.Rollout.Strategy = spec.Shadow
	if got := view.Standing(&m, now); !strings.Contains(got, "shadow of 1.4.0 (36cbc3a60313) over 1.3.9 (7ba6e27da12e), step 2 of 3 at 25 %, holds 42s more") {
		t.Error(got)
	}
}
