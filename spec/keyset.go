package spec

import (
	"crypto/ecdh"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// The keys of a route's tokens stand in the config repo, where everybody who can
// read the repo reads them. So they must be public ones. They also decide who
// gets in: a set that no token could ever be checked with is found when the
// commit is read, and not when the first caller is turned away.

// maxKeySet is the size of a key set, and maxKeys the number of its keys. Real
// ones have two or three keys of less than 2 KiB.
const (
	maxKeySet = 64 << 10
	maxKeys   = 100
)

// The sizes of RSA keys in bits. Shorter ones are not to be used (RFC 7518,
// section 3.3); with longer ones each request would cost milliseconds.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// CheckKeySet tells why data cannot be the keys of a JWT, or returns nil. It is
// a JSON Web Key Set (RFC 7517) of public keys, at least one of which can check
// signatures. Keys of kinds that are not known are passed over, as the RFC says.
//
// The error is a clause that begins with "it", and shows nothing of the keys.
func CheckKeySet(data []byte) error {
	if len(data) > maxKeySet {
		return fmt.Errorf("it has %d bytes, and %d are allowed; keep the keys that sign tokens now", len(data), maxKeySet)
	}
	if !json.Valid(data) {
		return errors.New(`it is no JSON; to read it from a file of the repo, write keys = file("PATH")`)
	}
	// Maps, and no structs: the names of members count to the letter.
	var set map[string]json.RawMessage
	var keys []map[string]json.RawMessage
	if json.Unmarshal(data, &set) != nil || json.Unmarshal(set["keys"], &keys) != nil {
		return errors.New(`it is not of the form {"keys": [{...}, ...]}, which a JSON Web Key Set has`)
	}
	switch {
	case len(keys) == 0:
		return errors.New("it has no keys, so no token could be good; put the public keys of the issuer into it")
	case len(keys) > maxKeys:
		return fmt.Errorf("it has more than %d keys; keep those that sign tokens now", maxKeys)
	}
	usable := 0
	for i, key := range keys {
		signs, err := checkKey(key)
		if err != nil {
			return fmt.Errorf("it has %w (key %d of %d)", err, i+1, len(keys))
		}
		if signs {
			usable++
		}
	}
	if usable == 0 {
		return errors.New("it has no key that signatures can be checked with: RSA, EC on P-256 or P-384, or Ed25519")
	}
	return nil
}

// privateMembers are what only the owner of a key may know: of RSA, elliptic
// curves, symmetric keys (RFC 7518, section 6) and the newer kinds.
var privateMembers = [...]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// checkKey tells whether signatures can be checked with one key. The error is
// what the set has.
func checkKey(key map[string]json.RawMessage) (signs bool, err error) {
	for _, member := range privateMembers {
		if _, private := key[member]; private {
			return false, fmt.Errorf("a private or symmetric key, known by its member %q; whoever can read the repo could sign tokens with it, so make a new one, and put its public part here", member)
		}
	}
	kind, err := member(key, "kty")
	if err != nil {
		return false, err
	}
	use := ""
	if key["use"] != nil {
		if use, err = member(key, "use"); err != nil {
			return false, err
		}
	}
	if use == "enc" {
		return false, nil
	}
	switch kind {
	case "RSA":
		return true, checkRSA(key)
	case "EC":
		return checkEC(key)
	case "OKP":
		return checkOKP(key)
	case "oct":
		return false, errors.New(`a symmetric key (kty "oct"); whoever checks tokens with it can sign them too, so use public keys`)
	default:
		return false, nil
	}
}

func checkRSA(key map[string]json.RawMessage) error {
	n, err := bytesOf(key, "n")
	if err != nil {
		return err
	}
	e, err := bytesOf(key, "e")
	if err != nil {
		return err
	}
	if bits := new(big.Int).SetBytes(n).BitLen(); bits < minRSABits || bits > maxRSABits {
		return fmt.Errorf("an RSA key of %d bits, where %d to %d are good", bits, minRSABits, maxRSABits)
	}
	if exponent := new(big.Int).SetBytes(e); exponent.BitLen() > 31 || exponent.Bit(0) == 0 || exponent.BitLen() < 2 {
		return errors.New(`an RSA key whose member "e" is no public exponent, such as "AQAB"`)
	}
	return nil
}

func checkEC(key map[string]json.RawMessage) (signs bool, err error) {
	name, err := member(key, "crv")
	if err != nil {
		return false, err
	}
	curve, size := ecdh.P256(), 32
	switch name {
	case "P-256":
	case "P-384":
		curve, size = ecdh.P384(), 48
	default:
		return false, nil
	}
	x, err := bytesOf(key, "x")
	if err != nil {
		return false, err
	}
	y, err := bytesOf(key, "y")
	if err != nil {
		return false, err
	}
	const uncompressed = 4 // the form of a point that has both coordinates
	point := append(append([]byte{uncompressed}, x...), y...)
	if _, err := curve.NewPublicKey(point); err != nil || len(x) != size {
		return false, fmt.Errorf("an EC key whose members x and y are no point on %s", name)
	}
	return true, nil
}

func checkOKP(key map[string]json.RawMessage) (signs bool, err error) {
	name, err := member(key, "crv")
	if err != nil || name != "Ed25519" {
		return false, err
	}
	const size = 32
	x, err := bytesOf(key, "x")
	if err != nil {
		return false, err
	}
	if len(x) != size {
		return false, fmt.Errorf("an Ed25519 key of %d bytes, where it takes %d", len(x), size)
	}
	return true, nil
}

// member is the text of a member of a key that must be there.
func member(key map[string]json.RawMessage, name string) (string, error) {
	var text *string
	if err := json.Unmarshal(key[name], &text); err != nil || text == nil {
		return "", fmt.Errorf("a key without the member %q, or with one that is no text", name)
	}
	return *text, nil
}

// bytesOf is a member that holds a number or a point, as base64url without
// padding.
func bytesOf(key map[string]json.RawMessage, name string) ([]byte, error) {
	text, err := member(key, name)
	if err != nil {
		return nil, err
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("a key whose member %q is no base64url without padding", name)
	}
	return data, nil
}
