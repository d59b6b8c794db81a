package view

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/reconcile/plan"
	"github.com/fairlead/fairlead/reconcile/rollout"
)

// Progress shows an apply while it goes on: lines of text, or JSON with one
// object per line (fields @level, @message, @timestamp and type, as Terraform's
// machine-readable UI has them).
type Progress struct {
	v     *View
	json  bool
	start time.Time
	mu    sync.Mutex
}

// Progress returns the view of a running apply.
func (v *View) Progress(asJSON bool) *Progress {
	return &Progress{v: v, json: asJSON, start: time.Now()}
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
	mark, shown := p.mark(&e)
	if !shown {
		return
	}
	if p.json {
		level := "info"
		if e.Err != nil {
			level = "error"
		}
		_ = p.emit(entry{Level: level, Type: string(e.Type), Message: e.Message, Event: &e})
		return
	}
	text := e.Message
	if e.Verb != "" {
		text = fmt.Sprintf("%s: %s", strings.TrimSpace(string(e.Verb)+" "+e.Name), e.Message)
	}
	if e.Type == controller.ActionFailed {
		text = e.Message
	}
	if e.Type == controller.ActionDone {
		text = fmt.Sprintf("%s %s", text, p.v.paint(dim, fmt.Sprintf("(%s)", e.Took.Round(time.Millisecond))))
	}
	object := ""
	if e.Address.Kind != "" {
		object = e.Address.String()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = io.WriteString(p.v.Out, fmt.Sprintf("%6.1fs %s %-16s %s\n", time.Since(p.start).Seconds(), mark, object, text))
}

// mark is the sign before a line; false where the event is not for people who
// wait.
func (p *Progress) mark(e *controller.Event) (string, bool) {
	switch e.Type {
	case controller.ActionDone:
		return p.v.paint(green, "✓"), true
	case controller.ActionFailed, controller.SourceFailed, controller.EngineFailed, controller.GatewayFailed, controller.CommitRefused:
		return p.v.paint(red, "✗"), true
	case controller.Pulling, controller.ActionStarted:
		return "…", true
	case controller.PhaseChanged:
		if e.Phase == rollout.Steady {
			e.Message = "ready"
			return p.v.paint(green, "✓"), true
		}
		return "…", e.Phase == rollout.Degraded
	case controller.EngineRecovered, controller.SourceRecovered, controller.GatewayAnswers:
		return "·", true
	case controller.CommitAccepted, controller.TablePushed, controller.Resynced, controller.Reconciled:
	}
	return "", false
}

// Done shows the end of an apply that reached what it was for.
func (p *Progress) Done(s *controller.Status, took time.Duration) error {
	if p.json {
		return p.emit(entry{Type: "apply_complete", Message: "what runs is what the specs say", Status: s})
	}
	return p.v.Line(fmt.Sprintf("%s Applied in %s: %d models serve on %s.", p.v.paint(green, "✓"), took.Round(100*time.Millisecond), len(s.Models), s.Gateway.Listens))
}

// Failed shows the end of one that did not, and returns the error to end with.
func (p *Progress) Failed(s *controller.Status, cause error) error {
	var lines []string
	if cause != nil {
		lines = append(lines, cause.Error())
	}
	for _, text := range []string{s.Source.Error, s.Engine.Error, s.Gateway.Error} {
		if text != "" {
			lines = append(lines, text)
		}
	}
	for i := range s.Models {
		m := &s.Models[i]
		if m.Phase != rollout.Steady || m.Error != "" {
			lines = append(lines, fmt.Sprintf("%s is %s: %s", m.Address, m.Phase, cmp.Or(m.Error, m.Reason)))
		}
	}
	if len(lines) == 0 {
		lines = append(lines, "not every model is as the specs say")
	}
	err := errors.New(strings.Join(lines, "\n       "))
	if p.json {
		return errors.Join(err, p.emit(entry{Level: "error", Type: "apply_errored", Message: err.Error(), Status: s}))
	}
	return err
}
