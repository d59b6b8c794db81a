package git

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"

	"github.com/fairlead/fairlead/reconcile"
)

// remoteError is an error whose text was written for people and holds no
// credential. What it wraps is for errors.Is and errors.As only.
type remoteError struct {
	text  string
	cause error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.cause }

// explain says of an error which repository it is about, and what to do. Where the
// server says when to come back, it is a *reconcile.RetryError.
func (l link) explain(ctx context.Context, err error) error {
	if l.location.local() {
		return fmt.Errorf("%s %s: %w", l.words.local, l.location, err)
	}
	if opaque, ok := errors.AsType[*plumbing.UnexpectedError](err); ok {
		err = opaque.Err // go-git's wrapper does not unwrap
	}
	after := l.pace.heed(err, time.Now())
	text := l.explainRemote(ctx, err)
	if early := new(waitError); !after.IsZero() && !errors.As(err, &early) {
		text += fmt.Sprintf("; it is not called before %s", after.UTC().Format(time.RFC3339))
	}
	explained := &remoteError{text: fmt.Sprintf("%s %s: %s", l.words.remote, l.location, l.withoutSecrets(text)), cause: err}
	if after.IsZero() {
		return explained
	}
	return &reconcile.RetryError{After: after, Cause: explained}
}

// explainRemote leaves out what a server says of its own, apart from its status:
// a server may repeat what it was sent.
func (l link) explainRemote(ctx context.Context, err error) string {
	if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %s; %s. Is the network slow, or the repository large? --git-timeout gives it more time", l.timeout, l.words.meanwhile)
	}
	if redirect, ok := errors.AsType[*redirectError](err); ok {
		return redirect.Error()
	}
	if status, ok := errors.AsType[*githttp.Err](err); ok {
		return l.explainStatus(status.StatusCode(), status.Response.Header.Get("Retry-After"))
	}
	switch {
	case errors.Is(err, transport.ErrAuthenticationRequired):
		return l.explainRefusal()
	case errors.Is(err, transport.ErrAuthorizationFailed):
		return fmt.Sprintf("the remote accepts the credentials and gives no access (403); let their user %s the repository", l.words.need)
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return "the remote has no such repository, or hides it from these credentials (404); check the URL and the token"
	case errors.Is(err, errTransfer):
		return errTransfer.Error()
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Sprintf("the name %s cannot be resolved (%s); check the URL and the network", dns.Name, dns.Err)
	}
	if expired, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return fmt.Sprintf("the certificate of the remote is not valid: %s", expired.Error())
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the certificate of the remote is signed by nobody this host trusts; set --git-ca-file FILE to its authority"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return fmt.Sprintf("the remote cannot be reached: %s; %s", op.Err, l.words.meanwhile)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Sprintf("the remote broke off: %s; %s, %s", err, l.words.meanwhile, l.words.again)
	}
	return err.Error()
}

func (l link) explainRefusal() string {
	if l.auth.hasToken(l.location) {
		return "the remote does not accept the credentials (401); check user and token"
	}
	return "the remote asks for credentials (401); set --git-token-file FILE"
}

func (l link) explainStatus(code int, retryAfter string) string {
	switch {
	case code == 429 || code == 503 && retryAfter != "":
		text := fmt.Sprintf("the remote asks to come back later (%d)", code)
		if retryAfter = printable(retryAfter); retryAfter != "" && len(retryAfter) < 40 {
			text += ": Retry-After " + retryAfter
		}
		return text
	case code >= 500:
		return fmt.Sprintf("the remote has an error of its own (%d); %s", code, l.words.again)
	default:
		return fmt.Sprintf("the remote answers %d; check the URL", code)
	}
}

// withoutSecrets is the last line of defence: whatever an error says, the
// credentials are not in it, and nothing that steers a terminal.
func (l link) withoutSecrets(text string) string {
	secrets := []string{l.location.password}
	if user, password, err := l.auth.basic(l.location); err == nil && password != "" {
		// As it is, and as it is sent.
		secrets = append(secrets, password, base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	}
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "(sensitive)")
		}
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

// passingError is one that may pass by itself.
type passingError struct{ cause error }

func (e *passingError) Error() string   { return e.cause.Error() }
func (e *passingError) Unwrap() []error { return []error{e.cause, reconcile.ErrUnavailable} }

// passing marks an error that may pass by itself: the network, a server in
// trouble, a race, a clone that is not there yet or is being replaced.
func passing(err error) error {
	if err == nil {
		return nil
	}
	status, isStatus := errors.AsType[*githttp.Err](err)
	_, isNet := errors.AsType[net.Error](err)
	_, redirected := errors.AsType[*redirectError](err)
	switch {
	case redirected:
		return err
	case isStatus:
		if code := status.StatusCode(); code < 500 && code != 429 {
			return err
		}
	case isNet, isAny(err, context.DeadlineExceeded, io.ErrUnexpectedEOF, errUnreadable, errMoved, errLocked, errBehind, errNotFetched):
	default:
		return err
	}
	return &passingError{err}
}

func isAny(err error, kinds ...error) bool {
	return slices.ContainsFunc(kinds, func(kind error) bool { return errors.Is(err, kind) })
}
