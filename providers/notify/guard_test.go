package notify_test

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/notify"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// The ways to write an address that is not public. 1.1.1.1 in the middle of them would
// be dialled.
func TestNoAddressIsDialledThatIsNotPublic(t *testing.T) {
	// Whatever listens on this machine counts who comes.
	l := listen(t, ":0")
	var came atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			_ = conn.Close()
		}
	}()
	defer func() { _ = l.Close(); <-done }()
	port := netip.MustParseAddrPort(l.Addr().String()).Port()

	for _, host := range []string{
		"127.0.0.1", "localhost", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]", "0", "127.1", "2130706433", "0x7f000001", "017700000001", "0177.0.0.1",
		"169.254.169.254", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "2852039166", "0xa9fea9fe", "025177524776", "0251.0376.0251.0376", "[fe80::1]", "[fd00:ec2::254]", "[fec0::1]",
		"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]", "[ff02::1]",
	} {
		for _, o := range []notify.Options{
			{Notifier: spec.Notifier{Kind: spec.NotifyWebhook, URL: "https://" + host + ":" + portText(port) + "/"}},
			{Notifier: spec.Notifier{Kind: spec.NotifyEmail, URL: "smtp://" + host + ":" + portText(port), From: "a@example.com", To: []string{"b@example.com"}}},
			{Notifier: spec.Notifier{Kind: spec.NotifyEmail, URL: "smtps://" + host + ":" + portText(port), From: "a@example.com", To: []string{"b@example.com"}}},
		} {
			o.Timeout = time.Minute
			if _, parsed := netip.ParseAddr(strings.Trim(host, "[]")); parsed != nil {
				o.Timeout = 2 * time.Second // to resolve what may be a name
			}
			n, err := notify.New(o)
			if err != nil {
				t.Errorf("%s: %v", host, err)
				continue
			}
			if err := n.Notify(t.Context(), rollback()); err == nil {
				t.Errorf("%s: it was sent", o.Notifier.URL)
			} else if _, parsed := netip.ParseAddr(strings.Trim(host, "[]")); parsed == nil && errors.Is(err, reconcile.ErrUnavailable) {
				t.Errorf("%s: it would be tried again: %v", o.Notifier.URL, err)
			}
		}
	}
	if came.Load() != 0 {
		t.Errorf("%d connections were made", came.Load())
	}
}

func portText(port uint16) string {
	return netip.AddrPortFrom(netip.IPv4Unspecified(), port).String()[len("0.0.0.0:"):]
}

func TestTheOperatorMayAllowHosts(t *testing.T) {
	d := newDouble(t, answer(200, "ok"))
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(d.URL, "http://"))
	for name, test := range map[string]struct {
		host    string
		allowed []string
		private bool
		sent    bool
	}{
		"all private ones":      {"127.0.0.1", nil, true, true},
		"an address":            {"127.0.0.1", []string{"127.0.0.1"}, false, true},
		"a prefix":              {"127.0.0.1", []string{"10.0.0.0/8", "127.0.0.0/8"}, false, true},
		"a name":                {"localhost", []string{"LOCALHOST."}, false, true},
		"another name":          {"localhost", []string{"example.com"}, false, false},
		"another address":       {"127.0.0.1", []string{"127.0.0.2"}, false, false},
		"link-local is neither": {"169.254.169.254", nil, true, false},
		"nor by its name":       {"169.254.169.254", []string{"metadata.example.com"}, true, false},
	} {
		n, err := notify.New(notify.Options{
			Notifier: spec.Notifier{Kind: spec.NotifyWebhook, URL: "http://" + test.host + ":" + port}, AllowPrivate: test.private, AllowedHosts: test.allowed, Timeout: time.Minute,
		})
		if err == nil {
			err = n.Notify(t.Context(), rollback())
		}
		if (err == nil) != test.sent {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The proxy of the environment would go around the guard.
func TestNoProxyOfTheEnvironmentIsUsed(t *testing.T) {
	proxy := newDouble(t, answer(200, "ok"))
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	n, err := notify.New(notify.Options{Notifier: spec.Notifier{Kind: spec.NotifyWebhook, URL: "https://10.0.0.1/"}, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Notify(t.Context(), rollback()); err == nil || proxy.count() != 0 {
		t.Errorf("%v; the proxy saw %d requests", err, proxy.count())
	}
}
