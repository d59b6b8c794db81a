package gateway

import (
	"cmp"
	"errors"
	"log/slog"
	"time"

	"github.com/fairlead/fairlead/providers/gateway/edge"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// DefaultDrainTimeout leaves time to end in an orderly way: the gateway's
// container is killed 15 s after the signal.
const DefaultDrainTimeout = 12 * time.Second

// Config is what a Server is started with. Listen, Admin and Token are needed;
// every other zero value stands for its default.
type Config struct {
	Listen string // address of the published listener, for requests to models
	Admin  string // address of the admin listener, for the daemon and for metrics
	// TablePath is where the last routing table is kept, so that the gateway
	// serves from its first moment when the daemon is away. Empty: it is not
	// kept.
	TablePath string
	// Token is what a caller of the admin listener has to show.
	Token spec.Sensitive
	// Version is the release, as GET /v2 reports it.
	Version string
	// DrainTimeout is how long open requests may go on once Run's context has
	// ended; default DefaultDrainTimeout.
	DrainTimeout time.Duration
	// TLS says which certificate the published listener shows; nil: it takes
	// requests in the clear. The logger and the listener's address are filled in.
	TLS    *edge.Options
	Limits Limits
	Logger *slog.Logger // default: discard
}

// Limits bounds what one client or one replica can take from the others. A zero
// field stands for its default.
type Limits struct {
	Body   int64 // bytes of one request body; default 64 MiB
	Header int   // bytes of one request's header; default 64 KiB
	// HeaderTimeout bounds the time in which a header must arrive; default 5 s.
	HeaderTimeout time.Duration
	// StallTimeout is how long a client may neither send the rest of its body
	// nor take the rest of its answer; default 30 s. It bounds silence, not
	// length: a slow upload that moves goes on.
	StallTimeout time.Duration
	// IdleTimeout closes a client's connection that carries no request; default
	// 2 min.
	IdleTimeout time.Duration
	// RequestTimeout bounds the requests of routes without a time-out of their
	// own; default reconcile.DefaultRequestTimeout. Websockets and event streams
	// are bounded up to their first byte only.
	RequestTimeout time.Duration
	// ConnectTimeout bounds the connect to a replica; default 1 s, which is
	// plenty on the bridge network that replicas and gateway share.
	ConnectTimeout time.Duration
}

// withDefaults fills in the defaults, and tells what is missing.
func (c Config) withDefaults() (Config, error) {
	if c.Listen == "" || c.Admin == "" {
		return c, errors.New("the gateway needs two addresses: --listen for requests and --admin for the daemon")
	}
	if c.Token.IsZero() {
		return c, errors.New("the gateway needs an admin token: without one anybody on its network could change the routing table")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.TLS != nil {
		filled := *c.TLS
		filled.Logger = cmp.Or(filled.Logger, c.Logger)
		if filled.ACME != nil {
			acme := *filled.ACME
			acme.TLSAddress = cmp.Or(acme.TLSAddress, c.Listen)
			filled.ACME = &acme
		}
		c.TLS = &filled
	}
	c.DrainTimeout = cmp.Or(c.DrainTimeout, DefaultDrainTimeout)
	l := &c.Limits
	l.Body = cmp.Or(l.Body, 64<<20)
	l.Header = cmp.Or(l.Header, 64<<10)
	l.HeaderTimeout = cmp.Or(l.HeaderTimeout, 5*time.Second)
	l.StallTimeout = cmp.Or(l.StallTimeout, 30*time.Second)
	l.IdleTimeout = cmp.Or(l.IdleTimeout, 2*time.Minute)
	l.RequestTimeout = cmp.Or(l.RequestTimeout, reconcile.DefaultRequestTimeout)
	l.ConnectTimeout = cmp.Or(l.ConnectTimeout, time.Second)
	return c, nil
}
