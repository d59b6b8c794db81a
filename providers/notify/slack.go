package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// slackAPI is where a bot posts.
const slackAPI = "https://slack.com/api/chat.postMessage"

// slack posts messages in blocks (https://docs.slack.dev/reference/block-kit), through
// an incoming webhook or as a bot.
type slack struct {
	endpoint *endpoint
	token    spec.Sensitive // of a bot; zero: a webhook
	channel  string
}

func newSlack(o *Options) (*slack, error) {
	public := ""
	if !o.Token.IsZero() {
		public = slackAPI
		if o.Notifier.Channel == "" {
			return nil, errors.New("it is a bot of Slack and has no channel: set channel")
		}
	}
	u, err := o.address(public, "https", "http")
	if err != nil {
		return nil, err
	}
	e, err := newEndpoint(o, "Slack", u)
	if err != nil {
		return nil, err
	}
	return &slack{endpoint: e, token: o.Token, channel: o.Notifier.Channel}, nil
}

type slackMessage struct {
	Channel     string       `json:"channel,omitempty"`
	Text        string       `json:"text"` // where blocks cannot be shown, such as in an alert on a phone
	Blocks      []slackBlock `json:"blocks"`
	UnfurlLinks bool         `json:"unfurl_links"`
	UnfurlMedia bool         `json:"unfurl_media"`
}

type slackBlock struct {
	Type     string      `json:"type"`
	Text     *slackText  `json:"text,omitempty"`
	Fields   []slackText `json:"fields,omitempty"`
	Elements []slackText `json:"elements,omitempty"`
}

type slackText struct {
	Type string `json:"type"`
	Text string `json:"text"`
	// Verbatim: nothing in the text becomes a link or a mention by itself.
	Verbatim bool `json:"verbatim,omitempty"`
}

// Limits of Slack, in characters after escaping.
const (
	slackSection = 3000
	slackField   = 2000
	slackFields  = 10
)

// Notify implements reconcile.Notifier.
func (s *slack) Notify(ctx context.Context, m reconcile.Message) error {
	body, err := encode(s.message(&m))
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	if s.token.IsZero() {
		_, err := s.endpoint.post(ctx, header, body)
		return err
	}
	header.Set("Authorization", "Bearer "+s.token.Reveal())
	answer, err := s.endpoint.post(ctx, header, body)
	if err != nil {
		return err
	}
	return s.judge(answer)
}

// passing are the errors of Slack that pass by themselves.
var passing = []string{"ratelimited", "rate_limited", "message_limit_exceeded", "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}

// judge reads what the API says: it answers 200 to what it refuses.
func (s *slack) judge(answer []byte) error {
	var said struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return &reconcile.RetryError{Cause: s.endpoint.errorf("it answered what is not Slack's%s", s.endpoint.quote(answer))}
	}
	switch {
	case said.OK:
		return nil
	case slices.Contains(passing, said.Error):
		return &reconcile.RetryError{Cause: s.endpoint.errorf("it refused the message: %s", said.Error)}
	default:
		return s.endpoint.errorf("it refused the message: %.100s; see the errors of chat.postMessage", said.Error)
	}
}

func (s *slack) message(m *reconcile.Message) slackMessage {
	title := slackEscape(m.Title, slackSection-200)
	blocks := []slackBlock{{Type: "section", Text: mrkdwn(slackSign(m) + " *" + title + "*")}}
	if m.Text != "" {
		blocks = append(blocks, slackBlock{Type: "section", Text: mrkdwn(slackEscape(m.Text, slackSection))})
	}
	fields := make([]slackText, 0, slackFields)
	for _, f := range facts(m) {
		if len(fields) == slackFields {
			break
		}
		fields = append(fields, *mrkdwn("*" + slackEscape(f.name, 200) + "*\n" + slackEscape(f.value, slackField-300)))
	}
	if len(fields) > 0 {
		blocks = append(blocks, slackBlock{Type: "section", Fields: fields})
	}
	under := slackEscape(fmt.Sprintf("%s · %s · %s", m.Environment, m.Subject, m.At.UTC().Format("2006-01-02 15:04:05 UTC")), 1000)
	if m.URL != "" {
		under += " · <" + slackURL(m.URL) + "|more>"
	}
	blocks = append(blocks, slackBlock{Type: "context", Elements: []slackText{*mrkdwn(under)}})
	return slackMessage{Channel: s.channel, Text: slackSign(m) + " " + title, Blocks: blocks}
}

func mrkdwn(text string) *slackText { return &slackText{Type: "mrkdwn", Text: text, Verbatim: true} }

// slackSign is a picture for the severity.
func slackSign(m *reconcile.Message) string {
	switch {
	case m.Resolves:
		return ":white_check_mark:"
	case m.Severity == spec.SeverityCritical:
		return ":rotating_light:"
	case m.Severity == spec.SeverityError:
		return ":x:"
	case m.Severity == spec.SeverityWarning:
		return ":warning:"
	default:
		return ":information_source:"
	}
}

var slackEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// slackEscape writes a text such that none of it is a link, a mention or a command, cut
// to so many characters, and never in the middle of an escape.
func slackEscape(text string, limit int) string {
	escaped := slackEscaper.Replace(text)
	for utf8.RuneCountInString(escaped) > limit {
		runes := []rune(text)
		text = string(runes[:len(runes)*9/10]) // an escape is longer than what it stands for
		escaped = slackEscaper.Replace(text) + "…"
	}
	return escaped
}

// slackURL writes an address such that it cannot end the link that it is in.
func slackURL(u string) string {
	return strings.NewReplacer("&", "&amp;", "<", "%3C", ">", "%3E", "|", "%7C").Replace(u)
}
