package notify

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	core "github.com/fairlead/fairlead/reconcile/notify"
	"github.com/fairlead/fairlead/spec"
)

// An alert has to end: Alertmanager is told when, else it would end what nobody sends
// again after five minutes.
const (
	complaintLasts = 7 * 24 * time.Hour // unless it is resolved before
	newsLasts      = time.Hour
)

// alertmanager posts alerts (https://prometheus.io/docs/alerting/latest/alerts_api).
// The labels of an alert are those of its event and thread only, so that an equal
// message is the same alert, and a later one of its thread can resolve it.
type alertmanager struct {
	endpoint *endpoint
	token    spec.Sensitive
	now      func() time.Time
}

func newAlertmanager(o *Options) (*alertmanager, error) {
	u, err := o.address("", "https", "http")
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), "/api/v2/alerts") {
		u = u.JoinPath("api", "v2", "alerts")
	}
	e, err := newEndpoint(o, "Alertmanager", u)
	if err != nil {
		return nil, err
	}
	return &alertmanager{endpoint: e, token: o.Token, now: o.Now}, nil
}

type alert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	StartsAt     string            `json:"startsAt,omitempty"`
	EndsAt       string            `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// Notify implements reconcile.Notifier.
func (a *alertmanager) Notify(ctx context.Context, m reconcile.Message) error {
	body, err := encode(a.alerts(&m))
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if !a.token.IsZero() {
		header.Set("Authorization", "Bearer "+a.token.Reveal())
	}
	_, err = a.endpoint.post(ctx, header, body)
	return err
}

// alerts are what to post for a message. One that resolves ends every complaint that
// its thread may have made: Alertmanager knows which it did, and says nothing of the
// others.
func (a *alertmanager) alerts(m *reconcile.Message) []alert {
	if !m.Resolves {
		return []alert{a.raised(m)}
	}
	var ended []alert
	for _, event := range core.Events() {
		if core.SeverityOf(event) != spec.SeverityInfo {
			ended = append(ended, alert{Labels: labels(m, event, core.SeverityOf(event)), EndsAt: a.now().UTC().Format(time.RFC3339Nano)})
		}
	}
	if core.SeverityOf(m.Event) == spec.SeverityInfo {
		ended = append(ended, a.raised(m)) // it is news by itself: promoted
	}
	return ended
}

func (a *alertmanager) raised(m *reconcile.Message) alert {
	severity, lasts := core.SeverityOf(m.Event), newsLasts
	switch {
	case m.Severity == spec.SeverityInfo:
		severity = spec.SeverityInfo // this time there is nothing to complain of
	case severity != spec.SeverityInfo && m.Thread != "":
		lasts = complaintLasts // what has no thread is never resolved
	}
	annotations := map[string]string{}
	for _, f := range facts(m) {
		annotations[labelName(f.name)] = f.value
	}
	annotations["summary"], annotations["description"] = m.Title, m.Text
	if m.JournalHead != "" {
		annotations["journal_head"] = m.JournalHead
	}
	if len(m.Owners) > 0 {
		annotations["owners"] = strings.Join(m.Owners, ", ")
	}
	starts := m.At
	if now := a.now(); starts.After(now) {
		starts = now // an alert that starts in the future is refused
	}
	return alert{
		Labels: labels(m, m.Event, severity), Annotations: annotations, GeneratorURL: m.URL,
		StartsAt: starts.UTC().Format(time.RFC3339Nano), EndsAt: a.now().Add(lasts).UTC().Format(time.RFC3339Nano),
	}
}

// labels are the name of an alert.
func labels(m *reconcile.Message, event spec.NotifyEvent, severity spec.Severity) map[string]string {
	return map[string]string{
		"alertname": "Fairlead" + pascal(string(event)), "event": string(event), "severity": string(severity),
		"subject": m.Subject, "environment": m.Environment, "installation": source(m),
	}
}

// labelName makes a name that Alertmanager takes.
func labelName(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, name)
	if clean == "" || clean[0] >= '0' && clean[0] <= '9' {
		return "_" + clean
	}
	return clean
}

// timestamp writes a time as whole seconds since 1970.
func timestamp(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
