package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/controller"
)

// changes says in lines what is news in a status. Times that only pass, and
// counters that only grow, are none. Without a status before, it says how
// everything stands.
func changes(before, s *app.DaemonStatus, now time.Time) []string {
	if before == nil {
		before = &app.DaemonStatus{}
	}
	var news []string
	say := func(format string, args ...any) { news = append(news, fmt.Sprintf(format, args...)) }
	if s.Standby != before.Standby && s.Standby != "" {
		say("%s", s.Standby)
	}
	if s.Commit.ID != before.Commit.ID && s.Commit.ID != "" {
		say("following %s %s", s.Commit.Short(), s.Commit.Subject)
	}
	for _, part := range []struct{ what, was, is string }{
		{"source", sourceTrouble(before), sourceTrouble(s)},
		{"engine", before.Engine.Error, s.Engine.Error},
		{"gateway", before.Gateway.Error, s.Gateway.Error},
		{"journal", before.Journal.Broken, s.Journal.Broken},
		{"metrics", before.Metrics.Error, s.Metrics.Error},
	} {
		switch {
		case part.is != "" && part.was == "":
			say("%s: %s", part.what, firstLine(part.is))
		case part.is == "" && part.was != "":
			say("%s: in order again", part.what)
		}
	}
	for i := range s.Models {
		m := &s.Models[i]
		j := slices.IndexFunc(before.Models, func(old controller.ModelStatus) bool { return old.Name == m.Name })
		if j < 0 {
			say("%s", Standing(m, now))
			continue
		}
		news = append(news, modelChanges(&before.Models[j], m)...)
	}
	for i := range before.Models {
		old := &before.Models[i]
		if s.Standby == "" && !slices.ContainsFunc(s.Models, func(m controller.ModelStatus) bool { return m.Name == old.Name }) {
			say("%s is gone", old.Address)
		}
	}
	news = append(news, reviewChanges(before, s)...)
	if s.Converged && !before.Converged {
		say("what runs is what Git wants")
	}
	return news
}

func modelChanges(before, m *controller.ModelStatus) []string {
	var news []string
	say := func(format string, args ...any) {
		news = append(news, m.Address.String()+": "+fmt.Sprintf(format, args...))
	}
	if m.Last != nil && (before.Last == nil || !before.Last.At.Equal(m.Last.At)) {
		say("%s was %s: %s", named(m.Last.Version, m.Last.Revision), strings.ReplaceAll(string(m.Last.Outcome), "_", " "), m.Last.Reason)
	}
	if r := m.Rollout; r != nil {
		for _, text := range rolloutChanges(before.Rollout, r) {
			say("%s", text)
		}
	}
	if m.Phase != before.Phase {
		text := string(m.Phase)
		if why := firstLine(cmp.Or(m.Error, m.Reason)); why != "" {
			text += ": " + why
		}
		say("%s", text)
	} else if m.Error != before.Error && m.Error != "" {
		say("%s", firstLine(m.Error))
	}
	return news
}

func rolloutChanges(before, r *controller.RolloutStatus) []string {
	var news []string
	say := func(format string, args ...any) { news = append(news, fmt.Sprintf(format, args...)) }
	if before == nil || before.Candidate.Revision != r.Candidate.Revision {
		say("%s of %s begins", r.Strategy, label(&r.Candidate))
		before = &controller.RolloutStatus{}
	}
	if r.Step != before.Step || r.Weight != before.Weight {
		say("%s at %d %%", stepWords(r), r.Weight)
	}
	switch {
	case r.Paused != nil && before.Paused == nil:
		say("paused by %s: %s", r.Paused.Actor, r.Paused.Reason)
	case r.Paused == nil && before.Paused != nil:
		say("goes on")
	}
	if r.Held != before.Held && r.Held != "" {
		say("stands: %s", r.Held)
	}
	if r.Promoting && !before.Promoting {
		say("grows to full size")
	}
	if r.Activity != before.Activity && r.Activity != "" {
		say("%s", r.Activity)
	}
	for i := range r.Checks {
		c := &r.Checks[i]
		was := ""
		if j := slices.IndexFunc(before.Checks, func(old controller.CheckStatus) bool { return old.Name == c.Name }); j >= 0 {
			was = verdictOf(&before.Checks[j]).words
		}
		if is := verdictOf(c); c.Verdict != nil && is.words != was {
			say("check %s %s: %s", c.Name, is.words, firstLine(sentence(c)))
		}
	}
	return news
}
