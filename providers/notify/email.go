package notify

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	stdmail "net/mail"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// email sends over SMTP (RFC 5321), with STARTTLS (RFC 3207) or over TLS (RFC 8314).
type email struct {
	host    string
	options []mail.Option
	dial    mail.DialContextFunc
	server  string // HOST:PORT, for errors
	from    *stdmail.Address
	to      []*stdmail.Address
	timeout time.Duration
	secrets secrets
}

func newEmail(o *Options) (*email, error) {
	u, err := o.address("", "smtp", "smtps")
	if err != nil {
		return nil, err
	}
	if u.User != nil {
		return nil, errors.New("its url holds a user; use user and token")
	}
	e := &email{timeout: o.Timeout, secrets: secretsOf(o, u)}
	if e.from, err = stdmail.ParseAddress(o.Notifier.From); err != nil {
		return nil, fmt.Errorf("from is %q, which is no address of e-mail", o.Notifier.From)
	}
	for _, to := range o.Notifier.To {
		address, err := stdmail.ParseAddress(to)
		if err != nil {
			return nil, fmt.Errorf("to holds %q, which is no address of e-mail", to)
		}
		e.to = append(e.to, address)
	}
	if len(e.to) == 0 {
		return nil, errors.New("to is empty: it is for nobody")
	}
	if (o.Notifier.User == "") != o.Token.IsZero() {
		return nil, errors.New("it has one of user and token: set both, or none where the server asks for none")
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"smtp": "587", "smtps": "465"}[u.Scheme]
	}
	e.host, e.server = host, net.JoinHostPort(host, port)
	if err := e.connectBy(o, port, u.Scheme == "smtps"); err != nil {
		return nil, err
	}
	if !o.Token.IsZero() {
		// As AUTH PLAIN sends it; a server may quote that.
		sent := base64.StdEncoding.EncodeToString([]byte("\x00" + o.Notifier.User + "\x00" + o.Token.Reveal()))
		e.secrets = append(e.secrets, spec.NewSensitive(sent))
	}
	return e, nil
}

// connectBy settles how the server is talked to. Nothing goes in clear, but to this very
// machine.
func (e *email) connectBy(o *Options, port string, overTLS bool) error {
	number, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("the port of its url is %q", port)
	}
	config, err := o.tls(e.host)
	if err != nil {
		return err
	}
	g, err := newGuard(o, e.host)
	if err != nil {
		return err
	}
	e.dial = g.dial
	if overTLS {
		e.dial = g.dialTLS(config)
	}
	policy := mail.TLSMandatory
	if overTLS || isLoopback(e.host) && o.Token.IsZero() && o.CAFile == "" {
		policy = mail.NoTLS
	}
	e.options = []mail.Option{
		mail.WithPort(number), mail.WithTimeout(o.Timeout), mail.WithTLSConfig(config), mail.WithTLSPolicy(policy), mail.WithoutNoop(),
		mail.WithoutSMTPUTF8(), // all is ASCII: no relay has to know better
	}
	if overTLS {
		e.options = append(e.options, mail.WithSSL())
	}
	if !o.Token.IsZero() {
		e.options = append(e.options, mail.WithSMTPAuth(mail.SMTPAuthPlain), mail.WithUsername(o.Notifier.User), mail.WithPassword(o.Token.Reveal()))
	}
	if _, err := mail.NewClient(e.host, e.options...); err != nil {
		return errors.New("its SMTP server cannot be used: check url, user and token")
	}
	return nil
}

// Notify implements reconcile.Notifier.
func (e *email) Notify(ctx context.Context, m reconcile.Message) error {
	letter, err := e.letter(&m)
	if err != nil {
		return e.errorf("the message cannot be written: %v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	return e.judge(ctx, e.send(ctx, letter))
}

// send talks to the server. The library gives each command a time of its own and leaves
// the connection open where the server refuses to begin, so the connection is closed
// here: when the time for all of it is over, and at the end. A letter that is delivered
// stays so, whatever becomes of the connection afterwards.
func (e *email) send(ctx context.Context, letter *mail.Msg) error {
	end := func() {}
	defer func() { end() }()
	dial := mail.WithDialContextFunc(func(dialing context.Context, network, _ string) (net.Conn, error) {
		conn, err := e.dial(dialing, network, e.server) // the library's has no brackets around an IPv6 address
		if err == nil {
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // what waits for it says so
			end = func() { stop(); _ = conn.Close() }
		}
		return conn, err
	})
	client, err := mail.NewClient(e.host, append(slices.Clone(e.options), dial)...)
	if err != nil {
		return err
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return err
	}
	if err := client.SendWithSMTPClient(conn, letter); err != nil && !letter.IsDelivered() {
		return err
	}
	_ = client.CloseWithSMTPClient(conn) // the server has it by then
	return nil
}

// letter writes the message: plain text, with a Message-ID that is made of its key, and
// References that are made of its thread, so that programs show it as one.
func (e *email) letter(m *reconcile.Message) (*mail.Msg, error) {
	letter := mail.NewMsg(mail.WithNoDefaultUserAgent(), mail.WithCharset(mail.CharsetUTF8))
	letter.FromMailAddress(e.from)
	letter.ToMailAddress(e.to...)
	letter.Subject(oneLine("[" + m.Environment + "] " + m.Title))
	letter.SetDateWithValue(m.At)
	_, domain, _ := strings.Cut(e.from.Address, "@")
	letter.SetMessageIDWithValue(digest(m.Key) + "@" + domain)
	if m.Thread != "" {
		root := "<" + digest("thread "+m.Thread) + "@" + domain + ">"
		letter.SetGenHeader(mail.HeaderReferences, root)
		letter.SetGenHeader(mail.HeaderInReplyTo, root)
	}
	letter.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's absence answers it
	letter.SetGenHeader("X-Fairlead-Event", oneLine(string(m.Event)))
	letter.SetGenHeader("X-Fairlead-Severity", oneLine(string(m.Severity)))
	letter.SetBodyString(mail.TypeTextPlain, body(m))
	return letter, nil
}

// body is the text of a letter.
func body(m *reconcile.Message) string {
	var b strings.Builder
	b.WriteString(m.Title + "\n")
	if m.Text != "" {
		b.WriteString("\n" + m.Text + "\n")
	}
	b.WriteString("\n")
	for _, f := range facts(m) {
		b.WriteString(f.name + ": " + f.value + "\n")
	}
	for _, f := range []fact{
		{"about", m.Subject},
		{"owners", strings.Join(m.Owners, ", ")},
		{"environment", m.Environment},
		{"installation", m.Installation},
		{"at", m.At.UTC().Format(time.RFC3339)},
		{"journal head", m.JournalHead},
		{"more", m.URL},
	} {
		if f.value != "" {
			b.WriteString(f.name + ": " + f.value + "\n")
		}
	}
	return b.String()
}

// oneLine takes out what would begin a new line of a header.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
}

// judge says what became of sending: what the server refuses with 5xx is final, unless
// it is about more than the message.
func (e *email) judge(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, errForbidden) {
		return e.errorf("it is not connected to: %v; an operator may allow the host", err)
	}
	code := 0
	if sent := (*mail.SendError)(nil); errors.As(err, &sent) {
		code = sent.ErrorCode()
	} else if said := (*textproto.Error)(nil); errors.As(err, &said) {
		code = said.Code
	}
	switch {
	case code/100 == 5:
		return e.errorf("it refuses the message: %v", err)
	case code/100 == 4:
		return &reconcile.RetryError{Cause: e.errorf("it does not take the message now: %v", err)}
	case ctx.Err() != nil || isTimeout(err):
		return &reconcile.RetryError{Cause: e.errorf("no answer within %s", e.timeout)}
	default:
		return &reconcile.RetryError{Cause: e.errorf("it cannot be talked to: %v", err)}
	}
}

func isTimeout(err error) bool {
	timeout := net.Error(nil)
	return errors.As(err, &timeout) && timeout.Timeout()
}

// errorf makes an error that names the server and holds no secret, not even in what it
// wraps.
func (e *email) errorf(format string, args ...any) error {
	return errors.New(plain(e.secrets.redact("SMTP server "+e.server+": "+fmt.Sprintf(format, args...)), 2*maxQuote))
}
