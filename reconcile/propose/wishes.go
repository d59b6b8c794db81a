package propose

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/judge"
	"github.com/fairlead/fairlead/reconcile/markdown"
	"github.com/fairlead/fairlead/reconcile/plain"
	"github.com/fairlead/fairlead/spec"
)

// Input is what wishes are made from.
type Input struct {
	Environment string
	Config      *spec.Config
	// Wanted is the revision that Git wants of each model that could be bound.
	Wanted  map[string]string
	Records map[string]journal.Record // of this environment, by model
	// Updates are newer images that a registry has, by model.
	Updates map[string]NewImage
	// Upstream is how models are doing in the environments that promotions name. One that
	// is missing could not be read.
	Upstream map[string]Upstream
	// Unknown says, by key, why it is not known what is wanted under it: nobody has asked
	// the registry yet, the engine is away. As long as a key is here nothing is begun
	// under it and nothing ends by itself: not known is not the same as not wanted.
	Unknown map[string]string
}

// Want is what is wanted under a key; the zero Want is nothing.
type Want struct {
	Wish    *Wish
	Unknown string // why that is not known; there is no Wish then
}

// NewImage is an image that an update rule found.
type NewImage struct {
	Ref string // name:tag@sha256:...
	Why string
}

// Upstream is another environment.
type Upstream struct {
	Config  *spec.Config // of the same commit, for that environment
	Records map[string]journal.Record
}

// Wishes returns all that is wanted now, and what of it is not known, by key.
func Wishes(in *Input, now time.Time) map[string]Want {
	all := map[string]Want{}
	for key, why := range in.Unknown {
		all[key] = Want{Unknown: why}
	}
	add := func(w *Wish) {
		if w == nil {
			return
		}
		if _, taken := all[w.Key]; !taken {
			all[w.Key] = Want{Wish: w}
		}
	}
	unknown := func(kind journal.ProposalKind, model, why string) {
		if _, taken := all[Key(kind, model)]; !taken {
			all[Key(kind, model)] = Want{Unknown: why}
		}
	}
	for _, m := range in.Config.Models {
		record, known := in.Records[m.Name]
		if in.Wanted[m.Name] == "" {
			unknown(journal.ProposeRevert, m.Name, "which revision Git wants is not known now")
		}
		if known {
			add(revert(m, &record, in.Wanted[m.Name]))
			add(promote(in.Environment, m, &record))
		}
		add(pin(m, &record, in.Updates[m.Name]))
	}
	for _, p := range in.Config.Promotions {
		up, known := in.Upstream[p.From]
		known = known && up.Config != nil
		for _, m := range in.Config.Models {
			switch {
			case len(p.Models) > 0 && !slices.Contains(p.Models, m.Name):
			case known:
				add(promoted(in, p, &up, m, now))
			default:
				unknown(journal.ProposePromotion, m.Name, "how the environment "+p.From+" is doing cannot be read now")
			}
		}
	}
	return all
}

// revert is wanted while Git wants a release that was rejected.
func revert(m *spec.Model, r *journal.Record, wanted string) *Wish {
	rejection := r.Rejection(wanted)
	if wanted == "" || rejection == nil || r.Stable == nil || r.Stable.Revision == wanted {
		return nil
	}
	return &Wish{
		Key: Key(journal.ProposeRevert, m.Name), Kind: journal.ProposeRevert, Model: m.Name,
		ID:    fmt.Sprintf("revert %s to %s", rejection.Revision, r.Stable.Revision),
		Title: plain.Line(fmt.Sprintf("%s: back to %s", m.Name, name(r.Stable))),
		Body:  revertBody(m, rejection, r.Stable),
		Edit:  Edit{Set: release(m, r.Stable), Back: r.Stable},
	}
}

// release are the arguments that name a release, as far as the model has them.
func release(m *spec.Model, r *journal.Release) map[string]string {
	set := map[string]string{"image": r.Image}
	if r.Version != "" || m.Version != "" {
		set["version"] = r.Version
	}
	if r.Inputs.ArtifactRef != "" {
		set["artifact"] = r.Inputs.ArtifactRef
	}
	maps.DeleteFunc(set, func(_, v string) bool { return v == "" })
	return set
}

// name is a release as people know it.
func name(r *journal.Release) string { return cmp.Or(r.Version, "revision "+r.Revision) }

func revertBody(m *spec.Model, j *journal.Rejection, stable *journal.Release) string {
	var b strings.Builder
	from, to := name(&j.Release), name(stable)
	fmt.Fprintf(&b, "`%s` was rolled back from **%s** to **%s** %s: %s.\n\n", m.Address, markdown.Escape(from), markdown.Escape(to), at(j.At), markdown.Escape(strings.TrimSuffix(j.Reason, ".")))
	fmt.Fprintf(&b, "Git still asks for %s, so the model is held: what is declared does not serve. Merging this brings both together. It goes back to what serves already, and starts no rollout.\n", markdown.Escape(from))
	if j.Cause == journal.CauseDeadline {
		b.WriteString("\nNothing was found against the release. There was only not enough evidence for it in time.\n")
	}
	if table := Evidence(j.Evidence); table != "" {
		b.WriteString("\n" + table)
	}
	fmt.Fprintf(&b, "\n| | version | revision | commit | image |\n|---|---|---|---|---|\n")
	row := func(what string, r *journal.Release) {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", what, markdown.Escape(r.Version), markdown.Code(r.Revision), markdown.Escape(short(r.DeclaredIn())), markdown.Code(brief(r.Image)))
	}
	row("rejected", &j.Release)
	row("serves", stable)
	if j.Step >= 0 {
		fmt.Fprintf(&b, "\nIt had come to step %d and %d %% of the requests.\n", j.Step+1, j.Weight)
	}
	b.WriteString("\nTo try it again as it is instead, close this, or delete its branch where it is no pull request, and run `fairlead rollout retry " + m.Name + "`. It is not proposed again then.\n")
	return b.String()
}

func short(commit string) string { return commit[:min(len(commit), 7)] }

func at(t time.Time) string { return "at " + t.UTC().Format("2006-01-02 15:04:05 MST") }

// Evidence is a table of verdicts in Markdown; "" for none.
func Evidence(verdicts []judge.Verdict) string {
	if len(verdicts) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("| check | outcome | candidate | stable | why |\n|---|---|--:|--:|---|\n")
	for _, v := range verdicts {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", markdown.Escape(v.Check), markdown.Escape(string(v.Outcome)), figure(v.Candidate), figure(v.Stable), markdown.Escape(v.Text))
	}
	return b.String()
}

func figure(v *float64) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf("%.4g", *v)
}

// promote is wanted while a rollout is in a step that waits for people.
func promote(environment string, m *spec.Model, r *journal.Record) *Wish {
	ro := r.Rollout
	if ro == nil || ro.First || ro.Promoting || ro.Paused != nil || ro.Held != "" || ro.Step < 0 || ro.Step >= len(ro.Policy.Steps) ||
		!ro.Policy.Steps[ro.Step].Approval || ro.Approved > ro.Step {
		return nil
	}
	if environment == spec.DefaultEnvironment {
		environment = "" // the repo declares none
	}
	step, release := ro.Step+1, name(&ro.Candidate)
	return &Wish{
		Key: Key(journal.ProposePromote, m.Name), Kind: journal.ProposePromote, Model: m.Name,
		ID:    fmt.Sprintf("promote %s past step %d, started %s", ro.Candidate.Revision, step, ro.Started.UTC().Format(time.RFC3339Nano)),
		Title: plain.Line(fmt.Sprintf("%s: let %s pass step %d of %d", m.Name, release, step, len(ro.Policy.Steps))),
		Body:  promoteBody(m, ro, release),
		Edit:  Edit{Approve: &spec.Approval{Model: m.Name, Revision: ro.Candidate.Revision, Step: step, Started: ro.Started.UTC().Format(time.RFC3339Nano), Environment: environment}},
	}
}

func promoteBody(m *spec.Model, ro *journal.Rollout, release string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The rollout of `%s` to **%s** is in step %d of %d and waits for an approval. The candidate has %d %% of the requests.\n\n", m.Address, markdown.Escape(release), ro.Step+1, len(ro.Policy.Steps), ro.Weight)
	b.WriteString("Merging this is the approval. It names the revision and the step, and has no effect once either has moved on; this closes itself then.\n\n")
	var verdicts []judge.Verdict
	for _, c := range ro.Policy.Checks {
		if e, looked := ro.Checks[c.Name]; looked && e.Last != nil {
			verdicts = append(verdicts, *e.Last)
		}
	}
	b.WriteString(Evidence(verdicts))
	fmt.Fprintf(&b, "\nNext: %s.\n", next(ro))
	return b.String()
}

// next says what follows the step that a rollout is in.
func next(ro *journal.Rollout) string {
	if ro.Step+1 >= len(ro.Policy.Steps) {
		return "the candidate becomes stable"
	}
	s := ro.Policy.Steps[ro.Step+1]
	return fmt.Sprintf("step %d, %d %% of the requests for %s", ro.Step+2, s.Weight, spec.DurationText(s.Hold))
}

// pin is wanted while a registry has a newer image than the one declared.
func pin(m *spec.Model, r *journal.Record, found NewImage) *Wish {
	rejected := slices.ContainsFunc(r.Rejected, func(j journal.Rejection) bool { return j.Image == found.Ref })
	if found.Ref == "" || found.Ref == m.Image || rejected {
		return nil
	}
	return &Wish{
		Key: Key(journal.ProposePin, m.Name), Kind: journal.ProposePin, Model: m.Name,
		ID:    "image " + found.Ref,
		Title: plain.Line(fmt.Sprintf("%s: image %s", m.Name, brief(found.Ref))),
		Body:  fmt.Sprintf("`%s` is declared with %s. %s.\n\nMerging this starts a rollout as the model declares it. What is closed, rolled back, or has its branch deleted, is not proposed again.\n", m.Address, markdown.Code(m.Image), markdown.Escape(strings.TrimSuffix(found.Why, "."))),
		Edit:  Edit{Set: map[string]string{"image": found.Ref}},
	}
}

// brief is a reference without most of its digest.
func brief(ref string) string {
	if repo, digest, pinned := strings.Cut(ref, "@sha256:"); pinned && len(digest) > 12 {
		return repo + "@sha256:" + digest[:12]
	}
	return ref
}
