package spec

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// A route is compared with requests byte by byte, so each path and each host has
// one way to be written. The checks below are that one way. Whoever reads a
// declaration and whoever routes by it asks here, so that what the first takes
// the second takes too. An error reads on after "the path ..." or the like: it
// is a clause that begins with "it".

// modelsPath is where Open Inference models are found by name.
const modelsPath = "/v2/models"

// CheckRoutePath tells why path cannot be the path of a route, or returns nil.
//
// Characters that would have to be percent-encoded are left out: a request is
// matched after decoding, and with those it would be a guess which form a route
// means. So is the / at the end: a route covers whole segments in any case.
func CheckRoutePath(path string) error {
	switch {
	case path == "/":
		return nil
	case !strings.HasPrefix(path, "/"):
		return errors.New(`it does not start with /; write it like "/digits"`)
	case strings.Contains(path, "//"):
		return errors.New("it has an empty segment: two / in a row; write one")
	case strings.HasSuffix(path, "/"):
		return errors.New("it ends in /; it covers all that is below it anyway, so write it without")
	case path == modelsPath || strings.HasPrefix(path, modelsPath+"/"):
		return fmt.Errorf("it is reserved: the gateway itself routes %s/NAME to the Open Inference models; choose another one", modelsPath)
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "." || segment == ".." {
			return fmt.Errorf("it has the segment %s, which the gateway refuses in requests; write the path that is meant", segment)
		}
	}
	for _, c := range path {
		if !plainInPath(c) {
			return fmt.Errorf("it holds %q; take letters from a to z, digits and - . _ ~ ! $ & ' ( ) * + , ; = : @ only, which need no encoding", c)
		}
	}
	return nil
}

// plainInPath tells whether a path of a URL holds c as it is.
func plainInPath(c rune) bool {
	return alphanumeric(c) || c >= 'A' && c <= 'Z' || strings.ContainsRune("/-._~!$&'()*+,;=:@", c)
}

func alphanumeric(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
}

// The longest host name and the longest of its labels that DNS carries.
const (
	maxHost      = 253
	maxHostLabel = 63
)

// CheckHost tells why host cannot be the host of a route, or returns nil. It is
// the name alone in lower case, which is what the gateway makes of the host of a
// request before it compares.
func CheckHost(host string) error {
	switch {
	case host == "":
		return errors.New("it is empty; leave it out for every host")
	case strings.Contains(host, "*"):
		return errors.New("it has a *, and there are no wildcards; leave host out for every host, or write a route for each")
	case strings.Contains(host, "://"):
		return errors.New("it is a URL; write the host name in it alone")
	case strings.Contains(host, ":"):
		return errors.New("it has a port or is an IPv6 address; write a host name without port")
	case strings.ToLower(host) != host:
		return errors.New("it is not in lower case; write it so, since hosts are the same in any case")
	case strings.HasSuffix(host, "."):
		return errors.New("it ends in a dot; write it without, which means the same")
	case len(host) > maxHost:
		return fmt.Errorf("it is longer than %d characters, which no host name can be", maxHost)
	}
	for label := range strings.SplitSeq(host, ".") {
		if !hostLabel(label) {
			return fmt.Errorf(`it is no host name, such as "models.example.com": each part of it has 1 to %d letters, digits and -, and no - at its ends`, maxHostLabel)
		}
	}
	return nil
}

func hostLabel(s string) bool {
	for _, c := range s {
		if !alphanumeric(c) && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= maxHostLabel && s[0] != '-' && s[len(s)-1] != '-'
}

// CheckProbePath tells why a health probe cannot be sent to path, or returns
// nil. Unlike the path of a route it is only sent, never compared: it may be
// encoded and have a query.
func CheckProbePath(path string) error {
	if !strings.HasPrefix(path, "/") {
		return errors.New(`it does not start with /; write it like "/healthz"`)
	}
	for _, c := range path {
		if c <= ' ' || c > '~' || c == '#' {
			return fmt.Errorf("it holds %q, which a request cannot carry as it is; write it percent-encoded", c)
		}
	}
	if _, err := url.ParseRequestURI(path); err != nil {
		return errors.New("it has a % that is not followed by two hexadecimal digits; write %25 for a % itself")
	}
	return nil
}
