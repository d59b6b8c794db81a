package view

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

// nodeLooks are how nodes are shown.
var nodeLooks = map[run.NodePhase]look{
	run.NodeWaiting:    {"·", dim, "waiting"},
	run.NodeLooking:    {"?", dim, "looking"},
	run.NodeReady:      {"·", dim, "ready"},
	run.NodeBackoff:    {"↻", yellow, "backoff"},
	run.NodeStarting:   {"○", cyan, "starting"},
	run.NodeRunning:    {"●", cyan, "running"},
	run.NodeStopping:   {"■", yellow, "stopping"},
	run.NodeCollecting: {"◐", cyan, "collecting"},
	run.NodeSucceeded:  {"✓", green, "succeeded"},
	run.NodeFailed:     {"✗", red, "failed"},
	run.NodeSkipped:    {"-", dim, "skipped"},
	run.NodeCancelled:  {"⊘", yellow, "cancelled"},
}

func lookOf(n *run.Node) look {
	if n.Phase == run.NodeSucceeded && n.From != "" {
		return look{"✓", cyan, "cached"}
	}
	if l, known := nodeLooks[n.Phase]; known {
		return l
	}
	return look{"·", dim, string(n.Phase)}
}

// nodes prints the steps in the order of the graph, with their variants below
// them: at most so many lines of variants for each, the ones that tell most.
func (p *printer) nodes(r *run.Run, now time.Time, variants int) {
	rows := [][]string{{"STEP", "STATE", "TIME", "TRY", "WHAT"}}
	var looks []look
	add := func(l look, indent, name, state, time, try, what string) {
		rows, looks = append(rows, []string{indent + l.mark + " " + name, state, time, try, what}), append(looks, l)
	}
	for group := range slices.Values(grouped(r)) {
		first := group[0]
		step := r.Definition.Step(first.Step)
		if !isVaried(step) {
			l := lookOf(first)
			add(l, "", first.ID, l.words, nodeTook(first, now), tryText(first, step), nodeText(r, first, now))
		} else {
			l := groupLook(group)
			add(l, "", first.Step, fmt.Sprintf("%d of %d", succeededIn(group), len(group)), groupTook(group, now), "", groupText(r, first.Step))
			shown, hidden := telling(group, variants)
			for _, n := range shown {
				l := lookOf(n)
				add(l, "  ", n.ID, l.words, nodeTook(n, now), tryText(n, step), strings.TrimSpace(settings(n.Values)+"  "+nodeText(r, n, now)))
			}
			if hidden > 0 {
				add(look{" ", dim, ""}, "  ", fmt.Sprintf("%d more", hidden), "", "", "", "")
			}
		}
	}
	p.table(rows, func(row, column int) string {
		if column < 2 {
			return looks[row].color
		}
		return ""
	})
}

func isVaried(s *spec.Step) bool { return s != nil && (len(s.Matrix) > 0 || s.Search != nil) }

// grouped are the nodes by step, in the order of the graph.
func grouped(r *run.Run) [][]*run.Node {
	var groups [][]*run.Node
	for _, n := range r.Order() {
		if last := len(groups) - 1; last >= 0 && groups[last][0].Step == n.Step {
			groups[last] = append(groups[last], n)
			continue
		}
		groups = append(groups, []*run.Node{n})
	}
	return groups
}

func endedIn(group []*run.Node) int {
	ended := 0
	for _, n := range group {
		if n.Phase.Ended() {
			ended++
		}
	}
	return ended
}

// succeededIn is how many variants have given something: ended says too little.
func succeededIn(group []*run.Node) int {
	succeeded := 0
	for _, n := range group {
		if n.Phase == run.NodeSucceeded {
			succeeded++
		}
	}
	return succeeded
}

// groupLook is that of the variant which tells most.
func groupLook(group []*run.Node) look {
	of := func(phases ...run.NodePhase) *run.Node {
		i := slices.IndexFunc(group, func(n *run.Node) bool { return slices.Contains(phases, n.Phase) })
		if i < 0 {
			return nil
		}
		return group[i]
	}
	if n := of(run.NodeFailed); n != nil {
		return lookOf(n)
	}
	if endedIn(group) == len(group) {
		if n := of(run.NodeSucceeded); n != nil {
			if i := slices.IndexFunc(group, func(n *run.Node) bool { return n.Phase == run.NodeSucceeded && n.From == "" }); i >= 0 {
				n = group[i]
			}
			return lookOf(n)
		}
		return lookOf(group[0])
	}
	for _, phase := range []run.NodePhase{run.NodeRunning, run.NodeCollecting, run.NodeStopping, run.NodeStarting, run.NodeBackoff} {
		if n := of(phase); n != nil {
			return lookOf(n)
		}
	}
	if endedIn(group) > 0 {
		return look{"●", cyan, ""}
	}
	return lookOf(group[0])
}

// nodeTook is how long a node ran itself.
func nodeTook(n *run.Node, now time.Time) string {
	if n.From != "" {
		return "-"
	}
	return took(n.Started, n.Finished, now)
}

// groupTook is from the first start of a variant to the last end.
func groupTook(group []*run.Node, now time.Time) string {
	var started, finished time.Time
	open := false
	for _, n := range group {
		if n.Started.IsZero() || n.From != "" {
			continue
		}
		if started.IsZero() || n.Started.Before(started) {
			started = n.Started
		}
		if n.Finished.After(finished) {
			finished = n.Finished
		}
		open = open || !n.Phase.Ended()
	}
	if open {
		finished = time.Time{}
	}
	return took(started, finished, now)
}

// groupText is the best variant so far, where one is selected.
func groupText(r *run.Run, step string) string {
	var parts []string
	for _, s := range r.Definition.Selects {
		if s.Of != step {
			continue
		}
		if best := r.Selected(s); best != nil {
			parts = append(parts, fmt.Sprintf("%s: %s with %s %s", s.Name, best.ID, s.Metric, figure(best.Metrics[s.Metric])))
		}
	}
	return strings.Join(parts, ", ")
}

// telling are the variants to be shown where not all of them can: what fails or
// runs before what has succeeded before what waits.
func telling(group []*run.Node, most int) (shown []*run.Node, hidden int) {
	if len(group) <= most {
		return group, 0
	}
	rank := func(n *run.Node) int {
		switch n.Phase {
		case run.NodeFailed:
			return 0
		case run.NodeWaiting:
			return 3
		case run.NodeSucceeded, run.NodeSkipped, run.NodeCancelled:
			return 2
		default:
			return 1
		}
	}
	sorted := slices.Clone(group)
	slices.SortStableFunc(sorted, func(a, b *run.Node) int { return rank(a) - rank(b) })
	shown = sorted[:most]
	slices.SortFunc(shown, func(a, b *run.Node) int { return a.Trial - b.Trial })
	return shown, len(group) - most
}

// tryText is which attempt it is, where there is more than one.
func tryText(n *run.Node, s *spec.Step) string {
	switch {
	case n.Attempt == 0:
		return ""
	case s != nil && s.Retries > 0:
		return fmt.Sprintf("%d/%d", n.Attempt, s.Retries+1)
	}
	return strconv.Itoa(n.Attempt)
}

// nodeText says what a node gave, or what it waits for.
func nodeText(r *run.Run, n *run.Node, now time.Time) string {
	switch n.Phase {
	case run.NodeSucceeded:
		text := metricsText(n.Metrics)
		if n.From != "" {
			text = strings.TrimSpace("from " + n.From + "  " + text)
		}
		return text
	case run.NodeWaiting:
		if waits := waitsFor(r, n); len(waits) > 0 {
			return "waits for " + few(waits)
		}
		return ""
	case run.NodeBackoff:
		return fmt.Sprintf("again in %s: %s", remaining(n.RetryAt, now), firstLine(n.Reason))
	case run.NodeReady:
		return "waits for its turn"
	case run.NodeRunning, run.NodeStarting, run.NodeCollecting, run.NodeLooking:
		return ""
	default:
		return firstLine(n.Reason)
	}
}

func waitsFor(r *run.Run, n *run.Node) []string {
	step := r.Definition.Step(n.Step)
	if step == nil {
		return nil
	}
	var open []string
	for _, need := range run.Needs(&r.Definition, step) {
		if nodes := r.Of(need); endedIn(nodes) < len(nodes) {
			open = append(open, need)
		}
	}
	return open
}

// metricsText are figures in a line: the first of them where there are many.
func metricsText(metrics map[string]float64) string {
	const most = 4
	names := slices.Sorted(maps.Keys(metrics))
	var parts []string
	for _, name := range names[:min(len(names), most)] {
		parts = append(parts, name+" "+figure(metrics[name]))
	}
	text := strings.Join(parts, ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return text
}

// figure is a number as people compare it: to six digits.
func figure(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }

// tails prints the last lines that failing steps wrote.
func (p *printer) tails(r *run.Run, tails map[string][]string) {
	for _, n := range r.Order() {
		lines := tails[n.ID]
		if len(lines) == 0 {
			continue
		}
		p.line("")
		p.line("  %s", p.v.paint(dim, fmt.Sprintf("The last output of %s:", n.ID)))
		for _, text := range lines {
			p.line("    %s %s", p.v.paint(red, "│"), text)
		}
	}
}
