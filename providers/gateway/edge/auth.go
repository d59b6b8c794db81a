package edge

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// Bounds of what a route's authentication may hold.
const (
	// maxKeys bounds the work that one request with any key at all causes.
	maxKeys = 1024
	// maxCredential is the longest key or token that is looked at, in bytes.
	maxCredential = 8 << 10
)

// digest is the SHA-256 of a credential. It stands for the credential wherever
// that would have to be kept.
type digest = [sha256.Size]byte

// digestOf hashes a credential. Those of common length are copied to the stack
// for it, since a conversion would allocate memory on each request.
func digestOf(credential string) digest {
	var buffer [1024]byte
	return sha256.Sum256(append(buffer[:0], credential...))
}

// Authenticator decides who may use a route. All methods may be called at the
// same time; a nil Authenticator lets everybody in.
type Authenticator struct {
	keys   []digest
	tokens *tokens // nil: none are taken
}

// NewAuthenticator reads what a route demands. It refuses what cannot be right,
// such as a set of keys without a usable one, so that a mistake shows when the
// table is pushed and not as a route that nobody gets into.
func NewAuthenticator(auth reconcile.RoutedAuth) (*Authenticator, error) {
	if len(auth.KeyHashes) > maxKeys {
		return nil, fmt.Errorf("%d API keys are more than the %d that a route takes; give callers tokens instead", len(auth.KeyHashes), maxKeys)
	}
	a := &Authenticator{}
	for i, s := range auth.KeyHashes {
		hash, err := hex.DecodeString(s)
		if err != nil || len(hash) != sha256.Size {
			return nil, fmt.Errorf("the hash of API key %d is not a SHA-256 in %d hexadecimal digits", i+1, 2*sha256.Size)
		}
		a.keys = append(a.keys, digest(hash))
	}
	switch {
	case auth.Issuer != "":
		tokens, err := newTokens(auth.Issuer, auth.Audience, auth.Keys)
		if err != nil {
			return nil, fmt.Errorf("the tokens of %s: %w", auth.Issuer, err)
		}
		a.tokens = tokens
	case auth.Audience != "" || auth.Keys != "":
		return nil, errors.New("tokens have an audience or keys, but no issuer; without one none can be taken")
	case len(a.keys) == 0:
		return nil, errors.New("authentication is asked for with neither API keys nor tokens, so nobody could get in; name some, or leave it out for everybody")
	}
	return a, nil
}

// Outcome is what an Authenticator makes of a request.
type Outcome int

// The outcomes. The zero value lets nobody in.
const (
	Missing Outcome = iota // the request carries nothing that could be checked
	Refused                // it carries something, and that is not good
	Allowed
)

// Verdict is the answer of an Authenticator.
type Verdict struct {
	Outcome Outcome
	// Message tells the caller in one sentence why not; it says nothing that is
	// secret. Empty when allowed.
	Message string
	// Challenge is the value of WWW-Authenticate for the answer, which has the
	// status 401. Empty when allowed.
	Challenge string

	keyHeader, authorization bool // what Strip removes
}

// Strip removes from a header what is for the gateway and not for the model: API
// keys. A token stays.
func (v Verdict) Strip(header http.Header) {
	if v.keyHeader {
		delete(header, keyHeader)
	}
	if v.authorization {
		delete(header, "Authorization")
	}
}

// Authenticate decides by the header of a request that arrived at now. It does
// not change the header.
func (a *Authenticator) Authenticate(header http.Header, now time.Time) Verdict {
	if a == nil {
		return Verdict{Outcome: Allowed}
	}
	// X-Api-Key belongs to the gateway where it takes keys, good or not.
	verdict := Verdict{keyHeader: len(a.keys) > 0}
	given := read(header, len(a.keys) > 0)
	if given.problem != "" {
		return verdict.refuse(given.problem)
	}
	if given.key != "" && a.hasKey(digestOf(given.key)) {
		return a.beside(given, verdict, now)
	}
	if given.authorization != "" {
		return a.authorize(given, verdict, now)
	}
	if given.key != "" {
		return verdict.refuse(unknownKey)
	}
	return a.missing(verdict)
}

// beside decides what becomes of Authorization beside a good key. It is the
// model's own, unless it is a key as well. Where the route takes tokens, a model
// may rely on it that those which reach it are good: nothing else goes on.
func (a *Authenticator) beside(given credentials, verdict Verdict, now time.Time) Verdict {
	hash := digestOf(given.authorization)
	if a.tokens == nil {
		verdict.authorization = given.authorization != "" && a.hasKey(hash)
	} else {
		verdict.authorization = given.scheme != schemeBearer || a.tokens.check(given.authorization, hash, now) != ""
	}
	return verdict.allow()
}

// What is said of credentials that are not good.
const (
	unknownKey      = "This API key is not one of the route's."
	unknownKeyToken = "This is neither one of the route's API keys nor a token."
)

// authorize decides by the Authorization header.
func (a *Authenticator) authorize(given credentials, verdict Verdict, now time.Time) Verdict {
	hash := digestOf(given.authorization)
	if a.hasKey(hash) {
		verdict.authorization = true
		return verdict.allow()
	}
	switch {
	case given.scheme == schemeAPIKey && len(a.keys) == 0:
		return a.missing(verdict)
	case given.scheme == schemeAPIKey || a.tokens == nil:
		return verdict.refuse(unknownKey)
	case !looksLikeToken(given.authorization) && len(a.keys) > 0:
		return verdict.refuse(unknownKeyToken)
	}
	if why := a.tokens.check(given.authorization, hash, now); why != "" {
		return verdict.refuse(why)
	}
	return verdict.allow()
}

// hasKey compares with every key in the same time, whether or not one fits.
func (a *Authenticator) hasKey(hash digest) bool {
	found := 0
	for i := range a.keys {
		found |= subtle.ConstantTimeCompare(a.keys[i][:], hash[:])
	}
	return found == 1
}

// realm names what is protected, as RFC 9110 wants it to have a name.
const realm = `Bearer realm="fairlead"`

func (v Verdict) allow() Verdict {
	v.Outcome = Allowed
	return v
}

func (v Verdict) refuse(why string) Verdict {
	v.Outcome, v.Message = Refused, why
	v.Challenge = realm + `, error="invalid_token", error_description="` + why + `"`
	return v
}

// missing tells what the route takes. The error code is left out of the
// challenge, as RFC 6750 wants it for requests that prove nothing.
func (a *Authenticator) missing(v Verdict) Verdict {
	v.Outcome, v.Challenge = Missing, realm
	switch {
	case a.tokens == nil:
		v.Message = "This route needs an API key; send it in the header X-Api-Key."
	case len(a.keys) == 0:
		v.Message = "This route needs a token; send it in the header Authorization: Bearer."
	default:
		v.Message = "This route needs an API key in the header X-Api-Key, or a token in the header Authorization: Bearer."
	}
	return v
}

// Authenticators are the authenticators of one routing table. The zero value is
// that of a table without authentication. It is not changed once it is made, so
// it needs no lock.
type Authenticators struct {
	routes map[RouteKey]*Authenticator
	// shared finds authenticators by content: routes that demand the same share
	// one, with its parsed keys and the tokens that it knows.
	shared map[digest]*Authenticator
}

// Of returns the route's authenticator, or nil if everybody may use it.
func (a Authenticators) Of(route RouteKey) *Authenticator { return a.routes[route] }

// Next returns the authenticators of the table that follows. What stays the same
// is kept. On an error, which names the route, the table must not be used: a
// route that should be closed could be open in it.
func (a Authenticators) Next(auths map[RouteKey]reconcile.RoutedAuth) (Authenticators, error) {
	next := Authenticators{
		routes: make(map[RouteKey]*Authenticator, len(auths)),
		shared: make(map[digest]*Authenticator),
	}
	for _, route := range slices.SortedFunc(maps.Keys(auths), RouteKey.compare) {
		content, err := json.Marshal(auths[route])
		if err != nil {
			return Authenticators{}, fmt.Errorf("the authentication of route %s: %w", route, err)
		}
		hash := sha256.Sum256(content)
		shared := next.shared[hash]
		if shared == nil {
			shared = a.shared[hash]
		}
		if shared == nil {
			if shared, err = NewAuthenticator(auths[route]); err != nil {
				return Authenticators{}, fmt.Errorf("the authentication of route %s: %w", route, err)
			}
		}
		next.shared[hash], next.routes[route] = shared, shared
	}
	return next, nil
}
