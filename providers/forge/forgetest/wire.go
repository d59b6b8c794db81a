package forgetest

import (
	"fmt"
	"strings"
	"time"
)

// The shapes of Gitea's API, as far as they are used.

type wireUser struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Email string `json:"email"`
	URL   string `json:"html_url"`
}

type wireRepo struct {
	ID       int64     `json:"id"`
	Owner    *wireUser `json:"owner"`
	Name     string    `json:"name"`
	FullName string    `json:"full_name"`
	Private  bool      `json:"private"`
	Fork     bool      `json:"fork"`
	HTMLURL  string    `json:"html_url"`
	CloneURL string    `json:"clone_url"`
	Default  string    `json:"default_branch"`
}

type wireBranch struct {
	Label  string    `json:"label"`
	Ref    string    `json:"ref"`
	SHA    string    `json:"sha"`
	RepoID int64     `json:"repo_id"`
	Repo   *wireRepo `json:"repo"`
}

type wireLabel struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Color string `json:"color"`
}

type wirePull struct {
	ID        int64        `json:"id"`
	URL       string       `json:"url"`
	Number    int          `json:"number"`
	User      *wireUser    `json:"user"`
	Title     string       `json:"title"`
	Body      string       `json:"body"`
	Labels    []*wireLabel `json:"labels"`
	State     string       `json:"state"`
	Draft     bool         `json:"draft"`
	HTMLURL   string       `json:"html_url"`
	Mergeable bool         `json:"mergeable"`
	Merged    bool         `json:"merged"`
	MergedAt  *time.Time   `json:"merged_at"`
	MergedSHA *string      `json:"merge_commit_sha"`
	MergedBy  *wireUser    `json:"merged_by"`
	Base      *wireBranch  `json:"base"`
	Head      *wireBranch  `json:"head"`
	MergeBase string       `json:"merge_base"`
	Created   *time.Time   `json:"created_at"`
	Updated   *time.Time   `json:"updated_at"`
	Closed    *time.Time   `json:"closed_at"`
}

type wireReview struct {
	ID        int64     `json:"id"`
	User      *wireUser `json:"user"`
	State     string    `json:"state"`
	Body      string    `json:"body"`
	CommitID  string    `json:"commit_id"`
	Stale     bool      `json:"stale"`
	Official  bool      `json:"official"`
	Dismissed bool      `json:"dismissed"`
	Submitted time.Time `json:"submitted_at"`
}

type wireComment struct {
	ID      int64     `json:"id"`
	User    *wireUser `json:"user"`
	Body    string    `json:"body"`
	Created time.Time `json:"created_at"`
	Updated time.Time `json:"updated_at"`
}

type wireEvent struct {
	ID   int64     `json:"id"`
	Type string    `json:"type"`
	User *wireUser `json:"user"`
	Body string    `json:"body"`
}

type wireStatus struct {
	ID          int64     `json:"id"`
	Status      string    `json:"status"`
	TargetURL   string    `json:"target_url"`
	Description string    `json:"description"`
	Context     string    `json:"context"`
	Creator     *wireUser `json:"creator"`
	Created     time.Time `json:"created_at"`
}

type wirePerson struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Date  string `json:"date"`
}

type wireCommitBody struct {
	Author    wirePerson `json:"author"`
	Committer wirePerson `json:"committer"`
	Message   string     `json:"message"`
}

type wireParent struct {
	SHA string `json:"sha"`
}

type wireCommit struct {
	SHA     string         `json:"sha"`
	Parents []wireParent   `json:"parents"`
	HTMLURL string         `json:"html_url"`
	Commit  wireCommitBody `json:"commit"`
	Author  *wireUser      `json:"author"` // null: no account of that address
}

type wireTeam struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type wireRef struct {
	Ref    string `json:"ref"`
	Object struct {
		Type string `json:"type"`
		SHA  string `json:"sha"`
	} `json:"object"`
}

func (w *World) wireUser(login string) *wireUser {
	u := w.users[login]
	if u == nil {
		return &wireUser{ID: -1, Login: "Ghost"}
	}
	return &wireUser{ID: u.id, Login: u.login, Email: u.email, URL: w.URL + "/" + u.login}
}

func (r *Repo) wire() *wireRepo {
	return &wireRepo{
		ID: r.id, Owner: &wireUser{Login: r.owner}, Name: r.name, FullName: r.FullName(), Private: r.private, Fork: r.fork,
		HTMLURL: r.world.URL + "/" + r.FullName(), CloneURL: r.CloneURL(), Default: "main",
	}
}

func (r *Repo) pullURL(p *pull) string {
	return fmt.Sprintf("%s/%s/pulls/%d", r.world.URL, r.FullName(), p.number)
}

// wirePull tells the head as Gitea does: that of the branch of now, even of a pull
// request that was merged long ago, and the ref where the branch is gone.
func (r *Repo) wirePull(p *pull) *wirePull {
	out := &wirePull{
		ID: p.id, URL: r.pullURL(p), HTMLURL: r.pullURL(p), Number: p.number, User: r.world.wireUser(p.author), Title: p.title, Body: p.body,
		Labels: []*wireLabel{}, State: "closed", Draft: strings.HasPrefix(p.title, "WIP:") || strings.HasPrefix(p.title, "[WIP]"),
		Merged: p.merged != "", MergeBase: p.mergeBase, Created: &p.created, Updated: &p.updated,
		Base: &wireBranch{Label: p.base, Ref: p.base, SHA: r.branches[p.base], RepoID: r.id, Repo: r.wire()},
		Head: &wireBranch{Label: p.head, Ref: p.ref(), SHA: p.headSHA, RepoID: p.headRepo.id, Repo: p.headRepo.wire()},
	}
	if now := p.headRepo.branches[p.head]; now != "" {
		out.Head.Ref, out.Head.SHA = p.head, now
	}
	for _, l := range r.labels {
		for _, id := range p.labels {
			if l.id == id {
				out.Labels = append(out.Labels, &wireLabel{ID: l.id, Name: l.name, Color: l.color})
			}
		}
	}
	if p.open {
		out.State, out.Mergeable = "open", true
		return out
	}
	out.Closed = &p.closed
	if p.merged != "" {
		out.MergedAt, out.MergedSHA, out.MergedBy = &p.mergedAt, &p.merged, r.world.wireUser(p.mergedBy)
	}
	return out
}

func (w *World) wireReview(rev *review) *wireReview {
	return &wireReview{
		ID: rev.id, User: w.wireUser(rev.by), State: rev.state, Body: rev.body, CommitID: rev.commit,
		Stale: rev.stale, Official: rev.official, Dismissed: rev.dismissed, Submitted: rev.at,
	}
}

func (w *World) wireComment(c *comment) *wireComment {
	return &wireComment{ID: c.id, User: w.wireUser(c.by), Body: c.body, Created: c.at, Updated: c.at}
}

func (w *World) wireStatus(s *status) *wireStatus {
	return &wireStatus{ID: s.id, Status: s.state, TargetURL: s.url, Description: s.text, Context: s.context, Creator: w.wireUser(s.creator), Created: s.at}
}

// wireCommits lists what a head has and a base, if there is one, has not, newest first.
func (r *Repo) wireCommits(base, head string) ([]*wireCommit, error) {
	const fields = "%H%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%P%x00%B%x00%x01"
	revisions := []string{head}
	if base != "" {
		revisions = append(revisions, "^"+base)
	}
	out, err := r.git(nil, append([]string{"log", "--format=" + fields}, revisions...)...)
	if err != nil {
		return nil, err
	}
	commits := []*wireCommit{}
	for record := range strings.SplitSeq(out, "\x01") {
		f := strings.Split(strings.TrimSpace(record), "\x00")
		if len(f) < 9 {
			continue
		}
		c := &wireCommit{Parents: []wireParent{}, SHA: f[0], HTMLURL: r.world.URL + "/" + r.FullName() + "/commit/" + f[0]}
		c.Commit = wireCommitBody{Author: wirePerson{f[1], f[2], f[3]}, Committer: wirePerson{f[4], f[5], f[6]}, Message: f[8]}
		for parent := range strings.FieldsSeq(f[7]) {
			c.Parents = append(c.Parents, wireParent{parent})
		}
		for _, u := range r.world.users {
			if u.email == f[2] {
				c.Author = r.world.wireUser(u.login)
			}
		}
		commits = append(commits, c)
	}
	return commits, nil
}
