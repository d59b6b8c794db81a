package openlineage

import (
	"net/url"
	"path/filepath"
	"strings"
)

// repoURL makes a URL of what Git takes for one, without credentials: also
// git@host:team/repo.git, and a directory. It is "" for what is none.
func repoURL(repo string) string {
	host, path, scp := strings.Cut(repo, ":")
	switch {
	case repo == "":
		return ""
	case filepath.IsAbs(repo):
		return (&url.URL{Scheme: "file", Path: repo}).String()
	case scp && !strings.Contains(host, "/") && !strings.HasPrefix(path, "//"):
		host = host[strings.LastIndexByte(host, '@')+1:]
		return (&url.URL{Scheme: "ssh", Host: host, Path: "/" + strings.TrimPrefix(path, "/")}).String()
	}
	u, err := url.Parse(repo)
	if err != nil || u.Scheme == "" {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
