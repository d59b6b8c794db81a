package edge

import (
	"net/http"
	"strings"
)

// keyHeader is where an API key is looked for first.
const keyHeader = "X-Api-Key"

// scheme is how a credential in Authorization is meant.
type scheme int

const (
	schemeOther  scheme = iota // not for the gateway
	schemeBearer               // a token, or a key
	schemeAPIKey               // a key
)

// credentials are what a request carries to prove who sent it.
type credentials struct {
	key           string // of X-Api-Key; "" if none
	scheme        scheme
	authorization string // credential of Authorization; "" if none that is for the gateway
	problem       string // why none of it can be looked at, as a sentence; "" if it can
}

// read finds the credentials in a header. X-Api-Key is looked at only where keys
// are taken; elsewhere it is the model's own.
//
// A header that occurs twice is refused and not chosen from: the gateway and the
// model might choose differently.
func read(header http.Header, keys bool) (c credentials) {
	if keys {
		values := header[keyHeader]
		if len(values) > 1 {
			c.problem = "The header X-Api-Key occurs twice; send it once."
			return c
		}
		if len(values) == 1 {
			c.key = strings.Trim(values[0], " \t")
		}
	}
	values := header["Authorization"]
	if len(values) > 1 {
		c.problem = "The header Authorization occurs twice; send it once."
		return c
	}
	if len(values) == 1 {
		c.scheme, c.authorization = parse(values[0])
	}
	if max(len(c.key), len(c.authorization)) > maxCredential {
		c.problem = "The key or token is too long; 8 KiB is the most that is read."
	}
	return c
}

// parse takes an Authorization header apart: a scheme in any case, white space,
// and the credential without any.
func parse(value string) (scheme, string) {
	name, credential, found := strings.Cut(strings.Trim(value, " \t"), " ")
	credential = strings.Trim(credential, " \t")
	if !found || credential == "" || strings.ContainsAny(credential, " \t") {
		return schemeOther, ""
	}
	switch {
	case strings.EqualFold(name, "Bearer"):
		return schemeBearer, credential
	case strings.EqualFold(name, "ApiKey"):
		return schemeAPIKey, credential
	default:
		return schemeOther, ""
	}
}

// looksLikeToken tells whether a credential has the form of a signed token: three
// parts between dots.
func looksLikeToken(credential string) bool { return strings.Count(credential, ".") == 2 }
