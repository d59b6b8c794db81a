package signature

import (
	"crypto/rsa"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// namespace keeps a signature that was made for something else, a file or a login,
// from counting as one of a commit.
const namespace = "git"

// minRSA is the size in bits from which RSA is good enough.
const minRSA = 2048

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
