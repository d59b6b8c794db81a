package lang

import (
	"reflect"
	"testing"
	"time"

	"github.com/fairlead/fairlead/spec"
)

func TestNotifiersAreDecodedExactly(t *testing.T) {
	repo := tree{"a.hcl": `
secret "key" { env = "KEY" }
notifier "mail" {
  for_each = toset(["eu"])
  kind     = email
  url      = "smtps://mail.example.com:465"
  user     = "u"
  token    = secret.key
  from     = "Fairlead <f@example.com>"
  to       = ["a@example.com", "b@example.com"]
  events   = [held, rolled_back]
  severity = error
  owners   = ["@vision"]
  title    = "{{ .Title }}"
  repeat   = "5m"
}
notifier "hook" {
  kind        = webhook
  url         = secret.key
  signing_key = secret.key
}
notifier "off" {
  enabled = false
  kind    = webhook
  url     = secret.key
}
environment "prod" {
  notifier "hook" {
    token = secret.key
  }
}
`}
	got := mustLoad(t, NewLoader(), repo, Options{Environment: "prod"}).Notifiers
	want := []*spec.Notifier{
		{Name: "hook", Pos: spec.Pos{File: "a.hcl", Line: 17, Column: 1}, Kind: spec.NotifyWebhook, URLSecret: "key", SigningKey: "key", Token: "key", Repeat: time.Hour},
		{
			Name: "mail-eu", Pos: spec.Pos{File: "a.hcl", Line: 3, Column: 1}, Kind: spec.NotifyEmail, URL: "smtps://mail.example.com:465", User: "u", Token: "key",
			From: "Fairlead <f@example.com>", To: []string{"a@example.com", "b@example.com"}, Events: []string{"held", "rolled_back"},
			Severity: spec.SeverityError, Owners: []string{"@vision"}, Title: "{{ .Title }}", Repeat: 5 * time.Minute,
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", asJSON(t, got), asJSON(t, want))
	}
}

func TestTemplatesAreCheckedWhereTheDotIsTheMessage(t *testing.T) {
	for template, good := range map[string]bool{
		"plain text": true, "": true, "{{ .Title }} {{ .At.Format \\\"15:04\\\" }}": true, "{{ range .Owners }}{{ .Nothing }}{{ end }}": true,
		"{{ with .Facts }}{{ .anything }}{{ else }}{{ .Text }}{{ end }}": true, "{{ range $k, $v := .Facts }}{{ $k }}{{ end }}": true,
		"{{ if .Resolves }}{{ .Over }}{{ end }}": false, "{{ printf \\\"%s\\\" (index .Fact \\\"a\\\") }}": false, "{{ .Title | printf .Nope }}": false,
		"{{ define \\\"a\\\" }}{{ end }}": true, "{{ range .Owner }}{{ end }}": false, "{{ (.Titles) }}": false, "{{": false, "{{ template \\\"x\\\" }}": true,
	} {
		repo := tree{"a.hcl": "notifier \"a\" {\n  kind = alertmanager\n  url = \"https://example.com\"\n  text = \"" + template + "\"\n}\n"}
		if _, diags := NewLoader().Load(repo, Options{}); diags.HasErrors() == good {
			t.Errorf("%q: %v", template, diags.Err())
		}
	}
}
