package oip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// FormatVersion is the version of a Report's JSON form.
const FormatVersion = "1.0"

// Report is what a conformance check found: a result per requirement, in the
// order in which they were tried.
type Report struct {
	FormatVersion string `json:"format_version"`
	URL           string `json:"url"`
	Model         string `json:"model,omitempty"`
	// Server is what the server calls itself.
	Server string `json:"server,omitempty"`
	// Problem is why the check could not be made, or not whole: no server
	// answers, or it is not known which model is meant.
	Problem  string   `json:"problem,omitempty"`
	Conforms bool     `json:"conforms"` // no requirement failed, and there was no problem
	Summary  Summary  `json:"summary"`
	Results  []Result `json:"results"`
}

// Summary counts the results.
type Summary struct {
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
}

// Result says how a server does on one requirement.
type Result struct {
	ID       string  `json:"id"`      // stable, for programs
	Section  string  `json:"section"` // of the protocol's text, where it is demanded
	Endpoint string  `json:"endpoint"`
	Demand   string  `json:"demand"`
	Outcome  Outcome `json:"outcome"`
	// Reason is why it failed, or was skipped.
	Reason string `json:"reason,omitempty"`
	// Sent and Answered are the exchange that decided, cut short.
	Sent     string `json:"sent,omitempty"`
	Answered string `json:"answered,omitempty"`
}

// Outcome is the closed set of outcomes.
type Outcome string

// The outcomes. A requirement is skipped when it does not apply (an extension
// that is not announced), or cannot be tried because an earlier one failed.
const (
	Passed  Outcome = "pass"
	Failed  Outcome = "fail"
	Skipped Outcome = "skip"
)

// checkLimit bounds a whole check. One that a server draws out beyond it has the
// rest of its requirements skipped.
const checkLimit = 2 * time.Minute

// Check tries every requirement of the protocol on a server, one after the other,
// with small requests that it makes from the model's metadata. An empty model
// stands for the only one that the server lists. A nil client goes straight to
// the server; another one may bring credentials.
func Check(ctx context.Context, client *http.Client, address, model string) Report {
	report := Report{FormatVersion: FormatVersion, URL: address, Model: model, Results: []Result{}}
	s, err := newServer(client, address)
	if err != nil {
		report.Problem = err.Error()
		return report
	}
	if client == nil {
		defer s.client.CloseIdleConnections()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, checkLimit, fmt.Errorf("the check took longer than %s", checkLimit))
	defer cancel()
	c := &conversation{server: s, model: model}
	if _, err := s.do(ctx, http.MethodGet, "/v2/health/live", nil, nil); err != nil {
		report.Problem = fmt.Sprintf("no server answers at %s: %v", address, err)
		return report
	}
	if model == "" {
		c.model, err = s.onlyModel(ctx)
		if err != nil {
			report.Problem = err.Error()
		}
	}
	report.Model = shorten(c.model, maxShown)
	for _, r := range requirements() {
		report.add(c.try(ctx, r))
	}
	if c.metadata.server != nil {
		report.Server = shorten(c.metadata.server.name+" "+c.metadata.server.version, maxShown)
	}
	report.Conforms = report.Problem == "" && report.Summary.Failed == 0
	return report
}

func (r *Report) add(result Result) {
	r.Results = append(r.Results, result)
	switch result.Outcome {
	case Passed:
		r.Summary.Passed++
	case Failed:
		r.Summary.Failed++
	case Skipped:
		r.Summary.Skipped++
	}
}

// Failures are the results of the requirements that failed.
func (r *Report) Failures() []Result {
	var failed []Result
	for _, result := range r.Results {
		if result.Outcome == Failed {
			failed = append(failed, result)
		}
	}
	return failed
}

// requirement is one demand of the protocol and the test for it.
type requirement struct {
	id, section, endpoint, demand string
	// test returns nil where the server does as demanded, a *skipped error where
	// that cannot be said, and else what is wrong.
	test func(context.Context, *conversation) error
}

// skipped says why a requirement was not tried.
type skipped struct{ why string }

func (s *skipped) Error() string { return s.why }

func skip(format string, args ...any) error { return &skipped{fmt.Sprintf(format, args...)} }

// conversation is a check under way: what was learnt from the server so far.
type conversation struct {
	*server
	model    string
	last     *exchange // of the test under way
	metadata struct {
		server *serverMetadata
		model  *modelMetadata
		told   *exchange // the model's
	}
	nested   bool           // the form of data that the server takes
	plain    *exchange      // the plainest request that was answered
	answer   *inferResponse // to that, and
	outputs  []outputTensor // what is in it
	versions bool           // versioned paths are offered

	// untyped is the first answer in JSON that does not say so; untypedRefusal the
	// first such error.
	untyped, untypedRefusal *exchange
}

// try makes one test.
func (c *conversation) try(ctx context.Context, r requirement) Result {
	result := Result{ID: r.id, Section: r.section, Endpoint: r.endpoint, Demand: r.demand, Outcome: Passed}
	if ctx.Err() != nil {
		result.Outcome, result.Reason = Skipped, context.Cause(ctx).Error()
		return result
	}
	c.last = nil
	if err := r.test(ctx, c); err != nil {
		result.Outcome, result.Reason = Failed, err.Error()
		if _, ok := errors.AsType[*skipped](err); ok {
			result.Outcome = Skipped
		}
	}
	if c.last != nil {
		result.Sent, result.Answered = c.last.sent(), c.last.answered()
	}
	return result
}

// send makes an exchange that the result will show.
func (c *conversation) send(ctx context.Context, method, path string, header http.Header, body []byte) (*exchange, error) {
	x, err := c.do(ctx, method, path, header, body)
	c.last = x
	return x, err
}

// get wants 200.
func (c *conversation) get(ctx context.Context, path string) (*exchange, error) {
	x, err := c.send(ctx, http.MethodGet, path, nil, nil)
	if err == nil {
		err = x.ok()
	}
	if err == nil && len(x.body) > 0 && !x.isJSON() {
		c.untyped = cmp.Or(c.untyped, x)
	}
	return x, err
}

func (x *exchange) ok() error {
	if x.status != http.StatusOK {
		return fmt.Errorf("the status is %d, and should be 200%s", x.status, saying(x))
	}
	return nil
}

// saying adds the server's own words, which are often the best explanation.
func saying(x *exchange) string {
	var message string
	if o, err := parseObject(x.body); err == nil && o.need("error", &message) == nil {
		return fmt.Sprintf(`; it says "%s"`, shorten(message, maxShown))
	}
	return ""
}
