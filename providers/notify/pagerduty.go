package notify

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// pagerDutyAPI is the public address of the Events API v2.
const pagerDutyAPI = "https://events.pagerduty.com/v2/enqueue"

// pagerDuty sends events (https://developer.pagerduty.com/docs/events-api-v2-overview).
// The messages of a thread are one alert, since they share its dedup_key.
type pagerDuty struct {
	endpoint *endpoint
	key      spec.Sensitive
}

func newPagerDuty(o *Options) (*pagerDuty, error) {
	if o.Token.IsZero() {
		return nil, errors.New("it has no token: that is the routing key of an integration of PagerDuty (Events API v2)")
	}
	u, err := o.address(pagerDutyAPI, "https", "http")
	if err != nil {
		return nil, err
	}
	e, err := newEndpoint(o, "PagerDuty", u)
	if err != nil {
		return nil, err
	}
	return &pagerDuty{endpoint: e, key: o.Token}, nil
}

type pagerDutyEvent struct {
	RoutingKey string            `json:"routing_key"`
	Action     string            `json:"event_action"`
	DedupKey   string            `json:"dedup_key"`
	Client     string            `json:"client,omitempty"`
	Payload    *pagerDutyPayload `json:"payload,omitempty"`
	Links      []pagerDutyLink   `json:"links,omitempty"`
}

type pagerDutyPayload struct {
	Summary   string            `json:"summary"`
	Source    string            `json:"source"`
	Severity  string            `json:"severity"`
	Timestamp string            `json:"timestamp"`
	Component string            `json:"component,omitempty"`
	Group     string            `json:"group,omitempty"`
	Class     string            `json:"class,omitempty"`
	Details   map[string]string `json:"custom_details,omitempty"`
}

type pagerDutyLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// Notify implements reconcile.Notifier.
func (p *pagerDuty) Notify(ctx context.Context, m reconcile.Message) error {
	body, err := encode(p.event(&m))
	if err != nil {
		return err
	}
	_, err = p.endpoint.post(ctx, http.Header{"Content-Type": {"application/json"}}, body)
	return err
}

func (p *pagerDuty) event(m *reconcile.Message) pagerDutyEvent {
	e := pagerDutyEvent{RoutingKey: p.key.Reveal(), Action: "trigger", DedupKey: thread(m), Client: "Fairlead"}
	if len(e.DedupKey) > 255 {
		e.DedupKey = digest(e.DedupKey)
	}
	if m.Resolves {
		e.Action = "resolve" // has nothing to tell
		return e
	}
	details := map[string]string{}
	for _, f := range facts(m) {
		details[f.name] = f.value
	}
	details["text"], details["event"] = m.Text, string(m.Event)
	if m.JournalHead != "" {
		details["journal_head"] = m.JournalHead
	}
	e.Payload = &pagerDutyPayload{
		Summary: m.Title, Source: source(m), Severity: string(m.Severity), Timestamp: m.At.UTC().Format(time.RFC3339Nano),
		Component: m.Subject, Group: m.Environment, Class: string(m.Event), Details: details,
	}
	if m.Severity == "" {
		e.Payload.Severity = string(spec.SeverityInfo)
	}
	if m.URL != "" {
		e.Links = []pagerDutyLink{{Href: m.URL, Text: "More about it"}}
	}
	return e
}

// source names the daemon that a message comes from.
func source(m *reconcile.Message) string {
	if m.Installation == "" {
		return "fairlead"
	}
	return m.Installation
}
