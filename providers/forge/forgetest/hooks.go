package forgetest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // Gitea sends that signature, too
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"net/http"
	"strings"
	"sync"
	"time"
)

// hookTimeout is how long one delivery may take, as Gitea's default.
const hookTimeout = 5 * time.Second

type hook struct{ url, secret string }

// Delivery is one webhook that was sent. Status is 0 where nothing answered.
type Delivery struct {
	URL    string
	Event  string
	Header http.Header
	Body   []byte
	Status int
}

// AddHook sends every event of the repository to a URL, signed with a secret.
func (r *Repo) AddHook(url, secret string) {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.hooks = append(r.hooks, hook{url, secret})
}

// Deliveries are the webhooks that were sent so far, once those under way have ended.
func (w *World) Deliveries() []Delivery {
	w.hooks.pending.Wait()
	w.hooks.mu.Lock()
	defer w.hooks.mu.Unlock()
	return append([]Delivery(nil), w.hooks.sent...)
}

// courier sends webhooks one after the other, beside what caused them.
type courier struct {
	client  *http.Client
	queue   chan func()
	done    chan struct{}
	pending sync.WaitGroup
	closing sync.Once

	mu   sync.Mutex
	sent []Delivery
}

func newCourier() *courier {
	c := &courier{
		client: &http.Client{Timeout: hookTimeout, Transport: &http.Transport{DisableKeepAlives: true}},
		queue:  make(chan func(), 10_000), done: make(chan struct{}),
	}
	go func() {
		defer close(c.done)
		for send := range c.queue {
			send()
			c.pending.Done()
		}
	}()
	return c
}

func (c *courier) close() {
	c.closing.Do(func() { close(c.queue) })
	<-c.done
}

// tell sends an event to the hooks of a repository. Its type is what Gitea's kind of
// event is called in full.
func (r *Repo) tell(event, kind string, payload map[string]any) {
	if len(r.hooks) == 0 {
		return
	}
	payload["repository"] = r.wire()
	body, err := json.MarshalIndent(payload, "", "  ")
	if err != nil {
		return
	}
	for _, h := range r.hooks {
		c := r.world.hooks
		c.pending.Add(1)
		c.queue <- func() { c.deliver(h, event, kind, body) }
	}
}

func (c *courier) deliver(h hook, event, kind string, body []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), hookTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return
	}
	request.Header = hookHeader(h.secret, event, kind, body)
	d := Delivery{URL: h.url, Event: event, Header: request.Header, Body: body}
	if response, err := c.client.Do(request); err == nil {
		d.Status = response.StatusCode
		_ = response.Body.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = append(c.sent, d)
}

// hookHeader is what Gitea sends: its own headers, and those of Gogs and GitHub.
func hookHeader(secret, event, kind string, body []byte) http.Header {
	id := uuid()
	sign := func(of func() hash.Hash) string {
		if secret == "" {
			return ""
		}
		mac := hmac.New(of, []byte(secret))
		mac.Write(body)
		return hex.EncodeToString(mac.Sum(nil))
	}
	header := http.Header{"Content-Type": {"application/json"}}
	for _, brand := range []string{"Gitea", "Gogs", "GitHub"} {
		header.Set("X-"+brand+"-Delivery", id)
		header.Set("X-"+brand+"-Event", event)
		header.Set("X-"+brand+"-Event-Type", kind)
		header.Set("X-"+brand+"-Hook-Installation-Target-Type", "repository")
	}
	header.Set("X-Gitea-Signature", sign(sha256.New))
	header.Set("X-Gogs-Signature", sign(sha256.New))
	header.Set("X-Hub-Signature", "sha1="+sign(sha1.New))
	header.Set("X-Hub-Signature-256", "sha256="+sign(sha256.New))
	return header
}

func uuid() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails
	text := hex.EncodeToString(raw)
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}

func (r *Repo) sender(u *user) *wireUser {
	if u == nil {
		return r.world.wireUser("")
	}
	return r.world.wireUser(u.login)
}

func (r *Repo) tellPush(by *user, branch, before, after string) {
	if before == "" {
		before = strings.Repeat("0", 40)
	}
	r.tell("push", "push", map[string]any{"ref": "refs/heads/" + branch, "before": before, "after": after, "pusher": r.sender(by), "sender": r.sender(by)})
}

func (r *Repo) tellPull(by *user, p *pull, action string) {
	kind := "pull_request"
	if action == "synchronized" {
		kind = "pull_request_sync"
	}
	r.tell("pull_request", kind, map[string]any{"action": action, "number": p.number, "pull_request": r.wirePull(p), "sender": r.sender(by), "commit_id": ""})
}

func (r *Repo) tellReview(by *user, p *pull, rev *review) {
	word := map[string]string{Approved: "approved", ChangesRequested: "rejected", Commented: "comment"}[rev.state]
	r.tell("pull_request_"+word, "pull_request_review_"+word, map[string]any{
		"action": "reviewed", "number": p.number, "pull_request": r.wirePull(p), "sender": r.sender(by),
		"commit_id": rev.commit, "review": map[string]string{"type": "pull_request_review_" + word, "content": rev.body},
	})
}

func (r *Repo) tellComment(by *user, p *pull, c *comment) {
	r.tell("issue_comment", "pull_request_comment", map[string]any{
		"action": "created", "is_pull": true, "comment": r.world.wireComment(c), "pull_request": r.wirePull(p), "sender": r.sender(by),
	})
}
