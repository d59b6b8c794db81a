package gateway

import (
	"net"
	"net/url"
	"strings"
	"time"
)

// route is one way in, ready to be followed.
type route struct {
	model    *model
	prefix   string // what the request's path begins with
	strip    bool
	timeout  time.Duration // 0: the gateway's own
	fallback *model        // nil: none
	doors    []door        // that a request has to pass; nil: none
	// spareDoors are those that it has to pass for the fallback besides.
	spareDoors []door
}

// prefixTree finds the longest route that a path begins with, segment by
// segment. The cost is bounded by the depth of the declared routes, however long
// the path is that a client sends.
type prefixTree struct {
	route    *route
	children map[string]*prefixTree
}

// add enters a route. An earlier one with the same prefix stays: declared routes
// are entered before implied ones, so that they win.
func (t *prefixTree) add(r *route) {
	for rest := r.prefix[1:]; rest != ""; {
		segment, after, _ := strings.Cut(rest, "/")
		child := t.children[segment]
		if child == nil {
			child = &prefixTree{}
			if t.children == nil {
				t.children = map[string]*prefixTree{}
			}
			t.children[segment] = child
		}
		t, rest = child, after
	}
	if t.route == nil {
		t.route = r
	}
}

// find returns the route with the longest prefix of path, or nil.
func (t *prefixTree) find(path string) *route {
	if t == nil || path == "" || path[0] != '/' {
		return nil
	}
	best := t.route
	for rest, more := path[1:], true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if t = t.children[segment]; t == nil {
			break
		}
		if t.route != nil {
			best = t.route
		}
	}
	return best
}

// canonicalHost is the host of a request in the form in which routes are looked
// up: lower case, without port and trailing dot.
func canonicalHost(host string) string {
	if strings.Contains(host, ":") {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// hasDotSegment tells whether a decoded path has a segment . or .. in it. What
// such a path means depends on who reads it, so it is answered with an error
// instead of being matched here in one way and resolved by a model server in
// another.
func hasDotSegment(path string) bool {
	for rest := path; ; {
		i := strings.Index(rest, "/.")
		if i < 0 {
			return false
		}
		rest = rest[i+2:]
		after := strings.TrimPrefix(rest, ".")
		if after == "" || after[0] == '/' {
			return true
		}
	}
}

// isAmbiguous tells whether common model servers may read a decoded path as that
// of another route: they merge slashes, take a backslash for one, drop what
// follows a semicolon, or decode once more. It matters where routes of a model
// differ in who may use them.
func isAmbiguous(path string) bool {
	if strings.Contains(path, "//") || strings.Contains(path, "/.;") || strings.Contains(path, "/..;") || strings.ContainsRune(path, '\\') {
		return true
	}
	for rest := path; ; {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
		if len(rest) >= 2 && isHex(rest[0]) && isHex(rest[1]) {
			return true
		}
	}
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// stripPrefix removes the prefix from both forms of the path.
func stripPrefix(u *url.URL, prefix string) {
	if prefix == "/" {
		return
	}
	if u.RawPath != "" {
		u.RawPath = rooted(u.RawPath[encodedLen(u.RawPath, len(prefix)):])
	}
	u.Path = rooted(u.Path[len(prefix):])
}

// encodedLen is the number of bytes of the percent-encoded path s that n decoded
// ones stand for.
func encodedLen(s string, n int) int {
	i := 0
	for ; n > 0 && i < len(s); n-- {
		if s[i] == '%' {
			i += 2
		}
		i++
	}
	return min(i, len(s))
}

func rooted(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return "/" + path
}
