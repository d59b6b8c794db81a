package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
)

// registerDaemon adds the flags of commands that ask a daemon.
func (f *siteFlags) registerDaemon(flags *pflag.FlagSet) {
	f.register(flags)
	flags.StringVar(&f.daemon, "daemon", "", "`URL` of the daemon's API over TCP, for example http://10.0.0.5:7070 (default: the unix socket in --data)")
	flags.StringVar(&f.TokenFile, "token-file", "", "`FILE` with the bearer token for --daemon")
}

// errNoDaemon: nothing listens where the daemon should.
var errNoDaemon = errors.New("no daemon answers")

// refusedError is an answer of the daemon that is no success, in its words.
type refusedError struct {
	status int
	detail string
}

func (e *refusedError) Error() string { return e.detail }

// daemon is the API of a daemon.
type daemon struct {
	client http.Client
	url    string // without a slash at its end
	place  string // for people
	token  string
}

// orderPatience is above what a daemon takes to refuse.
const (
	askPatience   = 35 * time.Second
	orderPatience = time.Minute
)

// reach names the daemon that the flags mean. It calls nothing.
func (f *siteFlags) reach(c app.Config) (*daemon, error) {
	if f.daemon == "" {
		socket := filepath.Join(c.Data, app.SocketName)
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
		return &daemon{client: http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}, url: "http://daemon", place: socket}, nil
	}
	u, err := url.Parse(f.daemon)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("--daemon %q is no URL of an API; write it like http://10.0.0.5:7070", f.daemon)
	}
	d := &daemon{client: http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, url: strings.TrimRight(f.daemon, "/"), place: u.Redacted()}
	if c.TokenFile == "" {
		return nil, errors.New("the API over TCP wants the token of the daemon; say --token-file FILE")
	}
	token, err := os.ReadFile(c.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("read the token for --daemon: %w", err)
	}
	d.token = strings.TrimSpace(string(token))
	return d, nil
}

// get asks for a value.
func (d *daemon) get(ctx context.Context, path string, query url.Values, answer any) error {
	if encoded := query.Encode(); encoded != "" {
		path += "?" + encoded
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	return d.call(ctx, http.MethodGet, path, nil, answer)
}

// post gives an order.
func (d *daemon) post(ctx context.Context, path string, body, answer any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, orderPatience)
	defer cancel()
	return d.call(ctx, http.MethodPost, path, data, answer)
}

func (d *daemon) call(ctx context.Context, method, path string, body []byte, answer any) error {
	response, err := d.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = response.Close() }()
	const most = 64 << 20
	data, err := io.ReadAll(io.LimitReader(response, most))
	if err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("the daemon's answer cannot be read; are this program and the daemon of different versions? %w", err)
	}
	return nil
}

// send asks for an answer that is read bit by bit. One that is no success is a
// *refusedError.
func (d *daemon) send(ctx context.Context, method, path string, body []byte) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, d.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if d.token != "" {
		request.Header.Set("Authorization", "Bearer "+d.token)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := d.client.Do(request)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w on %s; is \"fairlead serve\" running, with the same --data and --environment?", errNoDaemon, d.place)
	}
	if err != nil {
		return nil, fmt.Errorf("ask the daemon on %s: %w", d.place, err)
	}
	if response.StatusCode != http.StatusOK {
		defer func() { _ = response.Body.Close() }()
		const most = 64 << 10
		said, err := io.ReadAll(io.LimitReader(response.Body, most))
		if err != nil {
			return nil, fmt.Errorf("read the daemon's answer: %w", err)
		}
		return nil, &refusedError{response.StatusCode, refusal(response.Status, said)}
	}
	return response.Body, nil
}

// refusal is the daemon's own reason, where it gives one.
func refusal(status string, body []byte) string {
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &said) == nil && said.Error != "" {
		return said.Error
	}
	return fmt.Sprintf("the daemon answers %s: %s", status, strings.TrimSpace(string(body[:min(len(body), 500)])))
}

// status asks how everything is doing.
func (d *daemon) status(ctx context.Context) (*app.DaemonStatus, error) {
	var s app.DaemonStatus
	return &s, d.get(ctx, "/api/v1/status", nil, &s)
}
