package propose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/markdown"
	"github.com/fairlead/fairlead/reconcile/plain"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/expr"
)

// promoted is the wish of one promote block about one model, if it is ready in the other
// environment and differs from what is declared here.
func promoted(in *Input, p *spec.Promotion, up *Upstream, here *spec.Model, now time.Time) *Wish {
	there := up.Config.Model(here.Name)
	if there == nil {
		return nil
	}
	record := up.Records[here.Name]
	return promotion(in, p, here, there, &record, now)
}

// promotion proposes what a model is made of in another environment. What ran there
// counts, not what Git says: as long as the two differ there is nothing to promote.
func promotion(in *Input, p *spec.Promotion, here, there *spec.Model, up *journal.Record, now time.Time) *Wish {
	if ready, _ := Ready(p, there, up, now); !ready || sameRelease(here, there) {
		return nil
	}
	set := map[string]string{"image": there.Image}
	if there.Version != "" {
		set["version"] = there.Version
	}
	artifact := ""
	if there.Artifact != nil {
		artifact = there.Artifact.Ref
		set["artifact"] = artifact
	}
	mine := in.Records[here.Name]
	if slices.ContainsFunc(mine.Rejected, func(j journal.Rejection) bool {
		return j.Image == there.Image && j.Inputs.ArtifactRef == artifact
	}) {
		return nil // it failed here
	}
	release := name(up.Stable)
	return &Wish{
		Key: Key(journal.ProposePromotion, here.Name), Kind: journal.ProposePromotion, Model: here.Name,
		ID:    strings.TrimSpace("from " + p.From + ": " + there.Image + " " + artifact),
		Title: plain.Line(fmt.Sprintf("%s: %s from %s to %s", here.Name, release, p.From, in.Environment)),
		Body:  promotionBody(in, p, here, up, release),
		Edit:  Edit{Set: set},
	}
}

// sameRelease: both are made of the same. Labels for people do not count.
func sameRelease(a, b *spec.Model) bool {
	return a.Image == b.Image && (a.Artifact == nil) == (b.Artifact == nil) && (a.Artifact == nil || a.Artifact.Digest == b.Artifact.Digest)
}

// Ready tells whether what runs of a model in the other environment may be promoted, and
// if not, why.
func Ready(p *spec.Promotion, m *spec.Model, r *journal.Record, now time.Time) (ready bool, why string) {
	switch {
	case r.Stable == nil:
		return false, "nothing of it is stable in " + p.From
	case r.Rollout != nil:
		return false, "a rollout is under way in " + p.From
	case r.Stable.Image != m.Image || m.Artifact != nil && r.Stable.Inputs.Artifact != m.Artifact.Digest || m.Artifact == nil && r.Stable.Inputs.Artifact != "":
		return false, "Git wants something else in " + p.From + " than what is stable there"
	}
	since := stableSince(r)
	if age := now.Sub(since); age < p.After {
		return false, fmt.Sprintf("it is stable in %s for %s, and %s are asked for", p.From, spec.DurationText(age.Round(time.Second)), spec.DurationText(p.After))
	}
	facts := facts(r, since, now)
	for i := range p.Require {
		holds, err := p.Require[i].Holds(facts)
		if err != nil {
			return false, err.Error()
		}
		if !holds {
			return false, p.Require[i].Explain(facts)
		}
	}
	return true, ""
}

// stableSince is when the stable release became that.
func stableSince(r *journal.Record) time.Time {
	if r.Last != nil && r.Last.Revision == r.Stable.Revision {
		return r.Last.At
	}
	return r.Since
}

// facts are what conditions ask about the other environment.
func facts(r *journal.Record, since, now time.Time) expr.Facts {
	weight := 100
	if r.Rollout != nil {
		weight -= r.Rollout.Weight
	}
	from := map[string]any{
		"model": r.Model, "version": r.Stable.Version, "revision": r.Stable.Revision, "commit": r.Stable.Commit, "weight": float64(weight),
		"hours": now.Sub(since).Hours(), "restarts": float64(r.Restarts), "rejected": r.Rejection(r.Stable.Revision) != nil,
	}
	if r.Last != nil {
		from["outcome"] = string(r.Last.Outcome)
	}
	return expr.Facts{"from": from}
}

// promotionBody says since when and not for how long: it is brought up to date where it
// differs.
func promotionBody(in *Input, p *spec.Promotion, m *spec.Model, up *journal.Record, release string) string {
	since := stableSince(up)
	text := fmt.Sprintf("**%s** of `%s` is stable in %s since %s.", markdown.Escape(release), m.Address, p.From, since.UTC().Format("2006-01-02 15:04 MST"))
	if up.Last != nil && up.Last.Revision == up.Stable.Revision {
		text += fmt.Sprintf(" Its rollout there: %s (%s).", markdown.Escape(string(up.Last.Outcome)), markdown.Escape(up.Last.Reason))
	}
	text += fmt.Sprintf("\n\nThis sets the same for %s. Merging it starts a rollout as the model declares it there. The evidence is in the journal, the branch `%s`, at revision %s.\n", in.Environment, journal.Branch(p.From), markdown.Code(up.Stable.Revision))
	return text
}
