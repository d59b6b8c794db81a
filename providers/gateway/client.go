package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// callTimeout bounds one call to the admin listener; a report's wait comes on top.
const callTimeout = 10 * time.Second

// Client is the daemon's side of the admin listener.
type Client struct {
	token spec.Sensitive
	http  *http.Client
}

var _ reconcile.Router = (*Client)(nil)

// NewClient returns a Client that shows the token to every gateway it calls.
func NewClient(token spec.Sensitive) *Client {
	dialer := &net.Dialer{Timeout: 3 * time.Second}
	return &Client{token: token, http: &http.Client{
		// No proxy from the environment and no redirect: the token goes to the
		// gateway or nowhere.
		Transport: &http.Transport{
			DialContext:         dialer.DialContext,
			MaxIdleConnsPerHost: 4,
			IdleConnTimeout:     30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close gives idle connections back.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Push implements reconcile.Router.
func (c *Client) Push(ctx context.Context, endpoint string, table reconcile.Table) error {
	if err := table.Validate(); err != nil {
		return err
	}
	body, err := json.Marshal(table)
	if err != nil {
		return fmt.Errorf("push routing table %d: %w", table.Version, err)
	}
	var answer pushed
	if err := c.call(ctx, http.MethodPut, endpoint, tablePath, body, callTimeout, &answer); err != nil {
		return fmt.Errorf("push routing table %d: %w", table.Version, err)
	}
	return nil
}

// Table implements reconcile.Router.
func (c *Client) Table(ctx context.Context, endpoint string) (reconcile.Table, error) {
	var table reconcile.Table
	if err := c.call(ctx, http.MethodGet, endpoint, tablePath, nil, callTimeout, &table); err != nil {
		return reconcile.Table{}, fmt.Errorf("read the routing table: %w", err)
	}
	return table, nil
}

// Report implements reconcile.Router. A gateway holds a report for a minute at
// the most, whatever wait is.
func (c *Client) Report(ctx context.Context, endpoint string, since uint64, wait time.Duration) (reconcile.Report, error) {
	wait = min(max(wait, 0), maxWait)
	query := url.Values{"since": {strconv.FormatUint(since, 10)}, "wait": {wait.String()}}
	var report reconcile.Report
	if err := c.call(ctx, http.MethodGet, endpoint, reportPath+"?"+query.Encode(), nil, wait+callTimeout, &report); err != nil {
		return reconcile.Report{}, fmt.Errorf("read the replicas' health: %w", err)
	}
	return report, nil
}

// call makes one request and reads its answer into the value.
func (c *Client) call(ctx context.Context, method, endpoint, path string, body []byte, timeout time.Duration, into any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+endpoint+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("gateway at %q: %w", endpoint, err)
	}
	request.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("gateway at %s: %w: %w", endpoint, reconcile.ErrRouterUnavailable, err)
	}
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxTable))
	if err != nil {
		return fmt.Errorf("gateway at %s: %w: the answer broke off: %w", endpoint, reconcile.ErrRouterUnavailable, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("gateway at %s: %w", endpoint, refusal(answer, data))
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("gateway at %s: its answer does not read: %w", endpoint, err)
	}
	return nil
}

// refusal turns an error answer into an error that a caller can decide by.
func refusal(answer *http.Response, data []byte) error {
	var said problem
	if json.Unmarshal(data, &said) != nil || said.Error == "" {
		said.Error = "answered " + answer.Status
	}
	switch {
	case answer.StatusCode == http.StatusConflict:
		return fmt.Errorf("%w: %s", reconcile.ErrStaleTable, said.Error)
	case answer.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s: it was started with another one than this daemon has", said.Error)
	case answer.StatusCode >= http.StatusInternalServerError:
		return fmt.Errorf("%w: %s", reconcile.ErrRouterUnavailable, said.Error)
	default:
		return errors.New(said.Error)
	}
}
