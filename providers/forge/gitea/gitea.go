package gitea

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"code.gitea.io/sdk/gitea"

	"github.com/fairlead/fairlead/providers/forge/internal/rest"
	"github.com/fairlead/fairlead/reconcile"
)

// Options say which repository it is, and how to prove oneself.
type Options struct {
	BaseURL   string // address that people open: https://git.example.com
	Repo      string // acme/models
	Product   string // as people call it: "Forgejo"; "": Gitea
	TokenFile string // holds an access token, and is read for each request
	CAFile    string // certificates in PEM form, trusted beside the system's
	// Timeout is that of one request; 0: rest.DefaultTimeout.
	Timeout time.Duration
	Log     *slog.Logger     // nil: none
	Now     func() time.Time // nil: time.Now
}

// Forge is a repository on a Gitea or Forgejo server. It is safe for concurrent use.
type Forge struct {
	product     string
	owner, repo string
	web         *url.URL
	log         *slog.Logger
	rest        *rest.Client
}

var _ reconcile.Forge = (*Forge)(nil)

// named is what Gitea allows in the names of accounts and repositories.
var named = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// New makes a Forge. It asks nobody.
func New(o Options) (*Forge, error) {
	if o.Product == "" {
		o.Product = "Gitea"
	}
	owner, repo, _ := strings.Cut(o.Repo, "/")
	if !named.MatchString(owner) || !named.MatchString(repo) || strings.Trim(owner, ".") == "" || strings.Trim(repo, ".") == "" {
		return nil, fmt.Errorf("%q is no repository of %s; it looks like acme/models", o.Repo, o.Product)
	}
	if o.TokenFile == "" {
		return nil, fmt.Errorf("%s needs the file of an access token", o.Product)
	}
	web, err := rest.Server(o.BaseURL)
	if err != nil {
		return nil, err
	}
	web.Path = strings.TrimSuffix(web.Path, "/api/v1")
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &Forge{product: o.Product, owner: owner, repo: repo, web: web, log: o.Log}
	f.rest, err = rest.New(rest.Options{
		Name: f.Name(), Server: web, CAFile: o.CAFile, Timeout: o.Timeout, Now: o.Now,
		Credential: rest.Token(o.TokenFile).Bearer, From: "the token in " + o.TokenFile,
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Close closes the connections that are not in use.
func (f *Forge) Close() { f.rest.Close() }

// Name implements reconcile.Forge.
func (f *Forge) Name() string { return f.product + " " + f.owner + "/" + f.repo }

// CommitURL implements reconcile.Forge.
func (f *Forge) CommitURL(commit string) string {
	return f.web.JoinPath(f.owner, f.repo, "commit", commit).String()
}

// session is one call of the port: its end, and the SDK bound to that. The SDK has a
// context for each client and none for each request.
type session struct {
	*Forge
	sdk *gitea.Client
	end context.CancelFunc
}

func (f *Forge) begin(ctx context.Context) (*session, error) {
	ctx, end := f.rest.Bound(ctx)
	// The version of the server is not asked for: what is used here all servers have
	// that are still kept up.
	sdk, err := gitea.NewClient(f.web.String(), gitea.SetContext(ctx), gitea.SetHTTPClient(f.rest.HTTP()), gitea.SetGiteaVersion(""), gitea.SetUserAgent("fairlead"))
	if err != nil {
		end()
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return &session{f, sdk, end}, nil
}

// Self implements reconcile.Forge. Gitea has no notion of a bot that it would tell.
func (f *Forge) Self(ctx context.Context) (reconcile.ForgeUser, error) {
	s, err := f.begin(ctx)
	if err != nil {
		return reconcile.ForgeUser{}, err
	}
	defer s.end()
	login, err := s.self()
	return reconcile.ForgeUser{Login: login}, err
}

func (s *session) self() (login string, err error) {
	user, response, err := s.sdk.GetMyUserInfo()
	if err != nil {
		return "", s.failed(rest.Call{Doing: "ask whose the token is", Needs: "read:user"}, response, err)
	}
	if user.UserName == "" {
		return "", s.odd("ask whose the token is", "it names no account")
	}
	return user.UserName, nil
}

// failed is the error of a call.
func (f *Forge) failed(call rest.Call, response *gitea.Response, err error, also ...error) error {
	var plain *http.Response
	message := ""
	if response != nil && response.Response != nil {
		plain = response.Response
		// The SDK's error is the message of the server, or for what is no JSON all of
		// the body.
		if plain.StatusCode >= http.StatusMultipleChoices && err != nil && strings.Contains(plain.Header.Get("Content-Type"), "json") {
			message = err.Error()
		}
	}
	return f.rest.Failed(call, plain, message, err, also...)
}

// odd is the error of an answer that makes no sense.
func (f *Forge) odd(doing, what string) error {
	return fmt.Errorf("%s: %s: %s; is that its address, and no proxy between?", f.Name(), doing, what)
}

// missing is the error of a call about a pull request. There is none of that number
// only if the repository itself is there.
func (s *session) missing(call rest.Call, response *gitea.Response, err error) error {
	if status(response) != http.StatusNotFound {
		return s.failed(call, response, err)
	}
	if err := s.repoIsThere(call.Doing); err != nil {
		return err
	}
	return s.failed(call, response, err, reconcile.ErrNoPull)
}

func (s *session) repoIsThere(doing string) error {
	if _, response, err := s.sdk.GetRepo(s.owner, s.repo); err != nil {
		return s.failed(rest.Call{Doing: doing + ", and look whether the repository is there", Needs: "read:repository"}, response, err)
	}
	return nil
}

func status(response *gitea.Response) int {
	if response == nil || response.Response == nil {
		return 0
	}
	return response.StatusCode
}

// perPage is the most that Gitea gives by default.
const perPage = 50

// pages reads all pages of a list until take has had enough. Some of Gitea's lists
// name the next page in a Link header, others tell how many items there are only.
func pages[T any](read func(gitea.ListOptions) ([]T, *gitea.Response, error), take func(T) (more bool)) (*gitea.Response, error) {
	seen := 0
	for page := range rest.MaxPages {
		items, response, err := read(gitea.ListOptions{Page: page + 1, PageSize: perPage})
		if err != nil {
			return response, err
		}
		for _, item := range items {
			if !take(item) {
				return response, nil
			}
		}
		seen += len(items)
		total, _ := strconv.Atoi(response.Header.Get("X-Total-Count"))
		if len(items) == 0 || response.NextPage == 0 && seen >= total {
			return response, nil
		}
	}
	return nil, fmt.Errorf("the list has more than %d pages", rest.MaxPages)
}

// all reads all pages of a list.
func all[T any](read func(gitea.ListOptions) ([]T, *gitea.Response, error)) ([]T, *gitea.Response, error) {
	var items []T
	response, err := pages(read, func(item T) bool {
		items = append(items, item)
		return true
	})
	return items, response, err
}

func login(user *gitea.User) string {
	if user == nil {
		return ""
	}
	return user.UserName
}
