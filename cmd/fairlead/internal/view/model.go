package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/registry"
	"github.com/fairlead/fairlead/spec"
)

// Models are those that `model list` shows.
type Models struct {
	FormatVersion string         `json:"format_version"`
	Environment   string         `json:"environment"`
	Models        []ModelVersion `json:"models"`         // sorted by name
	Note          string         `json:"note,omitempty"` // what is not known, and why
}

// ModelVersion is a model with what serves and what there is.
type ModelVersion struct {
	Name     string    `json:"name"`
	Serves   string    `json:"serves,omitempty"` // version, or revision without one
	Declared string    `json:"declared,omitempty"`
	Newest   string    `json:"newest,omitempty"` // in the registry
	Created  time.Time `json:"created,omitzero"`
	Versions int       `json:"versions"`
	Pipeline string    `json:"pipeline,omitempty"` // that made the newest
}

// ModelsOf are the models that are declared, serve, or have versions.
func ModelsOf(f registry.Facts) *Models {
	models := map[string]*ModelVersion{}
	model := func(name string) *ModelVersion {
		if models[name] == nil {
			models[name] = &ModelVersion{Name: name}
		}
		return models[name]
	}
	for _, m := range f.Config.Models {
		model(m.Name).Declared = m.Version
	}
	for name, record := range f.Records {
		if record.Stable != nil {
			model(name).Serves = cmp.Or(record.Stable.Version, record.Stable.Revision)
		}
	}
	for _, v := range f.Config.Versions {
		m := model(v.Model)
		m.Versions++
		newest := Newest(f, v.Model)
		m.Newest, m.Created, m.Pipeline = newest.Version, newest.Created, newest.Pipeline
	}
	list := &Models{FormatVersion: app.RegistryFormat, Models: []ModelVersion{}}
	for _, name := range slices.Sorted(maps.Keys(models)) {
		list.Models = append(list.Models, *models[name])
	}
	return list
}

// Newest is the highest version of a model in the registry, or nil.
func Newest(f registry.Facts, model string) *spec.Version {
	var newest *spec.Version
	for _, v := range f.Config.Versions { // oldest first
		if v.Model == model {
			newest = v
		}
	}
	return newest
}

// Models prints a line per model.
func (v *View) Models(l *Models) error {
	out := &printer{v: v}
	if len(l.Models) == 0 {
		out.line("No model is declared in %s, and none has a version.", v.paint(bold, l.Environment))
	} else {
		rows := [][]string{{"MODEL", "SERVES", "DECLARED", "NEWEST", "CREATED", "VERSIONS", "MADE BY"}}
		for i := range l.Models {
			m := &l.Models[i]
			rows = append(rows, []string{
				m.Name, cmp.Or(m.Serves, "-"), cmp.Or(m.Declared, "-"), cmp.Or(m.Newest, "-"), day(m.Created), fmt.Sprint(m.Versions), cmp.Or(m.Pipeline, "-"),
			})
		}
		out.table(rows, func(row, column int) string {
			if m := &l.Models[row]; column == 1 && m.Serves != "" {
				return green
			}
			return ""
		})
	}
	out.note(l.Note)
	return out.flush()
}

// note says what is not known.
func (p *printer) note(text string) {
	if text != "" {
		p.line("%s %s", p.v.paint(yellow, "Note:"), text)
	}
}

func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02")
}

// Versions are those of one model.
type Versions struct {
	FormatVersion string         `json:"format_version"`
	Model         string         `json:"model"`
	Versions      []VersionShown `json:"versions"` // newest first
	Note          string         `json:"note,omitempty"`
}

// VersionShown is an entry of the registry, and where it is used.
type VersionShown struct {
	FormatVersion string           `json:"format_version,omitempty"`
	Version       *spec.Version    `json:"version"`
	At            string           `json:"at,omitempty"` // file:line
	Places        []registry.Place `json:"places,omitempty"`
}

// VersionsOf are the versions of a model, the newest first.
func VersionsOf(f registry.Facts, model string) *Versions {
	list := &Versions{FormatVersion: app.RegistryFormat, Model: model, Versions: []VersionShown{}}
	for _, v := range f.Config.Versions {
		if v.Model == model {
			list.Versions = append(list.Versions, VersionShown{Version: v, At: v.Pos.String(), Places: f.Places(v)})
		}
	}
	slices.Reverse(list.Versions)
	return list
}

// Versions prints a line per version.
func (v *View) Versions(l *Versions) error {
	out := &printer{v: v}
	if len(l.Versions) == 0 {
		out.line("Model %s has no version in the registry; a pipeline with publish proposes one.", v.paint(bold, l.Model))
	} else {
		rows := [][]string{{"VERSION", "CREATED", "RUN", "SERVES", "METRICS", "CONTENT"}}
		for i := range l.Versions {
			s := &l.Versions[i]
			rows = append(rows, []string{
				s.Version.Version, day(s.Version.Created), cmp.Or(s.Version.Run, "-"), cmp.Or(roles(s.Places, l.Model), "-"), cmp.Or(metricsText(s.Version.Metrics), "-"), shortDigest(s.Version.Content),
			})
		}
		out.table(rows, func(row, column int) string {
			if places := l.Versions[row].Places; column == 3 && len(places) > 0 {
				return roleColor(places[0].Role)
			}
			return ""
		})
	}
	out.note(l.Note)
	return out.flush()
}

// roles are what a version is, in short: of its own model by the role alone.
func roles(places []registry.Place, model string) string {
	var parts []string
	for i := range places {
		text := placeText(&places[i])
		if places[i].Model == model {
			text = strings.TrimPrefix(text, model+" ")
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// placeText is where a version is used: digits stable, 95 %.
func placeText(p *registry.Place) string {
	text := p.Model + " " + string(p.Role)
	if p.Weight > 0 {
		text += fmt.Sprintf(" %d %%", p.Weight)
	}
	return text
}

func roleColor(r registry.Role) string {
	switch r {
	case registry.Stable:
		return green
	case registry.Candidate:
		return cyan
	case registry.Rejected:
		return red
	case registry.Previous, registry.Declared:
	}
	return ""
}

// Version prints an entry of the registry.
func (v *View) Version(s *VersionShown) error {
	out := &printer{v: v}
	entry := s.Version
	out.line("%s", strings.TrimRight(v.paint(bold, entry.ID())+"  "+v.paint(dim, s.At), " "))
	if text := roles(s.Places, entry.Model); text != "" {
		out.fact("serves", v.paint(roleColor(s.Places[0].Role), text))
	} else {
		out.fact("serves", "nowhere")
	}
	out.origin(entry)
	out.fact("artifact", entry.Artifact)
	out.fact("content", entry.Content)
	if entry.Profile != "" {
		out.fact("profile", entry.Profile)
	}
	if entry.Card != "" {
		out.fact("card", entry.Card)
	}
	for i, name := range slices.Sorted(maps.Keys(entry.Metrics)) {
		out.fact(firstOf(i, "metrics"), fmt.Sprintf("%-24s %s", name, figure(entry.Metrics[name])))
	}
	if len(entry.Metrics) > 0 && entry.Tolerance > 0 {
		out.fact("", v.paint(dim, fmt.Sprintf("a reproduction may be off by %g", entry.Tolerance)))
	}
	out.versionGates(entry.Gates)
	out.fact("next", fmt.Sprintf("`fairlead model lineage %s` shows what it was made from, `fairlead reproduce %s` makes it again", entry.ID(), entry.ID()))
	return out.flush()
}

// origin is what a version was made from, as far as its entry says.
func (p *printer) origin(v *spec.Version) {
	p.fact("created", moment(v.Created))
	if v.Run != "" {
		p.fact("run", fmt.Sprintf("%s of pipeline %s", v.Run, v.Pipeline))
	}
	if v.Commit != "" {
		p.fact("commit", v.Commit)
	}
	if len(v.Params) > 0 {
		p.fact("params", settings(v.Params))
	}
	for i, name := range slices.Sorted(maps.Keys(v.Data)) {
		p.fact(firstOf(i, "data"), fmt.Sprintf("%s  %s", name, v.Data[name]))
	}
	for i, name := range slices.Sorted(maps.Keys(v.Steps)) {
		step := v.Steps[name]
		text := fmt.Sprintf("%s  %s", name, step.Image)
		if len(step.Values) > 0 {
			text += "  " + settings(step.Values)
		}
		p.fact(firstOf(i, "steps"), text)
	}
}

// versionGates are the gates as an entry has them.
func (p *printer) versionGates(gates []spec.VersionGate) {
	for i := range gates {
		g := &gates[i]
		mark, color := "✓", green
		switch g.Outcome {
		case "passed":
		case "overridden":
			mark, color = "!", yellow
		default:
			mark, color = "✗", yellow // it did not deny the version
		}
		text := fmt.Sprintf("%s %s", p.v.paint(color, mark), p.v.paint(bold, g.Name))
		if g.Outcome != "passed" {
			text += " " + g.Outcome
		}
		if g.Detail != "" {
			text += ": " + g.Detail
		}
		p.fact(firstOf(i, "gates"), text)
		if g.Actor != "" {
			p.fact("", fmt.Sprintf("  overridden by %s%s", g.Actor, because(g.Reason)))
		}
		if g.Regulation != "" {
			p.fact("", "  "+p.v.paint(dim, g.Regulation))
		}
	}
}
