package rest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/fairlead/fairlead/reconcile"
)

// Call is what was tried.
type Call struct {
	Doing string // "list the reviews of pull request 7"
	Needs string // which right that takes: "Pull requests: read"
}

// Failed says why a call failed. The response may be nil; message is what the forge
// said, as its SDK has read it. The error holds no credential, even if the forge has
// repeated it, and wraps nothing of the SDK. Whichever of also are given it wraps.
func (c *Client) Failed(call Call, response *http.Response, message string, err error, also ...error) error {
	failed := &Error{causes: also}
	set := func(reason string, causes ...error) {
		failed.text = c.options.Name + ": " + call.Doing + ": " + c.Clean(reason)
		failed.causes = append(failed.causes, causes...)
	}
	var retry *reconcile.RetryError
	switch {
	case errors.As(err, &retry):
		set(retry.Error())
		return &reconcile.RetryError{After: retry.After, Cause: failed}
	case response != nil && response.StatusCode >= http.StatusMultipleChoices && !ours(err):
		if until, limited := c.refusedUntil(response); limited {
			set(answered(response, message) + "; it is left alone until " + clock(until))
			return &reconcile.RetryError{After: until, Cause: failed}
		}
		reason, causes := c.status(call, response, message)
		set(reason, causes...)
	default:
		reason, causes := c.broken(response, err)
		set(reason, causes...)
	}
	return failed
}

// refusedUntil is the time of a refusal because of too many requests.
func (c *Client) refusedUntil(response *http.Response) (time.Time, bool) {
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusForbidden, http.StatusServiceUnavailable:
		until := c.Held()
		return until, !until.IsZero()
	}
	return time.Time{}, false
}

// status are the words for an answer that is none.
func (c *Client) status(call Call, response *http.Response, message string) (string, []error) {
	reason := answered(response, message)
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized:
		return reason + "; is " + c.options.From + " expired or revoked?", nil
	case code == http.StatusForbidden:
		return reason + "; " + c.options.From + " needs the right to it: " + call.Needs, nil
	case code == http.StatusNotFound:
		return reason + "; it does not exist, or " + c.options.From + " may not see it, which takes " + call.Needs, nil
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code >= http.StatusInternalServerError:
		return reason + "; that may pass", []error{reconcile.ErrUnavailable}
	}
	return reason, nil
}

func answered(response *http.Response, message string) string {
	text := fmt.Sprintf("it answers %d %s", response.StatusCode, http.StatusText(response.StatusCode))
	if message != "" {
		text += " (" + message + ")"
	}
	return text
}

// broken are the words for what is no answer at all.
func (c *Client) broken(response *http.Response, err error) (string, []error) {
	var (
		credential  *credentialError
		certificate *tls.CertificateVerificationError
		syntax      *json.SyntaxError
		typed       *json.UnmarshalTypeError
		request     *url.Error
	)
	switch {
	case err == nil:
		return "it answers with nothing", nil
	case errors.Is(err, context.Canceled):
		return "it was given up", []error{context.Canceled}
	case errors.As(err, &credential):
		var causes []error
		if errors.Is(err, reconcile.ErrUnavailable) {
			causes = append(causes, reconcile.ErrUnavailable)
		}
		return strings.TrimPrefix(credential.Error(), c.options.Name+": "), causes
	case ours(err):
		if errors.As(err, &request) {
			err = request.Err
		}
		return err.Error(), nil
	case timedOut(err):
		return fmt.Sprintf("no answer within %s", c.options.Timeout), []error{context.DeadlineExceeded, reconcile.ErrUnavailable}
	case errors.As(err, &certificate):
		return "its certificate is not trusted: " + certificate.Err.Error() + "; name the certificate of its authority", []error{reconcile.ErrUnavailable}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the answer is cut off", []error{reconcile.ErrUnavailable}
	case errors.As(err, &syntax), errors.As(err, &typed), errors.Is(err, ErrForeign):
		kind := ""
		if response != nil && response.Header.Get("Content-Type") != "" {
			kind = " (" + response.Header.Get("Content-Type") + ")"
		}
		return "it answers with something that is not of its API" + kind + "; is that its address, and no proxy or login page between?", nil
	case errors.As(err, &request):
		err = request.Err
	}
	return err.Error(), []error{reconcile.ErrUnavailable}
}

// ours tells whether a call was ended by this package, whatever was answered.
func ours(err error) bool {
	var (
		elsewhere *elsewhereError
		moved     *movedError
	)
	return errors.As(err, &elsewhere) || errors.As(err, &moved) || errors.Is(err, errTooLarge)
}

func timedOut(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// Clean makes one line of what a server said, without any credential, and not too long.
func (c *Client) Clean(text string) string {
	c.mu.Lock()
	for _, secret := range c.secrets {
		text = strings.ReplaceAll(text, secret, "[credential]")
	}
	c.mu.Unlock()
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	return Cut(text, 500)
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 MST") }

// Error is what went wrong, in words for people.
type Error struct {
	text   string
	causes []error
}

func (e *Error) Error() string { return e.text }

// Unwrap gives the errors of reconcile that it is.
func (e *Error) Unwrap() []error { return e.causes }

// ErrForeign: an SDK cannot make anything of an answer.
var ErrForeign = errors.New("the answer is not of the API")

var errTooLarge = fmt.Errorf("its answer is larger than %d MiB", MaxBody>>20)

// elsewhereError is a request that would leave the server.
type elsewhereError struct {
	to       *url.URL
	redirect bool
}

func (e *elsewhereError) Error() string {
	to := (&url.URL{Scheme: e.to.Scheme, Host: e.to.Host}).String()
	if e.redirect {
		return "it redirects to " + to + ", which is another server and must not see the credential; if that is right, configure it as the address"
	}
	return "the request would go to " + to + ", which is another server and must not see the credential"
}

// movedError is a redirect that is not followed.
type movedError struct{ text string }

func (e *movedError) Error() string { return e.text }

// credentialError: there is nothing to prove oneself with.
type credentialError struct{ cause error }

func (e *credentialError) Error() string   { return e.cause.Error() }
func (e *credentialError) Unwrap() []error { return []error{e.cause} }
