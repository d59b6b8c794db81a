package edge

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// Bounds of a JSON Web Key Set (RFC 7517).
const (
	maxKeySet     = 64 << 10 // bytes
	maxKeysInSet  = 100
	minRSAModulus = 2048 // bits; below, RFC 7518 forbids the key
)

// algorithms are those that a token may be signed with. All are asymmetric:
// with a shared secret, whoever can check a token could make one.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512,
	jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384,
	jose.EdDSA,
}

// keySet are the usable keys of a JSON Web Key Set.
type keySet []key

// key is a public key and the algorithms that it may be used with.
type key struct {
	id         string
	public     any // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
	algorithms []jose.SignatureAlgorithm
}

// fitting returns the keys that a token may be signed with that names the key id
// and the algorithm: those of that id, or all where it names none.
func (s keySet) fitting(id string, algorithm jose.SignatureAlgorithm) (fitting []any) {
	for _, k := range s {
		if (id == "" || k.id == id) && slices.Contains(k.algorithms, algorithm) {
			fitting = append(fitting, k.public)
		}
	}
	return fitting
}

// parseKeySet reads a JSON Web Key Set. As RFC 7517 wants it, keys of other kinds
// and for other uses are passed over; an issuer's set may hold some. Keys with
// secret parts are refused, and no error shows what a key consists of.
func parseKeySet(text string) (keySet, error) {
	if len(text) > maxKeySet {
		return nil, fmt.Errorf("the key set has %d bytes, and %d are the most that is read; leave out keys that are not in use", len(text), maxKeySet)
	}
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal([]byte(text), &raw); err != nil || raw.Keys == nil {
		return nil, errors.New(`the key set is not a JSON Web Key Set, an object such as {"keys": [...]} (RFC 7517); take what the issuer publishes at its jwks_uri`)
	}
	if len(raw.Keys) > maxKeysInSet {
		return nil, fmt.Errorf("the key set has %d keys, and %d are the most that is read; leave out those that are not in use", len(raw.Keys), maxKeysInSet)
	}
	var set keySet
	for i, message := range raw.Keys {
		k, err := parseKey(message)
		if err != nil {
			return nil, fmt.Errorf("key %d of the key set: %w", i+1, err)
		}
		if k != nil {
			set = append(set, *k)
		}
	}
	if len(set) == 0 {
		return nil, errors.New("the key set has no key that tokens could be checked with; RSA from 2048 bit, EC on P-256 or P-384, and Ed25519 are taken")
	}
	return set, nil
}

// parseKey reads one key, or returns nil for one that is of no use here.
func parseKey(message json.RawMessage) (*key, error) {
	if err := refuseSecret(message); err != nil {
		return nil, err
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(message); err != nil {
		if errors.Is(err, jose.ErrUnsupportedKeyType) {
			return nil, nil
		}
		return nil, errors.New("it is not a well-formed public key of its type (kty)")
	}
	if jwk.Use != "" && jwk.Use != "sig" {
		return nil, nil
	}
	if bits := modulus(jwk.Key); bits != 0 && bits < minRSAModulus {
		return nil, fmt.Errorf("it is an RSA key of %d bit, which can be broken; the issuer must use %d or more", bits, minRSAModulus)
	}
	fit := algorithmsFor(jwk.Key)
	if jwk.Algorithm != "" {
		fit = slices.DeleteFunc(fit, func(a jose.SignatureAlgorithm) bool { return string(a) != jwk.Algorithm })
	}
	if len(fit) == 0 {
		return nil, nil
	}
	return &key{id: jwk.KeyID, public: jwk.Key, algorithms: fit}, nil
}

// refuseSecret refuses a key with which tokens could be made. The set comes from
// Git and goes to every gateway, so such a key is not secret any more.
func refuseSecret(message json.RawMessage) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(message, &members); err != nil {
		return errors.New("it is not an object")
	}
	for _, secret := range []string{"k", "d", "p", "q", "dp", "dq", "qi", "oth", "priv"} {
		if _, has := members[secret]; has {
			return fmt.Errorf("it has the member %q, which is secret and has been disclosed by being here; replace the key at the issuer, and take public keys only", secret)
		}
	}
	return nil
}

// modulus is the size of an RSA key in bits, or 0 for another key.
func modulus(public any) int {
	if k, ok := public.(*rsa.PublicKey); ok {
		return k.N.BitLen()
	}
	return 0
}

// algorithmsFor returns the algorithms that fit a key by its type. That the key
// decides, and not the token, is what keeps a public key from being taken as the
// secret of an HMAC.
func algorithmsFor(public any) []jose.SignatureAlgorithm {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
	case *ecdsa.PublicKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return []jose.SignatureAlgorithm{jose.ES256}
		case 384:
			return []jose.SignatureAlgorithm{jose.ES384}
		}
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}
	}
	return nil
}
