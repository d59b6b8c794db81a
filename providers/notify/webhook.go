package notify

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// webhook posts CloudEvents 1.0 in structured mode, as JSON. With a key they are signed
// as Standard Webhooks has it (https://www.standardwebhooks.com).
type webhook struct {
	endpoint *endpoint
	token    spec.Sensitive
	signer   *standardwebhooks.Webhook // nil: nothing is signed
	now      func() time.Time
}

func newWebhook(o *Options) (*webhook, error) {
	u, err := o.address("", "https", "http")
	if err != nil {
		return nil, err
	}
	e, err := newEndpoint(o, "the webhook", u)
	if err != nil {
		return nil, err
	}
	w := &webhook{endpoint: e, token: o.Token, now: o.Now}
	if !o.SigningKey.IsZero() {
		// Its error may quote the key.
		if w.signer, err = standardwebhooks.NewWebhook(o.SigningKey.Reveal()); err != nil {
			return nil, errors.New("its signing_key is no key of Standard Webhooks: whsec_ and base64")
		}
	}
	return w, nil
}

// cloudEvent is an event as CloudEvents 1.0 has it, in its JSON format.
type cloudEvent struct {
	SpecVersion     string            `json:"specversion"`
	ID              string            `json:"id"`
	Source          string            `json:"source"`
	Type            string            `json:"type"`
	Subject         string            `json:"subject,omitempty"`
	Time            string            `json:"time"`
	DataContentType string            `json:"datacontenttype"`
	Data            reconcile.Message `json:"data"`
}

// Notify implements reconcile.Notifier.
func (w *webhook) Notify(ctx context.Context, m reconcile.Message) error {
	body, err := encode(cloudEvent{
		SpecVersion: "1.0", ID: m.Key, Type: "io.fairlead." + string(m.Event), Subject: m.Subject,
		Source: "/fairlead/" + url.PathEscape(m.Installation) + "/" + url.PathEscape(m.Environment),
		Time:   m.At.UTC().Format(time.RFC3339Nano), DataContentType: "application/json", Data: m,
	})
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/cloudevents+json; charset=utf-8"}}
	if !w.token.IsZero() {
		header.Set("Authorization", "Bearer "+w.token.Reveal())
	}
	if w.signer != nil {
		id, at := "msg_"+digest(m.Key), w.now()
		signature, err := w.signer.Sign(id, at, body)
		if err != nil {
			return errors.New("the message cannot be signed; check its signing_key")
		}
		header.Set(standardwebhooks.HeaderWebhookID, id)
		header.Set(standardwebhooks.HeaderWebhookTimestamp, timestamp(at))
		header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	}
	_, err = w.endpoint.post(ctx, header, body)
	return err
}
