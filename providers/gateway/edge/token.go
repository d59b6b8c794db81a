package edge

import (
	"errors"
	"math"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Leeway is how far the clocks of an issuer and of the gateway may differ.
const Leeway = time.Minute

// maxTries bounds the signature checks that one token costs which does not name
// its key.
const maxTries = 4

// tokens decides which tokens of one issuer are good.
type tokens struct {
	issuer, audience string
	keys             keySet
	known            *known
}

func newTokens(issuer, audience, keys string) (*tokens, error) {
	if audience == "" {
		return nil, errors.New("there is no audience; without one, tokens that the issuer made for other services would be good here")
	}
	set, err := parseKeySet(keys)
	if err != nil {
		return nil, err
	}
	return &tokens{issuer: issuer, audience: audience, keys: set, known: newKnown(knownTokens)}, nil
}

// What is said of tokens that are not good. Before the signature is checked, and
// when that fails, nothing is said about the content.
const (
	notAToken      = "The credential is not a signed token."
	wrongAlgorithm = "The token is signed with an algorithm that is not taken here."
	unknownSigner  = "The token names a key that is not one of the route's, or does not fit its algorithm."
	unclearSigner  = "The token does not name its key (kid), and too many could be it."
	badSignature   = "The signature of the token is not good."
	badClaims      = "The claims of the token cannot be read."
	wrongIssuer    = "The token is from another issuer."
	wrongAudience  = "The token is for another audience."
	noExpiry       = "The token never expires (exp), which is not taken here."
	expired        = "The token has expired."
	tooEarly       = "The token is not valid yet."
)

// check tells in a sentence why a token is not good at now, or returns "". hash
// is the token's.
func (t *tokens) check(token string, hash digest, now time.Time) (why string) {
	if t.known.good(hash, now) {
		return ""
	}
	claims, why := t.verify(token)
	if why != "" {
		return why
	}
	if why := t.judge(claims, now); why != "" {
		return why
	}
	// All that time can still change is that it ends.
	t.known.add(hash, claims.end())
	return ""
}

// verify returns the claims of a token once its signature has been checked.
func (t *tokens) verify(token string) (c claims, why string) {
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil {
		if _, other := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); other {
			return c, wrongAlgorithm
		}
		return c, notAToken
	}
	header := parsed.Headers[0]
	// What changes the meaning of the rest (RFC 7515, 4.1.11; RFC 7797) is not
	// known here, and tokens must not use it.
	if header.ExtraHeaders["crit"] != nil || header.ExtraHeaders["b64"] != nil {
		return c, notAToken
	}
	keys := t.keys.fitting(header.KeyID, jose.SignatureAlgorithm(header.Algorithm))
	switch {
	case len(keys) == 0:
		return c, unknownSigner
	case len(keys) > maxTries:
		return c, unclearSigner
	}
	for _, key := range keys {
		switch err := parsed.Claims(key, &c); {
		case err == nil:
			return c, ""
		case !errors.Is(err, jose.ErrCryptoFailure):
			return c, badClaims
		}
	}
	return c, badSignature
}

// claims are those that a token is judged by. Dates are seconds since 1970 and
// may have fractions; a pointer tells a missing one from 0.
type claims struct {
	Issuer    string       `json:"iss"`
	Audience  jwt.Audience `json:"aud"`
	Expiry    *float64     `json:"exp"`
	NotBefore *float64     `json:"nbf"`
	IssuedAt  *float64     `json:"iat"`
}

// judge tells why verified claims are not good at now, or returns "". A token
// ends at its expiry and not after it, and begins at nbf (RFC 7519, 4.1.4 and
// 4.1.5). One that was issued in the future has something wrong with it.
func (t *tokens) judge(c claims, now time.Time) (why string) {
	switch {
	case c.Issuer != t.issuer:
		return wrongIssuer
	case !c.Audience.Contains(t.audience):
		return wrongAudience
	case c.Expiry == nil:
		return noExpiry
	case !now.Before(c.end()):
		return expired
	case c.NotBefore != nil && now.Add(Leeway).Before(instant(*c.NotBefore)),
		c.IssuedAt != nil && now.Add(Leeway).Before(instant(*c.IssuedAt)):
		return tooEarly
	}
	return ""
}

// end is the first moment at which a token with an expiry is not taken any more.
func (c claims) end() time.Time { return instant(*c.Expiry).Add(Leeway) }

// farAway bounds dates of tokens, in seconds: far past anything meant, and near
// enough to 1970 for times to be added and compared. It is the year 33658.
const farAway = 1e12

// instant is the time of a date in a token, to the microsecond. Dates beyond
// farAway become farAway.
func instant(seconds float64) time.Time {
	whole, fraction := math.Modf(max(-farAway, min(seconds, farAway)))
	return time.Unix(int64(whole), int64(math.Round(fraction*1e6))*int64(time.Microsecond))
}
