package signature

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// verifyGPG judges a detached signature of RFC 9580 (OpenPGP). It names its key only,
// so nothing more can be told where nobody knows that.
func (v *Verifier) verifyGPG(payload []byte, armored string, signers []spec.Signer) reconcile.SignatureCheck {
	made, err := readGPGSignature(armored)
	if err != nil {
		return bad("", err)
	}
	named := hex.EncodeToString(made.IssuerFingerprint)
	if err := checkGPG(made); err != nil {
		return bad(named, err)
	}
	var broken []error
	damaged := reconcile.SignatureCheck{}
	for _, s := range signers {
		for i, text := range s.GPG {
			ring := v.parse(text, readGPG)
			if ring.err != nil {
				broken = append(broken, fmt.Errorf("GPG key %d of the signer %s: %w", i+1, s.Name, ring.err))
			}
			for _, key := range ring.gpg {
				if !made.CheckKeyIdOrFingerprint(key.public) {
					continue
				}
				check := key.judge(made, payload, s.Name)
				if check.State == reconcile.SignatureGood {
					return check
				}
				damaged = check
			}
		}
	}
	if damaged.State != "" {
		return damaged
	}
	return unknown(named, broken)
}

// readGPGSignature reads one signature packet and nothing else.
func readGPGSignature(armored string) (*packet.Signature, error) {
	data, err := unarmor(armored, kindPGP)
	if err != nil {
		return nil, err
	}
	rest := bytes.NewReader(data)
	read, err := packet.Read(rest)
	if err != nil {
		return nil, fmt.Errorf("the GPG signature does not parse: %s", printable(err.Error()))
	}
	made, ok := read.(*packet.Signature)
	if !ok {
		return nil, errors.New("the armour of a GPG signature holds something else")
	}
	if rest.Len() > 0 {
		return nil, errors.New("the GPG signature has something after its end, or is more than one")
	}
	return made, nil
}

// checkGPG tells what is wrong with a signature by itself.
func checkGPG(made *packet.Signature) error {
	if made.SigType != packet.SigTypeBinary {
		return fmt.Errorf("the GPG signature has the type %#02x and is not one of a file", uint8(made.SigType))
	}
	switch made.Hash {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_512:
	default:
		return fmt.Errorf("the GPG signature uses the weak hash %s; sign with --digest-algo SHA256 or a newer gpg", made.Hash)
	}
	if made.SigLifetimeSecs != nil && *made.SigLifetimeSecs != 0 {
		return errors.New("the GPG signature expires by itself, and history has to stay good; take default-sig-expire out of gpg.conf")
	}
	for _, notation := range made.Notations {
		if notation.IsCritical {
			return fmt.Errorf("the GPG signature has the critical notation %q, which is not known", printable(notation.Name))
		}
	}
	return nil
}

// judge is what a signature is worth that names this key.
func (k *gpgKey) judge(made *packet.Signature, payload []byte, signer string) reconcile.SignatureCheck {
	fail := func(format string, args ...any) reconcile.SignatureCheck {
		check := bad(k.fingerprint, fmt.Errorf(format, args...))
		check.Expired, check.Revoked = k.expires, k.revoked
		return check
	}
	hash, err := made.PrepareVerify()
	if err != nil {
		return fail("the GPG signature cannot be checked: %s", printable(err.Error()))
	}
	hash.Write(payload)
	if err := k.public.VerifySignature(hash, made); err != nil {
		return fail("the signature is of other bytes, or damaged")
	}
	const day = "2006-01-02 15:04 UTC"
	switch at := made.CreationTime; {
	case k.refused != nil:
		return fail("the key %s of the signer %s: %w", k.fingerprint, signer, k.refused)
	case at.Before(k.public.CreationTime):
		return fail("it was signed before its key was made")
	case !k.expires.IsZero() && !at.Before(k.expires):
		return fail("it was signed on %s, after the key had expired on %s", at.UTC().Format(day), k.expires.UTC().Format(day))
	}
	return reconcile.SignatureCheck{
		State: reconcile.SignatureGood, Signer: signer, Key: k.fingerprint,
		Expired: k.expires, Revoked: k.revoked,
	}
}

// after is a time a number of seconds later; never, if there is no such number.
func after(t time.Time, seconds *uint32) time.Time {
	if seconds == nil || *seconds == 0 {
		return time.Time{}
	}
	return t.Add(time.Duration(*seconds) * time.Second)
}
