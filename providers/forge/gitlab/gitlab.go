package gitlab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
	"golang.org/x/time/rate"

	"github.com/fairlead/fairlead/providers/forge/internal/rest"
	"github.com/fairlead/fairlead/reconcile"
)

// Options say which project it is, and how to prove oneself.
type Options struct {
	// BaseURL is the address that people open: https://gitlab.example.com, with its
	// path if it has one. "": https://gitlab.com.
	BaseURL   string
	Repo      string        // acme/ml/models: groups of any depth, and the project
	TokenFile string        // holds a token, and is read for each request
	CAFile    string        // certificates in PEM form, trusted beside the system's
	Timeout   time.Duration // of one request; 0: rest.DefaultTimeout
	Log       *slog.Logger  // nil: none
	Now       func() time.Time
}

// Forge is a project on GitLab. It is safe for concurrent use.
type Forge struct {
	repo        string
	web         *url.URL
	log         *slog.Logger
	rest        *rest.Client
	client      *gitlab.Client
	permissions rest.Permissions[int64]
}

var _ reconcile.Forge = (*Forge)(nil)

// named is what GitLab allows in the parts of a path.
var named = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// New makes a Forge. It asks nobody.
func New(o Options) (*Forge, error) {
	parts := strings.Split(o.Repo, "/")
	for _, part := range parts {
		if len(parts) < 2 || !named.MatchString(part) {
			return nil, fmt.Errorf("%q is no project of GitLab; it looks like acme/models", o.Repo)
		}
	}
	if o.TokenFile == "" {
		return nil, errors.New("GitLab needs the file of a token")
	}
	if o.BaseURL == "" {
		o.BaseURL = "https://gitlab.com"
	}
	web, err := rest.Server(strings.TrimSuffix(strings.TrimRight(o.BaseURL, "/"), "/api/v4"))
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Forge{repo: o.Repo, web: web, log: o.Log, permissions: rest.Permissions[int64]{Now: o.Now}}
	f.rest, err = rest.New(rest.Options{
		Name: f.Name(), Server: web, CAFile: o.CAFile, Timeout: o.Timeout, Now: o.Now,
		Credential: rest.Token(o.TokenFile).Bearer, From: "the token in " + o.TokenFile,
	})
	if err != nil {
		return nil, err
	}
	calls := *f.rest.HTTP()
	calls.Transport = numbered{calls.Transport}
	// Our calls add the credential and watch the rate limits; whoever calls tries again.
	f.client, err = gitlab.NewAuthSourceClient(gitlab.Unauthenticated{}, gitlab.WithBaseURL(web.String()), gitlab.WithHTTPClient(&calls),
		gitlab.WithoutRetries(), gitlab.WithCustomLimiter(rate.NewLimiter(rate.Inf, 0)), gitlab.WithUserAgent("fairlead"), gitlab.WithURLWarningLogger(o.Log))
	if err != nil {
		return nil, err
	}
	return f, nil
}

// numbered takes Link headers away: the SDK panics on one that is malformed, and all
// that we read has pages with numbers (X-Next-Page).
type numbered struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (n numbered) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := n.next.RoundTrip(request)
	if err == nil {
		response.Header.Del("Link")
	}
	return response, err
}

// Close closes the connections that are not in use.
func (f *Forge) Close() { f.rest.Close() }

// Name implements reconcile.Forge.
func (f *Forge) Name() string { return "GitLab " + f.repo }

// CommitURL implements reconcile.Forge.
func (f *Forge) CommitURL(commit string) string {
	return f.web.JoinPath(f.repo, "-", "commit", commit).String()
}

// Self implements reconcile.Forge.
func (f *Forge) Self(ctx context.Context) (reconcile.ForgeUser, error) {
	ctx, end := f.rest.Bound(ctx)
	defer end()
	user, response, err := f.client.Users.CurrentUser(gitlab.WithContext(ctx))
	if err != nil || user == nil || user.Username == "" {
		return reconcile.ForgeUser{}, f.failed(rest.Call{Doing: "ask whose the token is", Needs: "the scope api"}, response, err)
	}
	return reconcile.ForgeUser{Login: user.Username, Bot: user.Bot}, nil
}

// failed is the error of a call.
func (f *Forge) failed(call rest.Call, response *gitlab.Response, err error, also ...error) error {
	var (
		refused *gitlab.ErrorResponse
		message string
		plain   *http.Response
	)
	if errors.As(err, &refused) && refused.Response != nil { // of a 404 it says nothing
		message = refused.Message
	}
	if response != nil {
		plain = response.Response
	}
	return f.rest.Failed(call, plain, message, err, also...)
}

// missing is the error of a call about a merge request that answers 404. There is no
// such merge request only if the project itself is there.
func (f *Forge) missing(ctx context.Context, call rest.Call, response *gitlab.Response, err error) error {
	if status(response) != http.StatusNotFound {
		return f.failed(call, response, err)
	}
	if _, of, failure := f.client.Projects.GetProject(f.repo, nil, gitlab.WithContext(ctx)); failure != nil {
		return f.failed(rest.Call{Doing: call.Doing + ", and look whether the project is there", Needs: needsRead}, of, failure)
	}
	return f.failed(call, response, err, reconcile.ErrNoPull)
}

func status(response *gitlab.Response) int {
	if response == nil || response.Response == nil {
		return 0
	}
	return response.StatusCode
}

const (
	needsRead  = "the scope read_api and the role Reporter"
	needsWrite = "the scope api and the role Developer"
)

// perPage is the most that GitLab gives.
const perPage = 100

// pages reads all pages of a list until take has had enough. read gets the options of
// a request for one of them.
func pages[T any](ctx context.Context, read func(page ...gitlab.RequestOptionFunc) ([]*T, *gitlab.Response, error), take func(*T) (more bool)) (*gitlab.Response, error) {
	page := int64(1)
	for range rest.MaxPages {
		items, response, err := readable(read, gitlab.WithContext(ctx), gitlab.WithOffsetPaginationParameters(page))
		if err != nil {
			return response, err
		}
		for _, item := range items {
			if item != nil && !take(item) {
				return response, nil
			}
		}
		if response.NextPage <= page {
			return response, nil
		}
		page = response.NextPage
	}
	return nil, fmt.Errorf("the list has more than %d pages", rest.MaxPages)
}

// readable reads a page. The SDK panics on a list of merge requests with a null in it.
func readable[T any](read func(page ...gitlab.RequestOptionFunc) ([]*T, *gitlab.Response, error), page ...gitlab.RequestOptionFunc) (items []*T, response *gitlab.Response, err error) {
	defer func() {
		if recover() != nil {
			items, response, err = nil, nil, rest.ErrForeign
		}
	}()
	return read(page...)
}

// all reads all pages of a list.
func all[T any](ctx context.Context, read func(page ...gitlab.RequestOptionFunc) ([]*T, *gitlab.Response, error)) ([]*T, *gitlab.Response, error) {
	var items []*T
	response, err := pages(ctx, read, func(item *T) bool {
		items = append(items, item)
		return true
	})
	return items, response, err
}

func login(user *gitlab.BasicUser) string {
	if user == nil {
		return ""
	}
	return user.Username
}

func at(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func short(commit string) string { return commit[:min(len(commit), 12)] }
