package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// private are the addresses of one's own machine and networks. Link-local ones are
// none of them.
var private = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), // RFC 6598
	netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("fc00::/7"),
}

// errForbidden: an address that the operator has not allowed.
var errForbidden = errors.New("it is not public, and the operator has not allowed it")

// guard decides which addresses are dialled. It is asked for each connection, after
// the name is resolved, so that no name can lead elsewhere in between.
type guard struct {
	guardian *ssrf.Guardian
	lenient  bool // the host may be private
}

// newGuard returns the guard of a notifier that talks to the host.
func newGuard(o *Options, host string) (*guard, error) {
	g := &guard{lenient: o.AllowPrivate}
	var allowed []netip.Prefix
	for _, entry := range o.AllowedHosts {
		if prefix, err := netip.ParsePrefix(entry); err == nil {
			allowed = append(allowed, prefix.Masked())
			continue
		}
		if addr, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
			allowed = append(allowed, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
			continue
		}
		if strings.ContainsAny(entry, "/: ") || entry == "" {
			return nil, fmt.Errorf("the operator's list of allowed hosts holds %q, which is no name, address or prefix", entry)
		}
		g.lenient = g.lenient || strings.EqualFold(strings.TrimSuffix(entry, "."), strings.TrimSuffix(host, "."))
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		for _, p := range allowed {
			g.lenient = g.lenient || p.Contains(addr.Unmap())
		}
	}
	if g.lenient {
		allowed = append(allowed, private...)
	}
	var v4, v6 []netip.Prefix
	for _, p := range allowed {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	g.guardian = ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
	return g, nil
}

// dial is DialContext of a net.Dialer behind the guard.
func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: callTimeout, KeepAlive: 15 * time.Second, Control: g.control}
	return d.DialContext(ctx, network, address)
}

// dialTLS is dial, with the handshake of TLS behind it.
func (g *guard) dialTLS(config *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := g.dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		conn := tls.Client(raw, config)
		if err := conn.HandshakeContext(ctx); err != nil {
			_ = raw.Close() // the error that counts is err
			return nil, err
		}
		return conn, nil
	}
}

func (g *guard) control(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: %s is no network to be used", errForbidden, network)
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q cannot be read", errForbidden, address)
	}
	if err := g.guardian.SafeAddr(to.Addr().Unmap().WithZone("")); err != nil {
		return fmt.Errorf("%s: %w", to.Addr(), errForbidden)
	}
	return nil
}

// isLoopback tells whether a host can only be this machine.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
