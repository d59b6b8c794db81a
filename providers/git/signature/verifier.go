package signature

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// Verifier finds out who signed a commit or a tag. It implements
// [reconcile.Signatures]. The zero Verifier is ready for use, also concurrently. It
// keeps the keys that it has parsed.
type Verifier struct {
	mu   sync.Mutex
	read map[string]parsed // by the text of the key
}

var _ reconcile.Signatures = (*Verifier)(nil)

// parsed is what was read from the text of a key.
type parsed struct {
	ssh *sshKey
	gpg []gpgKey
	err error
}

// maxParsed is the number of keys that are kept.
const maxParsed = 4096

// Verify implements [reconcile.Signatures].
func (v *Verifier) Verify(raw []byte, signers []spec.Signer) (check reconcile.SignatureCheck) {
	defer func() {
		if p := recover(); p != nil {
			check = bad("", fmt.Errorf("reading the signature failed: %s", printable(fmt.Sprint(p))))
		}
	}()
	payload, armored, err := cut(raw)
	if errors.Is(err, errUnsigned) {
		return reconcile.SignatureCheck{State: reconcile.SignatureNone, Reason: err.Error()}
	}
	if err != nil {
		return bad("", err)
	}
	kind, err := kindOf(armored)
	if err != nil {
		return bad("", err)
	}
	switch kind {
	case kindSSH:
		return v.verifySSH(payload, armored, signers)
	case kindPGP:
		return v.verifyGPG(payload, armored, signers)
	case "SIGNED MESSAGE":
		return bad("", errors.New("it is signed with an X.509 certificate; use an SSH or GPG key"))
	}
	return bad("", fmt.Errorf("its signature is a %q; use an SSH or GPG key", printable(kind)))
}

func bad(key string, err error) reconcile.SignatureCheck {
	return reconcile.SignatureCheck{State: reconcile.SignatureBad, Key: key, Reason: err.Error()}
}

// unknown is a signature of a key that no signer has. broken are the keys of signers
// that do not read, one of which it may be.
func unknown(key string, broken []error) reconcile.SignatureCheck {
	reason := "the key " + key + " belongs to none of the signers"
	if key == "" {
		reason = "it does not say which key it was signed with"
	}
	for _, err := range broken {
		reason += "; " + err.Error()
	}
	return reconcile.SignatureCheck{State: reconcile.SignatureUnknown, Key: key, Reason: reason}
}

// parse reads a key once.
func (v *Verifier) parse(text string, read func(string) parsed) parsed {
	v.mu.Lock()
	known, ok := v.read[text]
	v.mu.Unlock()
	if ok {
		return known
	}
	fresh := read(text)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.read == nil || len(v.read) >= maxParsed {
		v.read = map[string]parsed{}
	}
	v.read[text] = fresh
	return fresh
}

// earliest returns the earlier of two times, of which zero means never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
