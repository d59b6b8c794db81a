package edge

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

func hashOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func TestAuthenticate(t *testing.T) {
	keys := authenticator(t, reconcile.RoutedAuth{KeyHashes: []string{hashOf("first-key"), hashOf("a.dotted.key")}})
	tokens := takesTokens(t, "ed")
	both := authenticator(t, reconcile.RoutedAuth{
		KeyHashes: []string{hashOf("first-key")}, Issuer: issuer, Audience: audience, Keys: set(t, "ed"),
	})
	token := sign(t, signers()["ed"], good(), nil)
	long := strings.Repeat("k", maxCredential+1)
	for name, test := range map[string]struct {
		by     *Authenticator
		header http.Header
		want   Outcome
		strips []string // names of headers that do not go on
	}{
		"a key in its header":                    {keys, http.Header{"X-Api-Key": {"first-key"}}, Allowed, []string{"X-Api-Key"}},
		"a key as bearer":                        {keys, bearer("first-key"), Allowed, []string{"Authorization"}},
		"a key of its own scheme":                {keys, http.Header{"Authorization": {"apikey first-key"}}, Allowed, []string{"Authorization"}},
		"a scheme in other letters":              {keys, http.Header{"Authorization": {"bEARER  first-key "}}, Allowed, []string{"Authorization"}},
		"a key beside a forged token":            {both, http.Header{"X-Api-Key": {"first-key"}, "Authorization": {"Bearer a.b.c"}}, Allowed, []string{"X-Api-Key", "Authorization"}},
		"a key beside a good token":              {both, http.Header{"X-Api-Key": {"first-key"}, "Authorization": {"Bearer " + token}}, Allowed, []string{"X-Api-Key"}},
		"a key beside another user, both":        {both, http.Header{"X-Api-Key": {"first-key"}, "Authorization": {"Basic dTpw"}}, Allowed, []string{"X-Api-Key", "Authorization"}},
		"a key beside two words, both":           {both, http.Header{"X-Api-Key": {"first-key"}, "Authorization": {"Bearer a b"}}, Allowed, []string{"X-Api-Key", "Authorization"}},
		"a key with dots as bearer":              {keys, bearer("a.dotted.key"), Allowed, []string{"Authorization"}},
		"the same key twice":                     {keys, http.Header{"X-Api-Key": {"first-key"}, "Authorization": {"Bearer first-key"}}, Allowed, []string{"X-Api-Key", "Authorization"}},
		"a key beside the model's own user":      {keys, http.Header{"X-Api-Key": {"first-key"}, "Authorization": {"Basic dTpw"}}, Allowed, []string{"X-Api-Key"}},
		"another key":                            {keys, http.Header{"X-Api-Key": {"other-key"}}, Refused, []string{"X-Api-Key"}},
		"another key as bearer":                  {keys, bearer("other-key"), Refused, nil},
		"the hash of a key":                      {keys, http.Header{"X-Api-Key": {hashOf("first-key")}}, Refused, []string{"X-Api-Key"}},
		"a prefix of a key":                      {keys, http.Header{"X-Api-Key": {"first-ke"}}, Refused, []string{"X-Api-Key"}},
		"an empty key":                           {keys, http.Header{"X-Api-Key": {""}}, Missing, []string{"X-Api-Key"}},
		"a key of 8 KiB and more":                {keys, http.Header{"X-Api-Key": {long}}, Refused, []string{"X-Api-Key"}},
		"two keys":                               {keys, http.Header{"X-Api-Key": {"other-key", "first-key"}}, Refused, []string{"X-Api-Key"}},
		"nothing":                                {keys, http.Header{}, Missing, nil},
		"a user and password":                    {keys, http.Header{"Authorization": {"Basic dTpw"}}, Missing, nil},
		"a scheme without credential":            {keys, http.Header{"Authorization": {"Bearer"}}, Missing, nil},
		"a credential of two words":              {keys, bearer("first-key x"), Missing, nil},
		"a token":                                {tokens, bearer(token), Allowed, nil},
		"a token beside the model's own key":     {tokens, http.Header{"X-Api-Key": {"model-key"}, "Authorization": {"Bearer " + token}}, Allowed, nil},
		"a token as a key":                       {tokens, http.Header{"Authorization": {"ApiKey " + token}}, Missing, nil},
		"a token in the header of keys":          {tokens, http.Header{"X-Api-Key": {token}}, Missing, nil},
		"a key where tokens are taken":           {tokens, bearer("first-key"), Refused, nil},
		"two tokens":                             {tokens, http.Header{"Authorization": {"Bearer " + token, "Bearer " + token}}, Refused, nil},
		"nothing where tokens are taken":         {tokens, http.Header{}, Missing, nil},
		"a key where both are taken":             {both, bearer("first-key"), Allowed, []string{"Authorization"}},
		"a token where both are taken":           {both, bearer(token), Allowed, nil},
		"a good token beside a wrong key":        {both, http.Header{"X-Api-Key": {"other-key"}, "Authorization": {"Bearer " + token}}, Allowed, []string{"X-Api-Key"}},
		"a wrong key where both are taken":       {both, bearer("other-key"), Refused, nil},
		"a wrong key in its header, both":        {both, http.Header{"X-Api-Key": {"other-key"}}, Refused, []string{"X-Api-Key"}},
		"nothing where both are taken":           {both, http.Header{}, Missing, nil},
		"anything where everybody may come in":   {nil, http.Header{"X-Api-Key": {"model-key"}, "Authorization": {"Bearer x"}}, Allowed, nil},
		"an authenticator that was not built up": {&Authenticator{}, http.Header{}, Missing, nil},
	} {
		t.Run(name, func(t *testing.T) {
			before := test.header.Clone()
			got := test.by.Authenticate(test.header, noon)
			if got.Outcome != test.want {
				t.Errorf("outcome %d (%s), want %d", got.Outcome, got.Message, test.want)
			}
			if denied := got.Outcome != Allowed; denied != (got.Message != "") || denied != strings.HasPrefix(got.Challenge, "Bearer ") {
				t.Errorf("outcome %d with message %q and challenge %q", got.Outcome, got.Message, got.Challenge)
			}
			if strings.Contains(got.Challenge, "error=") != (got.Outcome == Refused) {
				t.Errorf("outcome %d with challenge %q", got.Outcome, got.Challenge)
			}
			if !maps.EqualFunc(before, test.header, slices.Equal) {
				t.Error("Authenticate changed the header")
			}
			got.Strip(test.header)
			for name := range before {
				if _, stays := test.header[name]; stays == slices.Contains(test.strips, name) {
					t.Errorf("%s goes on to the model: %t", name, stays)
				}
			}
		})
	}
}

func TestNoMessageShowsWhatWasSent(t *testing.T) {
	a := authenticator(t, reconcile.RoutedAuth{
		KeyHashes: []string{hashOf("first-key")}, Issuer: issuer, Audience: audience, Keys: set(t, "ed"),
	})
	for _, sent := range []string{"hunter2", "hunter2.hunter2.hunter2", sign(t, signers()["p256"], with("sub", "hunter2"), nil)} {
		for _, header := range []http.Header{bearer(sent), {"X-Api-Key": {sent}}} {
			got := a.Authenticate(header, noon)
			if all := got.Message + got.Challenge; strings.Contains(all, sent) || strings.Contains(all, hashOf("first-key")) || strings.Contains(all, audience) {
				t.Errorf("it shows too much: %s", all)
			}
		}
	}
}

func TestWhatCannotBeRightIsRefusedAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		auth reconcile.RoutedAuth
		want string
	}{
		"nothing is asked for":      {reconcile.RoutedAuth{}, "neither API keys nor tokens"},
		"a key and not its hash":    {reconcile.RoutedAuth{KeyHashes: []string{hashOf("a"), "hunter2"}}, "hash of API key 2"},
		"a hash of another kind":    {reconcile.RoutedAuth{KeyHashes: []string{hashOf("a")[:40]}}, "hash of API key 1"},
		"more keys than are taken":  {reconcile.RoutedAuth{KeyHashes: make([]string, maxKeys+1)}, "1025 API keys"},
		"keys without their issuer": {reconcile.RoutedAuth{KeyHashes: []string{hashOf("a")}, Keys: set(t, "ed")}, "no issuer"},
		"tokens for everybody":      {reconcile.RoutedAuth{Issuer: issuer, Keys: set(t, "ed")}, "no audience"},
		"tokens without keys":       {reconcile.RoutedAuth{Issuer: issuer, Audience: audience}, "the key set cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewAuthenticator(test.auth)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestAuthenticatorsOfTheNextTable(t *testing.T) {
	first, second := RouteKey{Model: "digits", Path: "/digits"}, RouteKey{Model: "fraud", Host: "pay.example.com", Path: "/"}
	keys := reconcile.RoutedAuth{KeyHashes: []string{hashOf("first-key")}}
	tokens := reconcile.RoutedAuth{Issuer: issuer, Audience: audience, Keys: set(t, "ed")}
	var none Authenticators
	table, err := none.Next(map[RouteKey]reconcile.RoutedAuth{first: keys, second: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("routes that demand the same share one", func(t *testing.T) {
		if table.Of(first) == nil || table.Of(first) != table.Of(second) {
			t.Errorf("%p and %p", table.Of(first), table.Of(second))
		}
	})
	t.Run("what stays the same is kept and the rest is new", func(t *testing.T) {
		next, err := table.Next(map[RouteKey]reconcile.RoutedAuth{first: keys, second: tokens})
		if err != nil {
			t.Fatal(err)
		}
		if next.Of(first) != table.Of(first) || next.Of(second) == table.Of(second) {
			t.Error("the first changed, or the second did not")
		}
	})
	t.Run("a route without authentication is open", func(t *testing.T) {
		next, err := table.Next(nil)
		if err != nil || next.Of(first) != nil {
			t.Errorf("%v, %v", next.Of(first), err)
		}
	})
	t.Run("a mistake names its route", func(t *testing.T) {
		_, err := table.Next(map[RouteKey]reconcile.RoutedAuth{first: keys, second: {}})
		if err == nil || !strings.Contains(err.Error(), "pay.example.com/ of model fraud") {
			t.Errorf("got %v", err)
		}
	})
}

func TestManyCallersAtOnce(t *testing.T) {
	a := authenticator(t, reconcile.RoutedAuth{
		KeyHashes: []string{hashOf("first-key")}, Issuer: issuer, Audience: audience, Keys: set(t, "ed"),
	})
	a.tokens.known = newKnown(2) // so that tokens are forgotten all the time
	headers := []http.Header{{"X-Api-Key": {"first-key"}}}
	for _, sub := range []string{"ada", "ben", "cyd", "dan", "eve"} {
		headers = append(headers, bearer(sign(t, signers()["ed"], with("sub", sub), nil)))
	}
	forged := bearer(sign(t, signers()["p256"], good(), nil))
	var group sync.WaitGroup
	for caller := range 8 {
		group.Go(func() {
			for i := range 100 {
				if got := a.Authenticate(headers[(caller+i)%len(headers)], noon); got.Outcome != Allowed {
					t.Errorf("refused: %s", got.Message)
				}
				if got := a.Authenticate(forged, noon); got.Outcome != Refused {
					t.Error("the forged one came in")
				}
			}
		})
	}
	group.Wait()
}

func TestTheWayInAllocatesNothing(t *testing.T) {
	a := authenticator(t, reconcile.RoutedAuth{
		KeyHashes: []string{hashOf("first-key")}, Issuer: issuer, Audience: audience, Keys: set(t, "rsa"),
	})
	l := NewLimiter(spec.RouteLimit{Rate: 1e6, Burst: 1e6, Concurrency: 10}, noon)
	for name, header := range map[string]http.Header{
		"with a key":         {"X-Api-Key": {"first-key"}},
		"with a known token": bearer(sign(t, signers()["rsa"], good(), nil)),
	} {
		t.Run(name, func(t *testing.T) {
			got := testing.AllocsPerRun(100, func() {
				release, _, _ := l.Acquire(noon)
				a.Authenticate(header, noon)
				release()
			})
			if got != 0 {
				t.Errorf("%v allocations", got)
			}
		})
	}
}

// FuzzAuthorization looks for headers that crash it, or come in.
func FuzzAuthorization(f *testing.F) {
	both, err := NewAuthenticator(reconcile.RoutedAuth{
		KeyHashes: []string{hashOf("first-key")}, Issuer: issuer, Audience: audience, Keys: set(f, "ed", "rsa"),
	})
	if err != nil {
		f.Fatal(err)
	}
	// Good tokens are no seeds: all that comes in has to be found by the fuzzer.
	for _, seed := range []string{
		"", "Bearer", "Bearer ", "Bearer a.b.c", "ApiKey x", "Basic dTpw", "Bearer  \t x", "bearer " + unsigned("none") + ".",
		"Bearer " + sign(f, signers()["p256"], good(), nil), "Bearer " + sign(f, signers()["ed"], with("aud", 1), nil), "Bearer eyJhbGciOiJFZERTQSJ9..",
	} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, authorization, key string) {
		header := http.Header{"Authorization": {authorization}, "X-Api-Key": {key}}
		got := both.Authenticate(header, noon)
		if got.Outcome == Allowed && !strings.Contains(authorization+key, "first-key") {
			t.Errorf("%q and %q came in", authorization, key)
		}
		if strings.ContainsAny(got.Challenge, "\r\n") {
			t.Errorf("the challenge %q breaks the header", got.Challenge)
		}
		got.Strip(header)
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	a := authenticator(b, reconcile.RoutedAuth{
		KeyHashes: []string{hashOf("first-key"), hashOf("second-key")}, Issuer: issuer, Audience: audience, Keys: set(b, "rsa"),
	})
	claims := with("exp", time.Now().Add(time.Hour).Unix())
	for name, header := range map[string]http.Header{
		"key":   {"X-Api-Key": {"second-key"}},
		"token": bearer(sign(b, signers()["rsa"], claims, nil)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if got := a.Authenticate(header, time.Now()); got.Outcome != Allowed {
						b.Error(got.Message)
						return
					}
				}
			})
		})
	}
	b.Run("token seen first", func(b *testing.B) {
		header := bearer(sign(b, signers()["rsa"], claims, nil))
		for b.Loop() {
			a.tokens.known = newKnown(1)
			if got := a.Authenticate(header, time.Now()); got.Outcome != Allowed {
				b.Fatal(got.Message)
			}
		}
	})
}
