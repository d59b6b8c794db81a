package gateway

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/providers/gateway/edge"
)

// Server is a gateway: a published listener for requests to models, and an
// admin listener for the daemon.
type Server struct {
	config   Config
	logger   *slog.Logger
	errorLog *log.Logger // what net/http has to say about single connections
	metrics  *metrics
	board    *board
	store    tableStore

	listener, adminListener net.Listener
	tls                     *edge.TLS // nil: requests come in the clear

	routing   atomic.Pointer[routing]
	stopping  atomic.Bool
	exchanges sync.Pool
	buffers   bufferPool
	upgraded  atomic.Int64 // open websockets, which http.Server does not count
	kept      *budget      // for bodies that are kept
	samples   samples      // answers whose outputs are counted
	copying   background   // copies to shadows

	// alive ends when the gateway does, after the drain.
	alive   context.Context
	die     context.CancelCauseFunc
	probers sync.WaitGroup

	swapping sync.Mutex // one table at a time, its way to the disk included
	// inForce holds a report back while a table comes into force: one that names
	// the new version must not show the load of a replica that is still open.
	inForce sync.Mutex
	leaving []*replica // out of the table with open requests; under inForce
	warning atomic.Pointer[string]
}

// NewServer opens both listeners, so that a taken address is known at once, and
// puts the table in force that was kept from last time. Nothing is served before
// Run, which must follow.
func NewServer(config Config) (*Server, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		config: config, logger: config.Logger, errorLog: slog.NewLogLogger(config.Logger.Handler(), slog.LevelDebug),
		metrics: newMetrics(), board: newBoard(), store: tableStore{config.TablePath},
		kept: newBudget(keptInAll), samples: make(samples, sampleQueue),
	}
	s.alive, s.die = context.WithCancelCause(context.Background())
	s.exchanges.New = func() any { return s.newExchange() }
	s.routing.Store(&routing{anyHost: &prefixTree{}, served: []string{}})
	s.metrics.registry.MustRegister(stateCollector{s.routing.Load})

	if config.TLS != nil {
		if s.tls, err = edge.NewTLS(*config.TLS); err != nil {
			return nil, err
		}
	}
	var listen net.ListenConfig
	if s.listener, err = listen.Listen(s.alive, "tcp", config.Listen); err != nil {
		return nil, fmt.Errorf("listen for requests: %w", err)
	}
	if s.adminListener, err = listen.Listen(s.alive, "tcp", config.Admin); err != nil {
		return nil, errors.Join(fmt.Errorf("listen for the daemon: %w", err), s.listener.Close())
	}
	s.restore()
	return s, nil
}

// Addr is where requests to models are taken.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// AdminAddr is where the daemon and the collector of metrics are answered.
func (s *Server) AdminAddr() net.Addr { return s.adminListener.Addr() }

// Run serves until ctx ends, then drains: it accepts no more, lets open requests
// finish for DrainTimeout, and cuts off what is left. It returns nil after such
// an end, and an error if a listener failed before.
func (s *Server) Run(ctx context.Context) error {
	public, admin := s.publicServer(), s.adminServer()
	failed := make(chan error, 2)
	var serving sync.WaitGroup
	serving.Go(func() { s.samples.read(s.alive) })
	serving.Go(func() { failed <- admin.Serve(s.adminListener) })
	serving.Go(func() {
		s.settle(ctx)
		failed <- s.servePublic(public)
	})
	if s.tls != nil {
		serving.Go(s.keepCertificates)
	}

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("the gateway's listener failed: %w", err)
	}
	s.stopping.Store(true) // health/ready says so from now on
	s.drain(public)
	s.die(errStopping)
	_ = admin.Close()
	serving.Wait()
	s.copying.stop()
	s.probers.Wait()
	for _, r := range s.routing.Load().replicas {
		r.closeIdle()
	}
	return err
}

// servePublic takes requests, over TLS where that is asked for.
func (s *Server) servePublic(public *http.Server) error {
	if s.tls == nil {
		return public.Serve(s.listener)
	}
	return public.ServeTLS(s.listener, "", "")
}

// keepCertificates renews certificates until the gateway ends. Whatever goes
// wrong with it, those that are there still serve.
func (s *Server) keepCertificates() {
	if err := s.tls.Run(s.alive); err != nil {
		s.logger.Error("TLS certificates are not renewed; restart the gateway once the reason is gone", "error", err)
	}
}

// settleTimeout bounds the wait for the first probes after a start.
const settleTimeout = time.Second

// settle waits until every replica of the kept table has been probed once. The
// listener is open already, so the clients that come meanwhile wait in its queue
// for some milliseconds, instead of being told that no replica is ready.
func (s *Server) settle(ctx context.Context) {
	deadline := time.NewTimer(settleTimeout)
	defer deadline.Stop()
	for {
		_, changed := s.board.watch()
		if s.routing.Load().known() {
			return
		}
		select {
		case <-changed:
		case <-deadline.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// drain ends the published listener within DrainTimeout.
func (s *Server) drain(public *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.DrainTimeout)
	defer cancel()
	err := public.Shutdown(ctx)
	s.awaitUpgraded(ctx)
	s.die(errStopping) // ends the context of every request that is still open
	if err != nil {
		s.logger.Warn("requests were cut off by the end of the drain", "after", s.config.DrainTimeout)
		_ = public.Close()
	}
	s.awaitUpgraded(context.Background())
}

// awaitUpgraded waits until no websocket is open or ctx ends. It looks again and
// again, as http.Server.Shutdown does: it happens once in a process's life, and
// a notification would cost every websocket.
func (s *Server) awaitUpgraded(ctx context.Context) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for s.upgraded.Load() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) publicServer() *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	if s.tls != nil {
		protocols.SetHTTP2(true)
	}
	l := s.config.Limits
	public := &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		Protocols:         &protocols,
		ReadHeaderTimeout: l.HeaderTimeout,
		IdleTimeout:       l.IdleTimeout,
		WriteTimeout:      l.StallTimeout, // pushed on while an answer moves; see answer
		MaxHeaderBytes:    4 * l.Header,   // up to here the gateway answers by itself, in JSON
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 250,
			SendPingTimeout:      30 * time.Second,
			PingTimeout:          15 * time.Second,
			WriteByteTimeout:     l.StallTimeout,
		},
		BaseContext: func(net.Listener) context.Context { return s.alive },
		ErrorLog:    s.errorLog,
	}
	if s.tls != nil {
		public.TLSConfig = s.tls.Config()
	}
	return public
}

// bufferPool lends the buffers through which answers stream.
type bufferPool struct{ pool sync.Pool }

const bufferSize = 32 << 10

// Get implements httputil.BufferPool.
func (p *bufferPool) Get() []byte {
	if b, ok := p.pool.Get().(*[bufferSize]byte); ok {
		return b[:]
	}
	return new([bufferSize]byte)[:]
}

// Put implements httputil.BufferPool.
func (p *bufferPool) Put(b []byte) { p.pool.Put((*[bufferSize]byte)(b)) }
