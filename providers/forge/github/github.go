package github

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/google/go-github/v89/github"

	"github.com/fairlead/fairlead/providers/forge/internal/rest"
	"github.com/fairlead/fairlead/reconcile"
)

// Options say which repository it is, and how to prove oneself.
type Options struct {
	// BaseURL is the address that people open: https://github.example.com. "":
	// https://github.com.
	BaseURL string
	Repo    string // acme/models
	// TokenFile holds a token, and is read for each request. Or App is set.
	TokenFile string
	App       *App
	CAFile    string        // certificates in PEM form, trusted beside the system's
	Timeout   time.Duration // of one request; 0: rest.DefaultTimeout
	Log       *slog.Logger  // nil: none
	Now       func() time.Time
}

// Forge is a repository on GitHub. It is safe for concurrent use.
type Forge struct {
	owner, repo string
	web         *url.URL
	log         *slog.Logger
	now         func() time.Time

	rest        *rest.Client
	client      *github.Client
	app         *app // nil: a token is used
	permissions rest.Permissions[string]

	mu   sync.Mutex
	self reconcile.ForgeUser // of an App
}

var _ reconcile.Forge = (*Forge)(nil)

// named is what GitHub allows in the names of accounts, repositories and teams.
var named = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// New makes a Forge. It asks nobody.
func New(o Options) (*Forge, error) {
	owner, repo, _ := strings.Cut(o.Repo, "/")
	if !named.MatchString(owner) || !named.MatchString(repo) || strings.Trim(repo, ".") == "" || strings.Trim(owner, ".") == "" {
		return nil, fmt.Errorf("%q is no repository of GitHub; it looks like acme/models", o.Repo)
	}
	if (o.TokenFile == "") == (o.App == nil) {
		return nil, errors.New("GitHub needs either the file of a token or an App")
	}
	web, api, err := addresses(o.BaseURL)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Forge{owner: owner, repo: repo, web: web, log: o.Log, now: o.Now, permissions: rest.Permissions[string]{Now: o.Now}}
	calls := rest.Options{Name: f.Name(), Server: api, CAFile: o.CAFile, Timeout: o.Timeout, Now: o.Now}
	if o.App == nil {
		calls.Credential, calls.From = rest.Token(o.TokenFile).Bearer, "the token in "+o.TokenFile
	} else {
		if f.app, err = newApp(*o.App, calls, owner, repo); err != nil {
			return nil, err
		}
		calls.Credential, calls.Refused, calls.From = f.app.bearer, f.app.refused, "the installation of the GitHub App"
	}
	if f.rest, err = rest.New(calls); err != nil {
		return nil, err
	}
	if f.client, err = client(f.rest, api); err != nil {
		return nil, err
	}
	return f, nil
}

// addresses gives the one for people and the one of the API.
func addresses(base string) (web, api *url.URL, err error) {
	if base == "" {
		base = "https://github.com"
	}
	if web, err = rest.Server(base); err != nil {
		return nil, nil, err
	}
	copied := *web
	api = &copied
	switch host := strings.ToLower(web.Hostname()); {
	case host == "github.com" || host == "api.github.com":
		web.Host, api.Host = "github.com", "api.github.com"
		api.Path = "/"
	case strings.HasSuffix(host, ".ghe.com"):
		api.Host, api.Path = "api."+web.Host, "/"
	default:
		web.Path = strings.TrimSuffix(web.Path, "/api/v3")
		api.Path = web.Path + "/api/v3/"
	}
	return web, api, nil
}

// client is the SDK over our calls. Those watch the rate limits, so it need not.
func client(calls *rest.Client, api *url.URL) (*github.Client, error) {
	address := api.String()
	return github.NewClient(github.WithHTTPClient(calls.HTTP()), github.WithURLs(&address, &address),
		github.WithUserAgent("fairlead"), github.WithDisableRateLimitCheck())
}

// Close closes the connections that are not in use.
func (f *Forge) Close() {
	f.rest.Close()
	if f.app != nil {
		f.app.rest.Close()
	}
}

// Name implements reconcile.Forge.
func (f *Forge) Name() string { return "GitHub " + f.owner + "/" + f.repo }

// CommitURL implements reconcile.Forge.
func (f *Forge) CommitURL(commit string) string {
	return f.web.JoinPath(f.owner, f.repo, "commit", commit).String()
}

// Self implements reconcile.Forge. The token of a GitHub Actions job has no account,
// and is refused here.
func (f *Forge) Self(ctx context.Context) (reconcile.ForgeUser, error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	if f.app != nil {
		f.mu.Lock()
		known := f.self
		f.mu.Unlock()
		if known.Login != "" {
			return known, nil
		}
		self, err := f.app.self(ctx)
		if err == nil {
			f.mu.Lock()
			f.self = self
			f.mu.Unlock()
		}
		return self, err
	}
	user, response, err := f.client.Users.Get(ctx, "")
	if err != nil || user.GetLogin() == "" {
		return reconcile.ForgeUser{}, f.failed(rest.Call{Doing: "ask whose the token is", Needs: "the token of an account"}, response, err)
	}
	return reconcile.ForgeUser{Login: user.GetLogin(), Bot: user.GetType() == "Bot"}, nil
}

// failed is the error of a call.
func (f *Forge) failed(call rest.Call, response *github.Response, err error, also ...error) error {
	return failed(f.rest, call, response, err, also...)
}

func failed(calls *rest.Client, call rest.Call, response *github.Response, err error, also ...error) error {
	var (
		refused   *github.ErrorResponse
		primary   *github.RateLimitError
		secondary *github.AbuseRateLimitError
		message   string
		plain     *http.Response
	)
	switch {
	case errors.As(err, &refused):
		message = refused.Message
		for _, e := range refused.Errors {
			message += "; " + strings.TrimSpace(e.Field+" "+e.Code+" "+e.Message)
		}
	case errors.As(err, &primary):
		message = primary.Message
	case errors.As(err, &secondary):
		message = secondary.Message
		// It need not say for how long; its documentation asks for a minute at least.
		if calls.Held().IsZero() {
			calls.HoldFor(time.Minute)
		}
	}
	if response != nil && response.Response != nil {
		plain = response.Response
		// GitHub tells what it would have taken.
		if rights := plain.Header.Get("X-Accepted-GitHub-Permissions"); rights != "" {
			call.Needs = rights
		}
		if strings.HasPrefix(plain.Header.Get("X-GitHub-SSO"), "required") {
			message += "; the token has to be authorised for single sign-on of the organisation"
		}
	}
	return calls.Failed(call, plain, message, err, also...)
}

// missing is the error of a call about a pull request that answers 404. There is no
// such pull request only if the repository itself is there.
func (f *Forge) missing(ctx context.Context, call rest.Call, response *github.Response, err error) error {
	if status(response) != http.StatusNotFound {
		return f.failed(call, response, err)
	}
	if _, of, failure := f.client.Repositories.Get(ctx, f.owner, f.repo); failure != nil {
		return f.failed(rest.Call{Doing: call.Doing + ", and look whether the repository is there", Needs: "Metadata: read"}, of, failure)
	}
	return f.failed(call, response, err, reconcile.ErrNoPull)
}

func status(response *github.Response) int {
	if response == nil || response.Response == nil {
		return 0
	}
	return response.StatusCode
}

// perPage is the most that GitHub gives.
const perPage = 100

// pages reads all pages of a list until take has had enough.
func pages[T any](read func(github.ListOptions) ([]*T, *github.Response, error), take func(*T) (more bool)) (*github.Response, error) {
	page := github.ListOptions{Page: 1, PerPage: perPage}
	for range rest.MaxPages {
		items, response, err := read(page)
		if err != nil {
			return response, err
		}
		for _, item := range items {
			if item != nil && !take(item) {
				return response, nil
			}
		}
		if response.NextPage <= page.Page {
			return response, nil
		}
		page.Page = response.NextPage
	}
	return nil, fmt.Errorf("the list has more than %d pages", rest.MaxPages)
}

// all reads all pages of a list.
func all[T any](read func(github.ListOptions) ([]*T, *github.Response, error)) ([]*T, *github.Response, error) {
	var items []*T
	response, err := pages(read, func(item *T) bool {
		items = append(items, item)
		return true
	})
	return items, response, err
}
