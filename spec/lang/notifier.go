package lang

import (
	"net"
	"net/mail"
	"net/url"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/schema"
)

// notifier decodes a notifier block.
func (s section) notifier(a spec.Address, _ bool) *spec.Notifier {
	n := &spec.Notifier{
		Name: a.ServedName(), Pos: specPos(s.n.rng), Kind: spec.NotifierKind(s.keyword("kind")),
		Token: s.secret("token"), SigningKey: s.secret("signing_key"),
		User: s.str("user"), From: s.str("from"), To: s.stringList("to"), Channel: s.str("channel"),
		Severity: spec.Severity(s.keyword("severity")), Owners: s.stringList("owners"),
		Title: s.template("title", maxTitle), Text: s.template("text", maxMessage), Repeat: s.duration("repeat"),
	}
	n.URL, n.URLSecret = s.textOrSecret("url")
	n.Events = s.events()
	s.checkNotifierArguments(n.Kind)
	s.checkNotifierURL(n)
	s.checkMail(n)
	s.checkSlack(n)
	if s.has("owners") && s.emptyList("owners") {
		s.errorf(s.at("owners"), "Empty list", "The list names nobody, so nothing would ever be sent. Name an owner, or remove the argument: it is told about everything then.")
	}
	return n
}

// secret is the name of the secret that an argument names.
func (s section) secret(name string) string {
	v, ok := s.typed(name)
	if !ok || v.IsNull() {
		return ""
	}
	secret, isSecret := secretOf(v)
	if !isSecret {
		s.errorf(s.at(name), "Secret expected", "%s names a secret: write %s = secret.NAME, and declare it with a secret block. A value written here would be readable for everybody who can read the repo.", name, name)
	}
	return secret
}

// textOrSecret is a text, or the name of a secret that stands for it.
func (s section) textOrSecret(name string) (text, secret string) {
	v, ok := s.typed(name)
	if !ok || v.IsNull() {
		return "", ""
	}
	if secret, isSecret := secretOf(v); isSecret {
		return "", secret
	}
	return v.AsString(), ""
}

func (s section) events() []string {
	a := s.n.args.get("events")
	if a == nil || a.broken {
		return nil
	}
	if len(a.keywords) == 0 {
		s.errorf(s.at("events"), "Empty list", "The list names no event, so nothing would ever be sent. Name one, or remove the argument: it is told about everything then.")
	}
	var list []string
	for _, k := range a.keywords {
		if slices.Contains(list, k.word) {
			s.errorf(k.rng, "Duplicate event", "The event is in the list already. Remove one of the two.")
			continue
		}
		list = append(list, k.word)
	}
	return list
}

// takes tells which of the arguments that not every kind has a kind takes, and which
// of them it needs.
func takes(kind spec.NotifierKind) (needs, may []string) {
	switch kind {
	case spec.NotifySlack:
		return nil, []string{"url", "token", "channel"}
	case spec.NotifyPagerDuty:
		return []string{"token"}, []string{"url"}
	case spec.NotifyEmail:
		return []string{"url", "from", "to"}, []string{"user", "token"}
	case spec.NotifyWebhook:
		return []string{"url"}, []string{"token", "signing_key"}
	case spec.NotifyAlertmanager:
		return []string{"url"}, []string{"token"}
	default:
		return nil, nil
	}
}

func (s section) checkNotifierArguments(kind spec.NotifierKind) {
	if kind == "" {
		return
	}
	needs, may := takes(kind)
	for _, name := range []string{"url", "token", "signing_key", "user", "from", "to", "channel"} {
		def := s.n.schema.Argument(name)
		switch written := s.has(name); {
		case slices.Contains(needs, name) && !written:
			s.errorf(s.n.rng, "Missing argument", "A notifier of kind %s needs %s: %s For example:\n    %s = %s", kind, name, def.Doc, name, notifierExample(kind, name, def))
		case written && !slices.Contains(needs, name) && !slices.Contains(may, name):
			s.errorf(s.at(name), "Contradictory arguments", "A notifier of kind %s has no %s. It takes %s. Remove the argument, or correct kind.", kind, name, strings.Join(slices.Concat(needs, may), ", "))
		}
	}
}

func notifierExample(kind spec.NotifierKind, name string, def *schema.Argument) string {
	if kind == spec.NotifyEmail && name == "url" {
		return `"smtp://mail.example.com:587"`
	}
	return example(def)
}

// checkNotifierURL checks a URL that is written. What a secret holds is known to the
// daemon alone.
func (s section) checkNotifierURL(n *spec.Notifier) {
	if n.URL == "" {
		if n.URLSecret == "" && s.has("url") && s.evaluates("url") {
			s.errorf(s.at("url"), "Invalid URL", "The URL is empty. Write where to send to.")
		}
		return
	}
	schemes, form := []string{"https", "http"}, "https://HOST/PATH"
	if n.Kind == spec.NotifyEmail {
		schemes, form = []string{"smtp", "smtps"}, "smtp://HOST:PORT, which is encrypted by STARTTLS, or smtps://HOST:PORT"
	}
	u, err := url.Parse(n.URL)
	switch {
	case err != nil || u.Hostname() == "" || !slices.Contains(schemes, u.Scheme):
		s.errorf(s.at("url"), "Invalid URL", "The URL of such a notifier is %s.", form)
	case u.User != nil:
		s.errorf(s.at("url"), "Credential in the repo", "The URL holds a name or a password, and everybody who can read the repo could use it. Put it into a secret: url = secret.NAME, or token = secret.NAME.")
	case n.Kind == spec.NotifyEmail && (strings.Trim(u.Path, "/") != "" || u.RawQuery != ""):
		s.errorf(s.at("url"), "Invalid URL", "An SMTP server has no path. Write %s.", form)
	case n.Kind == spec.NotifySlack && u.Hostname() == "hooks.slack.com":
		s.errorf(s.at("url"), "Credential in the repo", "Whoever knows the URL of a Slack webhook can write there, and everybody who can read the repo knows it now. Make a new one in Slack, and put that into a secret: url = secret.NAME.")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		s.ev.warnf(s.at("url"), s.n.place, "Not encrypted", "What is sent by http://, and the token with it, can be read and changed on its way. Write https://.")
	}
}

// loopback tells whether a host is the daemon's own.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (s section) checkMail(n *spec.Notifier) {
	if n.Kind != spec.NotifyEmail {
		return
	}
	if n.From != "" {
		if _, err := mail.ParseAddress(n.From); err != nil {
			s.errorf(s.at("from"), "Invalid address", "This is no address of e-mail. Write \"fairlead@example.com\", or \"Fairlead <fairlead@example.com>\".")
		}
	}
	if s.has("to") && s.emptyList("to") {
		s.errorf(s.at("to"), "Empty list", "The list names no receiver. Write to = [\"vision@example.com\"].")
	}
	for i, address := range n.To {
		if _, err := mail.ParseAddress(address); err != nil {
			s.errorf(s.itemAt("to", i), "Invalid address", "This is no address of e-mail. Write \"vision@example.com\".")
		}
	}
	switch {
	case s.has("user") && !s.has("token"):
		s.errorf(s.at("user"), "Missing argument", "A login needs a password: token = secret.NAME. Without user and token mail is sent without a login.")
	case s.has("token") && !s.has("user"):
		s.errorf(s.at("token"), "Missing argument", "The password is of which user? Write user, too. Without user and token mail is sent without a login.")
	}
}

func (s section) checkSlack(n *spec.Notifier) {
	if n.Kind != spec.NotifySlack {
		return
	}
	switch {
	case !s.has("url") && !s.has("token"):
		s.errorf(s.n.rng, "Missing argument", "Slack is reached by a webhook, url = secret.NAME, or by a bot, token = secret.NAME and channel = \"#models\". Write one of them.")
	case s.has("token") && !s.has("channel"):
		s.errorf(s.n.rng, "Missing argument", "A Slack bot can write to many channels. Write which: channel = \"#models\".")
	case !s.has("token") && s.has("channel"):
		s.errorf(s.at("channel"), "Contradictory arguments", "A webhook of Slack belongs to one channel, which Slack knows. Remove the argument; for a bot write token, too.")
	}
}
