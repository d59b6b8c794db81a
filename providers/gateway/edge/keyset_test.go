package edge

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/fairlead/fairlead/reconcile"
)

// jwk is one key of a set as JSON, with members changed; nil removes one.
func jwk(t *testing.T, name string, change map[string]any) string {
	t.Helper()
	k := signers()[name]
	text, err := json.Marshal(jose.JSONWebKey{Key: k.private.Public(), KeyID: k.id})
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	for name, value := range change {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
	if text, err = json.Marshal(members); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestKeySets(t *testing.T) {
	private := func(name string) string {
		k := signers()[name]
		text, err := json.Marshal(jose.JSONWebKey{Key: k.private, KeyID: k.id})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	ed := jwk(t, "ed", nil)
	for name, test := range map[string]struct {
		keys string // of the set, or the whole text if it does not begin with {"kty or the like
		want string // part of the error; "" if it is taken
	}{
		"every type":                 {jwk(t, "rsa", nil) + "," + jwk(t, "p256", nil) + "," + jwk(t, "p384", nil) + "," + ed, ""},
		"with its algorithm and use": {jwk(t, "rsa", map[string]any{"alg": "PS256", "use": "sig"}), ""},
		"an unknown type beside":     {`{"kty":"future","x":"AA"},` + ed, ""},
		"a key for encryption beside": {
			jwk(t, "rsa", map[string]any{"use": "enc"}) + "," + ed, "",
		},
		"only keys for encryption":       {jwk(t, "rsa", map[string]any{"use": "enc"}), "no key that tokens could be checked with"},
		"only keys that are not taken":   {jwk(t, "p521", nil), "no key that tokens could be checked with"},
		"an algorithm that does not fit": {jwk(t, "rsa", map[string]any{"alg": "ES256"}), "no key that tokens could be checked with"},
		"an algorithm with a secret":     {jwk(t, "rsa", map[string]any{"alg": "HS256"}), "no key that tokens could be checked with"},
		"none":                           {"", "no key that tokens could be checked with"},
		"a private RSA key":              {private("rsa"), `has the member "d", which is secret`},
		"a private EC key":               {ed + "," + private("p256"), `key 2 of the key set: it has the member "d"`},
		"a private Ed25519 key":          {private("ed"), `has the member "d"`},
		"a shared secret":                {`{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQ"}`, `has the member "k"`},
		"a weak RSA key":                 {jwk(t, "weak", nil), "RSA key of 1024 bit"},
		"a key without its type":         {jwk(t, "ed", map[string]any{"kty": nil}), "not a well-formed public key"},
		"a point that is not on the curve": {
			jwk(t, "p256", map[string]any{"x": strings.Repeat("A", 43)}), "not a well-formed public key",
		},
		"a key that is no object": {`"ed"`, "it is not an object"},
		"too many":                {strings.Repeat(`{"kty":"x"},`, maxKeysInSet) + ed, "101 keys"},
		"too long":                {jwk(t, "ed", map[string]any{"note": strings.Repeat("a", maxKeySet)}), "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			err := build(`{"keys":[` + test.keys + `]}`)
			if test.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "c2VjcmV0") {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
	for _, text := range []string{"", "null", "{}", "[]", `{"keys":{}}`, ed, "-----BEGIN PUBLIC KEY-----"} {
		t.Run(fmt.Sprintf("%.20s is no set", text), func(t *testing.T) {
			if err := build(text); err == nil || !strings.Contains(err.Error(), "is not a JSON Web Key Set") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func build(keys string) error {
	_, err := NewAuthenticator(reconcile.RoutedAuth{Issuer: issuer, Audience: audience, Keys: keys})
	return err
}

func TestAKeyIsUsedWithItsOwnAlgorithmOnly(t *testing.T) {
	a := authenticator(t, reconcile.RoutedAuth{
		Issuer: issuer, Audience: audience,
		Keys: `{"keys":[` + jwk(t, "rsa", map[string]any{"alg": "PS256"}) + `]}`,
	})
	s := signers()["rsa"]
	if got := a.Authenticate(bearer(sign(t, s, good(), nil)), noon); got.Message != unknownSigner {
		t.Errorf("RS256 with a key for PS256: %q", got.Message)
	}
	s.algorithm = jose.PS256
	if got := a.Authenticate(bearer(sign(t, s, good(), nil)), noon); got.Outcome != Allowed {
		t.Errorf("PS256 is refused: %s", got.Message)
	}
}
