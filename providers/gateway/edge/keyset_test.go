package edge

import (
	"encoding/json"
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
		keys string // of the set
		want string // part of the error; "" if it is taken
	}{
		"every type":                   {jwk(t, "rsa", nil) + "," + jwk(t, "p256", nil) + "," + jwk(t, "p384", nil) + "," + ed, ""},
		"with its algorithm and use":   {jwk(t, "rsa", map[string]any{"alg": "PS256", "use": "sig"}), ""},
		"an unknown type beside":       {`{"kty":"future","x":"AA"},` + ed, ""},
		"a key for encryption beside":  {jwk(t, "rsa", map[string]any{"use": "enc"}) + "," + ed, ""},
		"certificates are passed over": {jwk(t, "ed", map[string]any{"x5c": []string{"MII="}}), ""},
		"a long RSA key":               {jwk(t, "rsa", map[string]any{"n": strings.Repeat("_", 682) + "w"}), ""},
		"only keys that are not taken": {jwk(t, "p521", nil), "no key that signatures can be checked with"},
		"an algorithm with a secret":   {jwk(t, "rsa", map[string]any{"alg": "HS256"}), "no key that signatures can be checked with"},
		"none":                         {"", "no keys"},
		"a private RSA key":            {private("rsa"), `"d"`},
		"a private EC key":             {ed + "," + private("p256"), "key 2 of 2"},
		"a private Ed25519 key":        {private("ed"), `"d"`},
		"a shared secret":              {`{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQ"}`, `"k"`},
		"a weak RSA key":               {jwk(t, "weak", nil), "RSA key of 1024 bits"},
		"a point off the curve":        {jwk(t, "p256", map[string]any{"x": strings.Repeat("A", 43)}), "no point on P-256"},
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
	if err := build("-----BEGIN PUBLIC KEY-----"); err == nil {
		t.Error("a key in PEM is taken as a set")
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
