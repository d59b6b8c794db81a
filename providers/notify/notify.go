package notify

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// callTimeout bounds one call: connecting, sending and reading the answer.
const callTimeout = 10 * time.Second

// Options are a notifier with everything that it needs.
type Options struct {
	Notifier spec.Notifier
	// URL is the value of the secret that Notifier.URLSecret names; zero: Notifier.URL
	// counts. Token and SigningKey are those of the secrets of these names.
	URL        spec.Sensitive
	Token      spec.Sensitive
	SigningKey spec.Sensitive
	// CAFile holds the certificates in PEM that servers are verified by; "": those of
	// the system are.
	CAFile string
	// AllowPrivate lets it talk to loopback and private addresses, and over HTTP
	// without TLS. AllowedHosts lets it talk to these although they are not public:
	// names, addresses, and prefixes as 10.1.0.0/16. Link-local addresses, where clouds
	// keep their credentials, have to be among them as addresses.
	AllowPrivate bool
	AllowedHosts []string
	Now          func() time.Time // nil: time.Now
	Timeout      time.Duration    // of one call; 0: 10 s
}

// New returns the sender of a notifier. It talks to nobody. The error says what of the
// notifier has to be changed, and holds no secret.
func New(o Options) (reconcile.Notifier, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout == 0 {
		o.Timeout = callTimeout
	}
	n, err := o.open()
	if err != nil {
		where := ""
		if pos := o.Notifier.Pos.String(); pos != "" {
			where = " (" + pos + ")"
		}
		return nil, fmt.Errorf("notifier %q%s: %w", o.Notifier.Name, where, err)
	}
	return n, nil
}

func (o *Options) open() (reconcile.Notifier, error) {
	switch o.Notifier.Kind {
	case spec.NotifySlack:
		return newSlack(o)
	case spec.NotifyPagerDuty:
		return newPagerDuty(o)
	case spec.NotifyEmail:
		return newEmail(o)
	case spec.NotifyWebhook:
		return newWebhook(o)
	case spec.NotifyAlertmanager:
		return newAlertmanager(o)
	default:
		return nil, fmt.Errorf("its kind is %q, which this version of fairlead does not know", o.Notifier.Kind)
	}
}

// address is where the notifier sends to, of one of the schemes. public is what counts
// where it names none; "": it has to.
func (o *Options) address(public string, schemes ...string) (*url.URL, error) {
	raw := o.Notifier.URL
	if !o.URL.IsZero() {
		raw = o.URL.Reveal()
	}
	if raw == "" {
		raw = public
	}
	if raw == "" {
		return nil, errors.New("it has no url: set url, or url_secret where the address itself is a secret")
	}
	// The error of url.Parse quotes the address, which may be a secret.
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("its url is no address: it looks like " + schemes[0] + "://HOST/PATH")
	}
	for _, s := range schemes {
		if u.Scheme == s {
			return u, nil
		}
	}
	return nil, fmt.Errorf("the scheme of its url is %q; it has to be %s", u.Scheme, schemes[0])
}

// tls is how servers are verified.
func (o *Options) tls(server string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: server}
	if o.CAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read its CA file: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("its CA file %s holds no certificate in PEM", o.CAFile)
	}
	return config, nil
}
