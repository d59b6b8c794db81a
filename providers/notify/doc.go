// Package notify sends messages to where people and their tools read them. Each kind
// implements reconcile.Notifier:
//
//	slack         an incoming webhook, or chat.postMessage with a bot's token
//	pagerduty     Events API v2; a thread is an alert, which is resolved with it
//	email         SMTP with STARTTLS or TLS
//	webhook       CloudEvents 1.0 (structured JSON), signed as Standard Webhooks has it
//	alertmanager  API v2; an alert for each complaint, resolved with its thread
//
// The addresses come from a config repo, and so from whoever may write to it. No
// connection is made to loopback, link-local or private addresses that the operator
// has not allowed, whatever a name resolves to at that moment; no redirect is followed
// and no proxy of the environment used. Every call ends within ten seconds, and no
// error holds a secret.
package notify
