package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// The limits of an endpoint.
const (
	maxBody    = 5 << 20          // bytes
	bodyTime   = 10 * time.Second // for a body to come
	concurrent = 8                // requests at the same time
	window     = time.Second      // in which the loop is woken once
	prefix     = "/hooks/"
)

// Options say which webhooks are received. They are the operator's.
type Options struct {
	Endpoints []Endpoint
	// Wake is told the name of the endpoint whose sender has news, at most once in a
	// second for each. It must not block, and be safe for concurrent use.
	Wake func(endpoint string)
	Now  func() time.Time // nil: time.Now
	Log  *slog.Logger     // nil: nothing is logged
}

// Endpoint is one place that webhooks are received at: POST /hooks/NAME.
type Endpoint struct {
	Name       string // lower case, digits, - and _
	Kind       Kind
	SecretFile string // one secret on each line
}

// Kind is how a sender proves itself.
type Kind string

// The kinds of sender.
const (
	GitHub   Kind = "github"
	GitLab   Kind = "gitlab"
	Gitea    Kind = "gitea"
	Forgejo  Kind = "forgejo"
	Standard Kind = "standard" // Standard Webhooks
)

// Receiver is an http.Handler for all endpoints. Its server must bound the time of the
// headers and their size, as [NewServer] does; the Receiver bounds bodies.
type Receiver struct {
	endpoints map[string]*endpoint
	now       func() time.Time
	log       *slog.Logger
}

var _ http.Handler = (*Receiver)(nil)

// endpoint is an Endpoint with what it remembers.
type endpoint struct {
	Endpoint
	slots   chan struct{} // one for each request that is being answered
	sources *sources
	seen    *seen
	alarm   *alarm
	told    rate.Sometimes // the log of refusals
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// New checks the options and reads each secret once, so that a mistake shows at the
// start. Close ends the Receiver.
func New(o Options) (*Receiver, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Wake == nil {
		return nil, errors.New("webhooks have nobody to wake")
	}
	r := &Receiver{endpoints: map[string]*endpoint{}, now: o.Now, log: o.Log}
	for _, e := range o.Endpoints {
		switch {
		case !nameForm.MatchString(e.Name):
			return nil, fmt.Errorf("webhook %.80q: the name cannot be a part of its path; use lower case, digits, - and _", e.Name)
		case r.endpoints[e.Name] != nil:
			return nil, fmt.Errorf("webhook %s: there are two of that name; rename one", e.Name)
		case !e.Kind.known():
			return nil, fmt.Errorf("webhook %s: %.80q is no kind of sender; use github, gitlab, gitea, forgejo or standard", e.Name, e.Kind)
		}
		if _, err := e.secrets(); err != nil {
			return nil, fmt.Errorf("webhook %s: %w", e.Name, err)
		}
		r.endpoints[e.Name] = &endpoint{
			Endpoint: e, slots: make(chan struct{}, concurrent), sources: newSources(), seen: newSeen(),
			alarm: &alarm{wake: func() { o.Wake(e.Name) }, now: o.Now},
			told:  rate.Sometimes{First: 3, Interval: 10 * time.Second},
		}
	}
	return r, nil
}

// Close forgets the calls of Wake that are due.
func (r *Receiver) Close() {
	for _, e := range r.endpoints {
		e.alarm.close()
	}
}

// NewServer returns a server with the limits that a Receiver on an open port needs.
func NewServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 2 * bodyTime, WriteTimeout: 3 * bodyTime,
		IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
	}
}

// refusal is an answer that is not 200. Its text is for whoever looks at the list of
// deliveries of the forge.
type refusal struct {
	status int
	text   string
	retry  time.Duration // 0: nothing is said
	err    error         // for the log; nil: the text says all
}

func (r *refusal) why() string {
	if r.err == nil {
		return r.text
	}
	return r.text + ": " + r.err.Error()
}

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	name, below := strings.CutPrefix(req.URL.Path, prefix)
	e := r.endpoints[name]
	if !below || e == nil {
		http.Error(w, "there is no such webhook", http.StatusNotFound)
		return
	}
	said, refused := r.receive(e, w, req)
	if refused == nil {
		_, _ = io.WriteString(w, said+"\n") // to a sender that may have gone
		return
	}
	e.told.Do(func() {
		r.log.Warn("webhook refused", "endpoint", e.Name, "from", source(req.RemoteAddr), "status", refused.status, "why", refused.why())
	})
	if refused.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	if refused.retry > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int64((refused.retry+time.Second-1)/time.Second)))
	}
	http.Error(w, refused.text, refused.status)
}

// receive answers one request of an endpoint.
func (r *Receiver) receive(e *endpoint, w http.ResponseWriter, req *http.Request) (said string, refused *refusal) {
	if req.Method != http.MethodPost {
		return "", &refusal{status: http.StatusMethodNotAllowed, text: "a webhook is sent with POST"}
	}
	if wait := e.sources.take(source(req.RemoteAddr), r.now()); wait > 0 {
		return "", &refusal{status: http.StatusTooManyRequests, text: "too many requests from this address", retry: wait}
	}
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	default:
		return "", &refusal{status: http.StatusServiceUnavailable, text: "too many requests at the same time", retry: time.Second}
	}
	if refused := checkType(req); refused != nil {
		return "", refused
	}
	if !e.Kind.signed(req.Header) {
		return "", &refusal{status: http.StatusUnauthorized, text: e.Kind.unsigned()}
	}
	body, refused := readBody(w, req)
	if refused != nil {
		return "", refused
	}
	secrets, err := e.secrets()
	if err != nil {
		return "", &refusal{status: http.StatusServiceUnavailable, text: "the secret of this webhook cannot be read on its host", retry: time.Minute, err: err}
	}
	mark, err := e.Kind.verify(secrets, req.Header, body, r.now())
	if err != nil {
		return "", &refusal{status: http.StatusUnauthorized, text: err.Error()}
	}
	if !json.Valid(body) {
		return "", &refusal{status: http.StatusBadRequest, text: "the body is no JSON"}
	}
	switch {
	case e.Kind == GitHub && req.Header.Get("X-GitHub-Event") == "ping":
		return "pong", nil
	case !e.seen.add(mark):
		return "received before", nil
	}
	e.alarm.ring()
	return "ok", nil
}

// readBody reads at most a byte more than is allowed.
func readBody(w http.ResponseWriter, req *http.Request) ([]byte, *refusal) {
	tooLarge := &refusal{status: http.StatusRequestEntityTooLarge, text: fmt.Sprintf("the body is larger than %d bytes", maxBody)}
	if req.ContentLength > maxBody {
		return nil, tooLarge
	}
	// Where the server cannot do it, as in tests without a connection, its own
	// deadlines hold.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	body, err := io.ReadAll(io.LimitReader(req.Body, maxBody+1))
	failed, ofNetwork := errors.AsType[net.Error](err)
	switch {
	case len(body) > maxBody:
		return nil, tooLarge
	case ofNetwork && failed.Timeout():
		return nil, &refusal{status: http.StatusRequestTimeout, text: fmt.Sprintf("the body did not come within %s", bodyTime), err: err}
	case err != nil:
		return nil, &refusal{status: http.StatusBadRequest, text: "the body breaks off", err: err}
	}
	return body, nil
}
