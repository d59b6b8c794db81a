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

	"github.com/fairlead/fairlead/spec"
)

// algorithms are those that a token may be signed with. All are asymmetric:
// with a shared secret, whoever can check a token could make one.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512,
	jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384,
	jose.EdDSA,
}

// keySet are the keys of a JSON Web Key Set (RFC 7517).
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

// parseKeySet reads a JSON Web Key Set. What a set may hold is a rule of the
// domain, so that what a commit may declare is what the gateway takes.
func parseKeySet(text string) (keySet, error) {
	public, err := spec.PublicKeys([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("the key set cannot be used: %w", err)
	}
	var parsed jose.JSONWebKeySet
	if err := json.Unmarshal(public, &parsed); err != nil {
		// Not wrapped: what it quotes could be a key.
		return nil, errors.New("the key set cannot be used: one of its keys is not well formed")
	}
	set := make(keySet, 0, len(parsed.Keys))
	for _, k := range parsed.Keys {
		fit := algorithmsFor(k.Key)
		if k.Algorithm != "" {
			fit = []jose.SignatureAlgorithm{jose.SignatureAlgorithm(k.Algorithm)}
		}
		set = append(set, key{id: k.KeyID, public: k.Key, algorithms: fit})
	}
	return set, nil
}

// algorithmsFor returns the algorithms that fit a key by its type. That the key
// decides, and not the token, is what keeps a public key from being taken as the
// secret of an HMAC.
func algorithmsFor(public any) []jose.SignatureAlgorithm {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize == 256 {
			return []jose.SignatureAlgorithm{jose.ES256}
		}
		return []jose.SignatureAlgorithm{jose.ES384}
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}
	}
	return nil
}
