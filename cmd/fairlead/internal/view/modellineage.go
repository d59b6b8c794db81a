package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/reconcile/registry"
)

// LineageShown is the JSON form of `model lineage`.
type LineageShown struct {
	FormatVersion string `json:"format_version"`
	*registry.Lineage
	Note string `json:"note,omitempty"`
}

// UsesShown is the JSON form of `model lineage --dataset`.
type UsesShown struct {
	FormatVersion string `json:"format_version"`
	*registry.Uses
	Note string `json:"note,omitempty"`
}

// branch is a line of a tree, with what is below it.
type branch struct {
	text string
	sub  []branch
}

// tree prints branches with the lines that join them.
func (p *printer) tree(branches []branch, indent string) {
	for i, b := range branches {
		joint, below := "├─ ", "│  "
		if i == len(branches)-1 {
			joint, below = "└─ ", "   "
		}
		p.line("%s%s%s", p.v.paint(dim, indent), p.v.paint(dim, joint), b.text)
		p.tree(b.sub, indent+below)
	}
}

// Lineage prints what a version was made from, as a tree, and where it serves.
func (v *View) Lineage(l *LineageShown) error {
	out := &printer{v: v}
	title := l.Model
	if l.Entry != nil {
		title = l.Entry.ID()
	} else if l.Version != "" {
		title += "@" + l.Version
	}
	out.line("%s", strings.TrimRight(v.paint(bold, title)+"  "+v.paint(dim, l.At), " "))
	if l.Problem != "" {
		out.line("%s %s", v.paint(yellow, "!"), l.Problem)
	}
	var branches []branch
	if r := l.Release; r != nil {
		serves := branch{text: fmt.Sprintf("release %s, %s", r.Revision, v.paint(roleColor(r.Role), placeText(r)))}
		if r.Commit != "" {
			serves.sub = append(serves.sub, branch{text: "asked for by commit " + r.Commit})
		}
		if l.Image != "" {
			serves.sub = append(serves.sub, branch{text: "server " + l.Image})
		}
		branches = append(branches, serves)
	}
	if l.Entry != nil {
		branches = append(branches, v.artifactBranch(l.Lineage))
	}
	if b := v.approvals(l.Lineage); len(b.sub) > 0 {
		branches = append(branches, b)
	}
	if b := v.places("serves", l.Places); len(b.sub) > 0 {
		branches = append(branches, b)
	}
	if b := decided(l.Decisions); len(b.sub) > 0 {
		branches = append(branches, b)
	}
	out.tree(branches, "")
	out.note(l.Note)
	return out.flush()
}

// artifactBranch is the way back from the artifact.
func (v *View) artifactBranch(l *registry.Lineage) branch {
	e := l.Entry
	origin := branch{text: "no run is recorded"}
	if e.Run != "" {
		origin.text = fmt.Sprintf("run %s of pipeline %s, %s", v.paint(bold, e.Run), e.Pipeline, moment(e.Created))
	}
	if e.Commit != "" {
		origin.sub = append(origin.sub, branch{text: "commit " + e.Commit})
	}
	if len(e.Params) > 0 {
		origin.sub = append(origin.sub, branch{text: "params " + settings(e.Params)})
	}
	for i := range l.Data {
		origin.sub = append(origin.sub, branch{text: v.dataText(&l.Data[i])})
	}
	for _, name := range slices.Sorted(maps.Keys(e.Steps)) {
		step := e.Steps[name]
		text := "step " + name
		if len(step.Values) > 0 {
			text += "  " + settings(step.Values)
		}
		b := branch{text: text, sub: []branch{{text: "image " + step.Image}}}
		for _, input := range slices.Sorted(maps.Keys(step.Inputs)) {
			b.sub = append(b.sub, branch{text: fmt.Sprintf("input %s  %s", input, shortDigest(step.Inputs[input]))})
		}
		origin.sub = append(origin.sub, b)
	}
	artifact := branch{text: "artifact " + e.Artifact, sub: []branch{{text: "content " + e.Content}, origin}}
	if len(e.Metrics) > 0 {
		artifact.sub = append(artifact.sub, branch{text: "metrics " + metricsText(e.Metrics)})
	}
	for i := range e.Gates {
		g := &e.Gates[i]
		text := fmt.Sprintf("gate %s %s", g.Name, g.Outcome)
		if g.Detail != "" {
			text += ": " + g.Detail
		}
		artifact.sub = append(artifact.sub, branch{text: text})
	}
	return artifact
}

func (v *View) dataText(d *registry.DataUse) string {
	text := fmt.Sprintf("data %s  %s", v.paint(bold, d.Dataset), d.Digest)
	switch {
	case !d.Declared:
		text += v.paint(yellow, "  not declared any more")
	case d.Now != "" && d.Now != d.Digest:
		text += v.paint(yellow, "  now "+shortDigest(d.Now))
	}
	return text
}

func (v *View) approvals(l *registry.Lineage) branch {
	b := branch{text: "approved"}
	for _, a := range l.Approvals {
		text := fmt.Sprintf("%s by %s%s", a.What, v.paint(bold, a.Actor), because(a.Reason))
		if !a.At.IsZero() {
			text = moment(a.At) + "  " + text
		}
		b.sub = append(b.sub, branch{text: text})
	}
	return b
}

func (v *View) places(title string, places []registry.Place) branch {
	b := branch{text: title}
	for i := range places {
		p := &places[i]
		text := v.paint(roleColor(p.Role), placeText(p))
		if p.Revision != "" {
			text += ", revision " + p.Revision
		}
		if p.Commit != "" {
			text += ", commit " + shortID(p.Commit)
		}
		b.sub = append(b.sub, branch{text: text + because(firstLine(p.Reason))})
	}
	return b
}

// mostDecisions are shown of a long history.
const mostDecisions = 10

func decided(entries []journal.Entry) branch {
	b := branch{text: "decided"}
	for i := range entries[:min(len(entries), mostDecisions)] {
		e := &entries[i]
		about := e.Model
		if e.Pipeline != "" {
			about = e.Run
		}
		b.sub = append(b.sub, branch{text: fmt.Sprintf("%s  %s of %s by %s%s", moment(e.At), e.Action, about, e.Actor, because(firstLine(e.Reason)))})
	}
	if more := len(entries) - mostDecisions; more > 0 {
		b.sub = append(b.sub, branch{text: fmt.Sprintf("%d more: fairlead history", more)})
	}
	return b
}

// Uses prints where data went, as a tree.
func (v *View) Uses(u *UsesShown) error {
	out := &printer{v: v}
	title := "data " + u.Digest
	if u.Dataset != "" {
		title = "dataset." + u.Dataset
		if u.Digest != "" {
			title += "  " + u.Digest
		}
	}
	out.line("%s", v.paint(bold, title))
	var branches []branch
	for _, name := range u.Pipelines {
		branches = append(branches, branch{text: "read by pipeline " + name})
	}
	for i := range u.Versions {
		version := &u.Versions[i]
		text := fmt.Sprintf("version %s  %s", v.paint(bold, version.ID), v.paint(dim, version.At))
		switch {
		case version.Current:
		case u.Dataset == "": // it was asked for by its digest
			text += v.paint(dim, "  as "+version.Dataset)
		case u.Digest == "": // what it is now is not written down
			text += v.paint(dim, "  of "+shortDigest(version.Digest))
		default:
			text += v.paint(yellow, "  of other data: "+shortDigest(version.Digest))
		}
		branches = append(branches, branch{text: text, sub: v.places("", version.Places).sub})
	}
	if len(branches) == 0 {
		branches = append(branches, branch{text: "nothing was made of it"})
	}
	out.tree(branches, "")
	out.note(u.Note)
	return out.flush()
}
