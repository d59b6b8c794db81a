package signature

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// gpgKey is one key of a signer that signatures can name: a primary key or a subkey.
// It says what the key says of itself, apart from time.
type gpgKey struct {
	public      *packet.PublicKey
	fingerprint string // hex, of itself
	expires     time.Time
	revoked     bool
	refused     error // why no signature of it counts
}

// Of the signatures by which a key speaks of itself, the library's defaults refuse MD5
// and RIPEMD-160. SHA-1 counts there: who could forge one would have to change the key
// in the place where the signers are written down.
var ownSignatures = (*packet.Config)(nil)

// readGPG reads an armoured public key, or several in one block.
func readGPG(text string) parsed {
	data, err := unarmor(strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")), kindPublicKey)
	if err != nil {
		return parsed{err: err}
	}
	var keys []gpgKey
	packets := packet.NewReader(bytes.NewReader(data))
	for {
		entity, err := openpgp.ReadEntity(packets)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return parsed{err: fmt.Errorf("it does not parse: %s", printable(err.Error()))}
		}
		if entity.PrivateKey != nil {
			return parsed{err: errors.New("it is a private key; take it out at once, and write the output of gpg --armor --export")}
		}
		keys = append(keys, keysOf(entity)...)
	}
	if len(keys) == 0 {
		return parsed{err: errors.New("it holds no key")}
	}
	return parsed{gpg: keys}
}

// keysOf lists the primary key and the subkeys.
func keysOf(e *openpgp.Entity) []gpgKey {
	primary := gpgKey{public: e.PrimaryKey, fingerprint: hex.EncodeToString(e.PrimaryKey.Fingerprint), refused: checkGPGKey(e.PrimaryKey)}
	self, expires, err := selfSignature(e)
	if err != nil {
		primary.refused = err
	}
	primary.expires = expires
	for _, r := range e.Revocations {
		primary.revoked = true
		if err := e.PrimaryKey.VerifyRevocationSignature(r.Packet); err != nil {
			primary.refused = errors.New("it holds a revocation that cannot be checked, as of another key")
		}
	}
	keys := make([]gpgKey, 0, 1+len(e.Subkeys))
	for i := range e.Subkeys {
		keys = append(keys, subkey(&e.Subkeys[i], primary))
	}
	if primary.refused == nil && self.FlagsValid && !self.FlagSign {
		primary.refused = errors.New("it is not for signing")
	}
	return append(keys, primary)
}

// selfSignature is the newest word of the primary key on itself, and when the key
// expires by it. User ids that are revoked have no say.
func selfSignature(e *openpgp.Entity) (self *packet.Signature, expires time.Time, err error) {
	for _, id := range e.Identities {
		own, err := id.Verify(time.Time{}, ownSignatures)
		if err != nil {
			continue
		}
		if self == nil || own.CreationTime.After(self.CreationTime) {
			self = own
		}
	}
	direct, err := e.LatestValidDirectSignature(time.Time{}, ownSignatures)
	if err != nil {
		direct = nil
	}
	if self == nil {
		self = direct
	}
	if self == nil {
		return nil, expires, errors.New("nothing in it that is valid says whose it is")
	}
	for _, s := range []*packet.Signature{self, direct} {
		if s != nil {
			expires = earliest(expires, after(e.PrimaryKey.CreationTime, s.KeyLifetimeSecs))
			expires = earliest(expires, after(s.CreationTime, s.SigLifetimeSecs))
		}
	}
	return self, expires, nil
}

// subkey is a key that its primary key has bound to itself. What is wrong with the
// primary key is wrong with it.
func subkey(s *openpgp.Subkey, primary gpgKey) gpgKey {
	key := gpgKey{
		public: s.PublicKey, fingerprint: hex.EncodeToString(s.PublicKey.Fingerprint),
		expires: primary.expires, revoked: primary.revoked, refused: primary.refused,
	}
	for _, r := range s.Revocations {
		key.revoked = true
		if err := primary.public.VerifySubkeyRevocationSignature(r.Packet, s.PublicKey); err != nil {
			key.refused = errors.New("it holds a revocation that cannot be checked, as of another key")
		}
	}
	binding, err := s.LatestValidBindingSignature(time.Time{}, ownSignatures)
	if err != nil {
		key.refused = errors.New("it is a subkey that the primary key has not bound to itself")
		return key
	}
	key.expires = earliest(key.expires, after(s.PublicKey.CreationTime, binding.KeyLifetimeSecs))
	key.expires = earliest(key.expires, after(binding.CreationTime, binding.SigLifetimeSecs))
	if err := checkGPGKey(s.PublicKey); err != nil {
		key.refused = err
	}
	// The cross-signature, without which a subkey could be claimed by anybody, was
	// checked where the flag is set.
	if !binding.FlagsValid || !binding.FlagSign || binding.EmbeddedSignature == nil {
		key.refused = errors.New("it is a subkey that is not for signing")
	}
	return key
}

// checkGPGKey tells what is wrong with a kind of key.
func checkGPGKey(key *packet.PublicKey) error {
	switch key.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		bits, err := key.BitLength()
		if err != nil || bits < minRSA {
			return fmt.Errorf("the RSA key has %d bits, fewer than the %d that are needed", bits, minRSA)
		}
	case packet.PubKeyAlgoECDSA, packet.PubKeyAlgoEdDSA, packet.PubKeyAlgoEd25519, packet.PubKeyAlgoEd448:
		if curve, err := key.Curve(); err != nil || curve == packet.CurveSecP256k1 {
			return errors.New("the key is on a curve that is not accepted; use Ed25519")
		}
	default:
		return fmt.Errorf("keys of the algorithm %d are not accepted; use Ed25519 or RSA", key.PubKeyAlgo)
	}
	return nil
}
