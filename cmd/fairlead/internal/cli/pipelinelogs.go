package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec/lang"
)

func (p *program) pipelineLogsCommand() *cobra.Command {
	var f siteFlags
	var follow bool
	var attempt int
	cmd := &cobra.Command{
		Use:   "logs RUN [STEP]",
		Short: "Show what the steps of a run wrote",
		Long: `Shows the log of a step, or of all steps that ran, with the step's name in front of
each line. STEP is the name of a step, for all its variants, or of one variant:
train, or train.2. With -f what steps write is shown as it comes, until the run has
ended. On a terminal codes that would change it are left out.
` + aboutRuns + `
    fairlead pipeline logs train_digits -f
    fairlead pipeline logs train_digits-12 train.2 --attempt 1

Exit codes: 0 fine, 1 error, or there is no such log.`,
		Args: func(cmd *cobra.Command, args []string) error {
			const example = "fairlead pipeline logs train_digits train"
			if len(args) == 0 {
				return fmt.Errorf("say which run is meant; for example: %s", example)
			}
			return atMost(2, example)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if attempt < 0 {
				return fmt.Errorf("--attempt %d is no attempt; they count from 1", attempt)
			}
			d, r, err := p.runOf(cmd, &f, args[0])
			if err != nil {
				return err
			}
			step := ""
			if len(args) > 1 {
				step = args[1]
			}
			nodes, err := nodesOf(r, step)
			if err != nil {
				return err
			}
			l := logs{daemon: d, id: r.ID, run: r, step: step, attempt: attempt, out: p.view.Logs(p.json, p.Terminal, nodes)}
			if follow {
				return l.follow(cmd.Context())
			}
			return l.print(cmd.Context(), nodes)
		},
	}
	f.registerDaemon(cmd.Flags())
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the run has ended")
	cmd.Flags().IntVar(&attempt, "attempt", 0, "show this attempt, a `NUMBER` from 1 (default: the newest)")
	return cmd
}

// nodesOf are the nodes of a run that a name means, in the order of the graph.
func nodesOf(r *run.Run, name string) ([]string, error) {
	var nodes, known []string
	for _, n := range r.Order() {
		if name == "" || n.ID == name || n.Step == name {
			nodes = append(nodes, n.ID)
		}
		if !slices.Contains(known, n.Step) {
			known = append(known, n.Step)
		}
	}
	if len(nodes) > 0 || name == "" {
		return nodes, nil
	}
	if near := lang.Nearest(name, known); near != "" {
		return nil, fmt.Errorf("%s has no step %q; did you mean %s?", r.ID, name, near)
	}
	return nil, fmt.Errorf("%s has no step %q; it has %s", r.ID, name, strings.Join(known, ", "))
}

// logs shows what nodes of a run wrote.
type logs struct {
	daemon  *daemon
	id      string   // of the run
	run     *run.Run // as it was seen last; what copies logs never looks at it
	step    string   // of which; "": all
	attempt int      // 0: the newest
	out     *view.Logs
}

// print shows the logs as they are, one after the other.
func (l *logs) print(ctx context.Context, nodes []string) error {
	shown := 0
	var last error
	for _, id := range nodes {
		n := l.run.Nodes[id]
		if n.Attempt == 0 {
			last = noLog(l.run, n)
			continue
		}
		err := l.copy(ctx, id, l.attempt, n.Attempt, false)
		switch {
		case isUnknown(err):
			last = err
		case err != nil:
			return err
		default:
			shown++
		}
	}
	if shown == 0 && last != nil && (l.step != "" || l.attempt > 0) {
		return last
	}
	return nil
}

// noLog says why a node has none.
func noLog(r *run.Run, n *run.Node) error {
	switch {
	case n.From != "":
		return fmt.Errorf("%s did not run in %s: its result is that of %s; see: fairlead pipeline logs %s %s", n.ID, r.ID, n.From, n.From, n.ID)
	case n.Phase.Ended():
		return fmt.Errorf("%s did not run in %s: %s", n.ID, r.ID, n.Reason)
	}
	return fmt.Errorf("%s has not started yet in %s; follow it with -f", n.ID, r.ID)
}

// one names an attempt at a node.
type one struct {
	node    string
	attempt int
}

// follow shows what all nodes write that run, and of those to come, until the run
// has ended.
func (l *logs) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	open := map[one]bool{} // false: shown to its end
	ended := make(chan result)
	defer func() {
		cancel()
		for _, busy := range open {
			if busy {
				<-ended
			}
		}
	}()
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	for {
		busy := l.begin(ctx, open, ended)
		if !busy && l.over() {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case r := <-ended:
			open[r.of] = false
			switch {
			case ctx.Err() != nil:
				return nil
			case isUnknown(r.err) && !l.over(): // just created: its log comes in a moment
				delete(open, r.of)
			case r.err != nil && !isUnknown(r.err):
				return r.err
			}
		case <-ticker.C:
		}
		if now, err := l.daemon.run(ctx, l.id); err == nil {
			l.run = now
		} else if ctx.Err() == nil {
			return err
		}
	}
}

// result is how following one log ended.
type result struct {
	of  one
	err error
}

// begin follows the logs that are new, and tells whether any is followed.
func (l *logs) begin(ctx context.Context, open map[one]bool, ended chan<- result) (busy bool) {
	nodes, _ := nodesOf(l.run, l.step)
	for _, id := range nodes {
		newest := l.run.Nodes[id].Attempt
		of := one{id, newest}
		if l.attempt > 0 {
			of.attempt = l.attempt
		}
		if _, seen := open[of]; seen || newest < of.attempt || newest == 0 {
			continue
		}
		open[of] = true
		go func() { ended <- result{of, l.copy(ctx, of.node, of.attempt, of.attempt, true)} }()
	}
	for _, is := range open {
		busy = busy || is
	}
	return busy
}

// over tells whether nothing more can come.
func (l *logs) over() bool {
	nodes, _ := nodesOf(l.run, l.step)
	return l.run.Phase == run.Done || !slices.ContainsFunc(nodes, func(id string) bool { return !l.run.Nodes[id].Phase.Ended() })
}

// maxLine is how much of a line is shown in one piece.
const maxLine = 64 << 10

// copy shows a log. The attempt asked for may be 0, the newest, which is shown as
// number.
func (l *logs) copy(ctx context.Context, node string, attempt, number int, follow bool) error {
	log, err := l.daemon.log(ctx, l.id, node, attempt, follow)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	if attempt > 0 {
		number = attempt
	}
	return eachLine(log, func(line string) error { return l.out.Line(node, number, line) })
}

// eachLine calls f for every line, without its end, and for the pieces of one that is
// very long.
func eachLine(from io.Reader, f func(line string) error) error {
	lines := bufio.NewReaderSize(from, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			if err := f(strings.TrimSuffix(string(line), "\n")); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("read the log: %w", err)
		}
	}
}

// log is what an attempt at a node wrote.
func (d *daemon) log(ctx context.Context, id, node string, attempt int, follow bool) (io.ReadCloser, error) {
	query := url.Values{"attempt": {strconv.Itoa(attempt)}, "follow": {strconv.FormatBool(follow)}}
	return d.send(ctx, http.MethodGet, fmt.Sprintf("/api/v1/runs/%s/logs/%s?%s", url.PathEscape(id), url.PathEscape(node), query.Encode()), nil)
}

const (
	tailLines    = 10
	tailPatience = 5 * time.Second
	// mostTails is of how many failing nodes the last words are asked for.
	mostTails = 3
)

// tails are the last lines of steps that fail, by node. Those of before are kept as
// long as the attempt is the same. What cannot be read is left out: the reason of the
// failure is shown in any case.
func (d *daemon) tails(ctx context.Context, r *run.Run, before map[string][]string) map[string][]string {
	tails := map[string][]string{}
	for _, n := range r.Order() {
		if n.Attempt == 0 || n.Phase != run.NodeFailed && n.Phase != run.NodeBackoff || len(tails) == mostTails {
			continue
		}
		if lines, known := before[n.ID]; known && n.Phase == run.NodeFailed {
			tails[n.ID] = lines
			continue
		}
		if lines := d.tail(ctx, r.ID, n.ID, n.Attempt); len(lines) > 0 {
			tails[n.ID] = lines
		}
	}
	return tails
}

func (d *daemon) tail(ctx context.Context, id, node string, attempt int) []string {
	ctx, cancel := context.WithTimeout(ctx, tailPatience)
	defer cancel()
	log, err := d.log(ctx, id, node, attempt, false)
	if err != nil {
		return nil
	}
	defer func() { _ = log.Close() }()
	var last []string
	_ = eachLine(log, func(line string) error {
		if line = view.Clean(line); strings.TrimSpace(line) == "" {
			return nil
		}
		if len(last) == tailLines {
			last = append(last[:0], last[1:]...)
		}
		last = append(last, line)
		return nil
	})
	return last
}
