package git

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// Auth says how to prove to a remote who we are. Files and variables are read at
// each fetch, so a rotated credential needs no restart.
type Auth struct {
	// For http and https: Username with the token or password in TokenFile or
	// TokenEnv, sent as basic authentication. An empty Username is "git", which
	// forges take together with a token.
	Username  string
	TokenFile string
	TokenEnv  string
	// Token is the token itself, of who has it from somewhere else.
	Token spec.Sensitive
	// CAFile has certificates that are trusted beside those of the system.
	CAFile string

	// For ssh: the private key, the passphrase of it if it has one, and the
	// file with the host keys. No agent is asked, and a host that is not in
	// KnownHostsFile is refused. Empty: the known_hosts of the user and of the
	// system.
	KeyFile           string
	KeyPassphraseFile string
	KnownHostsFile    string
}

// check finds mistakes before the first fetch.
func (a Auth) check(at location) error {
	ssh := at.endpoint.Protocol == "ssh"
	switch {
	case a.TokenFile != "" && a.TokenEnv != "":
		return errors.New("the token of the Git remote is given both as a file and as an environment variable; keep one of them")
	case ssh && a.KeyFile == "":
		return fmt.Errorf("%s needs a private key; set --git-ssh-key FILE", at)
	case ssh && (a.TokenFile != "" || a.TokenEnv != ""):
		return fmt.Errorf("%s is reached by ssh, which takes a key and no token; use the https URL, or set --git-ssh-key FILE", at)
	case ssh && at.password != "":
		return fmt.Errorf("%s is reached by ssh, which takes a key; leave the password out of the URL", at)
	case at.endpoint.Protocol == "http" && a.hasToken(at) && !loopback(at.endpoint.Host):
		return fmt.Errorf("%s would send the token in clear; use https", at)
	}
	return nil
}

// hasToken tells whether there is something to send.
func (a Auth) hasToken(at location) bool {
	return a.TokenFile != "" || a.TokenEnv != "" || !a.Token.IsZero() || at.password != ""
}

// basic returns user and password for http; both are empty where there is
// nothing to send.
func (a Auth) basic(at location) (user, password string, err error) {
	if !a.hasToken(at) {
		return "", "", nil
	}
	user = at.user
	if a.Username != "" {
		user = a.Username
	}
	if user == "" {
		user = "git"
	}
	switch {
	case a.TokenFile != "":
		password, err = readSmall(a.TokenFile)
		if err != nil {
			return "", "", fmt.Errorf("read the token of the Git remote: %w", err)
		}
	case a.TokenEnv != "":
		password = os.Getenv(a.TokenEnv)
	case !a.Token.IsZero():
		password = a.Token.Reveal()
	default:
		password = at.password
	}
	password = strings.TrimSpace(password)
	if password == "" {
		return "", "", errors.New("the token of the Git remote is empty; check its file or environment variable")
	}
	return user, password, nil
}

// readSmall reads a file of at most 64 KiB.
func readSmall(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // read only
	const limit = 64 << 10
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return "", err
	}
	if len(data) > limit {
		return "", fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return string(data), nil
}

// loopback tells whether a host is this machine for certain.
func loopback(host string) bool {
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && address.IsLoopback()
}
