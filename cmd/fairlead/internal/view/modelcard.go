package view

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/registry"
	"github.com/fairlead/fairlead/spec"
)

// Card is the JSON form of `model card`.
type Card struct {
	FormatVersion string           `json:"format_version"`
	Version       *spec.Version    `json:"version"`
	Places        []registry.Place `json:"places,omitempty"`
	Declared      string           `json:"declared,omitempty"` // front matter of the card, YAML
	Text          string           `json:"text,omitempty"`     // of the card, without its front matter
	// Note says where the text is not what the version was published with.
	Note string `json:"note,omitempty"`
}

// CardOf is the card of a version. Cards are the texts that are in the repo now, by
// path.
func CardOf(v *spec.Version, cards map[string]string, places []registry.Place) *Card {
	c := &Card{FormatVersion: app.RegistryFormat, Version: v, Places: places}
	if v.Card == "" {
		return c
	}
	text, there := cards[v.Card]
	if !there {
		c.Note = fmt.Sprintf("The card %s is not in the repository any more.", v.Card)
		return c
	}
	hash := sha256.Sum256([]byte(text))
	if v.CardHash != "" && v.CardHash != "sha256:"+hex.EncodeToString(hash[:]) {
		c.Note = fmt.Sprintf("The card %s has changed since %s was published.", v.Card, v.ID())
		if v.Commit != "" {
			c.Note += fmt.Sprintf(" Its text of then is in commit %s.", v.Commit)
		}
	}
	c.Declared, c.Text = frontMatter(text)
	return c
}

// frontMatter splits the facts from the text that they stand in front of.
func frontMatter(text string) (facts, body string) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if rest, found := strings.CutPrefix(text, "---\n"); found {
		if facts, body, closed := strings.Cut("\n"+rest, "\n---\n"); closed {
			return strings.TrimSpace(facts), strings.TrimSpace(body)
		}
	}
	return "", strings.TrimSpace(text)
}

// Card prints a model card as Markdown: the team's text, then what is known.
func (v *View) Card(c *Card) error {
	out := &printer{v: v}
	e := c.Version
	if !strings.HasPrefix(c.Text, "# ") {
		out.line("# %s", e.ID())
		out.line("")
	}
	if c.Note != "" {
		out.line("> %s", markdown(c.Note))
		out.line("")
	}
	if c.Text != "" {
		out.line("%s", c.Text)
		out.line("")
	}
	if c.Declared != "" {
		out.line("## Declared")
		out.line("")
		out.line("```yaml\n%s\n```", c.Declared)
		out.line("")
	}
	out.line("## Facts of %s", markdown(e.ID()))
	out.line("")
	rows := [][2]string{{"Version", e.ID()}, {"Serves", roles(c.Places, e.Model)}, {"Created", e.Created.UTC().Format("2006-01-02 15:04:05 UTC")}, {"Artifact", e.Artifact}, {"Content", e.Content}}
	if e.Run != "" {
		rows = append(rows, [2]string{"Run", fmt.Sprintf("%s of pipeline %s", e.Run, e.Pipeline)})
	}
	rows = append(rows, [2]string{"Commit", e.Commit}, [2]string{"Parameters", settings(e.Params)})
	for _, name := range slices.Sorted(maps.Keys(e.Data)) {
		rows = append(rows, [2]string{"Data " + name, e.Data[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(e.Steps)) {
		rows = append(rows, [2]string{"Step " + name, strings.TrimSpace(e.Steps[name].Image + "  " + settings(e.Steps[name].Values))})
	}
	out.markdownTable([2]string{"Fact", "Value"}, rows)
	if len(e.Metrics) > 0 {
		out.line("")
		out.line("## Metrics")
		out.line("")
		rows = rows[:0]
		for _, name := range slices.Sorted(maps.Keys(e.Metrics)) {
			rows = append(rows, [2]string{name, figure(e.Metrics[name])})
		}
		out.markdownTable([2]string{"Metric", "Value"}, rows)
	}
	if len(e.Gates) > 0 {
		out.line("")
		out.line("## Gates")
		out.line("")
		rows = rows[:0]
		for i := range e.Gates {
			rows = append(rows, [2]string{e.Gates[i].Name, gateText(&e.Gates[i])})
		}
		out.markdownTable([2]string{"Gate", "Outcome"}, rows)
	}
	return out.flush()
}

func gateText(g *spec.VersionGate) string {
	text := g.Outcome
	if g.Actor != "" {
		text += " by " + g.Actor + because(g.Reason)
	}
	if g.Detail != "" {
		text += "; " + g.Detail
	}
	if g.Regulation != "" {
		text += " (" + g.Regulation + ")"
	}
	return text
}

// markdownTable prints what has a value.
func (p *printer) markdownTable(head [2]string, rows [][2]string) {
	p.line("| %s | %s |", head[0], head[1])
	p.line("|---|---|")
	for _, row := range rows {
		if row[1] != "" {
			p.line("| %s | %s |", markdown(row[0]), markdown(row[1]))
		}
	}
}

// markdown keeps a value from being read as markup.
func markdown(s string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", ">", "&gt;", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "\n", " ").Replace(s)
}
