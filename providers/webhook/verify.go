package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	headerToken = "X-Gitlab-Token"
	// tolerance is how far the time of a Standard Webhook may be off, as the
	// standard's own libraries have it.
	tolerance = 5 * time.Minute
	maxHeader = 4 << 10 // bytes of a header that is looked at
)

// signatureHeader is where a kind has the HMAC of the body.
var signatureHeader = map[Kind]string{
	GitHub:  "X-Hub-Signature-256",
	Gitea:   "X-Gitea-Signature",
	Forgejo: "X-Forgejo-Signature",
}

func (k Kind) known() bool {
	return k == GitLab || k == Standard || signatureHeader[k] != ""
}

var (
	errTwice    = errors.New("a header of the signature is there twice, or too long")
	errMismatch = errors.New("the signature does not match; is the secret the one of this webhook?")
)

// header returns the one value of a header. Of two that differ nobody could tell which
// is meant.
func header(h http.Header, name string) (string, error) {
	values := h.Values(name)
	if len(values) != 1 || values[0] == "" || len(values[0]) > maxHeader {
		return "", errTwice
	}
	return values[0], nil
}

// signed tells whether there is anything to verify.
func (k Kind) signed(h http.Header) bool {
	switch k {
	case Standard:
		return h.Get(standardwebhooks.HeaderWebhookSignature) != ""
	case GitLab:
		return h.Get(standardwebhooks.HeaderWebhookSignature) != "" || h.Get(headerToken) != ""
	case GitHub, Gitea, Forgejo:
		return h.Get(signatureHeader[k]) != ""
	}
	return false
}

func (k Kind) unsigned() string {
	switch k {
	case Standard:
		return "there is no webhook-signature; give the sender the secret of this webhook"
	case GitLab:
		return "there is neither a webhook-signature nor an X-Gitlab-Token; give GitLab the secret of this webhook"
	case GitHub, Gitea, Forgejo:
	}
	return fmt.Sprintf("there is no %s; set the secret of this webhook on the forge", signatureHeader[k])
}

// mark is what a delivery is known by when it comes again.
type mark [sha256.Size]byte

// verify compares what the sender proves itself with, in constant time.
func (k Kind) verify(secrets []string, h http.Header, body []byte, now time.Time) (mark, error) {
	switch k {
	case Standard:
		return verifyStandard(secrets, h, body, now)
	case GitLab:
		return verifyGitLab(secrets, h, body, now)
	case GitHub, Gitea, Forgejo:
		return verifyHMAC(secrets, h, signatureHeader[k], k == GitHub, body)
	}
	return mark{}, errMismatch
}

// verifyHMAC is the scheme of GitHub, Gitea and Forgejo: the hexadecimal HMAC-SHA256 of
// the body. The id of the delivery is not signed, so the signature is its mark.
func verifyHMAC(secrets []string, h http.Header, name string, named bool, body []byte) (mark, error) {
	text, err := header(h, name)
	if err != nil {
		return mark{}, err
	}
	if named {
		var ok bool
		if text, ok = strings.CutPrefix(text, "sha256="); !ok {
			return mark{}, errMismatch
		}
	}
	signature, err := hex.DecodeString(text)
	if err != nil {
		return mark{}, errMismatch
	}
	for _, secret := range secrets {
		sum := hmac.New(sha256.New, []byte(secret))
		sum.Write(body)
		if hmac.Equal(sum.Sum(nil), signature) {
			return sha256.Sum256(signature), nil
		}
	}
	return mark{}, errMismatch
}

// verifyStandard is the scheme of Standard Webhooks. The id is signed, and so is the
// time.
func verifyStandard(secrets []string, h http.Header, body []byte, now time.Time) (mark, error) {
	id, err := header(h, standardwebhooks.HeaderWebhookID)
	if err != nil {
		return mark{}, errors.New("the webhook-id is missing, there twice, or too long")
	}
	sent, err := header(h, standardwebhooks.HeaderWebhookTimestamp)
	if err != nil {
		return mark{}, errors.New("the webhook-timestamp is missing, there twice, or too long")
	}
	if _, err := header(h, standardwebhooks.HeaderWebhookSignature); err != nil {
		return mark{}, err
	}
	seconds, err := strconv.ParseInt(sent, 10, 64)
	if err != nil {
		return mark{}, errors.New("the webhook-timestamp is no number of seconds")
	}
	if off := now.Unix() - seconds; seconds < 0 || off > int64(tolerance/time.Second) || off < -int64(tolerance/time.Second) {
		return mark{}, fmt.Errorf("the webhook-timestamp is more than %s away from the time of this host", tolerance)
	}
	for _, secret := range secrets {
		if key, err := signingKey(secret); err == nil && key.VerifyIgnoringTimestamp(body, h) == nil {
			return sha256.Sum256([]byte(id)), nil
		}
	}
	return mark{}, errMismatch
}

// verifyGitLab takes the signature, where there is one and a key for it, and else the
// token.
func verifyGitLab(secrets []string, h http.Header, body []byte, now time.Time) (mark, error) {
	var keys, tokens []string
	for _, secret := range secrets {
		if isSigningKey(secret) {
			keys = append(keys, secret)
		} else {
			tokens = append(tokens, secret)
		}
	}
	if len(keys) > 0 && (len(tokens) == 0 || h.Get(standardwebhooks.HeaderWebhookSignature) != "") {
		return verifyStandard(keys, h, body, now)
	}
	token, err := header(h, headerToken)
	if err != nil {
		return mark{}, errMismatch
	}
	for _, secret := range tokens {
		// Of sums, since their length tells nothing.
		a, b := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(token))
		if subtle.ConstantTimeCompare(a[:], b[:]) == 1 {
			return sha256.Sum256(body), nil // nothing is signed: the body tells
		}
	}
	return mark{}, errMismatch
}

// checkType refuses what is no plain JSON before it is read.
func checkType(req *http.Request) *refusal {
	refused := &refusal{status: http.StatusUnsupportedMediaType, text: "send JSON: set the content type of the webhook to application/json"}
	values := req.Header.Values("Content-Type")
	if len(values) != 1 {
		return refused
	}
	kind, _, err := mime.ParseMediaType(values[0])
	isJSON := kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
	if err != nil || !isJSON {
		return refused
	}
	if encoding := req.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return &refusal{status: http.StatusUnsupportedMediaType, text: "send the body without compression"}
	}
	return nil
}
