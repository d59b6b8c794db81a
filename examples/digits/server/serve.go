package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/examples/digits/internal/oip"
)

// Limits of the server. Any client can reach it, so nothing is without one.
const (
	maxBody       = 4 << 20 // about 20,000 pictures
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 2 * time.Minute // longer than gateways keep idle connections
	// drainTimeout bounds the wait for open requests. With the default linger
	// it ends before the ten seconds after which an engine kills.
	drainTimeout = 7 * time.Second
)

// serve answers on the listener until ctx ends, and then shuts down in the order
// that loses no request: not ready, linger, close the listener, finish what is
// open.
func serve(ctx context.Context, listener net.Listener, m *model, linger time.Duration) error {
	var ready atomic.Bool
	server := &http.Server{
		Handler:           turnAway(routes(m, ready.Load), ready.Load),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	ready.Store(true)

	select {
	case err := <-ended:
		return fmt.Errorf("serve on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	ready.Store(false)
	if err := waitUnless(linger, ended); err != nil {
		return fmt.Errorf("serve on %s: %w", listener.Addr(), err)
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		_ = server.Close() // what is still open has had its time
		return fmt.Errorf("open requests were cut off after %s: %w", drainTimeout, err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// turnAway makes each answer the last one of its connection once the server is
// not ready. Closing idle connections from this side instead could hit one on
// which a request is just on its way.
func turnAway(next http.Handler, ready func() bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(lastAnswerWriter{w, ready}, r)
	})
}

// lastAnswerWriter asks as late as it can: the signal may come in the middle of
// a request.
type lastAnswerWriter struct {
	http.ResponseWriter
	ready func() bool
}

// WriteHeader adds the header that closes the connection.
func (w lastAnswerWriter) WriteHeader(status int) {
	if !w.ready() {
		w.Header().Set("Connection", "close")
	}
	w.ResponseWriter.WriteHeader(status)
}

// waitUnless waits, or returns at once with the error of a server that ended.
func waitUnless(wait time.Duration, ended <-chan error) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		return nil
	}
}

func routes(m *model, ready func() bool) http.Handler {
	protocol := &oip.Server{
		Metadata: oip.ServerMetadata{Name: "digits-server", Version: m.weights.Version, Extensions: []string{}},
		Model:    m,
		Ready:    ready,
		MaxBody:  maxBody,
	}
	mux := http.NewServeMux()
	mux.Handle("/", m.metrics.count(protocol.Handler()))
	mux.Handle("GET /metrics", m.metrics)
	return mux
}
