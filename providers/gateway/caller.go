package gateway

import (
	"crypto/rand"
	"encoding/hex"
	"math/bits"
	"net/http"
	"net/textproto"
)

// caller is what tells one caller from another: a header or a cookie.
type caller struct {
	header string // canonical; "": by cookie
	cookie string
}

func newCaller(header, cookie string) *caller {
	return &caller{header: textproto.CanonicalMIMEHeaderKey(header), cookie: cookie}
}

// of is what the request says, or "" if it says nothing.
func (c *caller) of(r *http.Request) string {
	if c.header != "" {
		return r.Header.Get(c.header)
	}
	if cookie, err := r.Cookie(c.cookie); err == nil {
		return cookie.Value
	}
	return ""
}

// side is the revision that a request belongs to. Those that match are the
// candidate's; a sticky caller's follows from who it is; any other is drawn by
// weight. A caller that has no cookie yet is given one, which is returned and
// has to be set with the answer: its next request is then drawn like this one.
func (m *model) side(r *http.Request) (rev *revision, cookie string) {
	if m.match != nil && m.candidate != nil && m.match.of(r) == m.wanted && m.candidate.ready() {
		return m.candidate, ""
	}
	if m.places == nil {
		return m.scheduled(), ""
	}
	who := m.sticky.of(r)
	if who == "" {
		if m.sticky.cookie == "" {
			return m.scheduled(), ""
		}
		cookie = newCookie()
		who = cookie
	}
	return m.revisions[m.places[bucket(m.name, who)]], cookie
}

// buckets is the number of parts in which callers are divided: a weight is a
// whole number of them.
const buckets = 100

// bucket is the part that a caller of a model is in. It depends on nothing else,
// so every gateway and every restart finds the same. Callers of two models are
// divided independently of each other.
//
// The hash is FNV-1a; its last step mixes the high bits, by which the part is
// taken, as well as a good hash does, which FNV-1a alone does not on short texts.
func bucket(model, who string) int {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(model) {
		h = (h ^ uint64(model[i])) * prime
	}
	h *= prime // stands for a byte of 0 between the two
	for i := range len(who) {
		h = (h ^ uint64(who[i])) * prime
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	part, _ := bits.Mul64(h, buckets)
	return int(part)
}

// lay assigns the parts to revisions (indexes into revisions) by their weights.
// The candidate has the lowest ones: the more weight it gets the more parts
// become its, and none that it has is taken away.
func lay(revisions []*revision, candidate *revision) *[buckets]uint8 {
	var places [buckets]uint8
	next := 0
	give := func(i int) {
		for range revisions[i].weight {
			places[next] = uint8(i)
			next++
		}
	}
	for i, rev := range revisions {
		if rev == candidate {
			give(i)
		}
	}
	for i, rev := range revisions {
		if rev != candidate {
			give(i)
		}
	}
	return &places
}

// newCookie names a caller: 128 random bits, so that nobody can take another
// one's place by guessing.
func newCookie() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails; see crypto/rand
	return hex.EncodeToString(id[:])
}

// setCookie lets the caller bring its name along from now on. It ends with the
// browser's session, and no script can read it.
func setCookie(header http.Header, name, value, path string, secure bool) {
	cookie := http.Cookie{Name: name, Value: value, Path: path, HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode}
	header.Add("Set-Cookie", cookie.String())
}
