package app

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/spec"
)

// api is the daemon's HTTP side. Over the unix socket, which only its user can
// open, everything is answered; over TCP /api needs the bearer token.
type api struct {
	daemon *Daemon
	config Config
	token  spec.Sensitive
	// pipelines is who runs them now; nil while this daemon does not act.
	pipelines func() Pipelines
	// claimed: the unix socket is served. Only the goroutine of Run looks.
	claimed bool
}

func newAPI(c Config, d *Daemon, pipelines func() Pipelines) (*api, error) {
	a := &api{daemon: d, config: c, pipelines: pipelines}
	if c.TokenFile == "" {
		return a, nil
	}
	data, err := os.ReadFile(c.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("read the API token: %w", err)
	}
	a.token = spec.NewSensitive(strings.TrimSpace(string(data)))
	if len(a.token.Reveal()) < 16 {
		return nil, fmt.Errorf("the API token in %s is too short to be safe; use 16 characters or more, for example from: openssl rand -hex 32", c.TokenFile)
	}
	return a, nil
}

// start listens and serves in the background until ctx ends. Without the unix
// socket too, while another daemon on the same data directory has it: that one is
// what this one stands by for.
func (a *api) start(ctx context.Context, wg *sync.WaitGroup, log *slog.Logger) error {
	claimed, err := a.claimSocket(ctx, wg, log)
	if err != nil {
		return err
	}
	if !claimed {
		log.Warn("another daemon has the socket; this one answers there when the other is gone", "socket", filepath.Join(a.config.Data, SocketName))
	}
	if a.config.Listen == "" {
		return nil
	}
	var listen net.ListenConfig
	tcp, err := listen.Listen(ctx, "tcp", a.config.Listen)
	if err != nil {
		return fmt.Errorf("listen for the API on --listen %s: %w", a.config.Listen, err)
	}
	log.Info("API", "address", tcp.Addr().String())
	a.serve(ctx, wg, log, tcp, a.handler(true))
	return nil
}

func (a *api) serve(ctx context.Context, wg *sync.WaitGroup, log *slog.Logger, l net.Listener, h http.Handler) {
	serve(ctx, wg, log, l, &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10})
}

// serve answers in the background until ctx ends.
func serve(ctx context.Context, wg *sync.WaitGroup, log *slog.Logger, l net.Listener, server *http.Server) {
	wg.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("a listener stopped", "address", l.Addr().String(), "error", err)
		}
	})
	wg.Go(func() {
		<-ctx.Done()
		shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		if server.Shutdown(shutdown) != nil {
			_ = server.Close()
		}
	})
}

func (a *api) handler(remote bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", a.ready)
	mux.Handle("GET /metrics", a.daemon.metrics.handler(a.daemon.Status))
	mux.Handle("GET /api/v1/status", a.guard(remote, a.status))
	mux.Handle("GET /api/v1/plan", a.guard(remote, a.plan))
	mux.Handle("POST /api/v1/sync", a.guard(remote, a.sync))
	mux.Handle("POST /api/v1/rollouts/{model}/{kind}", a.guard(remote, a.order))
	mux.Handle("GET /api/v1/history", a.guard(remote, a.history))
	mux.Handle("GET /api/v1/live", a.guard(remote, a.live))
	mux.Handle("GET /api/v1/targets", a.guard(remote, a.targets))
	a.handlePipelines(mux, remote)
	a.handleAudit(mux, remote)
	mux.Handle("GET /api/v1/registry", a.guard(remote, a.registry))
	for _, path := range prometheusPaths {
		mux.Handle("GET "+path, a.guard(remote, a.prometheus))
		mux.Handle("POST "+path, a.guard(remote, a.prometheus))
	}
	if remote && a.daemon.hooks != nil && a.config.WebhookListen == "" {
		mux.Handle("/hooks/", a.daemon.hooks) // each proves itself
	}
	mux.Handle("/prometheus/", http.StripPrefix("/prometheus", a.guard(remote, a.prometheus)))
	return mux
}

// prometheusPaths are where the embedded metrics answer as a Prometheus does, so
// that Grafana reads them with the daemon's address as the URL of a data source.
// The same stands below /prometheus, which is apart from everything else here.
var prometheusPaths = []string{
	"/api/v1/query", "/api/v1/query_range", "/api/v1/series", "/api/v1/labels", "/api/v1/label/{name}/values", "/api/v1/metadata",
	"/api/v1/status/buildinfo",
}

func (a *api) prometheus(w http.ResponseWriter, r *http.Request) {
	h := a.daemon.site.prometheus.Load()
	if h == nil {
		writeError(w, http.StatusNotFound, "this daemon holds no metrics: it stands by, or --metrics-url names a Prometheus that does")
		return
	}
	(*h).ServeHTTP(w, r)
}

// notActing says why there is no loop that could be asked.
func (a *api) notActing() string {
	return cmp.Or(a.daemon.Status().Standby, "this daemon waits for the engine; try again later")
}

// guard asks callers from the network for the token.
func (a *api) guard(remote bool, next http.HandlerFunc) http.Handler {
	if !remote {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case a.token.IsZero():
			writeError(w, http.StatusForbidden, "the API is closed over TCP: start the daemon with --token-file, or use its socket")
		case !bearer || subtle.ConstantTimeCompare([]byte(got), []byte(a.token.Reveal())) != 1:
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeError(w, http.StatusUnauthorized, "send the token of --token-file as: Authorization: Bearer TOKEN")
		default:
			next(w, r)
		}
	})
}

// ready: the daemon acts (or stands by on purpose) and has seen Git and the
// engine.
func (a *api) ready(w http.ResponseWriter, _ *http.Request) {
	s := a.daemon.Status()
	switch {
	case s.Standby != "":
		writeText(w, http.StatusOK, s.Standby)
	case s.Engine.Error != "":
		writeText(w, http.StatusServiceUnavailable, s.Engine.Error)
	case s.Models == nil:
		writeText(w, http.StatusServiceUnavailable, "nothing loaded yet: "+s.Source.Error)
	default:
		writeText(w, http.StatusOK, "ok")
	}
}

func (a *api) status(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, a.daemon.Status())
}

func (a *api) plan(w http.ResponseWriter, _ *http.Request) {
	c := a.daemon.current.Load()
	if c == nil {
		writeError(w, http.StatusServiceUnavailable, a.notActing())
		return
	}
	p := c.Plan(time.Now())
	if p == nil {
		writeError(w, http.StatusServiceUnavailable, "nothing was observed yet; try again in a moment")
		return
	}
	writeJSON(w, http.StatusOK, p)
}

// sync is a hint to look at the repository now.
func (a *api) sync(w http.ResponseWriter, _ *http.Request) {
	if c := a.daemon.current.Load(); c != nil {
		c.Sync()
	}
	w.WriteHeader(http.StatusAccepted)
}

func writeText(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = fmt.Fprintln(w, text)
}

func writeError(w http.ResponseWriter, code int, text string) {
	writeJSON(w, code, map[string]string{"error": text})
}

// writeJSON sends a value. An error means that the caller is gone.
func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}
