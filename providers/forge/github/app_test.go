package github_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fairlead/fairlead/providers/forge/github"
	"github.com/fairlead/fairlead/providers/forge/internal/world"
	"github.com/fairlead/fairlead/reconcile"
)

func list(t *testing.T, f *github.Forge) error {
	t.Helper()
	_, err := f.Pulls(t.Context(), reconcile.PullQuery{})
	return err
}

func minted(d *double) int {
	d.Lock()
	defer d.Unlock()
	return d.minted
}

func TestAnAppGetsATokenOnceAnHour(t *testing.T) {
	d, clock := newDouble(t), &world.Clock{}
	f := open(t, github.Options{BaseURL: d.URL, App: &github.App{ID: appID, KeyFile: keyFile(t)}, Now: clock.Now})
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			if err := list(t, f); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if n := minted(d); n != 1 {
		t.Errorf("8 calls took %d tokens", n)
	}
	clock.Skip(50 * time.Minute)
	if err := list(t, f); err != nil || minted(d) != 1 {
		t.Errorf("after 50 minutes there are %d tokens, %v", minted(d), err)
	}
	clock.Skip(6 * time.Minute) // it is replaced before its end
	d.life = 2 * time.Hour
	if err := list(t, f); err != nil || minted(d) != 2 {
		t.Errorf("before its end there are %d tokens, %v", minted(d), err)
	}
	self, err := f.Self(t.Context())
	if err != nil || self != (reconcile.ForgeUser{Login: appSlug + "[bot]", Bot: true}) {
		t.Errorf("it is %+v, %v", self, err)
	}
}

func TestAnAppProvesThatItHasItsKey(t *testing.T) {
	d := newDouble(t)
	f := byApp(t, d, installed)
	if err := list(t, f); err != nil {
		t.Fatal(err)
	}
	k, err := key()
	if err != nil {
		t.Fatal(err)
	}
	d.Lock()
	proof := d.jwts[0]
	d.Unlock()
	var claims jwt.RegisteredClaims
	if _, err := jwt.ParseWithClaims(proof, &claims, func(*jwt.Token) (any, error) { return &k.PublicKey, nil }, jwt.WithValidMethods([]string{"RS256"})); err != nil {
		t.Fatal(err)
	}
	if life := claims.ExpiresAt.Sub(claims.IssuedAt.Time); claims.Issuer != "99" || life > 10*time.Minute || claims.IssuedAt.After(time.Now().Add(-30*time.Second)) {
		t.Errorf("the claims are %+v", claims)
	}
	for _, request := range d.Requests() {
		if strings.HasSuffix(request, "/installation") {
			t.Error("the installation was looked up, though it is configured")
		}
	}
}

func TestATokenThatWasRevokedIsReplaced(t *testing.T) {
	d := newDouble(t)
	f := byApp(t, d, 0)
	if err := list(t, f); err != nil {
		t.Fatal(err)
	}
	d.Tokens() // none counts
	if err := list(t, f); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("got %v; want 401", err)
	}
	if err := list(t, f); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestWhatAnAppLacksIsSaid(t *testing.T) {
	d := newDouble(t)
	for name, app := range map[string]github.App{
		"no file":            {ID: appID, KeyFile: "/nowhere/key.pem"},
		"no key":             {ID: appID, KeyFile: world.File(t, "hello")},
		"other installation": {ID: appID, InstallationID: 5, KeyFile: keyFile(t)},
	} {
		f := open(t, github.Options{BaseURL: d.URL, App: &app})
		err := list(t, f)
		if err == nil || errors.Is(err, reconcile.ErrUnavailable) || strings.Count(err.Error(), f.Name()) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	f := byApp(t, d, 0)
	d.Fail(func(w http.ResponseWriter, _ *http.Request) { world.Answer(w, 503, nil) })
	if err := list(t, f); !errors.Is(err, reconcile.ErrUnavailable) {
		t.Errorf("GitHub is down: %v", err)
	}
	d.Fail(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		world.Answer(w, 429, nil)
	})
	var retry *reconcile.RetryError
	if err := list(t, f); !errors.As(err, &retry) {
		t.Errorf("GitHub was asked too often for tokens: %v", err)
	}
	for _, o := range []github.Options{
		{Repo: "acme/models"},
		{Repo: "acme/models", TokenFile: "x", App: &github.App{ID: 1, KeyFile: "x"}},
		{Repo: "acme/models", App: &github.App{ID: 1}},
		{Repo: "acme", TokenFile: "x"},
		{Repo: "acme/../x", TokenFile: "x"},
		{Repo: "acme/..", TokenFile: "x"},
		{Repo: "acme/a?b", TokenFile: "x"},
		{Repo: "acme/models", TokenFile: "x", BaseURL: "https://me:" + canary + "@github.example.com"},
		{Repo: "acme/models", TokenFile: "x", BaseURL: "github.example.com"},
		{Repo: "acme/models", TokenFile: "x", CAFile: world.File(t, "no certificate")},
	} {
		if _, err := github.New(o); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func remarks(n int) []reconcile.Annotation {
	var many []reconcile.Annotation
	for i := range n {
		many = append(many, reconcile.Annotation{Path: "models.hcl", Line: i + 1, Level: []string{"error", "warning", "notice"}[i%3], Title: "No image", Message: fmt.Sprintf("Model %d has none", i)})
	}
	return many
}

func TestChecksShowAnnotations(t *testing.T) {
	d := newDouble(t)
	f := byApp(t, d, 0)
	commit := d.Push(t, "ann", "feature")
	put := func(s reconcile.CommitStatus) bool {
		t.Helper()
		annotated, err := f.Status(t.Context(), commit, s)
		if err != nil {
			t.Fatal(err)
		}
		return annotated
	}
	s := reconcile.CommitStatus{Context: "fairlead/prod", State: reconcile.CommitPending, Text: "planning"}
	if put(s) {
		t.Error("it shows annotations, of none")
	}
	s.State, s.Text, s.Annotations = reconcile.CommitFailure, "120 mistakes", remarks(120)
	for range 3 {
		if !put(s) {
			t.Error("it shows no annotations")
		}
	}
	s.Annotations = append(remarks(2), reconcile.Annotation{Message: "about no line"})
	put(s)
	s.State = reconcile.CommitPending // whose annotations no update takes away
	put(s)
	s.State = reconcile.CommitHeld
	put(s)

	d.Lock()
	defer d.Unlock()
	runs := d.runs[commit]
	var told []string
	for _, run := range runs {
		told = append(told, fmt.Sprint(run["status"], " ", run["conclusion"], " ", len(run["annotations"].([]any))))
	}
	want := []string{"completed failure 120", "completed failure 2", "in_progress <nil> 2", "completed action_required 2"}
	if fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("the runs are %v; want %v", told, want)
	}
	first := runs[0]["annotations"].([]any)[0].(object)
	if first["path"] != "models.hcl" || first["start_line"] != 1.0 || first["end_line"] != 1.0 || first["annotation_level"] != "failure" || first["title"] != "No image" || first["message"] != "Model 0 has none" {
		t.Errorf("an annotation is %v", first)
	}
}

func TestAnUnfinishedCheckIsPutAgain(t *testing.T) {
	d := newDouble(t)
	f := byApp(t, d, 0)
	commit := d.Push(t, "ann", "feature")
	s := reconcile.CommitStatus{Context: "fairlead/prod", State: reconcile.CommitFailure, Text: "60 mistakes", Annotations: remarks(60)}
	if err := list(t, f); err != nil { // it has a token
		t.Fatal(err)
	}
	d.breakUpdates = true
	if _, err := f.Status(t.Context(), commit, s); !errors.Is(err, reconcile.ErrUnavailable) {
		t.Fatalf("the second batch failed, but: %v", err)
	}
	d.breakUpdates = false
	if _, err := f.Status(t.Context(), commit, s); err != nil {
		t.Fatal(err)
	}
	d.Lock()
	defer d.Unlock()
	runs := d.runs[commit]
	if n := len(runs[len(runs)-1]["annotations"].([]any)); n != 60 {
		t.Errorf("the newest run has %d annotations", n)
	}
}

func TestATokenHasNoPlaceForAnnotations(t *testing.T) {
	d := newDouble(t)
	f := byToken(t, d)
	commit := d.Push(t, "ann", "feature")
	s := reconcile.CommitStatus{Context: "fairlead/prod", State: reconcile.CommitHeld, Text: "step 2 waits", Annotations: remarks(1)}
	for range 3 {
		if annotated, err := f.Status(t.Context(), commit, s); err != nil || annotated {
			t.Errorf("annotated: %v, %v", annotated, err)
		}
	}
	d.Lock()
	defer d.Unlock()
	if put := d.statuses[commit]; len(put) != 1 || put[0]["state"] != "failure" || put[0]["description"] != "held: step 2 waits" {
		t.Errorf("put %v", put)
	}
}

func TestAKeyIsReadAnew(t *testing.T) {
	d := newDouble(t)
	d.life = time.Minute // renewed at each call
	file := keyFile(t)
	f := open(t, github.Options{BaseURL: d.URL, App: &github.App{ID: appID, KeyFile: file}})
	if err := list(t, f); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("gone"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := list(t, f); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("the key is gone, but: %v", err)
	}
}
