package edge

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/fairlead/fairlead/reconcile"
)

const (
	issuer   = "https://login.example.com"
	audience = "models"
)

// signer is an issuer's key.
type signer struct {
	id        string
	private   crypto.Signer
	algorithm jose.SignatureAlgorithm
}

// signers are made once: RSA keys take their time.
var signers = sync.OnceValue(func() map[string]signer {
	must := func(k crypto.Signer, err error) crypto.Signer {
		if err != nil {
			panic(err)
		}
		return k
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	return map[string]signer{
		"rsa":   {"rsa", must(rsa.GenerateKey(rand.Reader, 2048)), jose.RS256},
		"rsa-2": {"rsa-2", must(rsa.GenerateKey(rand.Reader, 2048)), jose.RS256},
		"p256":  {"p256", must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), jose.ES256},
		"p384":  {"p384", must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)), jose.ES384},
		"p521":  {"p521", must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)), jose.ES512},
		"ed":    {"ed", must(edKey, err), jose.EdDSA},
		"weak":  {"weak", must(rsa.GenerateKey(rand.Reader, 1024)), jose.RS256},
	}
})

// set is the JSON Web Key Set of the public keys of signers.
func set(t testing.TB, names ...string) string {
	t.Helper()
	var s jose.JSONWebKeySet
	for _, name := range names {
		k := signers()[name]
		s.Keys = append(s.Keys, jose.JSONWebKey{Key: k.private.Public(), KeyID: k.id})
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// good are the claims of a token that is good around noon.
func good() map[string]any {
	return map[string]any{"iss": issuer, "aud": audience, "sub": "ada", "exp": noon.Add(time.Hour).Unix()}
}

// with returns good claims with one changed; nil removes it.
func with(name string, value any) map[string]any {
	c := good()
	if c[name] = value; value == nil {
		delete(c, name)
	}
	return c
}

// sign makes a token. header has what is beside alg and kid.
func sign(t testing.TB, s signer, claims any, header map[jose.HeaderKey]any) string {
	t.Helper()
	options := &jose.SignerOptions{ExtraHeaders: header}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	maker, err := jose.NewSigner(jose.SigningKey{Algorithm: s.algorithm, Key: jose.JSONWebKey{Key: s.private, KeyID: s.id}}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := maker.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func authenticator(t testing.TB, auth reconcile.RoutedAuth) *Authenticator {
	t.Helper()
	a, err := NewAuthenticator(auth)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func takesTokens(t testing.TB, names ...string) *Authenticator {
	return authenticator(t, reconcile.RoutedAuth{Issuer: issuer, Audience: audience, Keys: set(t, names...)})
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

func TestTokensOfEachAlgorithmAreTaken(t *testing.T) {
	a := takesTokens(t, "rsa", "p256", "p384", "ed")
	for _, test := range []struct {
		signer    string
		algorithm jose.SignatureAlgorithm
	}{
		{"rsa", jose.RS256},
		{"rsa", jose.RS384},
		{"rsa", jose.RS512},
		{"rsa", jose.PS256},
		{"rsa", jose.PS384},
		{"rsa", jose.PS512},
		{"p256", jose.ES256},
		{"p384", jose.ES384},
		{"ed", jose.EdDSA},
	} {
		t.Run(string(test.algorithm), func(t *testing.T) {
			s := signers()[test.signer]
			s.algorithm = test.algorithm
			if got := a.Authenticate(bearer(sign(t, s, good(), nil)), noon); got.Outcome != Allowed {
				t.Errorf("refused: %s", got.Message)
			}
		})
	}
}

func TestClaims(t *testing.T) {
	a := takesTokens(t, "ed")
	at := func(d time.Duration) float64 { return float64(noon.Add(d).UnixMilli()) / 1000 }
	for name, test := range map[string]struct {
		claims any
		want   string // message; "" if allowed
	}{
		"all good":                             {good(), ""},
		"expired less than the leeway ago":     {with("exp", at(-Leeway+time.Second)), ""},
		"expires this moment, without leeway":  {with("exp", at(-Leeway)), expired},
		"a millisecond before the leeway ends": {with("exp", at(-Leeway+time.Millisecond)), ""},
		"a millisecond after the leeway ended": {with("exp", at(-Leeway-time.Millisecond)), expired},
		"no expiry":                            {with("exp", nil), noExpiry},
		"expiry null":                          {map[string]any{"iss": issuer, "aud": audience, "exp": nil}, noExpiry},
		"expiry a string":                      {with("exp", "9999999999"), badClaims},
		"expiry beyond every calendar":         {with("exp", 1e300), ""},
		"expiry before every calendar":         {with("exp", -1e300), expired},
		"begins within the leeway":             {with("nbf", at(Leeway)), ""},
		"begins after the leeway":              {with("nbf", at(Leeway+time.Millisecond)), tooEarly},
		"begins beyond every calendar":         {with("nbf", 1e300), tooEarly},
		"issued within the leeway":             {with("iat", at(Leeway)), ""},
		"issued in the future":                 {with("iat", at(Leeway+time.Second)), tooEarly},
		"another issuer":                       {with("iss", "https://login.example.com/"), wrongIssuer},
		"no issuer":                            {with("iss", nil), wrongIssuer},
		"issuer in other letters":              {with("iss", strings.ToUpper(issuer)), wrongIssuer},
		"another audience":                     {with("aud", "reports"), wrongAudience},
		"no audience":                          {with("aud", nil), wrongAudience},
		"one of several audiences":             {with("aud", []string{"reports", audience}), ""},
		"several other audiences":              {with("aud", []string{"reports", "model"}), wrongAudience},
		"an audience of another form":          {with("aud", map[string]string{"models": "models"}), badClaims},
		"claim names in other letters":         {map[string]any{"ISS": issuer, "AUD": audience, "EXP": at(time.Hour)}, wrongIssuer},
		"a list instead of claims":             {[]string{issuer}, badClaims},
		"a string instead of claims":           {issuer, badClaims},
	} {
		t.Run(name, func(t *testing.T) {
			header := bearer(sign(t, signers()["ed"], test.claims, nil))
			for range 2 { // the second may be remembered
				got := a.Authenticate(header, noon)
				if got.Message != test.want || (got.Outcome == Allowed) != (test.want == "") {
					t.Errorf("outcome %d, %q; want %q", got.Outcome, got.Message, test.want)
				}
			}
		})
	}
}

func TestARememberedTokenExpiresOnTime(t *testing.T) {
	a := takesTokens(t, "ed")
	header := bearer(sign(t, signers()["ed"], good(), nil))
	end := noon.Add(time.Hour + Leeway)
	for _, test := range []struct {
		at   time.Time
		want Outcome
	}{{noon, Allowed}, {end.Add(-time.Nanosecond), Allowed}, {end, Refused}, {end.Add(time.Hour), Refused}} {
		if got := a.Authenticate(header, test.at); got.Outcome != test.want {
			t.Errorf("at %s: outcome %d (%s), want %d", test.at, got.Outcome, got.Message, test.want)
		}
	}
}

func TestForgedTokensAreRefused(t *testing.T) {
	a := takesTokens(t, "rsa", "p256", "ed")
	genuine := sign(t, signers()["rsa"], good(), nil)
	parts := strings.Split(genuine, ".")
	renamed := func(s signer, id string) signer { s.id = id; return s }
	for name, test := range map[string]struct{ token, want string }{
		"no algorithm":                               {unsigned("none") + ".", wrongAlgorithm},
		"no algorithm in other letters":              {unsigned("nOnE") + ".", wrongAlgorithm},
		"no algorithm with the genuine signature":    {unsigned("none") + "." + parts[2], wrongAlgorithm},
		"HS256 with the public key in PEM as secret": {hmac256(t, publicPEM(t, "rsa")), wrongAlgorithm},
		"HS256 with the public key in DER as secret": {hmac256(t, publicDER(t, "rsa")), wrongAlgorithm},
		"HS256 with the key set as secret":           {hmac256(t, []byte(set(t, "rsa"))), wrongAlgorithm},
		"the id of a key that another one signed":    {sign(t, renamed(signers()["rsa-2"], "rsa"), good(), nil), badSignature},
		"an unknown id":                              {sign(t, signers()["rsa-2"], good(), nil), unknownSigner},
		"an unknown id with a known key":             {sign(t, renamed(signers()["rsa"], "other"), good(), nil), unknownSigner},
		"no id, signed by an unknown key":            {sign(t, renamed(signers()["rsa-2"], ""), good(), nil), badSignature},
		"the id of a key of another type":            {sign(t, renamed(signers()["rsa"], "ed"), good(), nil), unknownSigner},
		"ES512, which is not on the list":            {sign(t, signers()["p521"], good(), nil), wrongAlgorithm},
		"its own key in the header":                  {embedded(t), badSignature},
		"a critical extension":                       {sign(t, signers()["rsa"], good(), map[jose.HeaderKey]any{"crit": []string{"b64"}, "b64": true}), notAToken},
		"another payload":                            {parts[0] + "." + payload(with("sub", "eve")) + "." + parts[2], badSignature},
		"another header":                             {strings.Split(sign(t, renamed(signers()["rsa"], ""), good(), nil), ".")[0] + "." + parts[1] + "." + parts[2], badSignature},
		"no signature":                               {parts[0] + "." + parts[1] + ".", badSignature},
		"a signature cut short":                      {genuine[:len(genuine)-4], badSignature},
		"two parts":                                  {parts[0] + "." + parts[1], notAToken},
		"four parts":                                 {genuine + ".", notAToken},
		"five parts, as encrypted ones have":         {genuine + "..", notAToken},
		"padding":                                    {genuine + "==", notAToken},
		"one of 8 KiB and more":                      {sign(t, signers()["rsa"], with("sub", strings.Repeat("a", maxCredential)), nil), "The key or token is too long; 8 KiB is the most that is read."},
	} {
		t.Run(name, func(t *testing.T) {
			got := a.Authenticate(bearer(test.token), noon)
			if got.Outcome != Refused || got.Message != test.want {
				t.Errorf("outcome %d, %q; want a refusal with %q", got.Outcome, got.Message, test.want)
			}
			if want := fmt.Sprintf(`Bearer realm="fairlead", error="invalid_token", error_description="%s"`, test.want); got.Challenge != want {
				t.Errorf("challenge %s, want %s", got.Challenge, want)
			}
		})
	}
	if got := a.Authenticate(bearer(genuine), noon); got.Outcome != Allowed {
		t.Errorf("the genuine one is refused: %s", got.Message)
	}
}

func payload(claims any) string {
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func unsigned(algorithm string) string {
	return payload(map[string]string{"alg": algorithm, "kid": "rsa"}) + "." + payload(good())
}

// hmac256 signs with a shared secret, which a library that asks the token for
// the algorithm would check with the same bytes.
func hmac256(t *testing.T, secret []byte) string {
	t.Helper()
	maker, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: secret, KeyID: "rsa"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(good())
	signed, err := maker.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func publicDER(t *testing.T, name string) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(signers()[name].private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func publicPEM(t *testing.T, name string) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER(t, name)})
}

// embedded brings the key that it is signed with.
func embedded(t *testing.T) string {
	t.Helper()
	s := signers()["rsa-2"]
	maker, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: s.private}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(good())
	signed, err := maker.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestATokenWithoutKeyIDIsTriedWithFewKeys(t *testing.T) {
	s := signers()["rsa"]
	s.id = ""
	header := bearer(sign(t, s, good(), nil))
	if got := takesTokens(t, "p256", "rsa-2", "rsa").Authenticate(header, noon); got.Outcome != Allowed {
		t.Errorf("refused with two keys that could be it: %s", got.Message)
	}
	if got := takesTokens(t, "rsa-2", "rsa-2", "rsa-2", "rsa-2", "rsa").Authenticate(header, noon); got.Message != unclearSigner {
		t.Errorf("with five keys that could be it: %q", got.Message)
	}
}

func TestKnownTokensAreBounded(t *testing.T) {
	const size = 100
	k := newKnown(size)
	often := sha256.Sum256([]byte("often"))
	k.add(often, noon.Add(time.Hour))
	for i := range 50 * size {
		k.add(sha256.Sum256(fmt.Append(nil, i)), noon.Add(time.Hour))
		if !k.good(often, noon) {
			t.Fatalf("the token that is used all the time is forgotten after %d others", i)
		}
		if got := len(k.young) + len(k.old); got > 2*size {
			t.Fatalf("%d tokens are kept, at most %d may be", got, 2*size)
		}
	}
}
