package signature

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// Signer signs commits and tags with an SSH key, as git does with gpg.format=ssh.
// It is safe for concurrent use.
type Signer struct{ key ssh.Signer }

// NewSigner reads a private key, and the passphrase of it from another file; an
// empty passphraseFile: the key has none. The key must be one that a [Verifier]
// accepts. No error holds any of the key.
func NewSigner(keyFile, passphraseFile string) (*Signer, error) {
	signer, err := readKey(keyFile, passphraseFile)
	if err == nil {
		err = checkSSH(signer.PublicKey())
	}
	if err != nil {
		return nil, fmt.Errorf("the key that signs, %s: %w", keyFile, err)
	}
	return &Signer{signer}, nil
}

func readKey(keyFile, passphraseFile string) (ssh.Signer, error) {
	key, err := readPrivate(keyFile)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(key)
	if err == nil {
		return signer, nil
	}
	if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); !locked {
		// The parser's own words are about the content of a key.
		return nil, errors.New("it is no private SSH key; ssh-keygen -t ed25519 makes one")
	}
	if passphraseFile == "" {
		return nil, errors.New("it has a passphrase; name the file that holds it")
	}
	passphrase, err := readPrivate(passphraseFile)
	if err != nil {
		return nil, fmt.Errorf("read its passphrase: %w", err)
	}
	signer, err = ssh.ParsePrivateKeyWithPassphrase(key, bytes.TrimRight(passphrase, "\r\n"))
	if err != nil {
		return nil, fmt.Errorf("the passphrase in %s does not open it", passphraseFile)
	}
	return signer, nil
}

// readPrivate reads a small file with something secret.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	const limit = 64 << 10
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && len(data) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return data, err
}

// Sign returns the armored signature of a payload: of a commit without its gpgsig
// header, or of a tag without its signature. It ends with a newline.
func (s *Signer) Sign(payload []byte) (string, error) {
	made, err := sshsig.Sign(bytes.NewReader(payload), s.key, sshsig.HashSHA512, namespace)
	if err != nil {
		return "", fmt.Errorf("sign with the key %s: %w", s.Fingerprint(), err)
	}
	return string(sshsig.Armor(made)), nil
}

// PublicKey is the line of authorized_keys for the key, without a newline.
func (s *Signer) PublicKey() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.key.PublicKey())))
}

// Fingerprint is SHA256:... of the key, as a [reconcile.SignatureCheck] names it.
func (s *Signer) Fingerprint() string { return ssh.FingerprintSHA256(s.key.PublicKey()) }

// SignCommit puts a signature into an unsigned raw commit: the gpgsig header, after
// the others.
func (s *Signer) SignCommit(raw []byte) ([]byte, error) {
	header, message, ok := bytes.Cut(raw, []byte("\n\n"))
	if !ok {
		return nil, errors.New("sign a commit: it has no end of its header")
	}
	armored, err := s.Sign(raw)
	if err != nil {
		return nil, err
	}
	folded := strings.ReplaceAll(strings.TrimSuffix(armored, "\n"), "\n", "\n ")
	return bytes.Join([][]byte{header, []byte("\n" + headerSignature + " " + folded + "\n\n"), message}, nil), nil
}
