package view

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/controller"
)

// Watch shows a status again and again: as a table that is drawn in place on a
// terminal, else as a line for each change, or as one JSON document for each.
type Watch struct {
	screen
	json bool

	last *app.DaemonStatus
	away string // why the daemon does not answer; "" if it does
}

// Watch begins to show statuses. Size is nil where output goes to no terminal.
func (v *View) Watch(asJSON bool, size func() (columns, lines int)) *Watch {
	if asJSON {
		size = nil
	}
	return &Watch{screen: screen{v: v, size: size}, json: asJSON}
}

// screen is a terminal on which a text is drawn in place.
type screen struct {
	v *View
	// size is that of the terminal, in columns and lines; nil where there is none.
	size  func() (columns, lines int)
	drawn bool
}

// The codes by which a terminal is drawn on. Table and prompt have a screen each,
// so whatever the size becomes, nothing is left of an older table; and what is
// written between sync and its end comes at once, so nothing flickers.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	beginSync   = "\x1b[?2026h\x1b[H"
	endSync     = "\x1b[J\x1b[?2026l"
	endOfLine   = "\x1b[0m\x1b[K"
)

// Show shows a status.
func (w *Watch) Show(s *app.DaemonStatus, now time.Time) error {
	before := w.last
	w.last = s
	back := w.away != ""
	w.away = ""
	if w.size != nil {
		return w.draw(w.frame(now))
	}
	news := changes(before, s, now)
	if back && before != nil {
		news = append([]string{"the daemon answers again"}, news...)
	}
	if len(news) == 0 {
		return nil
	}
	if w.json {
		return json.NewEncoder(w.v.Out).Encode(s)
	}
	return w.say(news, now)
}

// Away says that the daemon does not answer; what was shown last stays.
func (w *Watch) Away(err error, now time.Time) error {
	first := w.away == ""
	w.away = err.Error()
	switch {
	case w.size != nil:
		return w.draw(w.frame(now))
	case first && !w.json:
		return w.say([]string{w.away}, now)
	}
	return nil
}

// End gives the terminal back, with the last table on it.
func (w *Watch) End(now time.Time) error {
	if !w.drawn || w.last == nil {
		return w.leave("")
	}
	return w.leave(w.frame(now))
}

// say prints lines with the time in front.
func (s *screen) say(lines []string, now time.Time) error {
	out := &printer{v: s.v}
	for _, text := range lines {
		out.line("%s %s", s.v.paint(dim, now.Format("15:04:05")), text)
	}
	return out.flush()
}

// leave gives the terminal back, with a last text on it.
func (s *screen) leave(last string) error {
	if !s.drawn {
		return nil
	}
	_, err := io.WriteString(s.v.Out, leaveScreen+last)
	return err
}

// draw shows a text in place of the one before, as much of it as fits.
func (s *screen) draw(text string) error {
	columns, height := s.size()
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > height-1 && height > 2 {
		hidden := len(lines) - (height - 2)
		lines = append(lines[:height-2], s.v.paint(dim, fmt.Sprintf("  ... %s more than fit here", count(hidden, "line"))))
	}
	var b strings.Builder
	if !s.drawn {
		s.drawn = true
		b.WriteString(enterScreen)
	}
	b.WriteString(beginSync)
	for _, line := range lines {
		b.WriteString(clip(line, columns) + endOfLine + "\r\n")
	}
	b.WriteString(endSync)
	_, err := io.WriteString(s.v.Out, b.String())
	return err
}

// clip cuts a line to so many columns. Escape codes take none.
func clip(line string, columns int) string {
	at, used := 0, 0
	for at < len(line) {
		if line[at] == '\x1b' {
			end := strings.IndexByte(line[at:], 'm')
			if end < 0 {
				break
			}
			at += end + 1
			continue
		}
		if used == columns-1 && utf8.RuneCountInString(bare(line[at:])) > 1 {
			return line[:at] + "…"
		}
		_, n := utf8.DecodeRuneInString(line[at:])
		at, used = at+n, used+1
	}
	return line
}

// bare is a text without the codes of color.
func bare(s string) string {
	var b strings.Builder
	for s != "" {
		text, rest, found := strings.Cut(s, "\x1b[")
		b.WriteString(text)
		if !found {
			break
		}
		_, s, _ = strings.Cut(rest, "m")
	}
	return b.String()
}

// frame is the table as text.
func (w *Watch) frame(now time.Time) string {
	out := &printer{v: w.v}
	if w.last == nil {
		out.line("%s", w.away)
		return out.String()
	}
	out.status(w.last, now)
	if w.away != "" {
		out.line("%s This is how things stood when it last answered: %s", w.v.paint(red, "!"), w.away)
	}
	return out.String()
}

// rollouts shows each rollout under way below the table of models.
func (p *printer) rollouts(models []controller.ModelStatus, now time.Time) {
	for i := range models {
		m := &models[i]
		r := m.Rollout
		if r == nil || r.First {
			continue
		}
		p.line("")
		p.line("  %s  %s  %s %3d %%  %s, %s", p.v.paint(bold, m.Name), transition(m), p.bar(r.Weight), r.Weight, stepWords(r), waiting(r, now))
		for j := range r.Checks {
			c := &r.Checks[j]
			l := verdictOf(c)
			text := fmt.Sprintf("%-12s %s", l.words, c.Name)
			if why := sentence(c); why != "" {
				text += ": " + firstLine(why)
			}
			if !c.Counts {
				text += " (not in this step)"
			}
			p.line("    %s %s", p.v.paint(l.color, l.mark), text)
		}
	}
}

// transition names what a rollout leads from and to: by versions, where these
// tell the two apart.
func transition(m *controller.ModelStatus) string {
	to := &m.Rollout.Candidate
	switch from := m.Stable; {
	case from == nil:
		return label(to)
	case from.Version != "" && to.Version != "" && from.Version != to.Version:
		return from.Version + " → " + to.Version
	default:
		return from.Revision + " → " + to.Revision
	}
}

// bar shows a weight: the candidate's part is full.
func (p *printer) bar(weight int) string {
	const cells = 20
	full := (weight*cells + 99) / 100 // any weight above zero is seen
	return p.v.paint(cyan, strings.Repeat("█", full)) + p.v.paint(dim, strings.Repeat("░", cells-full))
}
