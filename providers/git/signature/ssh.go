package signature

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// namespace keeps a signature that was made for something else, a file or a login,
// from counting as one of a commit.
const namespace = "git"

// minRSA is the size in bits from which RSA is good enough.
const minRSA = 2048

// sshKey is a key of a signer.
type sshKey struct {
	public ssh.PublicKey
	wire   []byte
}

// verifySSH judges a signature as PROTOCOL.sshsig of OpenSSH describes it. Its key is
// in it, so it is known to be damaged also where nobody knows the key.
func (v *Verifier) verifySSH(payload []byte, armored string, signers []spec.Signer) reconcile.SignatureCheck {
	data, err := unarmor(armored, kindSSH)
	if err != nil {
		return bad("", err)
	}
	made, err := sshsig.ParseSignature(data)
	if err != nil {
		return bad("", fmt.Errorf("the SSH signature does not parse: %s", printable(err.Error())))
	}
	fingerprint := ssh.FingerprintSHA256(made.PublicKey)
	if err := checkMade(made, payload); err != nil {
		return bad(fingerprint, err)
	}
	var broken []error
	for _, s := range signers {
		for i, line := range s.SSH {
			key := v.parse(line, readSSH)
			switch {
			case key.err != nil:
				broken = append(broken, fmt.Errorf("SSH key %d of the signer %s: %w", i+1, s.Name, key.err))
			case bytes.Equal(key.ssh.wire, made.PublicKey.Marshal()):
				return reconcile.SignatureCheck{State: reconcile.SignatureGood, Signer: s.Name, Key: fingerprint}
			}
		}
	}
	return unknown(fingerprint, broken)
}

// checkMade tells what is wrong with a signature by itself.
func checkMade(made *sshsig.Signature, payload []byte) error {
	if err := checkSSH(made.PublicKey); err != nil {
		return err
	}
	if made.Namespace != namespace {
		return fmt.Errorf("the signature was made for %q and not for %q", printable(made.Namespace), namespace)
	}
	security := strings.HasPrefix(made.PublicKey.Type(), "sk-")
	if !security && len(made.Signature.Rest) > 0 {
		return errors.New("the SSH signature has something after its end")
	}
	if err := sshsig.Verify(bytes.NewReader(payload), made, made.PublicKey, made.HashAlgorithm, namespace); err != nil {
		return errors.New("the signature is of other bytes, or damaged")
	}
	return nil
}

// readSSH reads a line of authorized_keys.
func readSSH(line string) parsed {
	key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	switch {
	case err != nil:
		return parsed{err: errors.New("it is no line as in authorized_keys, which begins with the kind of the key, as ssh-ed25519")}
	case len(bytes.TrimSpace(rest)) > 0:
		return parsed{err: errors.New("it has more than one line")}
	case len(options) > 0:
		return parsed{err: errors.New("it has options before the key, which mean nothing here")}
	}
	if err := checkSSH(key); err != nil {
		return parsed{err: err}
	}
	return parsed{ssh: &sshKey{key, key.Marshal()}}
}

// checkSSH tells what is wrong with a kind of key.
func checkSSH(key ssh.PublicKey) error {
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256,
		ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		return nil
	case ssh.KeyAlgoRSA:
		return checkRSA(key)
	}
	if _, certified := key.(*ssh.Certificate); certified {
		return errors.New("it is an SSH certificate, which is not supported; use the key itself")
	}
	return fmt.Errorf("keys of the kind %s are not accepted; use ssh-ed25519", printable(key.Type()))
}

func checkRSA(key ssh.PublicKey) error {
	inner, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return errors.New("the RSA key does not show its size")
	}
	public, ok := inner.CryptoPublicKey().(*rsa.PublicKey)
	if !ok {
		return errors.New("the RSA key does not show its size")
	}
	if bits := public.N.BitLen(); bits < minRSA {
		return fmt.Errorf("the RSA key has %d bits, fewer than the %d that are needed; use ssh-ed25519", bits, minRSA)
	}
	return nil
}
