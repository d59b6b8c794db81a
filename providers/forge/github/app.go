package github

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-github/v89/github"

	"github.com/fairlead/fairlead/providers/forge/internal/rest"
	"github.com/fairlead/fairlead/reconcile"
)

// App is a GitHub App as whose installation the calls are made.
type App struct {
	ID             int64
	InstallationID int64  // 0: the one of the repository is looked up
	KeyFile        string // RSA key in PEM form; it is read for each token
}

// app gets the tokens of an installation. A token is good for an hour, and replaced
// before that.
type app struct {
	App
	owner, repo string
	now         func() time.Time
	rest        *rest.Client // proves itself as the App, by a JWT
	client      *github.Client

	renewing chan struct{} // holds one while a token is fetched

	mu           sync.Mutex
	installation int64
	header       string
	until        time.Time // when it is replaced
}

const (
	jwtLife   = 9 * time.Minute // GitHub takes ten
	jwtSkew   = time.Minute     // of its clock
	renewLead = 5 * time.Minute // before a token ends
)

// newApp takes what the calls of the Forge have in common.
func newApp(o App, calls rest.Options, owner, repo string) (*app, error) {
	if o.ID <= 0 || o.InstallationID < 0 || o.KeyFile == "" {
		return nil, errors.New("a GitHub App needs its id and the file of its private key")
	}
	a := &app{App: o, owner: owner, repo: repo, now: calls.Now, renewing: make(chan struct{}, 1), installation: o.InstallationID}
	calls.Credential, calls.From = a.jwt, fmt.Sprintf("the key of the GitHub App %d", o.ID)
	var err error
	if a.rest, err = rest.New(calls); err != nil {
		return nil, err
	}
	a.client, err = client(a.rest, calls.Server)
	return a, err
}

// jwt is the proof that somebody has the App's key (RFC 7519).
func (a *app) jwt(context.Context) (string, error) {
	pem, err := os.ReadFile(a.KeyFile)
	if err != nil {
		return "", fmt.Errorf("read the key of the GitHub App: %w", err)
	}
	key, err := jwt.ParseRSAPrivateKeyFromPEM(pem)
	if err != nil {
		return "", fmt.Errorf("%s holds no RSA key in PEM form, as GitHub makes one for an App", a.KeyFile)
	}
	now := a.now()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
		Issuer:    strconv.FormatInt(a.ID, 10),
		IssuedAt:  jwt.NewNumericDate(now.Add(-jwtSkew)),
		ExpiresAt: jwt.NewNumericDate(now.Add(jwtLife)),
	}).SignedString(key)
	if err != nil {
		return "", fmt.Errorf("sign with the key in %s: %w", a.KeyFile, err)
	}
	return "Bearer " + signed, nil
}

// bearer is the header of the installation. Of many callers one fetches a new token.
func (a *app) bearer(ctx context.Context) (string, error) {
	if header := a.current(); header != "" {
		return header, nil
	}
	select {
	case a.renewing <- struct{}{}:
		defer func() { <-a.renewing }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if header := a.current(); header != "" {
		return header, nil
	}
	id, err := a.find(ctx)
	if err != nil {
		return "", err
	}
	token, response, err := a.client.Apps.CreateInstallationToken(ctx, id, nil)
	if err != nil || token.GetToken() == "" {
		return "", failed(a.rest, rest.Call{Doing: fmt.Sprintf("get a token of installation %d", id), Needs: "an installation of the App"}, response, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.header = "Bearer " + token.GetToken()
	a.until = token.GetExpiresAt().Add(-renewLead)
	return a.header, nil
}

func (a *app) current() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now().Before(a.until) {
		return a.header
	}
	return ""
}

// refused forgets a token that was revoked.
func (a *app) refused(header string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.header == header {
		a.header, a.until = "", time.Time{}
	}
}

// find looks for the installation on the repository.
func (a *app) find(ctx context.Context) (int64, error) {
	a.mu.Lock()
	id := a.installation
	a.mu.Unlock()
	if id != 0 {
		return id, nil
	}
	found, response, err := a.client.Apps.GetRepositoryInstallation(ctx, a.owner, a.repo)
	if err != nil {
		return 0, failed(a.rest, rest.Call{Doing: "look for the installation of the App", Needs: "an installation of the App on the repository"}, response, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.installation = found.GetID()
	return a.installation, nil
}

// self is the account that an App acts as.
func (a *app) self(ctx context.Context) (reconcile.ForgeUser, error) {
	about, response, err := a.client.Apps.Get(ctx, "")
	if err != nil {
		return reconcile.ForgeUser{}, failed(a.rest, rest.Call{Doing: "ask for the name of the App", Needs: "the key of the App"}, response, err)
	}
	if strings.TrimSpace(about.GetSlug()) == "" {
		return reconcile.ForgeUser{}, fmt.Errorf("GitHub %s/%s: the App %d has no name", a.owner, a.repo, a.ID)
	}
	return reconcile.ForgeUser{Login: about.GetSlug() + "[bot]", Bot: true}, nil
}
