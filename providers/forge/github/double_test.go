package github_test

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/forge/internal/world"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
)

const (
	canary    = "ghp_canary0123456789abcdefghijklmnop"
	repoID    = 4711
	appID     = 99
	appSlug   = "fairlead-app"
	installed = 1234
)

type object = map[string]any

// double speaks GitHub's REST API, as far as Forge uses it.
type double struct {
	*world.World
	*world.Server

	self     string
	statuses map[string][]object // oldest first, by commit
	runs     map[string][]object
	minted   int // tokens of the installation
	jwts     []string
	life     time.Duration // of such a token

	beforeOpen   func() // somebody else acts first, once
	noLabels     bool
	breakUpdates bool // of check runs
}

func newDouble(t *testing.T) *double {
	d := &double{World: world.New(), self: world.Self, statuses: map[string][]object{}, runs: map[string][]object{}, life: time.Hour}
	mux := http.NewServeMux()
	handle := func(pattern string, answer func(r *http.Request) (int, any)) {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.Replace(path, "/R/", "/repos/"+world.Owner+"/"+world.Repo+"/", 1)
		mux.HandleFunc(method+" /api/v3"+path, func(w http.ResponseWriter, r *http.Request) {
			d.Lock()
			defer d.Unlock()
			status, value := answer(r)
			if list, isList := value.([]object); isList {
				value = d.page(w, r, list)
			}
			if pages, isPaged := value.(paged); isPaged {
				pages.object[pages.key] = d.page(w, r, pages.list)
				value = pages.object
			}
			world.Answer(w, status, value)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { world.Answer(w, 404, notFound) })
	handle("GET /user", func(*http.Request) (int, any) { return 200, object{"login": world.Self, "id": 1, "type": "User"} })
	handle("GET /repos/"+world.Owner+"/"+world.Repo, func(*http.Request) (int, any) { return 200, d.repository("") })
	d.pullRoutes(handle)
	d.talkRoutes(handle)
	d.statusRoutes(handle)
	d.appRoutes(handle)
	d.Server = world.Serve(t, canary, mux, func(w http.ResponseWriter, _ *http.Request) {
		world.Answer(w, 401, object{"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401"})
	}, func(r *http.Request) bool {
		return strings.Contains(r.URL.Path, "/app") || strings.HasSuffix(r.URL.Path, "/installation")
	})
	return d
}

var notFound = object{"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}

// paged is a list within an object.
type paged struct {
	object object
	key    string
	list   []object
}

type routes = func(pattern string, answer func(r *http.Request) (int, any))

// page cuts a list, with the Link header of RFC 8288.
func (d *double) page(w http.ResponseWriter, r *http.Request, list []object) []object {
	number, _ := strconv.Atoi(cmp.Or(r.URL.Query().Get("page"), "1"))
	size, _ := strconv.Atoi(cmp.Or(r.URL.Query().Get("per_page"), "30"))
	cut, more := world.Page(list, number, min(size, d.PageSize()))
	if more {
		next := *r.URL
		query := next.Query()
		query.Set("page", strconv.Itoa(number+1))
		next.RawQuery = query.Encode()
		w.Header().Set("Link", fmt.Sprintf(`<%s%s>; rel="next"`, d.URL, next.String()))
	}
	if cut == nil {
		cut = []object{}
	}
	return cut
}

func (d *double) repository(fork string) object {
	if fork == "" {
		return object{"id": repoID, "full_name": world.Owner + "/" + world.Repo}
	}
	return object{"id": repoID + d.Users[fork].ID, "full_name": fork + "/" + world.Repo, "fork": true}
}

func user(login string) any {
	if login == "" {
		return nil
	}
	kind := "User"
	if strings.HasSuffix(login, "[bot]") {
		kind = "Bot"
	}
	return object{"login": login, "type": kind}
}

// wire is a pull request; of a list it tells less.
func (d *double) wire(p *world.Pull, full bool) object {
	state, mergedAt, trial := "open", any(nil), fmt.Sprintf("%040x", 0xeeee+p.Number)
	if p.State != reconcile.PullOpen {
		state = "closed"
	}
	if p.State == reconcile.PullMerged {
		mergedAt, trial = p.Updated, p.Merged
	}
	labels := []object{}
	for _, l := range p.Labels {
		labels = append(labels, object{"name": l})
	}
	owner := cmp.Or(p.ForkOf, world.Owner)
	o := object{
		"id": p.ID, "number": p.Number, "state": state, "title": p.Title, "body": strings.ReplaceAll(p.Body, "\n", "\r\n"), "user": user(p.Author), "draft": false,
		"html_url":   fmt.Sprintf("%s/%s/%s/pull/%d", d.URL, world.Owner, world.Repo, p.Number),
		"created_at": p.Created, "updated_at": p.Updated, "merged_at": mergedAt, "merge_commit_sha": trial, "labels": labels,
		"head": object{"ref": p.Head, "sha": p.HeadSHA, "label": owner + ":" + p.Head, "repo": d.repository(p.ForkOf)},
		"base": object{"ref": p.Base, "sha": p.BaseSHA, "repo": d.repository("")},
	}
	if full {
		o["merged"], o["merged_by"], o["commits"] = p.State == reconcile.PullMerged, user(p.MergedBy), len(d.CommitsOf(p))
	}
	return o
}

// about answers about the pull request that a path names.
func (d *double) about(answer func(r *http.Request, p *world.Pull) (int, any)) func(r *http.Request) (int, any) {
	return func(r *http.Request) (int, any) {
		number, _ := strconv.Atoi(r.PathValue("number"))
		p := d.Pull(number)
		if p == nil {
			return 404, notFound
		}
		return answer(r, p)
	}
}

func (d *double) pullRoutes(handle routes) {
	handle("GET /R/pulls", func(r *http.Request) (int, any) {
		q := r.URL.Query()
		list := []object{}
		for _, p := range slices.Backward(d.Pulls) {
			open := p.State == reconcile.PullOpen
			label := cmp.Or(p.ForkOf, world.Owner) + ":" + p.Head
			if (q.Get("state") == "all" || open) && (q.Get("base") == "" || q.Get("base") == p.Base) && (q.Get("head") == "" || q.Get("head") == label) {
				list = append(list, d.wire(p, false))
			}
		}
		return 200, list
	})
	handle("POST /R/pulls", func(r *http.Request) (int, any) {
		body := world.Read(r)
		head, base := body.Text("head"), body.Text("base")
		if d.beforeOpen != nil {
			d.beforeOpen()
			d.beforeOpen = nil
		}
		if d.Branches[head] == "" {
			return 422, object{"message": "Validation Failed", "errors": []object{{"resource": "PullRequest", "field": "head", "code": "invalid"}}}
		}
		for _, p := range d.Pulls {
			if p.State == reconcile.PullOpen && p.Head == head && p.Base == base && p.ForkOf == "" {
				return 422, object{"message": "Validation Failed", "errors": []object{{"resource": "PullRequest", "code": "custom", "message": "A pull request already exists for acme:" + head + "."}}}
			}
		}
		return 201, d.wire(d.Open(d.self, head, base, body.Text("title"), body.Text("body"), "", d.Branches[head]), true)
	})
	handle("GET /R/pulls/{number}", d.about(func(_ *http.Request, p *world.Pull) (int, any) { return 200, d.wire(p, true) }))
	handle("PATCH /R/pulls/{number}", d.about(func(r *http.Request, p *world.Pull) (int, any) {
		body := world.Read(r)
		if title, is := body["title"].(string); is {
			p.Title = title
		}
		if text, is := body["body"].(string); is {
			p.Body = text
		}
		if body["state"] == "closed" {
			p.State, p.Closer = reconcile.PullClosed, d.self
		}
		p.Updated = d.Tick()
		return 200, d.wire(p, true)
	}))
	handle("GET /R/issues/{number}", d.about(func(_ *http.Request, p *world.Pull) (int, any) {
		return 200, object{"number": p.Number, "closed_by": user(p.Closer)}
	}))
	handle("GET /R/pulls/{number}/commits", d.about(func(_ *http.Request, p *world.Pull) (int, any) {
		list := []object{}
		for _, id := range d.CommitsOf(p) {
			author := d.Commits[id].Author
			list = append(list, object{"sha": id, "author": user(author), "commit": object{"author": object{"email": author + "@acme.example"}}})
		}
		return 200, list
	}))
	handle("GET /R/commits/{sha}/pulls", func(r *http.Request) (int, any) {
		list := []object{}
		for _, p := range d.BroughtBy(r.PathValue("sha")) {
			list = append(list, d.wire(p, false))
		}
		return 200, list
	})
}

func (d *double) talkRoutes(handle routes) {
	words := map[reconcile.ReviewState]string{
		reconcile.ReviewApproved: "APPROVED", reconcile.ReviewChanges: "CHANGES_REQUESTED", reconcile.ReviewCommented: "COMMENTED", reconcile.ReviewDismissed: "DISMISSED",
	}
	handle("GET /R/pulls/{number}/reviews", d.about(func(_ *http.Request, p *world.Pull) (int, any) {
		list := []object{}
		for _, r := range p.Reviews {
			list = append(list, object{"id": r.ID, "user": user(r.By), "state": words[r.State], "commit_id": r.Commit, "submitted_at": r.At, "author_association": "MEMBER"})
		}
		return 200, list
	}))
	handle("GET /R/collaborators/{login}/permission", func(r *http.Request) (int, any) {
		u := d.Users[r.PathValue("login")]
		if u == nil {
			return 404, notFound
		}
		return 200, object{"permission": map[bool]string{true: "write", false: "read"}[u.Write], "user": user(u.Login)}
	})
	handle("GET /orgs/{org}/teams/{team}/members", func(r *http.Request) (int, any) {
		members, found := d.Teams[r.PathValue("team")]
		if !found || r.PathValue("org") != world.Owner {
			return 404, notFound
		}
		list := []object{}
		for _, m := range members {
			list = append(list, user(m).(object))
		}
		return 200, list
	})
	comment := func(c *world.Comment) object {
		return object{"id": c.ID, "user": user(c.By), "body": c.Body, "created_at": c.At}
	}
	handle("GET /R/issues/{number}/comments", d.about(func(_ *http.Request, p *world.Pull) (int, any) {
		list := []object{}
		for _, c := range p.Comments {
			list = append(list, comment(c))
		}
		return 200, list
	}))
	handle("POST /R/issues/{number}/comments", d.about(func(r *http.Request, p *world.Pull) (int, any) {
		return 201, comment(d.Say(p, d.self, world.Read(r).Text("body")))
	}))
	handle("PATCH /R/issues/comments/{id}", func(r *http.Request) (int, any) {
		id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
		c := d.FindComment(id)
		if c == nil || c.By != d.self {
			return 404, notFound
		}
		c.Body = world.Read(r).Text("body")
		return 200, comment(c)
	})
	handle("POST /R/issues/{number}/labels", d.about(func(r *http.Request, p *world.Pull) (int, any) {
		if d.noLabels {
			return 403, object{"message": "Resource not accessible by integration"}
		}
		labels, _ := world.Read(r)["labels"].([]any)
		for _, l := range labels {
			p.Labels = append(p.Labels, fmt.Sprint(l))
		}
		return 200, []object{}
	}))
}

func (d *double) statusRoutes(handle routes) {
	handle("GET /R/commits/{sha}/status", func(r *http.Request) (int, any) {
		newest := []object{}
		for _, s := range slices.Backward(d.statuses[r.PathValue("sha")]) {
			if !slices.ContainsFunc(newest, func(o object) bool { return o["context"] == s["context"] }) {
				newest = append(newest, s)
			}
		}
		return 200, paged{object{"sha": r.PathValue("sha")}, "statuses", newest}
	})
	handle("POST /R/statuses/{sha}", func(r *http.Request) (int, any) {
		s, sha := world.Read(r), r.PathValue("sha")
		if text := s.Text("description"); len([]rune(text)) > 140 || d.Commits[sha] == nil {
			return 422, object{"message": "Validation Failed"}
		}
		d.statuses[sha] = append(d.statuses[sha], s)
		return 201, s
	})
	handle("GET /R/commits/{sha}/check-runs", func(r *http.Request) (int, any) {
		runs := []object{}
		for _, run := range d.runs[r.PathValue("sha")] {
			if run["name"] == r.URL.Query().Get("check_name") {
				runs = append(runs, run)
			}
		}
		return 200, paged{object{"total_count": len(runs)}, "check_runs", runs}
	})
	save := func(run, body object) (int, any) {
		out, _ := body["output"].(object)
		annotations, _ := out["annotations"].([]any)
		if len(annotations) > 50 || out["title"] == "" || out["summary"] == "" {
			return 422, object{"message": "Invalid request. No more than 50 items are allowed."}
		}
		for key, value := range body {
			if key != "output" {
				run[key] = value
			}
		}
		all, _ := run["annotations"].([]any) // what the double keeps, beside the wire
		run["annotations"] = append(all, annotations...)
		run["output"] = object{"title": out["title"], "summary": out["summary"], "annotations_count": len(all) + len(annotations)}
		return 201, run
	}
	handle("POST /R/check-runs", func(r *http.Request) (int, any) {
		body := world.Read(r)
		sha := body.Text("head_sha")
		if d.Commits[sha] == nil {
			return 422, object{"message": "No commit found for SHA: " + sha}
		}
		run := object{"id": d.ID()}
		d.runs[sha] = append(d.runs[sha], run)
		return save(run, body)
	})
	handle("PATCH /R/check-runs/{id}", func(r *http.Request) (int, any) {
		if d.breakUpdates {
			return 500, object{"message": "Server Error"}
		}
		for _, runs := range d.runs {
			for _, run := range runs {
				if fmt.Sprint(run["id"]) == r.PathValue("id") {
					return save(run, world.Read(r))
				}
			}
		}
		return 404, notFound
	})
}

func (d *double) appRoutes(handle routes) {
	proved := func(answer func(r *http.Request) (int, any)) func(r *http.Request) (int, any) {
		return func(r *http.Request) (int, any) {
			proof := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			if strings.Count(proof, ".") != 2 {
				return 401, object{"message": "A JSON web token could not be decoded"}
			}
			d.jwts = append(d.jwts, proof)
			return answer(r)
		}
	}
	handle("GET /app", proved(func(*http.Request) (int, any) { return 200, object{"id": appID, "slug": appSlug} }))
	handle("GET /R/installation", proved(func(*http.Request) (int, any) { return 200, object{"id": installed} }))
	handle("POST /app/installations/{id}/access_tokens", proved(func(r *http.Request) (int, any) {
		if r.PathValue("id") != strconv.Itoa(installed) {
			return 404, notFound
		}
		d.minted++
		token := fmt.Sprintf("ghs_canary%d", d.minted)
		d.Tokens(token)
		return 201, object{"token": token, "expires_at": time.Now().Add(d.life).UTC().Format(time.RFC3339)}
	}))
}

// Lacks implements providertest.ForgeWorld: nothing.
func (d *double) Lacks() providertest.ForgeLacks { return providertest.ForgeLacks{} }

// Comments implements providertest.ForgeWorld.
func (d *double) Comments(t *testing.T, number int) []providertest.ForgeComment {
	var comments []providertest.ForgeComment
	for _, c := range d.Said(t, number) {
		comments = append(comments, providertest.ForgeComment{By: c.By, Body: c.Body})
	}
	return comments
}

// Secrets implements providertest.ForgeWorld.
func (d *double) Secrets() []string {
	d.Lock()
	defer d.Unlock()
	return append([]string{canary, "ghs_canary"}, d.jwts...)
}

// Statuses implements providertest.ForgeWorld, for commit statuses and check runs.
func (d *double) Statuses(_ *testing.T, commit string) []providertest.ForgeStatus {
	d.Lock()
	defer d.Unlock()
	newest := map[string]providertest.ForgeStatus{}
	text := func(o object, key string) string { s, _ := o[key].(string); return s }
	for _, s := range d.statuses[commit] {
		newest[text(s, "context")] = providertest.ForgeStatus{Context: text(s, "context"), State: reconcile.CommitState(text(s, "state")), Text: text(s, "description"), URL: text(s, "target_url")}
	}
	for _, run := range d.runs[commit] {
		state := map[string]reconcile.CommitState{"success": reconcile.CommitSuccess, "failure": reconcile.CommitFailure, "action_required": reconcile.CommitHeld, "": reconcile.CommitPending}[text(run, "conclusion")]
		newest[text(run, "name")] = providertest.ForgeStatus{Context: text(run, "name"), State: state, Text: text(run["output"].(object), "title"), URL: text(run, "details_url")}
	}
	var statuses []providertest.ForgeStatus
	for _, s := range newest {
		statuses = append(statuses, s)
	}
	return statuses
}
