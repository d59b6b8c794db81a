package notify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/notify"
	"github.com/fairlead/fairlead/spec"
)

var rolledBack = reconcile.Message{
	Key: "k", Event: spec.NotifyRolledBack, Severity: spec.SeverityError, Subject: "model.digits", Owners: []string{"@vision", "@ops"},
	Environment: "prod", Installation: "prod-1", At: time.Date(2026, 3, 3, 14, 0, 0, 0, time.UTC),
	Title: "digits: 1.2.0 is rolled back", Text: "errors: 5 % of 1,000 requests failed", Thread: "t",
	Facts: map[string]string{"version": "1.2.0", "weight": "25 %"},
}

func TestTemplatesSayItInTheUsersWords(t *testing.T) {
	tmpl, err := notify.ParseTemplates(&spec.Notifier{
		Name: "x", Title: `{{.Environment}}: {{.Title | printf "%.60s"}} {{.Facts.nothing}}`,
		Text: `{{with .Facts.version}}Version {{.}}{{end}} of {{join .Owners " and "}}{{range $k, $v := .Facts}}
{{$k}} = {{$v}}{{end}}
{{.Text}} ({{.At.Format "2006-01-02"}}){{if .URL}} {{.URL}}{{end}}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := tmpl.Render(rolledBack)
	if err != nil {
		t.Fatal(err)
	}
	if m.Title != "prod: digits: 1.2.0 is rolled back" {
		t.Errorf("the title is %q", m.Title)
	}
	want := "Version 1.2.0 of @vision and @ops\nversion = 1.2.0\nweight = 25 %\nerrors: 5 % of 1,000 requests failed (2026-03-03)"
	if m.Text != want {
		t.Errorf("the text is %q", m.Text)
	}
	if m.Key != rolledBack.Key || m.Thread != rolledBack.Thread {
		t.Error("a template changed what the message is")
	}
}

func TestTemplatesThatCannotBeUsedAreRefused(t *testing.T) {
	for source, want := range map[string]string{
		`{{.Title`:            "unclosed action",
		`{{.Nonsense}}`:       "Nonsense",
		`{{call .Title}}`:     "call",
		`{{index .Owners 7}}`: "index",
		`{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`:                              "{{template}}",
		`{{range 1000000000000}}{{end}}`:                                                     "{{range}} goes over",
		`{{range .At.UnixNano}}{{end}}`:                                                      "{{range}} goes over",
		`{{$n := 1000000000}}{{range $n}}{{end}}`:                                            "{{range}} goes over",
		`{{if true}}{{with 1}}{{range 9999999999}}{{end}}{{end}}{{end}}`:                     "{{range}} goes over",
		`{{range .Facts}}{{range $.Facts}}x{{end}}{{end}}`:                                   "within another",
		`{{$x := "0123456789"}}` + strings.Repeat(`{{$x = print $x $x}}`, 40):                "more than",
		`{{$x := "'"}}` + strings.Repeat(`{{$x = js $x}}`, 40):                               "more than",
		`{{$x := "<"}}` + strings.Repeat(`{{$x = html $x $x}}`, 40):                          "more than",
		`{{printf "%999999d" 1}}`:                                                            "width",
		`{{printf "%*d" 999999 1}}`:                                                          "width",
		`{{join .Owners (printf "%999s" "")}}` + strings.Repeat(`{{printf "%999s" ""}}`, 20): "more than",
		strings.Repeat("x", 5000):                                                            "5000 bytes",
	} {
		started := time.Now()
		_, err := notify.ParseTemplates(&spec.Notifier{Name: "x", Text: source})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `notifier "x"`) {
			t.Errorf("%.60s: %v, want words about %q", source, err, want)
		}
		if took := time.Since(started); took > time.Minute {
			t.Errorf("%.60s took %s", source, took)
		}
	}
}

func TestATemplateThatFailsLaterLeavesTheUsualWords(t *testing.T) {
	tmpl, err := notify.ParseTemplates(&spec.Notifier{Name: "x", Title: `{{slice .Title 0 7}}`})
	if err != nil {
		t.Fatal(err)
	}
	m := rolledBack
	m.Title = "short"
	got, err := tmpl.Render(m)
	if err == nil || got.Title != "short" {
		t.Errorf("%q, %v", got.Title, err)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{`{{.Title}}`, `{{range .Facts}}{{.}}{{end}}`, `{{$x := .Text}}{{$x = print $x $x}}{{$x}}`, `{{with .At}}{{.Unix}}{{end}}`, `{{block "a" .}}{{end}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		tmpl, err := notify.ParseTemplates(&spec.Notifier{Name: "x", Title: source, Text: source})
		if err != nil {
			return
		}
		if m, err := tmpl.Render(rolledBack); err == nil && (len(m.Text) > 4<<10 || strings.Contains(m.Title, "\n")) {
			t.Errorf("%q became %q", source, m.Title)
		}
	})
}
