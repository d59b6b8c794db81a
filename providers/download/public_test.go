package download_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/providers/download"
)

// What others say to fetch is fetched from the outside only: no service of this host, and
// none of a cloud's metadata.
func TestAPublicClientReachesNothingInside(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte("inside"))
	}))
	defer server.Close()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{
		"127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "localhost.",
		"169.254.169.254", "[::ffff:169.254.169.254]", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "[fd00::1]", "[fe80::1%25lo]", "[64:ff9b::7f00:1]", "224.0.0.1",
	} {
		body, _, err := (&download.Client{Public: true}).Get(t.Context(), "http://"+host+":"+port+"/data.csv", "")
		if err == nil {
			_ = body.Close()
			t.Errorf("%s: it is fetched", host)
			continue
		}
		if words := err.Error(); !strings.Contains(words, "allow = [host]") && !strings.Contains(words, "no such host") && !strings.Contains(words, "lookup") {
			t.Errorf("%s: got %v", host, err)
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the server inside was asked %d times", n)
	}
	body, _, err := (&download.Client{}).Get(t.Context(), server.URL+"/data.csv", "")
	if err != nil {
		t.Fatal(err)
	}
	_ = body.Close()
}
