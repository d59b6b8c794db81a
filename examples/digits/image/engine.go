package main

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
	"time"
)

// defaultHost is where a Docker Engine listens when nobody said otherwise.
const defaultHost = "unix:///var/run/docker.sock"

const loadTimeout = 2 * time.Minute

// dialEngine returns a client whose every connection goes to the engine, and the
// base of its URLs. One call of the engine's API is not worth its SDK.
func dialEngine(host string) (*http.Client, string, error) {
	if host == "" {
		host = defaultHost
	}
	where, err := url.Parse(host)
	if err != nil {
		return nil, "", fmt.Errorf("DOCKER_HOST is not a URL: %w", err)
	}
	network, address := where.Scheme, where.Host
	switch network {
	case "unix":
		address = where.Path
	case "tcp":
	default:
		return nil, "", fmt.Errorf("DOCKER_HOST is %q; this program speaks unix:// and tcp://", host)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	return &http.Client{Transport: transport}, "http://engine", nil
}

// loadImage does what `docker load` does.
func loadImage(ctx context.Context, host string, archive []byte) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	engine, base, err := dialEngine(host)
	if err != nil {
		return err
	}
	defer engine.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/images/load?quiet=1", bytes.NewReader(archive))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-tar")
	response, err := engine.Do(request)
	if err != nil {
		return fmt.Errorf("%w; is the Docker Engine running?", err)
	}
	defer func() { _ = response.Body.Close() }()
	return readProgress(response)
}

// readProgress reads the engine's messages to their end: an error that comes
// after the first of them is inside of a 200.
func readProgress(response *http.Response) error {
	messages := json.NewDecoder(response.Body)
	for {
		var message struct{ Error, Message string }
		err := messages.Decode(&message)
		switch {
		case errors.Is(err, io.EOF) && response.StatusCode == http.StatusOK:
			return nil
		case err != nil:
			return fmt.Errorf("the engine answered %s: %w", response.Status, err)
		case message.Error != "":
			return fmt.Errorf("the engine says: %s", message.Error)
		case response.StatusCode != http.StatusOK:
			return fmt.Errorf("the engine answered %s: %s", response.Status, message.Message)
		}
	}
}
