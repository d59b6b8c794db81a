package runner_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec"
)

// internal is what only this host reaches. It counts who asks.
type internal struct{ asked int }

func (i *internal) Get(context.Context, string, string) (io.ReadCloser, string, error) {
	i.asked++
	return io.NopCloser(strings.NewReader("KEY=hunter2,x\nrow-4711,2\nother,3\n")), "", nil
}

// Whoever can open a pull request must learn nothing from its plan that they could not
// read themselves.
func TestAPlanReadsNothingThatWasNotReviewed(t *testing.T) {
	const location = "https://inside.test/data.csv"
	remote := strings.Replace(digitsRepo, `source = "digits.csv"`, `source = "`+location+`"`, 1)
	nosy := strings.Replace(remote, `name = "label"`, `name = "nope"`, 1)
	dataset := func(repo string) *spec.Config { return newSite(t, repo).wanted.Config }
	for name, c := range map[string]struct {
		repo     string
		reviewed *spec.Config
		asked    int
		words    string // of the problem; "": there is none
	}{
		"new data":                       {remote, dataset(digitsRepo), 0, "is not read before it was reviewed"},
		"other expectations":             {nosy, dataset(remote), 1, ""},
		"reviewed, and not what it says": {nosy, dataset(nosy), 1, "there is no column nope"},
		"all is reviewed":                {nosy, nil, 1, "there is no column nope"},
	} {
		t.Run(name, func(t *testing.T) {
			s, inside := newSite(t, c.repo), &internal{}
			opts := runner.Options{
				Scope: scope, Runtime: s.engine.Runtime(scope), Artifacts: s.blobs, Store: s.store, Journal: s.journal, Secrets: secrets{s.secret},
				SecretVersion: func(name string, _ spec.Sensitive) string { return name },
				Download:      inside, Publisher: s.pushed, Parallel: 4, Interval: time.Second, Log: slog.New(slog.DiscardHandler),
				KeepModels: func(context.Context, *spec.Config) (map[string]bool, error) { return nil, errors.New("not asked") },
			}
			wanted := *s.wanted
			wanted.Reviewed = c.reviewed
			preview, err := runner.Preview(t.Context(), &opts, &wanted, wanted.Config.Pipelines[0], nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if inside.asked != c.asked || c.words == "" && preview.Problem != "" || !strings.Contains(preview.Problem, c.words) {
				t.Errorf("asked %d times, %q; want %d and %q", inside.asked, preview.Problem, c.asked, c.words)
			}
		})
	}
}
