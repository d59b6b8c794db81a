package schema

// MessageFields are what a template of a notifier can read of a message: the fields
// of reconcile.Message.
func MessageFields() []string {
	return []string{
		"Key", "Event", "Severity", "Subject", "Owners", "Environment", "Installation", "At", "Title", "Text",
		"Facts", "URL", "Thread", "Resolves", "JournalHead",
	}
}

func notifierBlock() *Block {
	const template = "A template of Go's text/template over the message: `{{ .Title }}`, `.Text`, `.Subject`, `.Event`, `.Severity`, `.Environment`, `.Installation`, `.Owners`, `.At`, `.URL`, `.Facts.revision`, `.Resolves`, `.JournalHead`."
	return &Block{
		Name: "notifier", Label: "name", LabelRule: LabelName, Repeats: true, Instances: true,
		Doc: "A place that is told what happens. A receiver that does not answer delays nothing; what could not be sent is tried again. " +
			"slack: a webhook by its url, or a bot by its token and a channel. pagerduty: the routing key of an Events API v2 integration as token. " +
			"email: an SMTP server as url, from and to, and user and token where it asks for a login. webhook: a CloudEvent, signed with signing_key as Standard Webhooks has it. alertmanager: the url of one.",
		Example: `notifier "oncall" {
  kind     = pagerduty
  token    = secret.pagerduty
  events   = [rolled_back, run_failed]
  severity = warning
  owners   = ["@vision"]
}`,
		Arguments: []*Argument{
			{Name: "kind", Type: Keyword, Keywords: []string{"slack", "pagerduty", "email", "webhook", "alertmanager"}, Required: true, Doc: "What is there."},
			{Name: "url", Type: TextOrSecret, Example: `"https://alerts.example.com"`, Doc: "Where it is: https://, or smtp://HOST:PORT (with STARTTLS) or smtps://HOST:PORT for email. A secret where the URL itself lets whoever knows it write, as a webhook of Slack."},
			{Name: "token", Type: Secret, Example: "secret.pagerduty", Doc: "What proves who sends: the routing key of pagerduty, the token of a Slack bot, the bearer token of webhook and alertmanager, the password of email."},
			{Name: "signing_key", Type: Secret, Example: "secret.hook_key", Doc: "Signs what is sent to a webhook: text that begins with whsec_, or any other."},
			{Name: "user", Type: String, Example: `"fairlead"`, Doc: "Login at the SMTP server."},
			{Name: "from", Type: String, Example: `"Fairlead <fairlead@example.com>"`, Doc: "Sender of e-mail."},
			{Name: "to", Type: StringList, Example: `["vision@example.com"]`, Doc: "Receivers of e-mail."},
			{Name: "channel", Type: String, Example: `"#models"`, Doc: "Channel of a Slack bot."},
			{
				Name: "events", Type: KeywordList, Note: "all", Example: "[rolled_back, held]", Doc: "What it is told about.",
				Keywords: []string{"rollout_started", "promoted", "rolled_back", "held", "refused_commit", "drift_healed", "proposal_opened", "run_failed", "approval_wanted", "tampered"},
			},
			{Name: "severity", Type: Keyword, Keywords: []string{"info", "warning", "error", "critical"}, Note: "any", Example: "warning", Doc: "The least severity that it is told about."},
			{Name: "owners", Type: StringList, Note: "any", Example: `["@vision"]`, Doc: "Tells only about what one of these owns, as in owners of models and pipelines."},
			{Name: "title", Type: String, Note: "the usual one", Example: `"[{{ .Environment }}] {{ .Title }}"`, Doc: "The first line. " + template},
			{Name: "text", Type: String, Note: "the usual one", Example: `"{{ .Text }}"`, Doc: "The text, a template like title."},
			{Name: "repeat", Type: Duration, Default: `"1h"`, Min: bound(0), Max: bound(30 * 86400), Doc: "How long an equal message is not sent again."},
		},
	}
}
