package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec"
)

// The formats of a graph.
const (
	graphSVG     = "svg"
	graphMermaid = "mermaid"
	graphText    = "text"
)

func (p *program) pipelineGraphCommand() *cobra.Command {
	var f siteFlags
	var format, file string
	cmd := &cobra.Command{
		Use:   "graph PIPELINE | RUN [DIR | URL[@REF]]",
		Short: "Draw a pipeline, or a run with the state of each step",
		Long: `Draws the graph of a pipeline: data, steps, selections, gates, and what is published.
With a directory or repository the pipeline is drawn as its specs declare it, and
no daemon is needed. Else the daemon is asked: for a run, which is drawn with the
state of each step, or for a pipeline that it follows.

    fairlead pipeline graph train_digits . -o train.svg
    fairlead pipeline graph train_digits-12 > run.svg
    fairlead pipeline graph train_digits --format mermaid

Without --format the name of the file tells it (.svg, .mmd, .txt); else it is text
on a terminal, and SVG everywhere else.

Exit codes: 0 fine, 1 error.`,
		Args: func(cmd *cobra.Command, args []string) error {
			const example = "fairlead pipeline graph train_digits ."
			if len(args) == 0 {
				return fmt.Errorf("say which pipeline or run is meant; for example: %s", example)
			}
			return atMost(2, example)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := p.graphFormat(format, file)
			if err != nil {
				return err
			}
			graph, err := p.graph(cmd, &f, args)
			if err != nil {
				return err
			}
			return p.draw(graph, format, file)
		},
	}
	f.registerDaemon(cmd.Flags())
	f.registerLanguage(cmd.Flags())
	f.registerGit(cmd.Flags())
	cmd.Flags().StringVar(&format, "format", "", "svg, mermaid or text, as `FORMAT`")
	cmd.Flags().StringVarP(&file, "output", "o", "", "`FILE` to write to (default: standard output)")
	return cmd
}

func (p *program) graphFormat(format, file string) (string, error) {
	switch format {
	case graphSVG, graphMermaid, graphText:
		return format, nil
	case "":
	default:
		return "", fmt.Errorf("--format %q is none of svg, mermaid and text", format)
	}
	named := map[string]string{".svg": graphSVG, ".mmd": graphMermaid, ".mermaid": graphMermaid, ".txt": graphText}[filepath.Ext(file)]
	if file == "" && p.Terminal {
		named = graphText
	}
	return cmp.Or(named, graphSVG), nil
}

// graph is that of the pipeline or run which the arguments mean.
func (p *program) graph(cmd *cobra.Command, f *siteFlags, args []string) (*view.Graph, error) {
	c, err := p.resolve(cmd, f)
	if err != nil {
		return nil, err
	}
	if len(args) > 1 {
		site, err := openTarget(cmd.Context(), c, args[1], app.Look)
		if err != nil {
			return nil, err
		}
		defer func() { _ = site.Close() }()
		snapshot, err := site.Source.Latest(cmd.Context())
		if err != nil {
			return nil, err
		}
		cfg, err := site.Load(cmd.Context(), snapshot.Tree)
		if err != nil {
			return nil, p.explainError(err, snapshot.Tree)
		}
		return declaredGraph(cfg, args[0])
	}
	d, err := f.reach(c)
	if err != nil {
		return nil, err
	}
	status, err := d.pipelines(cmd.Context())
	if err != nil {
		return nil, err
	}
	for i := range status.Pipelines {
		if status.Pipelines[i].Name == args[0] && status.Pipelines[i].Definition != nil {
			return view.PipelineGraph(status.Pipelines[i].Definition), nil
		}
	}
	r, err := d.findRun(cmd.Context(), args[0])
	if err != nil {
		return nil, err
	}
	return view.RunGraph(r, time.Now()), nil
}

// declaredGraph is that of a pipeline of specs.
func declaredGraph(cfg *spec.Config, name string) (*view.Graph, error) {
	status := &runner.Status{}
	for _, p := range cfg.Pipelines {
		if p.Name == name || p.Address.String() == name {
			return view.PipelineGraph(p), nil
		}
		status.Pipelines = append(status.Pipelines, runner.PipelineStatus{Name: p.Name})
	}
	if err := declaredIn(status, name, ", in environment "+cfg.Environment); err != nil {
		return nil, err
	}
	return nil, errors.New("there is no such pipeline")
}

// draw writes a graph to a file, or shows it.
func (p *program) draw(g *view.Graph, format, file string) error {
	var text strings.Builder
	out := p.view
	if file != "" {
		out = &view.View{Out: &text, Err: p.view.Err}
	}
	if err := p.render(out, g, format); err != nil || file == "" {
		return err
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("write the graph: %w", err)
	}
	return nil
}

func (p *program) render(v *view.View, g *view.Graph, format string) error {
	switch {
	case p.json:
		return v.JSON(g)
	case format == graphSVG:
		return v.Line(strings.TrimSuffix(g.SVG(), "\n"))
	case format == graphMermaid:
		return v.Line(strings.TrimSuffix(g.Mermaid(), "\n"))
	}
	return v.GraphText(g)
}
