package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/reconcile/score"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/lang"
)

func (p *program) scoreCommand() *cobra.Command {
	var f siteFlags
	var dir string
	cmd := &cobra.Command{
		Use:   "score [MODEL]",
		Short: "Show how well models are looked after, and what would raise it",
		Long: `Scores each model in six measures of 0 to 100: repeatability, availability,
maintainability, quality, scalability and consistency. With MODEL every point is
shown with its reason, and what would raise it.

Points are for what the specs in --dir declare and, where a daemon runs for the
environment, for what it observes. They say how a model is looked after, not
whether it is right for its purpose.

    fairlead score --dir config
    fairlead score digits --dir config --environment prod

Exit codes: 0 fine, 1 error.`,
		Args: atMost(1, "fairlead score digits"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.resolve(cmd, &f)
			if err != nil {
				return err
			}
			tree, err := readDirectory(cmd, []string{dir})
			if err != nil {
				return err
			}
			cfg, diags := lang.NewLoader().Load(tree, lang.Options{Environment: declaredEnvironment(tree, c.Environment), Variables: c.Variables, Version: version()})
			if diags.HasErrors() {
				return p.explainError(&diag.ListError{Diagnostics: diags}, tree)
			}
			d, err := f.reach(c)
			if err != nil {
				return err
			}
			status, err := d.status(cmd.Context())
			if err != nil && !errors.Is(err, errNoDaemon) {
				return err
			}
			if err != nil || status.Environment != cfg.Environment {
				status = nil
			}
			report := score.All(cfg, observed(status), time.Now())
			if len(args) == 0 {
				return p.show(report, func() error { return p.view.Scores(&report) })
			}
			card, err := cardOf(cfg, &report, args[0])
			if err != nil {
				return err
			}
			return p.show(card, func() error { return p.view.Score(card) })
		},
	}
	f.registerDaemon(cmd.Flags())
	f.registerLanguage(cmd.Flags())
	cmd.Flags().StringVar(&dir, "dir", ".", "`DIR` with the specs")
	return cmd
}

// declaredEnvironment is the environment to load; "" where the specs declare none.
func declaredEnvironment(tree spec.Tree, name string) string {
	declared, _ := lang.NewLoader().Environments(tree, lang.Options{})
	if len(declared) == 0 && name == spec.DefaultEnvironment {
		return ""
	}
	return name
}

// cardOf is the card of the model of that name.
func cardOf(cfg *spec.Config, r *score.Report, name string) (*score.Card, error) {
	var known []string
	for i := range r.Cards {
		if c := &r.Cards[i]; c.Model == name || c.Address == name {
			return c, nil
		}
		known = append(known, r.Cards[i].Model)
	}
	err := fmt.Errorf("there is no model %q in %s", name, cfg.Environment)
	if near := lang.Nearest(name, known); near != "" {
		err = fmt.Errorf("%w; did you mean %s?", err, near)
	}
	return nil, err
}

// observed is what a daemon tells about each model; nil without a daemon.
func observed(status *app.DaemonStatus) map[string]*score.Observed {
	if status == nil {
		return nil
	}
	seen := make(map[string]*score.Observed, len(status.Models))
	for i := range status.Models {
		m := &status.Models[i]
		o := &score.Observed{
			Phase: string(m.Phase), Reason: m.Reason, Error: m.Error, Wanted: m.Revision, Serving: m.Serving, Ready: m.Ready, Replicas: m.Replicas,
			Restarts: m.ReplicaRestarts[m.Serving],
		}
		if m.Last != nil {
			o.Last = m.Last.Outcome
		}
		seen[m.Name] = o
	}
	return seen
}
