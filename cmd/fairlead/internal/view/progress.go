package view

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/rollout"
	"github.com/fairlead/fairlead/spec"
)

// Progress shows an apply while it goes on: lines of text, or JSON with one
// object per line (fields @level, @message, @timestamp and type, as Terraform's
// machine-readable UI has them).
type Progress struct {
	v       *View
	json    bool
	start   time.Time
	planned map[spec.Address]plan.Action // what the plan changes

	mu   sync.Mutex
	said bool // an event was shown
}

// Progress returns the view of a running apply.
func (v *View) Progress(asJSON bool) *Progress {
	return &Progress{v: v, json: asJSON, start: time.Now(), planned: map[spec.Address]plan.Action{}}
}

// entry is one line of the JSON form.
type entry struct {
	Level     string            `json:"@level"`
	Message   string            `json:"@message"`
	Module    string            `json:"@module"`
	Timestamp time.Time         `json:"@timestamp"`
	Type      string            `json:"type"`
	Format    string            `json:"format_version,omitempty"`
	Plan      *plan.Plan        `json:"plan,omitempty"`
	Event     *controller.Event `json:"event,omitempty"`
	Status    any               `json:"status,omitempty"`
	Words     []app.LastWords   `json:"last_output,omitempty"`
}

func (p *Progress) emit(e entry) error {
	e.Module, e.Timestamp = "fairlead.apply", time.Now()
	e.Level = cmp.Or(e.Level, "info")
	p.mu.Lock()
	defer p.mu.Unlock()
	return json.NewEncoder(p.v.Out).Encode(e)
}

// Plan shows what is about to be done.
func (p *Progress) Plan(before *plan.Plan) error {
	for _, c := range before.Changes {
		p.planned[c.Address] = c.Action
	}
	if p.json {
		return p.emit(entry{Type: "planned_changes", Message: summary(&before.Summary), Format: plan.FormatVersion, Plan: before})
	}
	if err := p.v.Plan(before); err != nil || before.Empty() {
		return err
	}
	return p.v.Line("")
}

// Event shows one thing that happened. It is called from several goroutines.
func (p *Progress) Event(e controller.Event) {
	if errors.Is(e.Err, context.Canceled) {
		return // given up because the apply ends
	}
	if p.json {
		p.eventJSON(&e)
		return
	}
	line, shown := p.line(&e)
	if !shown {
		return
	}
	object := ""
	if e.Address.Kind != "" {
		object = e.Address.String()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = true
	_, _ = fmt.Fprintf(p.v.Out, "%6.1fs %s %-16s %s\n", time.Since(p.start).Seconds(), line.mark, object, line.text)
}

func (p *Progress) eventJSON(e *controller.Event) {
	switch e.Type {
	case controller.Resynced, controller.Reconciled, controller.TablePushed, controller.CommitAccepted:
		return // inner life
	case controller.Measured:
		if e.Verdict.Outcome == judge.Pass {
			return
		}
	case controller.PhaseChanged:
		if e.Phase == rollout.Rolling {
			return
		}
	default:
	}
	level := "info"
	if e.Err != nil || e.Phase == rollout.Degraded || e.Phase == rollout.Held {
		level = "error"
	}
	_ = p.emit(entry{Level: level, Type: string(e.Type), Message: cmp.Or(e.Message, string(e.Phase)), Event: e})
}

// line is what an event looks like to a person who waits.
type line struct{ mark, text string }

// line is false for what such a person need not know: the start of what will
// soon be done, and that all is well with what was not to change.
func (p *Progress) line(e *controller.Event) (line, bool) {
	good, bad := p.v.paint(green, "✓"), p.v.paint(red, "✗")
	switch e.Type {
	case controller.ActionDone:
		took := p.v.paint(dim, fmt.Sprintf("(%s)", e.Took.Round(time.Millisecond)))
		return line{good, fmt.Sprintf("%s: %s %s", strings.TrimSpace(string(e.Verb)+" "+e.Name), e.Message, took)}, true
	case controller.ActionFailed, controller.SourceFailed, controller.EngineFailed, controller.GatewayFailed, controller.CommitRefused,
		controller.JournalFailed, controller.MetricsFailed:
		return line{bad, e.Message}, true
	case controller.Decided:
		return p.decision(e)
	case controller.Measured: // what follows from a failure is a decision
	case controller.Pulling:
		return line{"…", e.Message}, true
	case controller.EngineRecovered, controller.SourceRecovered, controller.JournalRecovered, controller.MetricsRecovered:
		return line{"·", e.Message}, true
	case controller.PhaseChanged:
		action, planned := p.planned[e.Address]
		switch e.Phase {
		case rollout.Degraded:
			return line{bad, e.Message}, action != plan.Blocked // the plan has said it
		case rollout.Held: // so have the plan, or the decision, and the error at the end does
		case rollout.Steady:
			return line{good, "ready"}, planned
		case rollout.Rolling:
		}
	case controller.ActionStarted, controller.GatewayAnswers, controller.CommitAccepted, controller.TablePushed, controller.Resynced, controller.Reconciled,
		controller.DriftHealed:
	}
	return line{}, false
}

// decision shows a step of a rollout. That a model is known from now on, or no
// more, is no news to whoever has read the plan.
func (p *Progress) decision(e *controller.Event) (line, bool) {
	mark := "·"
	switch e.Entry.Action {
	case journal.ActionAdopt, journal.ActionRelease, journal.ActionRemove:
		return line{}, false
	case journal.ActionPromote:
		mark = p.v.paint(green, "✓")
	case journal.ActionRollback, journal.ActionFail, journal.ActionHold, journal.ActionTolerate:
		mark = p.v.paint(red, "✗")
	default:
	}
	return line{mark, fmt.Sprintf("%s: %s", e.Entry.Action, e.Message)}, true
}

// Done shows the end of an apply that reached what it was for. Where there was
// nothing to do, the plan has said so.
func (p *Progress) Done(s *controller.Status, took time.Duration) error {
	if p.json {
		return p.emit(entry{Type: "apply_complete", Message: "what runs is what the specs say", Status: s})
	}
	if len(p.planned) == 0 && !p.said {
		return nil
	}
	return p.v.Line(fmt.Sprintf("%s Applied in %s: %s on %s.", p.v.paint(green, "✓"), took.Round(100*time.Millisecond), count(len(s.Models), "model"), s.Gateway.Listens))
}

// Failed shows the end of one that did not, and returns the error to end with:
// what is wrong, and what the containers that fail wrote last.
func (p *Progress) Failed(s *controller.Status, cause error, words []app.LastWords) error {
	const indent = "\n       " // below the text behind "Error: "
	err := errors.New(strings.ReplaceAll(strings.Join(failure(s, cause, words), "\n"), "\n", indent))
	if p.json {
		return errors.Join(err, p.emit(entry{Level: "error", Type: "apply_errored", Message: err.Error(), Status: s, Words: words}))
	}
	return err
}

func failure(s *controller.Status, cause error, words []app.LastWords) []string {
	var lines []string
	if cause != nil {
		lines = append(lines, cause.Error())
	}
	for _, text := range []string{s.Source.Error, s.Engine.Error} {
		if text != "" {
			lines = append(lines, text)
		}
	}
	if s.Gateway.Failed() {
		lines = append(lines, fmt.Sprintf("the gateway is %s: %s", s.Gateway.Phase, cmp.Or(s.Gateway.Error, s.Gateway.Reason)))
	}
	for i := range s.Models {
		m := &s.Models[i]
		if m.Phase != rollout.Steady || m.Error != "" {
			lines = append(lines, fmt.Sprintf("%s is %s: %s", m.Address, m.Phase, cmp.Or(m.Error, m.Reason, "not done yet")))
		}
	}
	if len(lines) == 0 {
		lines = append(lines, "not every model is as the specs say")
	}
	for _, w := range words {
		lines = append(lines, fmt.Sprintf("The last output of %s:", w.Container))
		for _, text := range w.Lines {
			lines = append(lines, "    "+text)
		}
	}
	return lines
}
