package git

import (
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Signer signs commits and tags as git does with gpg.format=ssh; package signature has
// one.
type Signer interface {
	// Sign returns the armored signature of the bytes of an object that has none yet.
	Sign(payload []byte) (armored string, err error)
	// PublicKey is the key that verifies it, as in authorized_keys.
	PublicKey() string
}

// signable is a commit or a tag.
type signable interface {
	EncodeWithoutSignature(o plumbing.EncodedObject) error
	Encode(o plumbing.EncodedObject) error
}

// sealed encodes a commit or a tag, with a signature where somebody signs. set keeps
// the signature in what is encoded.
func sealed(what signable, by Signer, set func(armored string)) (*plumbing.MemoryObject, error) {
	if by != nil {
		armored, err := sign(what, by)
		if err != nil {
			return nil, err
		}
		set(armored)
	}
	o := new(plumbing.MemoryObject)
	return o, what.Encode(o)
}

func sign(what signable, by Signer) (string, error) {
	bare := new(plumbing.MemoryObject)
	if err := what.EncodeWithoutSignature(bare); err != nil {
		return "", err
	}
	content, err := bare.Reader()
	if err != nil {
		return "", err
	}
	payload, err := io.ReadAll(content)
	if err != nil {
		return "", err
	}
	armored, err := by.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("it cannot be signed, so it is not written: %w", err)
	}
	return armored, nil
}

// sealedCommit encodes a commit.
func sealedCommit(c *object.Commit, by Signer) (*plumbing.MemoryObject, error) {
	return sealed(c, by, func(armored string) { c.PGPSignature = armored })
}

// sealedTag encodes a tag.
func sealedTag(t *object.Tag, by Signer) (*plumbing.MemoryObject, error) {
	return sealed(t, by, func(armored string) { t.PGPSignature = armored })
}
