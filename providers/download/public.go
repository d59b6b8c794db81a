package download

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// errNotPublic: an address that is not for everybody.
var errNotPublic = errors.New("it is inside of this host or network, which an included repository gets only with allow = [host]")

// public is a transport that reaches public addresses only.
type public struct{}

// RoundTrip implements http.RoundTripper. Each request has a transport of its own, which
// keeps no connection: there are few, and they are large.
func (public) RoundTrip(request *http.Request) (*http.Response, error) {
	proxy, err := http.ProxyFromEnvironment(request)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), DisableKeepAlives: true, ForceAttemptHTTP2: true, TLSHandshakeTimeout: dialTimeout}
	if proxy == nil {
		// Asked after the name was resolved, so that no name leads elsewhere in between.
		dialer := &net.Dialer{Timeout: dialTimeout, Control: onlyPublic}
		transport.DialContext = dialer.DialContext
	} else if inside(request.URL.Hostname()) {
		return nil, errNotPublic
	}
	return transport.RoundTrip(request)
}

const dialTimeout = 30 * time.Second

func onlyPublic(network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%s %q: %w", network, address, errNotPublic)
	}
	if err := ssrf.New(ssrf.WithAnyPort()).SafeAddr(to.Addr().Unmap().WithZone("")); err != nil {
		return fmt.Errorf("%s: %w", to.Addr(), errNotPublic)
	}
	return nil
}
