package notify_test

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/fairlead/fairlead/providers/notify"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

type object = map[string]any

// The fields of https://developer.pagerduty.com/docs/send-alert-event.
func TestPagerDutyGetsAnAlertAndItsEnd(t *testing.T) {
	d := newDouble(t, answer(202, `{"status":"success","message":"Event processed","dedup_key":"x"}`))
	n := open(t, notify.Options{Notifier: spec.Notifier{Name: "pd", Kind: spec.NotifyPagerDuty, URL: d.URL + "/v2/enqueue"}, Token: spec.NewSensitive("R0UT1NGKEY")})
	m := rollback()
	send(t, n, m)
	var got object
	r := d.last(t, &got)
	if r.Method != "POST" || r.Path != "/v2/enqueue" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s, %s", r.Method, r.Path, r.Header.Get("Content-Type"))
	}
	equal(t, "routing_key", got["routing_key"], "R0UT1NGKEY")
	equal(t, "event_action", got["event_action"], "trigger")
	equal(t, "dedup_key", got["dedup_key"], m.Thread)
	equal(t, "links", got["links"], []object{{"href": m.URL, "text": "More about it"}})
	equal(t, "payload", got["payload"], object{
		"summary": m.Title, "source": "prod-1", "severity": "error", "timestamp": "2026-03-03T12:00:00Z", "component": "model.digits", "group": "prod", "class": "rolled_back",
		"custom_details": object{"text": m.Text, "event": "rolled_back", "revision": "bbb", "check.errors": "fail <http://evil|x>", "journal_head": "feedbeef"},
	})

	send(t, n, promoted())
	got = nil
	d.last(t, &got)
	equal(t, "the end", got, object{"routing_key": "R0UT1NGKEY", "event_action": "resolve", "dedup_key": m.Thread, "client": "Fairlead"})

	m.Thread, m.Severity = "", spec.SeverityCritical
	m.Key = strings.Repeat("k", 300)
	send(t, n, m)
	got = nil
	d.last(t, &got)
	if key, _ := got["dedup_key"].(string); len(key) > 255 || key == "" {
		t.Errorf("the dedup_key has %d characters", len(key))
	}
	equal(t, "severity", got["payload"].(object)["severity"], "critical")
}

func TestSlackGetsBlocksInWhichNothingIsACommand(t *testing.T) {
	d := newDouble(t, answer(200, "ok"))
	n := open(t, notify.Options{Notifier: spec.Notifier{Name: "s", Kind: spec.NotifySlack}, URL: spec.NewSensitive(d.URL + "/services/T000/B000/XXXXXXXXXXXX")})
	m := rollback()
	m.Text = strings.Repeat("<&>", 3000)
	for i := range 20 {
		m.Facts["fact "+strconv.Itoa(i)] = strings.Repeat("&", 256)
	}
	send(t, n, m)
	var got struct {
		Channel, Text string
		Blocks        []struct {
			Type     string
			Text     struct{ Type, Text string }
			Fields   []struct{ Type, Text string }
			Elements []struct{ Type, Text string }
		}
	}
	r := d.last(t, &got)
	if r.Path != "/services/T000/B000/XXXXXXXXXXXX" || r.Header.Get("Authorization") != "" || got.Channel != "" {
		t.Errorf("%s, %q", r.Path, got.Channel)
	}
	if want := ":x: digits: 1.2.0 is rolled back &lt;!channel&gt; &amp; &lt;@U123&gt;"; got.Text != want {
		t.Errorf("the text is %q", got.Text)
	}
	if len(got.Blocks) != 4 || len(got.Blocks) > 50 {
		t.Fatalf("%d blocks", len(got.Blocks))
	}
	texts := []string{got.Blocks[0].Text.Text, got.Blocks[1].Text.Text}
	for _, f := range got.Blocks[2].Fields {
		texts = append(texts, f.Text)
		if len([]rune(f.Text)) > 2000 {
			t.Errorf("a field has %d characters", len([]rune(f.Text)))
		}
	}
	if len(got.Blocks[2].Fields) > 10 {
		t.Errorf("%d fields", len(got.Blocks[2].Fields))
	}
	for _, text := range texts {
		rest := strings.NewReplacer("&amp;", "", "&lt;", "", "&gt;", "").Replace(text)
		if strings.ContainsAny(rest, "<>&") || len([]rune(text)) > 3000 || text == "" {
			t.Errorf("%d characters: %.200q", len([]rune(text)), text)
		}
	}
	if under := got.Blocks[3].Elements[0].Text; !strings.HasSuffix(under, "<https://git.example.com/c/c0ffee?a=1&amp;b=2%7Cx|more>") || strings.Count(under, "<") != 1 {
		t.Errorf("the last line is %q", under)
	}
}

func TestASlackBotIsJudgedByWhatSlackSays(t *testing.T) {
	said := `{"ok":true,"ts":"1503435956.000247"}`
	d := newDouble(t, func(w http.ResponseWriter, r *http.Request) { answer(200, said)(w, r) })
	n := open(t, notify.Options{Notifier: spec.Notifier{Name: "s", Kind: spec.NotifySlack, URL: d.URL + "/api/chat.postMessage", Channel: "#models"}, Token: spec.NewSensitive("xoxb-CANARY-1")})
	send(t, n, rollback())
	var got object
	r := d.last(t, &got)
	equal(t, "channel", got["channel"], "#models")
	equal(t, "authorization", r.Header.Get("Authorization"), "Bearer xoxb-CANARY-1")
	for said, retry := range map[string]bool{
		`{"ok":false,"error":"channel_not_found"}`: false, `{"ok":false,"error":"invalid_auth"}`: false,
		`{"ok":false,"error":"ratelimited"}`: true, `{"ok":false,"error":"internal_error"}`: true, `<html>`: true, `{}`: false,
		`{"ok":false,"error":"xoxb-CANARY-1"}`: false,
	} {
		other := newDouble(t, answer(200, said))
		n := open(t, notify.Options{Notifier: spec.Notifier{Name: "s", Kind: spec.NotifySlack, URL: other.URL, Channel: "#models"}, Token: spec.NewSensitive("xoxb-CANARY-1")})
		err := n.Notify(t.Context(), rollback())
		if err == nil || errors.Is(err, reconcile.ErrUnavailable) != retry || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %v", said, err)
		}
	}
}

// The attributes of https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
// and the JSON format beside it.
func TestAWebhookGetsASignedCloudEvent(t *testing.T) {
	key := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	d := newDouble(t, answer(204, ""))
	n := open(t, notify.Options{
		Notifier: spec.Notifier{Name: "w", Kind: spec.NotifyWebhook, URL: d.URL + "/hook?a=b"}, Token: spec.NewSensitive("t0ken"), SigningKey: spec.NewSensitive(key),
	})
	m := rollback()
	send(t, n, m)
	var got object
	r := d.last(t, &got)
	if r.Path != "/hook?a=b" || r.Header.Get("Authorization") != "Bearer t0ken" || r.Header.Get("Content-Type") != "application/cloudevents+json; charset=utf-8" {
		t.Errorf("%s %v", r.Path, r.Header)
	}
	for attribute, want := range map[string]any{
		"specversion": "1.0", "id": m.Key, "source": "/fairlead/prod-1/prod", "type": "io.fairlead.rolled_back", "subject": "model.digits",
		"time": "2026-03-03T12:00:00Z", "datacontenttype": "application/json",
	} {
		equal(t, attribute, got[attribute], want)
	}
	data, _ := got["data"].(object)
	equal(t, "data.title", data["title"], m.Title)
	equal(t, "data.facts", data["facts"], m.Facts)
	verifier, err := standardwebhooks.NewWebhook(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(r.Body, r.Header); err != nil {
		t.Error(err)
	}
	if err := verifier.Verify(append(r.Body, ' '), r.Header); err == nil {
		t.Error("a signature is good for other bytes")
	}
	send(t, n, m)
	if again := d.last(t, &got); again.Header.Get("webhook-id") != r.Header.Get("webhook-id") || strings.Contains(r.Header.Get("webhook-id"), ".") {
		t.Error("the same message has another webhook-id")
	}
}

func TestAlertmanagerGetsLabelsThatAreTheSameForTheSame(t *testing.T) {
	d := newDouble(t, answer(200, ""))
	at := noon.Add(time.Minute)
	n := open(t, notify.Options{
		Notifier: spec.Notifier{Name: "a", Kind: spec.NotifyAlertmanager, URL: d.URL + "/prefix/"}, Token: spec.NewSensitive("t0ken"), Now: func() time.Time { return at },
	})
	m := rollback()
	send(t, n, m)
	var got []object
	r := d.last(t, &got)
	if r.Path != "/prefix/api/v2/alerts" || r.Header.Get("Authorization") != "Bearer t0ken" || len(got) != 1 {
		t.Fatalf("%s: %s", r.Path, r.Body)
	}
	labels := object{
		"alertname": "FairleadRolledBack", "event": "rolled_back", "severity": "error", "subject": "model.digits", "environment": "prod", "installation": "prod-1",
	}
	equal(t, "labels", got[0]["labels"], labels)
	equal(t, "annotations", got[0]["annotations"], object{
		"summary": m.Title, "description": m.Text, "revision": "bbb", "check_errors": m.Facts["check.errors"], "owners": "@vision", "journal_head": "feedbeef",
	})
	equal(t, "startsAt", got[0]["startsAt"], "2026-03-03T12:00:00Z")
	equal(t, "endsAt", got[0]["endsAt"], "2026-03-10T12:01:00Z")
	equal(t, "generatorURL", got[0]["generatorURL"], m.URL)

	for name, change := range map[string]func(*reconcile.Message){
		"no thread":    func(m *reconcile.Message) { m.Thread = "" },
		"only to know": func(m *reconcile.Message) { m.Severity = spec.SeverityInfo },
	} {
		m := rollback()
		change(&m)
		send(t, n, m)
		d.last(t, &got)
		equal(t, name+": endsAt", got[0]["endsAt"], "2026-03-03T13:01:00Z")
		equal(t, name+": severity", got[0]["labels"].(object)["severity"], m.Severity)
	}

	send(t, n, promoted())
	d.last(t, &got)
	ended := 0
	for _, a := range got {
		if l, _ := a["labels"].(object); l["alertname"] == "FairleadRolledBack" {
			equal(t, "labels of the end", l, labels)
			equal(t, "the end", a["endsAt"], "2026-03-03T12:01:00Z")
			ended++
		}
	}
	if ended != 1 {
		t.Errorf("the alert is ended %d times", ended)
	}
}

func TestNotifiersThatCannotWorkAreRefused(t *testing.T) {
	secret := spec.NewSensitive("CANARY-sw0rdfish")
	for name, test := range map[string]struct {
		options notify.Options
		want    string
	}{
		"no kind":            {notify.Options{}, "kind"},
		"no url":             {notify.Options{Notifier: spec.Notifier{Kind: spec.NotifyWebhook}}, "no url"},
		"no scheme":          {notify.Options{Notifier: spec.Notifier{Kind: spec.NotifyWebhook, URL: "example.com"}}, "no address"},
		"file":               {notify.Options{Notifier: spec.Notifier{Kind: spec.NotifyWebhook, URL: "file://x/etc/passwd"}}, "scheme"},
		"in clear":           {notify.Options{Notifier: spec.Notifier{Kind: spec.NotifyWebhook, URL: "http://example.com"}}, "https://"},
		"user in url":        {notify.Options{Notifier: spec.Notifier{Kind: spec.NotifyWebhook}, URL: spec.NewSensitive("https://u:CANARY@example.com")}, "holds a user"},
		"url is odd":         {notify.Options{Notifier: spec.Notifier{Kind: spec.NotifySlack}, URL: spec.NewSensitive("https://CANARY\x00")}, "no address"},
		"no routing key":     {notify.Options{Notifier: spec.Notifier{Kind: spec.NotifyPagerDuty}}, "routing key"},
		"no channel":         {notify.Options{Notifier: spec.Notifier{Kind: spec.NotifySlack}, Token: secret}, "channel"},
		"signing key":        {notify.Options{Notifier: spec.Notifier{Kind: spec.NotifyWebhook, URL: "https://example.com"}, SigningKey: secret}, "whsec_"},
		"from":               {notify.Options{Notifier: spec.Notifier{Kind: spec.NotifyEmail, URL: "smtp://example.com", From: "a b"}}, "from"},
		"to nobody":          {notify.Options{Notifier: spec.Notifier{Kind: spec.NotifyEmail, URL: "smtp://example.com", From: "a@b.c"}}, "to is empty"},
		"to with a header":   {notify.Options{Notifier: spec.Notifier{Kind: spec.NotifyEmail, URL: "smtp://example.com", From: "a@b.c", To: []string{"a@b.c\r\nBcc: x@y.z"}}}, "to holds"},
		"user without token": {notify.Options{Notifier: spec.Notifier{Kind: spec.NotifyEmail, URL: "smtp://example.com", From: "a@b.c", To: []string{"a@b.c"}, User: "u"}}, "user and token"},
		"no CA":              {notify.Options{Notifier: spec.Notifier{Kind: spec.NotifyWebhook, URL: "https://example.com"}, CAFile: "/nowhere"}, "CA file"},
		"allowed hosts":      {notify.Options{Notifier: spec.Notifier{Kind: spec.NotifyWebhook, URL: "https://example.com"}, AllowedHosts: []string{"a/b"}}, "allowed hosts"},
	} {
		test.options.Notifier.Name = "x"
		_, err := notify.New(test.options)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), `notifier "x"`) || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
