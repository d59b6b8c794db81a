package view

import (
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/reconcile/score"
)

// Scores prints a row for each model, with its six measures.
func (v *View) Scores(r *score.Report) error {
	out := &printer{v: v}
	if len(r.Cards) == 0 {
		out.line("%s has no models.", v.paint(bold, r.Environment))
		return out.flush()
	}
	head := []string{"MODEL", "SCORE"}
	for _, m := range r.Cards[0].Measures {
		head = append(head, strings.ToUpper(string(m.Name)))
	}
	rows := [][]string{head}
	for i := range r.Cards {
		c := &r.Cards[i]
		row := []string{c.Model, strconv.Itoa(c.Score)}
		for _, m := range c.Measures {
			row = append(row, strconv.Itoa(m.Score))
		}
		rows = append(rows, row)
	}
	out.table(rows, func(row, column int) string {
		c := &r.Cards[row]
		switch column {
		case 0:
			return ""
		case 1:
			return grade(c.Score)
		default:
			return grade(c.Measures[column-2].Score)
		}
	})
	out.line("")
	out.line("fairlead score MODEL says why, and what would raise it.")
	return out.flush()
}

// Score prints the card of one model: a bar for each measure, then every point with
// its reason.
func (v *View) Score(c *score.Card) error {
	out := &printer{v: v}
	title := v.paint(bold, c.Model)
	if c.Version != "" {
		title += " " + c.Version
	}
	if place := c.Pos.String(); place != "" {
		title += v.paint(dim, "  "+place)
	}
	out.line("%s", title)
	for _, m := range c.Measures {
		out.line("  %-16s %s %3d", m.Name, out.scale(m.Score), m.Score)
	}
	out.line("  %-16s %s %3d", "all", out.scale(c.Score), c.Score)
	for _, m := range c.Measures {
		out.line("")
		out.line("%s %d", v.paint(bold, string(m.Name)), m.Score)
		for i := range m.Points {
			out.point(&m.Points[i])
		}
	}
	if !c.Observed {
		out.line("")
		out.line("%s No daemon of this environment answers, so this is about what is declared only.", v.paint(yellow, "Note:"))
	}
	return out.flush()
}

// scaleWidth is the length of a full bar.
const scaleWidth = 25

func (p *printer) scale(score int) string {
	full := score * scaleWidth / 100
	return p.v.paint(grade(score), strings.Repeat("█", full)) + p.v.paint(dim, strings.Repeat("░", scaleWidth-full))
}

// grade is the colour of a score.
func grade(score int) string {
	switch {
	case score >= 80:
		return green
	case score >= 50:
		return yellow
	default:
		return red
	}
}

func (p *printer) point(point *score.Point) {
	mark, color := "✓", green
	switch point.Got {
	case point.Of:
	case 0:
		mark, color = "✗", red
	default:
		mark, color = "~", yellow
	}
	p.line("  %s %2d/%d  %s: %s", p.v.paint(color, mark), point.Got, point.Of, point.What, point.Reason)
	if point.Raise != "" {
		p.line("           %s", p.v.paint(cyan, "→ "+point.Raise))
	}
}
