package git

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// location is where a repository is. Its String holds no credential.
type location struct {
	path     string // of a local repository
	endpoint *transport.Endpoint
	// user and password are those that stood in the URL. The endpoint has none,
	// so that no error of go-git can show them.
	user, password string
}

func (l location) local() bool { return l.endpoint == nil }

// String is the location as people may see it.
func (l location) String() string {
	if l.local() {
		return l.path
	}
	return l.endpoint.String()
}

// parseLocation reads a URL, USER@HOST:PATH or a path.
func parseLocation(raw string) (location, error) {
	scheme, rest, hasScheme := strings.Cut(raw, "://")
	if !hasScheme {
		// As for git itself: a colon before the first slash means ssh.
		if host, _, colon := strings.Cut(raw, ":"); colon && !strings.Contains(host, "/") {
			return remoteLocation(raw)
		}
		return localLocation(raw)
	}
	switch strings.ToLower(scheme) {
	case "file":
		path, _ := strings.CutPrefix(rest, "localhost")
		if !strings.HasPrefix(path, "/") {
			return location{}, fmt.Errorf("%s names another host; write file:///PATH for a repository on this machine", raw)
		}
		path, err := url.PathUnescape(path)
		if err != nil {
			return location{}, fmt.Errorf("%s does not parse as a URL: %w", raw, err)
		}
		return localLocation(path)
	case "http", "https", "ssh":
		return remoteLocation(raw)
	case "git":
		return location{}, errors.New("the git:// protocol proves neither server nor content; use https:// or ssh://")
	default:
		return location{}, fmt.Errorf("%s:// is not a way to a Git repository; use https://, ssh://, file:// or a path", scheme)
	}
}

func localLocation(path string) (location, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return location{}, fmt.Errorf("find the repository %s: %w", path, err)
	}
	return location{path: abs}, nil
}

func remoteLocation(raw string) (location, error) {
	endpoint, err := transport.NewEndpoint(raw)
	if err != nil || endpoint.Host == "" || strings.ContainsAny(endpoint.Host+endpoint.Path, "\x00\r\n") {
		// The error and the URL itself may hold a password.
		return location{}, errors.New("the URL of the repository does not parse; write https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH")
	}
	l := location{endpoint: endpoint, user: endpoint.User, password: endpoint.Password}
	endpoint.User, endpoint.Password = "", ""
	return l, nil
}
