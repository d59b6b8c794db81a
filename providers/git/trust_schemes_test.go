package git_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/spec"
)

// scheme is one of the two ways to sign.
type scheme interface {
	// key makes a key. public is a signer with it, as it is now.
	key(name string)
	public(name string) spec.Signer
	// expiring makes a key that expires at the turn; outdated is the signer of it.
	expiring(name string)
	outdated(name string) spec.Signer
	// revoked is the signer of a key after it has been revoked.
	revoked(name string) spec.Signer
	// configure makes git sign with the key, at a time.
	configure(r *repo, name string, at time.Time)
	// misused is a signature of the payload by the key that was made for another
	// purpose.
	misused(name, payload string) string
	// oracle makes git know the signers and no other.
	oracle(r *repo, signers []spec.Signer)
}

// sshScheme signs with ssh-keygen.
type sshScheme struct {
	t   *testing.T
	dir string
}

func newSSHScheme(t *testing.T) scheme {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not installed; it is only needed by this test")
	}
	return &sshScheme{t, t.TempDir()}
}

func (s *sshScheme) keygen(input string, args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "ssh-keygen", args...)
	cmd.Dir = s.dir
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("ssh-keygen %v: %v", args, err)
	}
	return string(out)
}

func (s *sshScheme) file(name string) string { return filepath.Join(s.dir, name) }

func (s *sshScheme) key(name string) {
	s.keygen("", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name)
}

func (s *sshScheme) public(name string) spec.Signer {
	line, err := os.ReadFile(s.file(name + ".pub"))
	if err != nil {
		s.t.Fatal(err)
	}
	return spec.Signer{Name: name, Role: spec.SignerPerson, SSH: []string{strings.TrimSpace(string(line))}}
}

func (s *sshScheme) expiring(name string) { s.key(name) }

func (s *sshScheme) outdated(name string) spec.Signer {
	signer := s.public(name)
	signer.ValidUntil = turn
	return signer
}

func (s *sshScheme) revoked(name string) spec.Signer {
	signer := s.public(name)
	signer.Revoked = keyed
	return signer
}

func (s *sshScheme) configure(r *repo, name string, _ time.Time) {
	r.git("config", "gpg.format", "ssh")
	r.git("config", "user.signingkey", s.file(name))
}

func (s *sshScheme) misused(name, payload string) string {
	return s.keygen(payload, "-Y", "sign", "-n", "file", "-f", name)
}

func (s *sshScheme) oracle(r *repo, signers []spec.Signer) {
	var allowed, revoked strings.Builder
	for _, signer := range signers {
		options := `namespaces="git"`
		if !signer.ValidFrom.IsZero() {
			options += fmt.Sprintf(`,valid-after="%s"`, signer.ValidFrom.Format("20060102150405Z"))
		}
		if !signer.ValidUntil.IsZero() {
			options += fmt.Sprintf(`,valid-before="%s"`, signer.ValidUntil.Format("20060102150405Z"))
		}
		fmt.Fprintf(&allowed, "%s %s %s\n", signer.Name, options, signer.SSH[0])
		if !signer.Revoked.IsZero() {
			fmt.Fprintln(&revoked, signer.SSH[0])
		}
	}
	for name, text := range map[string]string{"allowed": allowed.String(), "revoked": revoked.String()} {
		if err := os.WriteFile(s.file(name), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	r.git("config", "gpg.ssh.allowedSignersFile", s.file("allowed"))
	r.git("config", "gpg.ssh.revocationFile", s.file("revoked"))
}

// gpgScheme signs with gpg.
type gpgScheme struct {
	t    *testing.T
	home string
	keys map[string]string // fingerprints
}

func newGPGScheme(t *testing.T) scheme {
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("gpg is not installed; it is only needed by this test")
	}
	return &gpgScheme{t, gpgHome(t), map[string]string{}}
}

// gpgHome is a directory for keys, with a short path since sockets are in it.
func gpgHome(t *testing.T) string {
	home, err := os.MkdirTemp("", "gpg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		kill := exec.Command("gpgconf", "--homedir", home, "--kill", "all") //nolint:noctx // the context of the test is over
		_ = kill.Run()                                                      // an agent that is gone already is fine
		_ = os.RemoveAll(home)                                              // what is left lies in the temporary directory
	})
	return home
}

func (s *gpgScheme) gpg(home string, at time.Time, input string, args ...string) (out, status string) {
	s.t.Helper()
	args = append([]string{
		"--homedir", home, "--batch", "--yes", "--quiet", "--no-tty", "--passphrase", "", "--pinentry-mode", "loopback",
		"--faked-system-time", at.Format("20060102T150405"), "--status-fd", "2",
	}, args...)
	cmd := exec.CommandContext(s.t.Context(), "gpg", args...)
	cmd.Stdin = strings.NewReader(input)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	printed, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("gpg %v: %v\n%s", args, err, stderr.String())
	}
	return string(printed), stderr.String()
}

func (s *gpgScheme) make(name, expire string) {
	_, status := s.gpg(s.home, keyed, "", "--quick-generate-key", name+" <"+name+"@example.org>", "ed25519", "sign", expire)
	s.keys[name] = regexp.MustCompile(`KEY_CREATED . ([0-9A-F]{40})`).FindStringSubmatch(status)[1]
}

func (s *gpgScheme) key(name string) { s.make(name, "never") }

func (s *gpgScheme) public(name string) spec.Signer {
	armored, _ := s.gpg(s.home, signing, "", "--armor", "--export", s.keys[name])
	return spec.Signer{Name: name, Role: spec.SignerPerson, GPG: []string{armored}}
}

func (s *gpgScheme) expiring(name string)             { s.make(name, turn.Format(time.DateOnly)) }
func (s *gpgScheme) outdated(name string) spec.Signer { return s.public(name) }

func (s *gpgScheme) revoked(name string) spec.Signer {
	certificate, err := os.ReadFile(filepath.Join(s.home, "openpgp-revocs.d", s.keys[name]+".rev"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.gpg(s.home, late, strings.Replace(string(certificate), ":-----BEGIN", "-----BEGIN", 1), "--import")
	return s.public(name)
}

func (s *gpgScheme) configure(r *repo, name string, at time.Time) {
	r.git("config", "gpg.format", "openpgp")
	r.git("config", "user.signingkey", s.keys[name]+"!")
	s.program(r, s.home, "--faked-system-time "+at.Format("20060102T150405"))
}

// program makes git use a gpg with a home and options.
func (s *gpgScheme) program(r *repo, home, options string) {
	path := filepath.Join(s.t.TempDir(), "gpg")
	script := fmt.Sprintf("#!/bin/sh\nexec gpg --homedir %s --batch --no-tty --passphrase '' --pinentry-mode loopback %s \"$@\"\n", home, options)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		s.t.Fatal(err)
	}
	r.git("config", "gpg.program", path)
}

func (s *gpgScheme) misused(name, payload string) string {
	out, _ := s.gpg(s.home, signing, payload, "-bsa", "--textmode", "-u", s.keys[name]+"!")
	return out
}

func (s *gpgScheme) oracle(r *repo, signers []spec.Signer) {
	home := gpgHome(s.t)
	for _, signer := range signers {
		s.gpg(home, late, signer.GPG[0], "--import")
	}
	s.program(r, home, "")
}
