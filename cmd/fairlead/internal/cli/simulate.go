package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/simulate"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/lang"
)

// maxRuns bounds a series, so that a slip of the finger does not take the night.
const maxRuns = 100_000

func (p *program) simulateCommand() *cobra.Command {
	var f siteFlags
	var model string
	var o simulate.SeriesOptions
	cmd := &cobra.Command{
		Use:   "simulate [DIR | FILE]",
		Short: "Try the rollout rules of models on declared traffic, in virtual time",
		Long: `Runs every simulation block below DIR (default: the current directory), or only
those of FILE: what the rollout rules of its model would make of such a candidate.
It steps the very machine that "fairlead serve" runs, in virtual time, and needs
neither engine nor daemon.

It shows one rollout, decision by decision. Then many of them: how they end, how
long they take, and how many requests the candidate gets and fails. Then as many
with a candidate that behaves as stable does, which tells how often the checks
raise a false alarm. Approvals are given when the hold of their step is over.

    fairlead rollout simulate .
    fairlead rollout simulate digits.hcl --runs 1000
    fairlead rollout simulate --model digits --environment prod

Exit codes: 0 fine, 1 error, or there is no simulation.`,
		Args: atMost(1, "fairlead rollout simulate ."),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Runs < 1 || o.Runs > maxRuns {
				return fmt.Errorf("--runs %d is out of range; use 1 to %d", o.Runs, maxRuns)
			}
			options, err := p.languageConfig(cmd, &f)
			if err != nil {
				return err
			}
			dir, file, err := simulationPath(args)
			if err != nil {
				return err
			}
			tree, err := readDirectory(cmd, []string{dir})
			if err != nil {
				return err
			}
			cfg, diags := lang.NewLoader().Load(tree, options)
			if diags.HasErrors() {
				return p.explainError(&diag.ListError{Diagnostics: diags}, tree)
			}
			chosen, err := choose(cfg, file, model)
			if err != nil {
				return err
			}
			return p.simulate(cmd.Context(), cfg, chosen, o)
		},
	}
	f.registerLanguage(cmd.Flags())
	cmd.Flags().StringVar(&f.Environment, "environment", "", "`NAME` of the environment whose rules are tried")
	cmd.Flags().StringVar(&model, "model", "", "`NAME` of the model (default: all that have a simulation)")
	cmd.Flags().IntVar(&o.Runs, "runs", 200, "rollouts of each candidate")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "where chance starts; the same seed gives the same result")
	return cmd
}

// simulationPath is the directory to read, and the file in it that is meant.
func simulationPath(args []string) (dir, file string, err error) {
	if len(args) == 0 {
		return ".", "", nil
	}
	info, err := os.Stat(args[0])
	if err != nil {
		return "", "", fmt.Errorf("read the specs: %w", err)
	}
	if info.IsDir() {
		return args[0], "", nil
	}
	if !isSpec(args[0]) {
		return "", "", fmt.Errorf("%s is no file of specs; name a directory, or a file that ends in .hcl or .hcl.json", args[0])
	}
	return filepath.Dir(args[0]), filepath.Base(args[0]), nil
}

// choose picks the simulations of a file and a model, where these are named.
func choose(cfg *spec.Config, file, model string) ([]*spec.Simulation, error) {
	if model != "" {
		m, err := modelNamed(cfg, model)
		if err != nil {
			return nil, err
		}
		model = m.Name
	}
	var chosen []*spec.Simulation
	for _, s := range cfg.Simulations {
		if (file == "" || s.Pos.File == file) && (model == "" || s.Model == model) {
			chosen = append(chosen, s)
		}
	}
	if chosen != nil {
		return chosen, nil
	}
	what := "there is no simulation"
	if file != "" {
		what += " in " + file
	}
	if model != "" {
		what += " of model " + model
	}
	i := slices.IndexFunc(cfg.Models, func(m *spec.Model) bool { return m.Rollout != nil && (model == "" || m.Name == model) })
	if i < 0 {
		return nil, errors.New(what + ", and no model with rollout rules that could be tried; add a rollout block to the model first")
	}
	return nil, fmt.Errorf("%s; declare the traffic to try its rules on, for example:\n%s", what, exampleOf(cfg.Models[i]))
}

func exampleOf(m *spec.Model) string {
	return fmt.Sprintf(`    simulation "errors" {
      model = %s
      rate  = 50 # requests per second
      candidate {
        error_ratio = 0.05
      }
    }`, m.Address)
}

// modelNamed finds a model by its served name, or its address.
func modelNamed(cfg *spec.Config, name string) (*spec.Model, error) {
	var known []string
	for _, m := range cfg.Models {
		if m.Name == name || m.Address.String() == name {
			return m, nil
		}
		known = append(known, m.Name)
	}
	return nil, unknownModel(name, known)
}

func (p *program) simulate(ctx context.Context, cfg *spec.Config, chosen []*spec.Simulation, o simulate.SeriesOptions) error {
	report := view.Simulations{FormatVersion: simulate.ReportFormat, Environment: cfg.Environment, Runs: o.Runs}
	for _, s := range chosen {
		o.OnRun = nil
		if p.Terminal && !p.json {
			o.OnRun = p.view.Meter(fmt.Sprintf("%s of %s", s.Address, cfg.Model(s.Model).Address), 2*o.Runs)
		}
		r, err := simulate.Try(ctx, cfg.Model(s.Model), s, o)
		if o.OnRun != nil {
			p.view.ClearMeter()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.Address, cmp.Or(interruptedBy(ctx), err))
		}
		report.Reports = append(report.Reports, r)
	}
	return p.show(report, func() error { return p.view.Simulations(&report) })
}

// interruptedBy is the error to show when a person gave up; nil otherwise.
func interruptedBy(ctx context.Context) error {
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return nil
}
