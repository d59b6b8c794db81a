package notify_test

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/notify"
	"github.com/fairlead/fairlead/spec"
)

func TestWhichNotifiersWantAMessage(t *testing.T) {
	for name, test := range map[string]struct {
		notifier spec.Notifier
		message  reconcile.Message
		want     bool
	}{
		"no rules":           {spec.Notifier{}, reconcile.Message{Event: spec.NotifyPromoted, Severity: spec.SeverityInfo}, true},
		"an event of it":     {spec.Notifier{Events: []string{"held", "promoted"}}, reconcile.Message{Event: spec.NotifyPromoted}, true},
		"another event":      {spec.Notifier{Events: []string{"held"}}, reconcile.Message{Event: spec.NotifyPromoted}, false},
		"as severe":          {spec.Notifier{Severity: spec.SeverityError}, reconcile.Message{Severity: spec.SeverityError}, true},
		"more severe":        {spec.Notifier{Severity: spec.SeverityError}, reconcile.Message{Severity: spec.SeverityCritical}, true},
		"less severe":        {spec.Notifier{Severity: spec.SeverityError}, reconcile.Message{Severity: spec.SeverityWarning}, false},
		"no severity":        {spec.Notifier{Severity: spec.SeverityWarning}, reconcile.Message{}, false},
		"one of the owners":  {spec.Notifier{Owners: []string{"@vision", "@nlp"}}, reconcile.Message{Owners: []string{"@sound", "nlp"}}, true},
		"owners in capitals": {spec.Notifier{Owners: []string{"@Acme/Vision"}}, reconcile.Message{Owners: []string{"acme/vision"}}, true},
		"none of the owners": {spec.Notifier{Owners: []string{"@vision"}}, reconcile.Message{Owners: []string{"@sound"}}, false},
		"nobody owns it":     {spec.Notifier{Owners: []string{"@vision"}}, reconcile.Message{}, false},
		"all rules hold":     {spec.Notifier{Events: []string{"held"}, Severity: spec.SeverityWarning, Owners: []string{"@a"}}, reconcile.Message{Event: spec.NotifyHeld, Severity: spec.SeverityWarning, Owners: []string{"@a"}}, true},
		"one rule does not":  {spec.Notifier{Events: []string{"held"}, Severity: spec.SeverityError, Owners: []string{"@a"}}, reconcile.Message{Event: spec.NotifyHeld, Severity: spec.SeverityWarning, Owners: []string{"@a"}}, false},
	} {
		if got := notify.Wants(&test.notifier, &test.message); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestEveryEventHasItsSeverity(t *testing.T) {
	want := map[spec.NotifyEvent]spec.Severity{
		"rollout_started": "info", "promoted": "info", "rolled_back": "error", "held": "warning", "refused_commit": "error",
		"drift_healed": "warning", "proposal_opened": "info", "run_failed": "error", "approval_wanted": "warning", "tampered": "critical",
	}
	if len(notify.Events()) != len(want) {
		t.Errorf("events are %v", notify.Events())
	}
	for event, severity := range want {
		if got := notify.SeverityOf(event); got != severity {
			t.Errorf("%s is %s, want %s", event, got, severity)
		}
	}
}

// Whatever a message holds, it is short, printable and free of secrets once it is
// clean, and cleaning again changes nothing.
func TestCleanMessagesAreShortAndPrintable(t *testing.T) {
	redact := func(s string) string { return strings.ReplaceAll(s, "CANARY", "(sensitive)") }
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Just("CANARY"), rapid.Just("a\u202eb\x1b[31m\r\nX: y"), rapid.Just(strings.Repeat("ü\n", 5000)))
		m := reconcile.Message{
			Key: text.Draw(rt, "key"), Title: text.Draw(rt, "title"), Text: text.Draw(rt, "text"), Subject: text.Draw(rt, "subject"),
			URL: "https://" + text.Draw(rt, "url"), Thread: text.Draw(rt, "thread"), Owners: []string{text.Draw(rt, "owner")},
			Facts: map[string]string{text.Draw(rt, "fact"): text.Draw(rt, "value")},
		}
		clean := notify.Clean(m, redact)
		lines := []string{clean.Key, clean.Title, clean.Subject, clean.URL, clean.Thread, clean.Owners[0]}
		for name, value := range clean.Facts {
			lines = append(lines, name, value)
		}
		for _, line := range lines {
			if len(line) > 2<<10 || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.Contains(line, "CANARY") {
				rt.Fatalf("%.100q is not clean", line)
			}
		}
		if len(clean.Text) > 4<<10 || strings.Contains(clean.Text, "CANARY") || strings.ContainsFunc(clean.Text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			rt.Fatalf("the text is not clean: %.100q", clean.Text)
		}
		if again := notify.Clean(clean, redact); again.Title != clean.Title || again.Text != clean.Text || again.Key != clean.Key {
			rt.Fatalf("cleaned twice: %q, %q", clean.Title, again.Title)
		}
	})
}
