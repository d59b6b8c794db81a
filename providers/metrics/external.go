package metrics

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

const (
	// maxAnswer bounds the answer to a query.
	maxAnswer = 32 << 20
	// maxCredential bounds a file with a password or a token.
	maxCredential = 64 << 10
)

// ExternalOptions say where a Prometheus is and how it lets us in. Credentials are
// in files, which are read anew for each query, so that they can be rotated.
type ExternalOptions struct {
	URL          string // with the prefix, if it has one, and without /api/v1
	Username     string // for basic authentication, together with PasswordFile
	PasswordFile string
	TokenFile    string        // for a bearer token
	CAFile       string        // PEM; the system's authorities if ""
	Timeout      time.Duration // of a query; 30 s if 0, and at the most
	Log          *slog.Logger  // nil: nothing is logged
}

// External is a Prometheus elsewhere, or anything that speaks its HTTP API.
type External struct {
	opts     ExternalOptions
	endpoint string
	client   *http.Client
	warn     warner
}

var _ reconcile.Metrics = (*External)(nil)

// NewExternal checks the options. It does not connect yet.
func NewExternal(opts ExternalOptions) (*External, error) {
	fail := func(format string, args ...any) (*External, error) {
		return nil, fmt.Errorf("metrics from Prometheus: "+format, args...)
	}
	base, err := url.Parse(opts.URL)
	switch {
	case err != nil: // the error would quote the URL, and with it a password
		return fail("its URL cannot be parsed; it looks like https://prometheus.example:9090")
	case base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		return fail("the URL %q needs http:// or https:// and a host", base.Redacted())
	case base.User != nil:
		return fail("the URL %q holds credentials; put them into a file, so that nobody reads them in the configuration", base.Redacted())
	case base.RawQuery != "" || base.Fragment != "":
		return fail("the URL %q must end with its path", base.Redacted())
	case (opts.Username == "") != (opts.PasswordFile == ""):
		return fail("basic authentication needs a user name and a password file")
	case opts.Username != "" && opts.TokenFile != "":
		return fail("give a password or a token, not both")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is documented to be one
	transport.MaxIdleConnsPerHost = 4
	if opts.CAFile != "" {
		pem, err := os.ReadFile(opts.CAFile)
		if err != nil {
			return fail("read the certificates: %w", err)
		}
		authorities := x509.NewCertPool()
		if !authorities.AppendCertsFromPEM(pem) {
			return fail("%s holds no certificate in PEM format", opts.CAFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}
	}
	opts.Timeout = min(cmp.Or(max(opts.Timeout, 0), queryTimeout), queryTimeout)
	opts.Log = cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	return &External{
		opts: opts, endpoint: base.JoinPath("api/v1/query").String(), warn: warner{log: opts.Log},
		// A redirect would lose the query, which is in the body, and could carry
		// the credentials elsewhere.
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// Close closes idle connections.
func (x *External) Close() error {
	x.client.CloseIdleConnections()
	return nil
}

// Query implements reconcile.Metrics.
func (x *External) Query(ctx context.Context, query string, at time.Time) ([]reconcile.Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, x.opts.Timeout)
	defer cancel()
	answer, err := x.ask(ctx, url.Values{
		"query":   {query},
		"time":    {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)},
		"timeout": {fmt.Sprintf("%dms", x.opts.Timeout.Milliseconds())},
	})
	if err != nil {
		return nil, fmt.Errorf("%w: query %q at %s: %w", reconcile.ErrMetricsUnavailable, query, x.opts.URL, err)
	}
	x.warn.all(query, answer.Warnings)
	switch {
	case answer.Status == "success":
		samples, err := answer.Data.samples()
		if errors.Is(err, errFormat) {
			return nil, fmt.Errorf("%w: query %q at %s: %w", reconcile.ErrMetricsUnavailable, query, x.opts.URL, err)
		} else if err != nil {
			return nil, fmt.Errorf("query %q: %w", query, err)
		}
		return samples, nil
	case answer.ErrorType == badData || answer.ErrorType == execution:
		return nil, fmt.Errorf("query %q: %s", query, answer.Error)
	default:
		return nil, fmt.Errorf("%w: query %q at %s: %s: %s", reconcile.ErrMetricsUnavailable, query, x.opts.URL, answer.ErrorType, answer.Error)
	}
}

// ask posts a form and returns the answer, be it a success or an error that
// Prometheus tells. Each error of ask means that there is no answer.
func (x *External) ask(ctx context.Context, form url.Values) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := x.authenticate(req); err != nil {
		return nil, err
	}
	resp, err := x.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read, or is given up
	if err := refused(resp); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("the answer is larger than %d MiB; let the query add series up", maxAnswer>>20)
	}
	a, err := parseAnswer(body)
	if err != nil {
		return nil, fmt.Errorf("HTTP status %s: %w; is this the URL of a Prometheus?", resp.Status, err)
	}
	return a, nil
}

// refused explains statuses that do not come from the evaluation of a query.
func refused(resp *http.Response) error {
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return fmt.Errorf("HTTP status %s: it does not accept the credentials; check the file that holds them", resp.Status)
	case code == http.StatusNotFound:
		return fmt.Errorf("HTTP status %s: there is no Prometheus API below this URL; does it need a prefix?", resp.Status)
	case code >= 300 && code < 400:
		to := "elsewhere"
		if location, err := resp.Location(); err == nil {
			to = location.Redacted()
		}
		return fmt.Errorf("HTTP status %s: it redirects to %s; configure the URL where it ends", resp.Status, to)
	default:
		return nil
	}
}

func (x *External) authenticate(req *http.Request) error {
	switch {
	case x.opts.TokenFile != "":
		token, err := credential(x.opts.TokenFile)
		if err != nil {
			return fmt.Errorf("token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	case x.opts.PasswordFile != "":
		password, err := credential(x.opts.PasswordFile)
		if err != nil {
			return fmt.Errorf("password: %w", err)
		}
		req.SetBasicAuth(x.opts.Username, password)
	}
	return nil
}

// credential reads a secret from a file. What it says in errors is never part of
// the content.
func credential(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read
	raw, err := io.ReadAll(io.LimitReader(f, maxCredential))
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(raw))
	if secret == "" || strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fmt.Errorf("%s must hold one line of printable text", path)
	}
	return secret, nil
}
