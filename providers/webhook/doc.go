// Package webhook receives the webhooks of forges and other programs. A webhook only
// wakes the loop, which then looks for itself: nothing of a payload is believed, so
// that a forged or repeated one costs a look and no more, and a lost one costs the
// time until the next look.
//
// Each endpoint is POST /hooks/NAME, for one sender, with its own secret. The kind of
// sender is configured and never guessed: Gitea sends the headers of GitHub as well.
//
//	github    X-Hub-Signature-256: sha256=HEX, HMAC-SHA256 of the body
//	gitea     X-Gitea-Signature: HEX, the same
//	forgejo   X-Forgejo-Signature: HEX, the same
//	gitlab    webhook-signature, as standard; or X-Gitlab-Token, the secret in clear
//	standard  webhook-id, webhook-timestamp, webhook-signature: Standard Webhooks
//	          (https://www.standardwebhooks.com), v1, at most five minutes old
//
// A secret file holds one secret on each line; with two of them a secret is changed
// without losing a delivery. It is read for each delivery, so a change needs no
// restart. The secrets of Standard Webhooks begin with whsec_; of gitlab such a line
// is a signing key, and any other a token. A token passes through whatever stands
// between GitLab and this host in clear, so it needs TLS; a signing key does not.
//
// # What is refused
//
// In this order: an unknown name (404), another method (405), too many requests of one
// address (429) or at the same time (503), anything but plain JSON (415), more than
// 5 MB (413), no signature (401), a body that does not come in ten seconds (408), a
// wrong signature (401), no JSON (400). An address is one of IPv4, or a /64 of IPv6. It
// is that of the connection: behind a reverse proxy all senders are one.
//
// What was received before is answered with 200 and wakes nobody. The id of a delivery
// tells where it is signed; elsewhere anybody could change it, and the signature tells,
// which is as good as the body. However many deliveries are valid, an endpoint wakes
// the loop at once and then at most once in a second.
package webhook
