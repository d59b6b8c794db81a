package spec

import (
	"crypto/ecdh"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
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
// section 3.3); longer ones are hardly used, cost much on each request, and
// libraries that check tokens refuse them.
const (
	minRSABits = 2048
	maxRSABits = 4096
)

// publicKey is one key as it is needed to check signatures (RFC 7518, section 6).
type publicKey struct {
	Kind      string `json:"kty"`
	ID        string `json:"kid,omitempty"`
	Algorithm string `json:"alg,omitempty"`
	Curve     string `json:"crv,omitempty"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
}

// PublicKeys reads a JSON Web Key Set (RFC 7517) of public keys and returns it
// with nothing in it but the keys that signatures can be checked with, and of
// those nothing but what that takes. Issuers publish more: certificates, keys to
// encrypt with, kinds of keys that are not known here. Whoever checks tokens by
// the result has no such things to stumble over.
//
// The error is a clause that begins with "it", and shows nothing of the keys.
func PublicKeys(data []byte) ([]byte, error) {
	members, err := keyMembers(data)
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []publicKey `json:"keys"`
	}
	for i, m := range members {
		key, usable, err := readKey(m)
		if err != nil {
			return nil, fmt.Errorf("it has %w (key %d of %d)", err, i+1, len(members))
		}
		if usable {
			set.Keys = append(set.Keys, key)
		}
	}
	if len(set.Keys) == 0 {
		return nil, errors.New("it has no key that signatures can be checked with: RSA, EC on P-256 or P-384, or Ed25519")
	}
	return json.Marshal(set)
}

// keyMembers takes a set apart into the members of its keys. Maps, and no
// structs: the names of members count to the letter.
func keyMembers(data []byte) ([]map[string]json.RawMessage, error) {
	if len(data) > maxKeySet {
		return nil, fmt.Errorf("it has %d bytes, and %d are allowed; keep the keys that sign tokens now", len(data), maxKeySet)
	}
	if !json.Valid(data) {
		return nil, errors.New(`it is no JSON; to read it from a file of the repo, write keys = file("PATH")`)
	}
	var set map[string]json.RawMessage
	var keys []map[string]json.RawMessage
	if json.Unmarshal(data, &set) != nil || json.Unmarshal(set["keys"], &keys) != nil {
		return nil, errors.New(`it is not of the form {"keys": [{...}, ...]}, which a JSON Web Key Set has`)
	}
	switch {
	case len(keys) == 0:
		return nil, errors.New("it has no keys, so no token could be good; put the public keys of the issuer into it")
	case len(keys) > maxKeys:
		return nil, fmt.Errorf("it has more than %d keys; keep those that sign tokens now", maxKeys)
	}
	return keys, nil
}

// privateMembers are what only the owner of a key may know: of RSA, elliptic
// curves, symmetric keys (RFC 7518, section 6) and the newer kinds.
var privateMembers = [...]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// readKey reads one key; usable is false if signatures are not checked with it.
// The error is what the set has.
func readKey(m map[string]json.RawMessage) (key publicKey, usable bool, err error) {
	for _, member := range privateMembers {
		if _, private := m[member]; private {
			return key, false, fmt.Errorf("a private or symmetric key, known by its member %q; whoever can read the repo could sign tokens with it, so make a new one, and put its public part here", member)
		}
	}
	if key.Kind, err = member(m, "kty"); err != nil {
		return key, false, err
	}
	use := ""
	for _, optional := range []struct {
		name string
		to   *string
	}{{"kid", &key.ID}, {"alg", &key.Algorithm}, {"use", &use}} {
		if m[optional.name] == nil {
			continue
		}
		if *optional.to, err = member(m, optional.name); err != nil {
			return key, false, err
		}
	}
	if use != "" && use != "sig" {
		return key, false, nil
	}
	var algorithms []string
	switch key.Kind {
	case "RSA":
		algorithms, err = key.readRSA(m)
	case "EC":
		algorithms, err = key.readEC(m)
	case "OKP":
		algorithms, err = key.readOKP(m)
	case "oct":
		err = errors.New(`a symmetric key (kty "oct"); whoever checks tokens with it can sign them too, so use public keys`)
	}
	return key, len(algorithms) > 0 && (key.Algorithm == "" || slices.Contains(algorithms, key.Algorithm)), err
}

// readRSA, readEC and readOKP read the members of one kind of key, and return
// the algorithms that such a key can sign with; none if it is of no use here.

func (k *publicKey) readRSA(m map[string]json.RawMessage) (algorithms []string, err error) {
	var n, e []byte
	if k.N, n, err = encoded(m, "n"); err != nil {
		return nil, err
	}
	if k.E, e, err = encoded(m, "e"); err != nil {
		return nil, err
	}
	if bits := new(big.Int).SetBytes(n).BitLen(); bits < minRSABits || bits > maxRSABits {
		return nil, fmt.Errorf("an RSA key of %d bits, where %d to %d are good", bits, minRSABits, maxRSABits)
	}
	if exponent := new(big.Int).SetBytes(e); exponent.BitLen() > 31 || exponent.Bit(0) == 0 || exponent.BitLen() < 2 {
		return nil, errors.New(`an RSA key whose member "e" is no public exponent, such as "AQAB"`)
	}
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, nil
}

func (k *publicKey) readEC(m map[string]json.RawMessage) (algorithms []string, err error) {
	if k.Curve, err = member(m, "crv"); err != nil {
		return nil, err
	}
	curve, size, algorithm := ecdh.P256(), 32, "ES256"
	switch k.Curve {
	case "P-256":
	case "P-384":
		curve, size, algorithm = ecdh.P384(), 48, "ES384"
	default:
		return nil, nil
	}
	var x, y []byte
	if k.X, x, err = encoded(m, "x"); err != nil {
		return nil, err
	}
	if k.Y, y, err = encoded(m, "y"); err != nil {
		return nil, err
	}
	const uncompressed = 4 // the form of a point that has both coordinates
	point := append(append([]byte{uncompressed}, x...), y...)
	if _, err := curve.NewPublicKey(point); err != nil || len(x) != size {
		return nil, fmt.Errorf("an EC key whose members x and y are no point on %s", k.Curve)
	}
	return []string{algorithm}, nil
}

func (k *publicKey) readOKP(m map[string]json.RawMessage) (algorithms []string, err error) {
	if k.Curve, err = member(m, "crv"); err != nil || k.Curve != "Ed25519" {
		return nil, err
	}
	const size = 32
	var x []byte
	if k.X, x, err = encoded(m, "x"); err != nil {
		return nil, err
	}
	if len(x) != size {
		return nil, fmt.Errorf("an Ed25519 key of %d bytes, where it takes %d", len(x), size)
	}
	return []string{"EdDSA"}, nil
}

// member is the text of a member of a key that must be there.
func member(key map[string]json.RawMessage, name string) (string, error) {
	var text *string
	if err := json.Unmarshal(key[name], &text); err != nil || text == nil {
		return "", fmt.Errorf("a key without the member %q, or with one that is no text", name)
	}
	return *text, nil
}

// encoded is a member that holds a number or a point, as base64url without
// padding, and what it holds.
func encoded(key map[string]json.RawMessage, name string) (text string, data []byte, err error) {
	if text, err = member(key, name); err != nil {
		return "", nil, err
	}
	if data, err = base64.RawURLEncoding.Strict().DecodeString(text); err != nil || strings.ContainsAny(text, "\r\n") {
		return "", nil, fmt.Errorf("a key whose member %q is no base64url without padding", name)
	}
	return text, data, nil
}
