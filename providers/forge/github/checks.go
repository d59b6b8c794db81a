package github

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/google/go-github/v89/github"

	"github.com/fairlead/fairlead/providers/forge/internal/rest"
	"github.com/fairlead/fairlead/reconcile"
)

const (
	annotationsPerCall = 50  // what GitHub takes
	maxAnnotations     = 500 // more than anybody reads
	maxCheckTitle      = 255
	maxSummary         = 65_535
	maxMessage         = 16_000 // GitHub takes 64 kB; a character has up to four bytes
)

// conclusions: of a check that holds, somebody has to act, and a branch that requires
// it is not merged meanwhile.
var conclusions = map[reconcile.CommitState]string{
	reconcile.CommitSuccess: "success",
	reconcile.CommitFailure: "failure",
	reconcile.CommitHeld:    "action_required",
}

// levels are GitHub's words; what is neither is a notice.
var levels = map[string]string{"error": "failure", "warning": "warning"}

// check keeps one check run current. Updates of a run add annotations and never take
// one away, so a run that has any, or has come to its end, is followed by a new one of
// the same name; GitHub shows the newest.
func (f *Forge) check(ctx context.Context, commit string, s reconcile.CommitStatus) (annotated bool, err error) {
	call := rest.Call{Doing: "put the check " + s.Context + " on commit " + short(commit), Needs: "Checks: write"}
	fingerprint := hash(s)
	newest, response, err := f.newestCheck(ctx, commit, s.Context)
	if err != nil {
		return false, f.failed(call, response, err)
	}
	annotations := annotations(s.Annotations)
	if newest != nil && newest.GetExternalID() == fingerprint {
		return len(annotations) > 0, nil
	}
	update := github.UpdateCheckRunOptions{Name: s.Context, Status: github.Ptr("in_progress")}
	if conclusion, ended := conclusions[s.State]; ended {
		update.Status, update.Conclusion = github.Ptr("completed"), &conclusion
	}
	if s.URL != "" {
		update.DetailsURL = &s.URL
	}
	batches := slices.Collect(slices.Chunk(annotations, annotationsPerCall))
	if len(batches) == 0 {
		batches = [][]*github.CheckRunAnnotation{nil}
	}
	run := int64(0)
	if newest != nil && newest.GetStatus() != "completed" && newest.GetOutput().GetAnnotationsCount() == 0 {
		run = newest.GetID()
	}
	for i, batch := range batches {
		update.Output = output(s, batch)
		if i == len(batches)-1 { // only then everything is there
			update.ExternalID = &fingerprint
		}
		if run != 0 {
			_, response, err = f.client.Checks.UpdateCheckRun(ctx, f.owner, f.repo, run, update)
		} else {
			var made *github.CheckRun
			made, response, err = f.client.Checks.CreateCheckRun(ctx, f.owner, f.repo, github.CreateCheckRunOptions{
				Name: update.Name, HeadSHA: commit, DetailsURL: update.DetailsURL, ExternalID: update.ExternalID,
				Status: update.Status, Conclusion: update.Conclusion, Output: update.Output,
			})
			run = made.GetID()
		}
		if err != nil {
			return false, f.failed(call, response, err)
		}
	}
	return len(annotations) > 0, nil
}

// newestCheck is the newest run of ours with a name; nil if there is none.
func (f *Forge) newestCheck(ctx context.Context, commit, name string) (newest *github.CheckRun, response *github.Response, err error) {
	response, err = pages(func(page github.ListOptions) ([]*github.CheckRun, *github.Response, error) {
		list, response, err := f.client.Checks.ListCheckRunsForRef(ctx, f.owner, f.repo, commit, &github.ListCheckRunsOptions{CheckName: &name, AppID: &f.app.ID, ListOptions: page})
		if err != nil || list == nil {
			return nil, response, err
		}
		return list.CheckRuns, response, nil
	}, func(run *github.CheckRun) bool {
		if run.GetName() == name && run.GetID() > newest.GetID() {
			newest = run
		}
		return true
	})
	return newest, response, err
}

func output(s reconcile.CommitStatus, batch []*github.CheckRunAnnotation) *github.CheckRunOutput {
	title, summary := s.Text, s.Summary
	if title == "" {
		title = s.Context
	}
	if summary == "" {
		summary = title
	}
	return &github.CheckRunOutput{Title: github.Ptr(rest.Cut(title, maxCheckTitle)), Summary: github.Ptr(rest.Cut(summary, maxSummary)), Annotations: batch}
}

// annotations leaves out what is about no line.
func annotations(of []reconcile.Annotation) []*github.CheckRunAnnotation {
	var made []*github.CheckRunAnnotation
	for _, a := range of {
		if a.Path == "" || a.Line < 1 || len(made) == maxAnnotations {
			continue
		}
		level := levels[a.Level]
		if level == "" {
			level = "notice"
		}
		message := a.Message
		if message == "" {
			message = a.Title
		}
		made = append(made, &github.CheckRunAnnotation{
			Path: &a.Path, StartLine: &a.Line, EndLine: &a.Line, AnnotationLevel: &level,
			Title: github.Ptr(rest.Cut(a.Title, maxCheckTitle)), Message: github.Ptr(rest.Cut(message, maxMessage)),
		})
	}
	return made
}

// hash is by what a run is known to say the same.
func hash(s reconcile.CommitStatus) string {
	text, err := json.Marshal(s)
	if err != nil { // it is strings and numbers only
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
