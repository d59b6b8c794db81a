package spec_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/spec"
)

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// jwk is one key, with members put in or, if nil, taken out.
type jwk map[string]any

func (k jwk) with(members jwk) jwk {
	changed := jwk{}
	for _, from := range []jwk{k, members} {
		for name, v := range from {
			changed[name] = v
			if v == nil {
				delete(changed, name)
			}
		}
	}
	return changed
}

func keySet(t testing.TB, keys ...jwk) string {
	t.Helper()
	data, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// publicKeys makes a key of each kind that can be used.
func publicKeys(t testing.TB) (rsaKey, ecKey, edKey jwk) {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := e.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jwk{"kty": "RSA", "kid": "a", "use": "sig", "n": b64(r.N.Bytes()), "e": "AQAB"},
		jwk{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])},
		jwk{"kty": "OKP", "crv": "Ed25519", "x": b64(public)}
}

func TestKeySetsOfPublicKeysAreTaken(t *testing.T) {
	rsaKey, ecKey, edKey := publicKeys(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := p384.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	p384Key := jwk{"kty": "EC", "crv": "P-384", "x": b64(point[1:49]), "y": b64(point[49:])}
	for name, c := range map[string]struct{ set, want string }{
		"RSA":                       {keySet(t, rsaKey), keySet(t, rsaKey.with(jwk{"use": nil}))},
		"EC on P-256":               {keySet(t, ecKey), keySet(t, ecKey)},
		"EC on P-384":               {keySet(t, p384Key), keySet(t, p384Key)},
		"Ed25519":                   {keySet(t, edKey), keySet(t, edKey)},
		"of a fitting algorithm":    {keySet(t, edKey.with(jwk{"alg": "EdDSA"})), keySet(t, edKey.with(jwk{"alg": "EdDSA"}))},
		"without unknown kinds":     {keySet(t, jwk{"kty": "LWE"}, edKey), keySet(t, edKey)},
		"without other curves":      {keySet(t, jwk{"kty": "OKP", "crv": "X25519"}, jwk{"kty": "EC", "crv": "secp256k1"}, edKey), keySet(t, edKey)},
		"without keys to encrypt":   {keySet(t, jwk{"kty": "RSA", "use": "enc"}, edKey), keySet(t, edKey)},
		"without other algorithms":  {keySet(t, rsaKey.with(jwk{"alg": "RSA-OAEP"}), edKey), keySet(t, edKey)},
		"without certificates":      {keySet(t, edKey.with(jwk{"x5c": []string{"MII="}, "x5t": 1})), keySet(t, edKey)},
		"without members like ours": {keySet(t, edKey.with(jwk{"D": "no member of the RFC"})), keySet(t, edKey)},
		"all of several":            {keySet(t, edKey, ecKey), keySet(t, edKey, ecKey)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := spec.PublicKeys([]byte(c.set))
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if !sameJSON(t, string(got), c.want) {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			again, err := spec.PublicKeys(got)
			if err != nil || string(again) != string(got) {
				t.Errorf("a second reading gives %s, %v", again, err)
			}
		})
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}

func TestKeySetsThatAreNoneAreRefused(t *testing.T) {
	rsaKey, ecKey, edKey := publicKeys(t)
	const secret = "hunter2-canary"
	cases := map[string]struct{ set, want string }{
		"a path":                 {"jwks.json", `keys = file("PATH")`},
		"text behind the JSON":   {keySet(t, edKey) + "x", "no JSON"},
		"a list":                 {`[{"kty": "OKP"}]`, "not of the form"},
		"one key":                {`{"kty": "OKP", "crv": "Ed25519"}`, "not of the form"},
		"keys that are no list":  {`{"keys": {}}`, "not of the form"},
		"keys that are numbers":  {`{"keys": [1]}`, "not of the form"},
		"Keys with a capital":    {strings.Replace(keySet(t, edKey), "keys", "Keys", 1), "not of the form"},
		"null":                   {`null`, "not of the form"},
		"no keys":                {`{"keys": []}`, "has no keys"},
		"a key that is null":     {`{"keys": [null]}`, `without the member "kty"`},
		"too many":               {keySet(t, make([]jwk, 101)...), "more than 100 keys"},
		"too large":              {keySet(t, edKey.with(jwk{"x5c": strings.Repeat("A", 64<<10)})), "65536 are allowed"},
		"only unknown kinds":     {keySet(t, jwk{"kty": "LWE"}), "no key that signatures can be checked with"},
		"a symmetric key":        {keySet(t, edKey, jwk{"kty": "oct", "k": secret}), `its member "k"; whoever can read the repo could sign tokens with it`},
		"a kid that is a number": {keySet(t, edKey.with(jwk{"kid": 5})), `"kid"`},
		"a line break":           {keySet(t, edKey.with(jwk{"x": fmt.Sprint(edKey["x"], "\n")})), `"x" is no base64url`},
		"only another algorithm": {keySet(t, edKey.with(jwk{"alg": "ES256"})), "no key that signatures"},
		"an empty oct":           {keySet(t, jwk{"kty": "oct"}), "symmetric"},
		"no kind":                {keySet(t, edKey.with(jwk{"kty": nil})), `without the member "kty"`},
		"a kind that is a list":  {keySet(t, edKey.with(jwk{"kty": []string{"OKP"}})), `without the member "kty"`},
		"RSA without n":          {keySet(t, rsaKey.with(jwk{"n": nil})), `without the member "n"`},
		"RSA with padding":       {keySet(t, rsaKey.with(jwk{"e": "AQ=="})), `"e" is no base64url`},
		"RSA too short":          {keySet(t, rsaKey.with(jwk{"n": b64(make([]byte, 128))})), "RSA key of 0 bits"},
		"RSA too long":           {keySet(t, rsaKey.with(jwk{"n": b64(new(big.Int).Lsh(big.NewInt(1), 9000).Bytes())})), "RSA key of 9001 bits"},
		"RSA with exponent 1":    {keySet(t, rsaKey.with(jwk{"e": "AQ"})), "no public exponent"},
		"RSA with even e":        {keySet(t, rsaKey.with(jwk{"e": "AQAA"})), "no public exponent"},
		"EC without y":           {keySet(t, ecKey.with(jwk{"y": nil})), `without the member "y"`},
		"EC off the curve":       {keySet(t, ecKey.with(jwk{"y": ecKey["x"]})), "no point on P-256"},
		"Ed25519 too short":      {keySet(t, edKey.with(jwk{"x": "AAAA"})), "Ed25519 key of 3 bytes"},
		"the second of two":      {keySet(t, edKey, edKey.with(jwk{"x": nil})), "(key 2 of 2)"},
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		cases["a private "+private] = struct{ set, want string }{keySet(t, rsaKey.with(jwk{private: secret})), fmt.Sprintf("member %q", private)}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := spec.PublicKeys([]byte(c.set))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "it ") {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

func FuzzPublicKeys(f *testing.F) {
	rsaKey, ecKey, edKey := publicKeys(f)
	f.Add([]byte(keySet(f, rsaKey, ecKey, edKey)))
	f.Add([]byte(`{"keys": [{"kty": "oct", "k": "AAAA"}]}`))
	f.Add([]byte(`{"keys": [{"kty": "EC", "crv": "P-256", "x": "", "y": null}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := spec.PublicKeys(data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "it ") {
				t.Errorf("the error cannot follow a subject: %v", err)
			}
			return
		}
		if again, err := spec.PublicKeys(keys); err != nil || string(again) != string(keys) {
			t.Errorf("a second reading of %s gives %s, %v", keys, again, err)
		}
	})
}
