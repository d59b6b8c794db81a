package spec_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/spec"
)

// checkEach runs a check on texts; want is part of the error, or empty if there
// should be none.
func checkEach(t *testing.T, check func(string) error, texts map[string]string) {
	t.Helper()
	for text, want := range texts {
		err := check(text)
		switch {
		case want == "" && err != nil:
			t.Errorf("%q is refused: %v", text, err)
		case want != "" && err == nil:
			t.Errorf("%q is taken; want an error with %q", text, want)
		case want != "" && !strings.Contains(err.Error(), want):
			t.Errorf("%q: %v; want an error with %q", text, err, want)
		}
	}
}

func TestRoutePathsHaveOneForm(t *testing.T) {
	checkEach(t, spec.CheckRoutePath, map[string]string{
		"/": "", "/a": "", "/A/b-c/~d": "", "/v2": "", "/v2/modelsX": "", "/...": "", "/.well-known": "", "/a:b@c;d=e,(f)!$&'*+": "",
		"": "does not start with /", "a": "does not start with /", "http://a/b": "does not start with /",
		"/a/": "ends in /",
		"//":  "empty segment", "//a": "empty segment", "/a//b": "empty segment",
		"/.": "segment .", "/a/../b": "segment ..",
		"/a%20b": `'%'`, "/a?b": `'?'`, "/a#b": `'#'`, "/a b": `' '`, "/ä": `'ä'`, "/a\x00": `'\x00'`, `/a\b`: `'\\'`, "/a\xff": `'�'`,
		"/v2/models": "reserved", "/v2/models/digits": "reserved",
	})
}

func TestHostsHaveOneForm(t *testing.T) {
	checkEach(t, spec.CheckHost, map[string]string{
		"a": "", "models.example.com": "", "xn--bcher-kva.example": "", "10.0.0.1": "", "a-b.c": "",
		strings.Repeat("a", 63): "", strings.Repeat("a", 64): "no host name", strings.Repeat("a.", 126) + "a": "", strings.Repeat("a.", 127) + "a": "longer than 253",
		"": "empty", "*.example.com": "wildcards", "https://a": "URL", "a:80": "port", "[::1]": "port", "A.example": "lower case", "a.example.": "dot",
		"a..b": "no host name", ".a": "no host name", "a_b": "no host name", "a b": "no host name", "a/b": "no host name", "a@b": "no host name", "bücher.example": "no host name", "-a": "no host name", "a-.b": "no host name",
	})
}

func TestProbePathsCanBeSent(t *testing.T) {
	checkEach(t, spec.CheckProbePath, map[string]string{
		"/": "", "/healthz": "", "/h?deep=1&x=%20": "", "/a%2Fb": "", "//h": "",
		"": "does not start with /", "healthz": "does not start with /", "http://a/h": "does not start with /",
		"/a b": "percent-encoded", "/a#b": "percent-encoded", "/ä": "percent-encoded", "/a\r\nX: y": "percent-encoded", "/%zz": "%25", "/%": "%25",
	})
}

// What the checks take is what HTTP makes of it: no other spelling is left.
func TestCheckedTextReachesTheWireAsItIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		path := rapid.StringMatching(`/[ -~äß\n]{0,12}`).Draw(t, "path")
		if spec.CheckRoutePath(path) == nil {
			u, err := url.ParseRequestURI(path)
			if err != nil || u.Path != path || u.RawQuery != "" {
				t.Fatalf("%q as a request is %+v, %v", path, u, err)
			}
		}
		if spec.CheckProbePath(path) == nil {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://10.0.0.1:80"+path, nil)
			if err != nil || r.URL.Host != "10.0.0.1:80" || r.URL.Fragment != "" {
				t.Fatalf("%q as a probe is %+v, %v", path, r, err)
			}
		}
	})
}
