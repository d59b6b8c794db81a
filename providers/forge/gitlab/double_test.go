package gitlab_test

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
	canary  = "glpat-canary0123456789"
	project = 278964
)

type object = map[string]any

// double speaks GitLab's REST API, and the one query of its GraphQL API, as far as
// Forge uses them.
type double struct {
	*world.World
	*world.Server

	statuses map[string][]object // oldest first, by commit
	untimed  bool                // as before version 17: approvals have no time
	quiet    bool                // GraphQL tells nothing

	beforeOpen func() // somebody else acts first, once
}

func newDouble(t *testing.T) *double {
	d := &double{World: world.New(), statuses: map[string][]object{}}
	mux := http.NewServeMux()
	handle := func(pattern string, answer func(r *http.Request) (int, any)) {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.Replace(path, "/P/", "/projects/acme%2Fmodels/", 1)
		mux.HandleFunc(method+" /api/v4"+path, func(w http.ResponseWriter, r *http.Request) {
			d.Lock()
			defer d.Unlock()
			status, value := answer(r)
			if list, isList := value.([]object); isList {
				value = d.page(w, r, list)
			}
			world.Answer(w, status, value)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { world.Answer(w, 404, object{"error": "404 Not Found"}) })
	handle("GET /user", func(*http.Request) (int, any) { return 200, d.user(world.Self) })
	handle("GET /projects/acme%2Fmodels", func(*http.Request) (int, any) { return 200, object{"id": project} })
	d.pullRoutes(handle)
	d.reviewRoutes(handle)
	d.pageRoutes(handle)
	mux.HandleFunc("POST /api/graphql", d.authors)
	d.Server = world.Serve(t, canary, mux, func(w http.ResponseWriter, _ *http.Request) {
		world.Answer(w, 401, object{"message": "401 Unauthorized"})
	}, nil)
	return d
}

var notFound = object{"message": "404 Not found"}

type routes = func(pattern string, answer func(r *http.Request) (int, any))

func (d *double) page(w http.ResponseWriter, r *http.Request, list []object) []object {
	number, _ := strconv.Atoi(cmp.Or(r.URL.Query().Get("page"), "1"))
	size, _ := strconv.Atoi(cmp.Or(r.URL.Query().Get("per_page"), "20"))
	cut, more := world.Page(list, number, min(size, d.PageSize()))
	w.Header().Set("X-Page", strconv.Itoa(number))
	w.Header().Set("Link", "<"+d.URL+`>; rel`) // malformed, as by a broken proxy
	if more {
		w.Header().Set("X-Next-Page", strconv.Itoa(number+1))
	} else {
		w.Header().Set("X-Next-Page", "")
	}
	if cut == nil {
		cut = []object{}
	}
	return cut
}

func (d *double) user(login string) any {
	if login == "" {
		return nil
	}
	return object{"id": d.Users[login].ID, "username": login, "name": strings.ToUpper(login), "state": "active", "bot": false}
}

func (d *double) wire(p *world.Pull) object {
	state := map[reconcile.PullState]string{reconcile.PullOpen: "opened", reconcile.PullMerged: "merged", reconcile.PullClosed: "closed"}[p.State]
	source := int64(project)
	if p.ForkOf != "" {
		source += d.Users[p.ForkOf].ID
	}
	o := object{
		"id": p.ID, "iid": p.Number, "project_id": project, "title": p.Title, "description": p.Body, "state": state, "created_at": p.Created, "updated_at": p.Updated,
		"source_branch": p.Head, "target_branch": p.Base, "source_project_id": source, "target_project_id": project, "author": d.user(p.Author),
		"sha": p.HeadSHA, "merge_commit_sha": nil, "squash_commit_sha": nil, "merge_user": nil, "merged_by": nil, "closed_by": d.user(p.Closer),
		"draft": false, "labels": p.Labels, "web_url": fmt.Sprintf("%s/acme/models/-/merge_requests/%d", d.URL, p.Number),
	}
	if p.State == reconcile.PullMerged {
		o["merge_commit_sha"], o["merge_user"], o["merged_by"] = p.Merged, d.user(p.MergedBy), d.user(p.MergedBy)
	}
	return o
}

func (d *double) about(answer func(r *http.Request, p *world.Pull) (int, any)) func(r *http.Request) (int, any) {
	return func(r *http.Request) (int, any) {
		number, _ := strconv.Atoi(r.PathValue("iid"))
		p := d.Pull(number)
		if p == nil {
			return 404, notFound
		}
		return answer(r, p)
	}
}

func (d *double) pullRoutes(handle routes) {
	handle("GET /P/merge_requests", func(r *http.Request) (int, any) {
		q := r.URL.Query()
		list := []object{}
		for _, p := range slices.Backward(d.Pulls) {
			if (q.Get("state") == "all" || p.State == reconcile.PullOpen) && (q.Get("target_branch") == "" || q.Get("target_branch") == p.Base) &&
				(q.Get("source_branch") == "" || q.Get("source_branch") == p.Head) {
				list = append(list, d.wire(p))
			}
		}
		return 200, list
	})
	handle("POST /P/merge_requests", func(r *http.Request) (int, any) {
		body := world.Read(r)
		head, base := body.Text("source_branch"), body.Text("target_branch")
		if d.beforeOpen != nil {
			d.beforeOpen()
			d.beforeOpen = nil
		}
		if d.Branches[head] == "" {
			return 400, object{"message": []string{"Source branch does not exist"}}
		}
		for _, p := range d.Pulls {
			if p.State == reconcile.PullOpen && p.Head == head && p.Base == base && p.ForkOf == "" {
				return 409, object{"message": []string{fmt.Sprintf("Another open merge request already exists for this source branch: !%d", p.Number)}}
			}
		}
		p := d.Open(world.Self, head, base, body.Text("title"), body.Text("description"), "", d.Branches[head])
		if labels := body.Text("labels"); labels != "" {
			p.Labels = strings.Split(labels, ",")
		}
		return 201, d.wire(p)
	})
	handle("GET /P/merge_requests/{iid}", d.about(func(_ *http.Request, p *world.Pull) (int, any) { return 200, d.wire(p) }))
	handle("PUT /P/merge_requests/{iid}", d.about(func(r *http.Request, p *world.Pull) (int, any) {
		body := world.Read(r)
		if title, is := body["title"].(string); is {
			p.Title = title
		}
		if text, is := body["description"].(string); is {
			p.Body = text
		}
		if body["state_event"] == "close" {
			p.State, p.Closer = reconcile.PullClosed, world.Self
		}
		p.Updated = d.Tick()
		return 200, d.wire(p)
	}))
	handle("GET /P/merge_requests/{iid}/commits", d.about(func(_ *http.Request, p *world.Pull) (int, any) {
		list := []object{}
		for _, id := range slices.Backward(d.CommitsOf(p)) {
			author := d.Commits[id].Author
			list = append(list, object{"id": id, "author_email": author + "@acme.example", "author_name": strings.ToUpper(author)})
		}
		return 200, list
	}))
	handle("GET /P/repository/commits/{sha}/merge_requests", func(r *http.Request) (int, any) {
		if d.Commits[r.PathValue("sha")] == nil {
			return 404, object{"message": "404 Commit Not Found"}
		}
		list := []object{}
		for _, p := range d.BroughtBy(r.PathValue("sha")) {
			list = append(list, d.wire(p))
		}
		return 200, list
	})
}

// authors answers the GraphQL query for the authors of commits.
func (d *double) authors(w http.ResponseWriter, r *http.Request) {
	d.Lock()
	defer d.Unlock()
	variables, _ := world.Read(r)["variables"].(object)
	number, _ := strconv.Atoi(fmt.Sprint(variables["iid"]))
	after, _ := variables["after"].(string)
	page, _ := strconv.Atoi(cmp.Or(after, "1"))
	p := d.Pull(number)
	if variables["path"] != "acme/models" || p == nil || d.quiet {
		world.Answer(w, 200, object{"data": object{"project": nil}})
		return
	}
	cut, more := world.Page(d.CommitsOf(p), page, d.PageSize())
	nodes := []object{}
	for _, id := range cut {
		nodes = append(nodes, object{"sha": id, "author": object{"username": d.Commits[id].Author}})
	}
	world.Answer(w, 200, object{"data": object{"project": object{"mergeRequest": object{"commits": object{
		"nodes": nodes, "pageInfo": object{"endCursor": strconv.Itoa(page + 1), "hasNextPage": more},
	}}}}})
}

// standing are the approvals that count, and the words that people said last.
func standing(p *world.Pull) map[string]*world.Review {
	said := map[string]*world.Review{}
	for _, r := range p.Reviews {
		if r.State != reconcile.ReviewCommented {
			said[r.By] = r
		}
	}
	return said
}

func (d *double) reviewRoutes(handle routes) {
	handle("GET /P/merge_requests/{iid}/approvals", d.about(func(_ *http.Request, p *world.Pull) (int, any) {
		by := []object{}
		for who, r := range standing(p) {
			if r.State == reconcile.ReviewApproved {
				approval := object{"user": d.user(who)}
				if !d.untimed {
					approval["approved_at"] = r.At
				}
				by = append(by, approval)
			}
		}
		return 200, object{"iid": p.Number, "approved": len(by) > 0, "approved_by": by}
	}))
	handle("GET /P/merge_requests/{iid}/reviewers", d.about(func(_ *http.Request, p *world.Pull) (int, any) {
		list := []object{}
		for who, r := range standing(p) {
			state := map[reconcile.ReviewState]string{reconcile.ReviewApproved: "approved", reconcile.ReviewChanges: "requested_changes", reconcile.ReviewDismissed: "unapproved"}[r.State]
			list = append(list, object{"user": d.user(who), "state": state, "created_at": p.Created})
		}
		return 200, list
	}))
	handle("GET /P/merge_requests/{iid}/versions", d.about(func(_ *http.Request, p *world.Pull) (int, any) {
		list := []object{}
		for _, v := range slices.Backward(p.Versions) {
			list = append(list, object{"id": v.ID, "head_commit_sha": v.Head, "created_at": v.At, "merge_request_id": p.ID, "state": "collected"})
		}
		return 200, list
	}))
	handle("GET /P/members/all/{id}", func(r *http.Request) (int, any) {
		for _, u := range d.Users {
			if strconv.FormatInt(u.ID, 10) == r.PathValue("id") {
				return 200, object{"id": u.ID, "username": u.Login, "state": "active", "access_level": map[bool]int{true: 30, false: 20}[u.Write]}
			}
		}
		return 404, notFound
	})
	handle("GET /groups/{group}/members/all", func(r *http.Request) (int, any) {
		team, inside := strings.CutPrefix(r.PathValue("group"), "acme/")
		members, found := d.Teams[team]
		if !inside || !found {
			return 404, object{"message": "404 Group Not Found"}
		}
		list := []object{}
		for _, m := range members {
			list = append(list, object{"username": m, "state": "active", "access_level": 30})
		}
		list = append(list, object{"username": "eve", "state": "awaiting", "access_level": 30})
		return 200, list
	})
}

// notes are those of people, and what GitLab noted itself.
func (d *double) notes(p *world.Pull) []*world.Comment {
	notes := slices.Clone(p.Comments)
	add := func(r *world.Review, at time.Time, body string) {
		notes = append(notes, &world.Comment{ID: r.ID, By: r.By, Body: body, At: at, System: true})
	}
	for _, r := range p.Reviews {
		switch r.State {
		case reconcile.ReviewApproved:
			add(r, r.At, "approved this merge request")
		case reconcile.ReviewChanges:
			add(r, r.At, "requested changes")
		case reconcile.ReviewDismissed:
			add(r, r.At, "approved this merge request")
			add(r, r.TakenAt, "unapproved this merge request")
		case reconcile.ReviewCommented:
		}
	}
	slices.SortStableFunc(notes, func(a, b *world.Comment) int { return a.At.Compare(b.At) })
	return notes
}

func (d *double) pageRoutes(handle routes) {
	note := func(c *world.Comment) object {
		return object{"id": c.ID, "body": c.Body, "author": d.user(c.By), "system": c.System, "created_at": c.At, "noteable_type": "MergeRequest"}
	}
	handle("GET /P/merge_requests/{iid}/notes", d.about(func(_ *http.Request, p *world.Pull) (int, any) {
		list := []object{}
		for _, c := range d.notes(p) {
			list = append(list, note(c))
		}
		return 200, list
	}))
	handle("POST /P/merge_requests/{iid}/notes", d.about(func(r *http.Request, p *world.Pull) (int, any) {
		return 201, note(d.Say(p, world.Self, world.Read(r).Text("body")))
	}))
	handle("PUT /P/merge_requests/{iid}/notes/{id}", func(r *http.Request) (int, any) {
		id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
		c := d.FindComment(id)
		if c == nil || c.By != world.Self {
			return 403, object{"message": "403 Forbidden"}
		}
		c.Body = world.Read(r).Text("body")
		return 200, note(c)
	})
	handle("GET /P/repository/commits/{sha}/statuses", func(r *http.Request) (int, any) {
		list := []object{}
		for _, s := range d.statuses[r.PathValue("sha")] {
			if s["name"] == r.URL.Query().Get("name") {
				list = append(list, s)
			}
		}
		return 200, list
	})
	handle("POST /P/statuses/{sha}", func(r *http.Request) (int, any) {
		body, sha := world.Read(r), r.PathValue("sha")
		text := body.Text("description")
		if d.Commits[sha] == nil || len([]rune(text)) > 255 {
			return 400, object{"message": object{"description": []string{"is too long (maximum is 255 characters)"}}}
		}
		for _, s := range d.statuses[sha] { // one that is under way is changed in place
			if s["name"] != body["name"] || s["status"] != "pending" && s["status"] != "running" {
				continue
			}
			if s["status"] == body["state"] || body["state"] == "pending" {
				return 400, object{"message": fmt.Sprintf(`Cannot transition status via :enqueue from :%s (Reason(s): Status cannot transition via "enqueue")`, s["status"])}
			}
			s["status"], s["description"], s["target_url"] = body["state"], body["description"], body["target_url"]
			return 201, s
		}
		s := object{"id": d.ID(), "sha": sha, "name": body["name"], "status": body["state"], "description": body["description"], "target_url": body["target_url"]}
		d.statuses[sha] = append(d.statuses[sha], s)
		return 201, s
	})
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
func (d *double) Secrets() []string { return []string{canary} }

// Statuses implements providertest.ForgeWorld.
func (d *double) Statuses(_ *testing.T, commit string) []providertest.ForgeStatus {
	d.Lock()
	defer d.Unlock()
	newest := map[string]providertest.ForgeStatus{}
	text := func(o object, key string) string { s, _ := o[key].(string); return s }
	for _, s := range d.statuses[commit] {
		state := map[string]reconcile.CommitState{"pending": reconcile.CommitPending, "running": reconcile.CommitPending, "success": reconcile.CommitSuccess, "failed": reconcile.CommitFailure}[text(s, "status")]
		newest[text(s, "name")] = providertest.ForgeStatus{Context: text(s, "name"), State: state, Text: text(s, "description"), URL: text(s, "target_url")}
	}
	var statuses []providertest.ForgeStatus
	for _, s := range newest {
		statuses = append(statuses, s)
	}
	return statuses
}
