package forgetest

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
)

func listPulls(r *request) (answer, error) {
	query := r.URL.Query()
	var out []*wirePull
	for _, p := range slices.Backward(r.repo.pulls) {
		state := query.Get("state")
		if state == "" {
			state = "open"
		}
		if state != "all" && (state == "open") != p.open || query.Get("base_branch") != "" && query.Get("base_branch") != p.base {
			continue
		}
		told := r.repo.wirePull(p)
		told.MergedBy = nil // only the pull request by itself tells
		out = append(out, told)
	}
	if query.Get("sort") == "recentupdate" {
		slices.SortStableFunc(out, func(a, b *wirePull) int { return b.Updated.Compare(*a.Updated) })
	}
	return page(r, out, true)
}

func postPull(r *request) (answer, error) {
	var ask struct {
		Head, Base, Title, Body string
		Labels                  []int64
	}
	if err := r.read(&ask); err != nil {
		return answer{}, err
	}
	p, err := r.repo.openPull(r.user.login, ask.Head, ask.Base, ask.Title, ask.Body, ask.Labels)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, r.repo.wirePull(p)}, nil
}

func getPull(r *request) (answer, error) {
	p, err := r.pull()
	if err != nil {
		return answer{}, err
	}
	return ok(r.repo.wirePull(p))
}

func patchPull(r *request) (answer, error) {
	p, err := r.pull()
	if err != nil {
		return answer{}, err
	}
	var ask struct {
		Title string
		Body  *string
		State *string
	}
	if err := r.read(&ask); err != nil {
		return answer{}, err
	}
	if r.user.login != p.author && !r.repo.mayWrite(r.user.login) {
		return answer{}, errForbidden
	}
	if ask.Title != "" {
		p.title, p.updated = ask.Title, now()
	}
	if ask.Body != nil {
		p.body, p.updated = *ask.Body, now()
	}
	if ask.State != nil {
		if err := r.repo.setOpen(p, r.user, *ask.State == "open"); err != nil {
			return answer{}, err
		}
	}
	return answer{http.StatusCreated, r.repo.wirePull(p)}, nil
}

func listCommits(r *request) (answer, error) {
	p, err := r.pull()
	if err != nil {
		return answer{}, err
	}
	base := "refs/heads/" + p.base
	if p.merged != "" {
		base = p.mergeBase
	}
	commits, err := r.repo.wireCommits(base, p.ref())
	if err != nil {
		return answer{}, err
	}
	return page(r, commits, true)
}

// listHistory lists what leads to a commit, newest first.
func listHistory(r *request) (answer, error) {
	tip := r.repo.resolve(r.URL.Query().Get("sha") + "^{commit}")
	if tip == "" {
		return answer{}, errNotFound
	}
	commits, err := r.repo.wireCommits("", tip)
	if err != nil {
		return answer{}, err
	}
	return page(r, commits, true)
}

func getCommit(r *request) (answer, error) {
	id := r.repo.resolve(r.PathValue("sha") + "^{commit}")
	if id == "" {
		return answer{}, errNotFound
	}
	commits, err := r.repo.wireCommits("", id)
	if err != nil {
		return answer{}, err
	}
	return ok(commits[0])
}

func mergePull(r *request) (answer, error) {
	p, err := r.pull()
	if err != nil {
		return answer{}, err
	}
	var ask struct {
		Do   string `json:"Do"`
		Head string `json:"head_commit_id"`
	}
	if err := r.read(&ask); err != nil {
		return answer{}, err
	}
	if !p.open {
		return answer{http.StatusMethodNotAllowed, r.world.problem("The PR is already merged")}, nil
	}
	if !r.repo.mayWrite(r.user.login) {
		return answer{http.StatusMethodNotAllowed, r.world.problem("User not allowed to merge PR")}, nil
	}
	if ask.Head != "" && ask.Head != p.headSHA {
		return answer{http.StatusConflict, r.world.problem("head out of date")}, nil
	}
	if err := r.repo.merge(p, r.user, ask.Do); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK}, nil
}

func listReviews(r *request) (answer, error) {
	p, err := r.pull()
	if err != nil {
		return answer{}, err
	}
	var out []*wireReview
	for _, rev := range p.reviews {
		out = append(out, r.world.wireReview(rev))
	}
	return page(r, out, false)
}

func postReview(r *request) (answer, error) {
	p, err := r.pull()
	if err != nil {
		return answer{}, err
	}
	var ask struct {
		Event, Body string
		CommitID    string `json:"commit_id"`
	}
	if err := r.read(&ask); err != nil {
		return answer{}, err
	}
	rev, err := r.repo.addReview(p, r.user, ask.Event, ask.Body, ask.CommitID)
	if err != nil {
		return answer{}, err
	}
	return ok(r.world.wireReview(rev))
}

func dismissReview(r *request) (answer, error) {
	p, err := r.pull()
	if err != nil {
		return answer{}, err
	}
	if !r.repo.mayWrite(r.user.login) {
		return answer{}, errForbidden
	}
	for _, rev := range p.reviews {
		if rev.id == int64(r.number("review")) {
			rev.dismissed = rev.dismissed || rev.state != Commented
			return ok(r.world.wireReview(rev))
		}
	}
	return answer{}, errNotFound
}

func getBrought(r *request) (answer, error) {
	for _, p := range r.repo.pulls {
		if p.merged != "" && p.merged == r.PathValue("sha") {
			return ok(r.repo.wirePull(p))
		}
	}
	return answer{}, errNotFound
}

func listStatuses(r *request) (answer, error) {
	sha := r.repo.resolve(r.PathValue("sha") + "^{commit}")
	var out []*wireStatus
	for _, s := range slices.Backward(r.repo.statuses) {
		if s.sha == sha {
			out = append(out, r.world.wireStatus(s))
		}
	}
	return page(r, out, true)
}

func postStatus(r *request) (answer, error) {
	var ask struct {
		State, Description, Context string
		TargetURL                   string `json:"target_url"`
	}
	if err := r.read(&ask); err != nil {
		return answer{}, err
	}
	s := &status{sha: r.PathValue("sha"), context: ask.Context, state: ask.State, text: ask.Description, url: ask.TargetURL}
	switch err := r.repo.setStatus(r.user, s); {
	case errors.Is(err, errNotFound): // so it does
		return answer{http.StatusInternalServerError, r.world.problem("")}, nil
	case err != nil:
		return answer{}, err
	}
	return answer{http.StatusCreated, r.world.wireStatus(s)}, nil
}

// listComments does not page, and does not say of a number that there is none of it:
// neither does Gitea.
func listComments(r *request) (answer, error) {
	p, err := r.pull()
	if err != nil {
		return answer{http.StatusInternalServerError, r.world.problem("")}, nil
	}
	out := []*wireComment{}
	for _, c := range p.comments {
		out = append(out, r.world.wireComment(c))
	}
	return ok(out)
}

// listTimeline tells the comments and the events of a pull request.
func listTimeline(r *request) (answer, error) {
	p, err := r.pull()
	if err != nil {
		return answer{}, err
	}
	var out []*wireEvent
	for _, c := range p.comments {
		out = append(out, &wireEvent{ID: c.id, Type: "comment", User: r.world.wireUser(c.by), Body: c.body})
	}
	for _, e := range p.events {
		out = append(out, &wireEvent{ID: e.id, Type: e.kind, User: r.world.wireUser(e.by)})
	}
	slices.SortFunc(out, func(a, b *wireEvent) int { return cmp.Compare(a.ID, b.ID) })
	return page(r, out, false)
}

func postComment(r *request) (answer, error) {
	p, err := r.pull()
	if err != nil {
		return answer{}, err
	}
	var ask struct{ Body string }
	if err := r.read(&ask); err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, r.world.wireComment(r.repo.addComment(p, r.user, ask.Body))}, nil
}

func patchComment(r *request) (answer, error) {
	var ask struct{ Body string }
	if err := r.read(&ask); err != nil {
		return answer{}, err
	}
	for _, p := range r.repo.pulls {
		for _, c := range p.comments {
			if c.id != int64(r.number("id")) {
				continue
			}
			if c.by != r.user.login && !r.repo.mayWrite(r.user.login) {
				return answer{}, errForbidden
			}
			c.body = ask.Body
			return ok(r.world.wireComment(c))
		}
	}
	return answer{}, errNotFound
}

func listLabels(r *request) (answer, error) {
	var out []*wireLabel
	for _, l := range r.repo.labels {
		out = append(out, &wireLabel{ID: l.id, Name: l.name, Color: l.color})
	}
	return page(r, out, false)
}

func postLabel(r *request) (answer, error) {
	var ask struct{ Name, Color string }
	if err := r.read(&ask); err != nil {
		return answer{}, err
	}
	if !r.repo.mayWrite(r.user.login) {
		return answer{}, errForbidden
	}
	l := &label{id: r.world.nextID(), name: ask.Name, color: strings.TrimPrefix(ask.Color, "#")}
	r.repo.labels = append(r.repo.labels, l)
	return answer{http.StatusCreated, &wireLabel{ID: l.id, Name: l.name, Color: l.color}}, nil
}

// listRefs lists the refs that begin with what is asked for.
func listRefs(r *request) (answer, error) {
	out, err := r.repo.git(nil, "for-each-ref", "--format=%(objecttype) %(objectname) %(refname)")
	if err != nil {
		return answer{}, err
	}
	var refs []wireRef
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) != 3 || !strings.HasPrefix(f[2], "refs/"+r.PathValue("ref")) {
			continue
		}
		var ref wireRef
		ref.Object.Type, ref.Object.SHA, ref.Ref = f[0], f[1], f[2]
		refs = append(refs, ref)
	}
	if len(refs) == 0 {
		return answer{}, errNotFound
	}
	return ok(refs)
}
