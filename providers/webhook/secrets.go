package webhook

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The limits of a secret file.
const (
	maxSecretFile = 16 << 10 // bytes
	maxSecrets    = 4
	minSecret     = 16 // characters
)

// keyPrefix begins the signing keys of Standard Webhooks.
const keyPrefix = "whsec_"

func isSigningKey(secret string) bool { return strings.HasPrefix(secret, keyPrefix) }

func signingKey(secret string) (*standardwebhooks.Webhook, error) {
	return standardwebhooks.NewWebhook(secret)
}

// secrets reads the file. It is so small that reading it anew costs less than knowing
// for certain whether it has changed. Errors quote nothing of it.
func (e Endpoint) secrets() ([]string, error) {
	text, err := readFile(e.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("read its secret: %w", err)
	}
	var secrets []string
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if len(line) < minSecret {
			return nil, fmt.Errorf("%s:%d has fewer than %d characters, which can be guessed; `openssl rand -hex 32` makes a good one", e.SecretFile, i+1, minSecret)
		}
		if _, err := signingKey(line); e.Kind == Standard && !isSigningKey(line) || isSigningKey(line) && e.Kind.hasKeys() && err != nil {
			return nil, fmt.Errorf("%s:%d is no secret of Standard Webhooks: whsec_ and base64; `echo whsec_$(openssl rand -base64 32)` makes one", e.SecretFile, i+1)
		}
		secrets = append(secrets, line)
	}
	switch {
	case len(secrets) == 0:
		return nil, fmt.Errorf("%s is empty; put the secret into it that the sender has", e.SecretFile)
	case len(secrets) > maxSecrets:
		return nil, fmt.Errorf("%s has %d secrets; at most %d are read", e.SecretFile, len(secrets), maxSecrets)
	}
	return secrets, nil
}

// hasKeys tells whether a kind knows signing keys of Standard Webhooks.
func (k Kind) hasKeys() bool { return k == Standard || k == GitLab }

// readFile reads a small regular file; a pipe would block for ever.
func readFile(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is no regular file", path)
	case info.Mode().Perm()&0o002 != 0:
		return "", fmt.Errorf("everybody may write to %s; run chmod 600 on it", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err == nil && len(text) > maxSecretFile {
		err = errors.New(path + " is larger than 16 KiB")
	}
	return string(text), err
}
