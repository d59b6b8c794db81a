package forgetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// bodyLimit is what a request to the API may hold.
const bodyLimit = 4 << 20

// request is one call of the API, of a user, about a repository.
type request struct {
	*http.Request
	world *World
	user  *user
	repo  *Repo
	out   http.ResponseWriter
}

// answer is what a call returns: a status, and a value for the body.
type answer struct {
	status int
	body   any
}

func (w *World) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, call := range map[string]func(*request) (answer, error){
		"GET /api/v1/version":            func(*request) (answer, error) { return ok(map[string]string{"version": "1.26.0"}) },
		"GET /api/v1/user":               getSelf,
		"GET /api/v1/orgs/{org}/teams":   listTeams,
		"GET /api/v1/teams/{id}/members": listMembers,
	} {
		mux.Handle(pattern, w.call(call))
	}
	for pattern, call := range map[string]func(*request) (answer, error){
		"GET /pulls":                                  listPulls,
		"POST /pulls":                                 postPull,
		"GET /pulls/{n}":                              getPull,
		"PATCH /pulls/{n}":                            patchPull,
		"GET /pulls/{n}/commits":                      listCommits,
		"POST /pulls/{n}/merge":                       mergePull,
		"GET /pulls/{n}/reviews":                      listReviews,
		"POST /pulls/{n}/reviews":                     postReview,
		"POST /pulls/{n}/reviews/{review}/dismissals": dismissReview,
		"GET /commits/{sha}/pull":                     getBrought,
		"GET /commits/{sha}/statuses":                 listStatuses,
		"GET /commits":                                listHistory,
		"GET /git/commits/{sha}":                      getCommit,
		"POST /statuses/{sha}":                        postStatus,
		"GET /issues/{n}/comments":                    listComments,
		"POST /issues/{n}/comments":                   postComment,
		"GET /issues/{n}/timeline":                    listTimeline,
		"PATCH /issues/comments/{id}":                 patchComment,
		"GET /labels":                                 listLabels,
		"POST /labels":                                postLabel,
		"GET /git/refs/{ref...}":                      listRefs,
		"GET /{$}":                                    func(r *request) (answer, error) { return ok(r.repo.wire()) },
	} {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.TrimSuffix(path, "/{$}")
		mux.Handle(method+" /api/v1/repos/{owner}/{repo}"+path, w.call(ofRepo(call)))
	}
	mux.Handle("/{owner}/{repo}/", http.HandlerFunc(w.serveGit))
	return mux
}

func ok(body any) (answer, error) { return answer{http.StatusOK, body}, nil }

// call authenticates, makes one call under the lock of the world, and answers.
func (w *World) call(do func(*request) (answer, error)) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(rw, r.Body, bodyLimit)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.sync(nil)
		u, credential := w.authenticate(r)
		req := &request{Request: r, world: w, user: u, out: rw}
		if credential && u == nil {
			respond(rw, answer{http.StatusUnauthorized, w.problem("invalid username, password or token")})
			return
		}
		if r.Method != http.MethodGet && u == nil {
			respond(rw, answer{http.StatusUnauthorized, w.problem("token is required")})
			return
		}
		a, err := do(req)
		if err != nil {
			a = answer{statusOf(err), w.problem(err.Error())}
		}
		respond(rw, a)
	})
}

func ofRepo(do func(*request) (answer, error)) func(*request) (answer, error) {
	return func(r *request) (answer, error) {
		r.repo = r.world.repos[r.PathValue("owner")+"/"+r.PathValue("repo")]
		if r.repo == nil || r.repo.private && (r.user == nil || !r.repo.mayRead(r.user.login)) {
			return answer{}, errNotFound
		}
		return do(r)
	}
}

// authenticate finds the user of a request; credential tells whether it held one.
func (w *World) authenticate(r *http.Request) (u *user, credential bool) {
	token := ""
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "":
		return nil, false
	case "token", "bearer":
		token = value
	case "basic":
		login, password, _ := r.BasicAuth()
		token = password
		if password == "" || password == "x-oauth-basic" { // the token as the name
			token = login
		}
	}
	for _, u := range w.users {
		if token != "" && u.token == token {
			return u, true
		}
	}
	return nil, true
}

func (w *World) problem(message string) any {
	return map[string]any{"message": message, "url": w.URL + "/api/swagger"}
}

func statusOf(err error) int {
	var tooBig *http.MaxBytesError
	switch {
	case errors.Is(err, errNotFound):
		return http.StatusNotFound
	case errors.Is(err, errForbidden):
		return http.StatusForbidden
	case errors.Is(err, errMerged):
		return http.StatusPreconditionFailed
	case errors.Is(err, errConflict), errors.Is(err, errExists):
		return http.StatusConflict
	case errors.Is(err, errInvalid), errors.Is(err, errOwnPull):
		return http.StatusUnprocessableEntity
	case errors.As(err, &tooBig):
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusInternalServerError
}

func respond(rw http.ResponseWriter, a answer) {
	if a.body == nil {
		rw.WriteHeader(a.status)
		return
	}
	rw.Header().Set("Content-Type", "application/json;charset=utf-8")
	rw.WriteHeader(a.status)
	_ = json.NewEncoder(rw).Encode(a.body) // who hung up wants no answer
}

// read decodes the body of a request.
func (r *request) read(into any) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%w: %w", errInvalid, err)
	}
	return nil
}

func (r *request) number(name string) int {
	n, _ := strconv.Atoi(r.PathValue(name))
	return n
}

func (r *request) pull() (*pull, error) { return r.repo.pull(r.number("n")) }

// page cuts the page out of a list that the request asks for. Some of Gitea's lists
// tell the next page by a Link header, all tell how many items there are.
func page[T any](r *request, items []T, links bool) (answer, error) {
	most := r.world.PageSize
	if most == 0 {
		most = 50
	}
	size, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	if size <= 0 || size > most {
		size = most
	}
	number, _ := strconv.Atoi(r.URL.Query().Get("page"))
	number = max(number, 1)
	from := min((number-1)*size, len(items))
	to := min(from+size, len(items))
	r.out.Header().Set("X-Total-Count", strconv.Itoa(len(items)))
	if links && to < len(items) {
		next := *r.URL
		query := next.Query()
		query.Set("page", strconv.Itoa(number+1))
		next.RawQuery = query.Encode()
		r.out.Header().Set("Link", fmt.Sprintf(`<%s%s>; rel="next"`, r.world.URL, next.RequestURI()))
	}
	return ok(append([]T{}, items[from:to]...))
}

func getSelf(r *request) (answer, error) {
	if r.user == nil {
		return answer{http.StatusUnauthorized, r.world.problem("token is required")}, nil
	}
	return ok(r.world.wireUser(r.user.login))
}

func listTeams(r *request) (answer, error) {
	var teams []*wireTeam
	in := false
	for _, t := range r.world.teams {
		if t.org == r.PathValue("org") {
			teams = append(teams, &wireTeam{ID: t.id, Name: t.name})
			in = in || r.in(t)
		}
	}
	switch {
	case len(teams) == 0:
		return answer{}, errNotFound // a user is no organization
	case !in:
		return answer{http.StatusForbidden, r.world.problem("Must be an organization member")}, nil
	}
	return page(r, teams, true)
}

// in tells whether the user of a request is a member of a team.
func (r *request) in(t *team) bool {
	return r.user != nil && slices.Contains(t.members, r.user.login)
}

func listMembers(r *request) (answer, error) {
	for _, t := range r.world.teams {
		if t.id == int64(r.number("id")) {
			owner := slices.ContainsFunc(r.world.teams, func(o *team) bool { return o.org == t.org && o.name == Owners && r.in(o) })
			if !owner && !r.in(t) {
				return answer{http.StatusForbidden, r.world.problem("Must be a team member")}, nil
			}
			var members []*wireUser
			for _, login := range t.members {
				members = append(members, r.world.wireUser(login))
			}
			return page(r, members, true)
		}
	}
	return answer{}, errNotFound
}
