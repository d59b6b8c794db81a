package spec

import "time"

// Notifier is a place that messages about what happens are sent to.
type Notifier struct {
	Name string       `json:"name"` // label of the block
	Pos  Pos          `json:"pos,omitzero"`
	Kind NotifierKind `json:"kind"`
	// URL is where it is: of a webhook, of an Alertmanager, of an SMTP server
	// (smtp://HOST:PORT with STARTTLS, smtps://HOST:PORT), of PagerDuty's or Slack's
	// API where it is not the public one. Secret stands for it where the URL itself
	// is one, as a webhook of Slack.
	URL       string `json:"url,omitempty"`
	URLSecret string `json:"url_secret,omitempty"` // name of a secret
	// Token is the name of the secret that proves who sends: PagerDuty's routing
	// key, the bearer token of a webhook or an Alertmanager, the password of SMTP,
	// the token of a Slack bot.
	Token string `json:"token,omitempty"`
	// SigningKey is the name of the secret with which a generic webhook is signed,
	// as Standard Webhooks has it.
	SigningKey string   `json:"signing_key,omitempty"`
	User       string   `json:"user,omitempty"`    // of SMTP
	From       string   `json:"from,omitempty"`    // address of e-mail
	To         []string `json:"to,omitempty"`      // addresses of e-mail
	Channel    string   `json:"channel,omitempty"` // of a Slack bot

	// What is sent there. Empty: everything.
	Events   []string `json:"events,omitempty"`   // NotifyEvent
	Severity Severity `json:"severity,omitempty"` // the least; "": any
	Owners   []string `json:"owners,omitempty"`   // one of them owns what it is about
	// Title and Text are templates of text/template over the message; "": the usual
	// ones.
	Title string `json:"title,omitempty"`
	Text  string `json:"text,omitempty"`
	// Repeat is how long an equal message is not sent again.
	Repeat time.Duration `json:"repeat"`
}

// NotifierKind is the kind of a Notifier.
type NotifierKind string

// The kinds of notifier.
const (
	NotifySlack        NotifierKind = "slack"
	NotifyPagerDuty    NotifierKind = "pagerduty"
	NotifyEmail        NotifierKind = "email"
	NotifyWebhook      NotifierKind = "webhook" // CloudEvents over HTTP
	NotifyAlertmanager NotifierKind = "alertmanager"
)

// Severity is how much an event matters.
type Severity string

// The severities, the least first.
const (
	SeverityInfo     Severity = "info"
	SeverityWarning  Severity = "warning"
	SeverityError    Severity = "error"
	SeverityCritical Severity = "critical"
)

// NotifyEvent is what kind of thing happened.
type NotifyEvent string

// The events, with the severity that they have.
const (
	NotifyRolloutStarted NotifyEvent = "rollout_started" // info
	NotifyPromoted       NotifyEvent = "promoted"        // info
	NotifyRolledBack     NotifyEvent = "rolled_back"     // error
	NotifyHeld           NotifyEvent = "held"            // warning
	NotifyRefused        NotifyEvent = "refused_commit"  // error
	NotifyDriftHealed    NotifyEvent = "drift_healed"    // warning
	NotifyProposed       NotifyEvent = "proposal_opened" // info
	NotifyRunFailed      NotifyEvent = "run_failed"      // error
	NotifyApproval       NotifyEvent = "approval_wanted" // warning
	// NotifyTampered: the record of decisions is not what it was, or what would show that
	// does not work.
	NotifyTampered NotifyEvent = "tampered" // critical
)
