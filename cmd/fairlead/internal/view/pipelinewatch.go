package view

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile/gate"
	"github.com/fairlead/fairlead/reconcile/run"
)

// Follow shows a run again and again until it has ended: as a graph that is drawn
// in place on a terminal, else as a line for each change. As JSON it is silent until
// the end, and then one document.
type Follow struct {
	screen
	json  bool
	last  *run.Run
	tails map[string][]string
	away  string // why the daemon does not answer; "" if it does
}

// Follow begins to show a run. Size is nil where output goes to no terminal.
func (v *View) Follow(asJSON bool, size func() (columns, lines int)) *Follow {
	if asJSON {
		size = nil
	}
	return &Follow{screen: screen{v: v, size: size}, json: asJSON}
}

// Show shows a run. Tails are the last lines that steps wrote, by node.
func (f *Follow) Show(r *run.Run, tails map[string][]string, now time.Time) error {
	before, back := f.last, f.away != ""
	f.last, f.tails, f.away = r, tails, ""
	switch {
	case f.json:
		return nil
	case f.size != nil:
		return f.draw(f.frame(now))
	}
	news := runChanges(before, r, now)
	if back {
		news = append([]string{"the daemon answers again"}, news...)
	}
	return f.say(news, now)
}

// Away says that the daemon does not answer; what was shown last stays.
func (f *Follow) Away(err error, now time.Time) error {
	first := f.away == ""
	f.away = err.Error()
	switch {
	case f.size != nil:
		return f.draw(f.frame(now))
	case first && !f.json:
		return f.say([]string{f.away}, now)
	}
	return nil
}

// End gives the terminal back. Of a run that has ended all that is known is shown.
func (f *Follow) End(now time.Time) error {
	if err := f.leave(""); err != nil || f.last == nil {
		return err
	}
	switch {
	case f.json && f.last.Phase == run.Done:
		return f.v.JSON(f.last)
	case f.json:
	case f.last.Phase == run.Done || f.size != nil:
		return f.v.Run(f.last, f.tails, now)
	}
	return nil
}

// frame is the graph as text: as much of a search as fits.
func (f *Follow) frame(now time.Time) string {
	out := &printer{v: f.v}
	r := f.last
	if r == nil {
		out.line("%s", f.away)
		return out.String()
	}
	_, lines := f.size()
	out.runHead(r, now)
	ended, total := progressOf(r)
	out.line("  %s %d of %s", out.bar(ended*100/max(total, 1)), ended, count(total, "step"))
	out.line("")
	out.nodes(r, now, max(lines/2, 5))
	out.tails(r, f.tails)
	out.gates(r.Gates)
	out.publication(r)
	if f.away != "" {
		out.line("%s This is how things stood when it last answered: %s", f.v.paint(red, "!"), f.away)
	}
	return out.String()
}

func progressOf(r *run.Run) (ended, total int) {
	for _, n := range r.Nodes {
		if n.Phase.Ended() {
			ended++
		}
	}
	return ended, len(r.Nodes)
}

// phaseNews say what a run does now.
var phaseNews = map[run.Phase]string{
	run.Queued:     "is queued: a pipeline has one run at a time",
	run.Preparing:  "prepares: images are pinned, data is fetched and checked",
	run.Judging:    "its steps have ended; gates are judged",
	run.Publishing: "its gates have passed; the version is published",
}

// runChanges says in lines what is news about a run.
func runChanges(before, r *run.Run, now time.Time) []string {
	var news []string
	say := func(format string, args ...any) { news = append(news, fmt.Sprintf(format, args...)) }
	if before == nil {
		say("%s: started by %s", r.ID, causeText(&r.Trigger))
		before = &run.Run{}
	}
	if text := phaseNews[r.Phase]; r.Phase != before.Phase && text != "" {
		say("%s: %s", r.ID, text)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Datasets)) {
		if _, known := before.Datasets[name]; !known {
			say("dataset %s: %s", name, datasetText(r.Datasets[name]))
		}
	}
	for _, n := range r.Order() {
		news = append(news, nodeChanges(before.Nodes[n.ID], n, now)...)
	}
	for i := range r.Gates {
		g := &r.Gates[i]
		if slices.ContainsFunc(before.Gates, func(old gate.Result) bool {
			return old.Name == g.Name && old.Outcome == g.Outcome && old.Subject == g.Subject
		}) {
			continue
		}
		say("gate %s: %s: %s%s", g.Name, g.Outcome, firstLine(g.Detail), levelText(g))
	}
	if r.Published != nil && before.Published == nil {
		say("%s: %s", r.ID, publishedText(r.Published))
	}
	if r.Tries > before.Tries && r.Reason != "" {
		say("%s: %s", r.ID, firstLine(r.Reason))
	}
	if r.Outcome != "" && before.Outcome == "" && r.Phase != run.Done {
		say("%s: %s%s", r.ID, r.Outcome, because(firstLine(r.Reason)))
	}
	return news
}

func publishedText(p *run.Publication) string {
	if p.Unneeded != "" {
		return "nothing is published: " + p.Unneeded
	}
	text := "version " + p.Version
	if p.Branch != "" {
		text += " is proposed on branch " + p.Branch
	}
	return text
}

// nodeChanges are the news about a node. What is between two states that matter to
// a person is none.
func nodeChanges(before, n *run.Node, now time.Time) []string {
	if before == nil {
		before = &run.Node{Phase: run.NodeWaiting}
	}
	var news []string
	say := func(format string, args ...any) { news = append(news, n.ID+": "+fmt.Sprintf(format, args...)) }
	for _, past := range n.Past[min(len(before.Past), len(n.Past)):] {
		if n.Phase == run.NodeFailed && past.Attempt == n.Attempt {
			continue // that it failed says the same
		}
		say("attempt %d failed: %s", past.Attempt, firstLine(past.Reason))
	}
	if n.Phase == before.Phase && n.Attempt == before.Attempt {
		return news
	}
	switch n.Phase {
	case run.NodeRunning:
		text := "runs"
		if len(n.Values) > 0 {
			text += " with " + settings(n.Values)
		}
		if n.Attempt > 1 {
			text += fmt.Sprintf(", attempt %d", n.Attempt)
		}
		say("%s", text)
	case run.NodeBackoff:
		say("again in %s", remaining(n.RetryAt, now))
	case run.NodeSucceeded:
		text := "succeeded in " + took(n.Started, n.Finished, now)
		if n.From != "" {
			text = "cached, from " + n.From
		}
		say("%s%s", text, because(metricsText(n.Metrics)))
	case run.NodeFailed, run.NodeSkipped, run.NodeCancelled:
		say("%s%s", n.Phase, because(firstLine(n.Reason)))
	case run.NodeWaiting, run.NodeLooking, run.NodeStarting, run.NodeStopping, run.NodeCollecting:
	default:
	}
	return news
}

// controls are the codes that a program sends to a terminal: colors, moves, titles.
var controls = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?`)

// Clean is a line of a log as a terminal may show it: of what a progress bar wrote
// over itself the last, and without codes that would change the terminal.
func Clean(line string) string {
	line = strings.TrimRight(line, "\r\n")
	if at := strings.LastIndexByte(line, '\r'); at >= 0 {
		line = line[at+1:]
	}
	return strings.Map(func(c rune) rune {
		if c == '\t' {
			return ' '
		}
		if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 {
			return -1
		}
		return c
	}, controls.ReplaceAllString(line, ""))
}
