package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/evaluate"
	"github.com/fairlead/fairlead/reconcile/tabular"
)

func (p *program) evaluateCommand() *cobra.Command {
	var t tableFlags
	var o evaluate.Options
	var out string
	var references []string
	const example = "fairlead evaluate predictions.csv --label y --prediction p"
	cmd := &cobra.Command{
		Use:   "evaluate FILE",
		Short: "Measure how good and how fair predictions are",
		Long: `Measures how good the predictions of a model are, from a csv, tsv or jsonl file
(.gz too) with a row for each. It needs neither specs nor engine nor network, so it
can be the command of a step:

    step "evaluate" {
      image   = "..." # any with fairlead in it
      inputs  = { predictions = step.predict.predictions }
      command = ["fairlead", "evaluate", "/in/predictions/test.csv",
                 "--label=y", "--prediction=p", "--score=s", "--sensitive=sex",
                 "--out=/out/metrics.json"]
      metrics = "metrics.json"
    }
    gate "fair" {
      require = step.evaluate.metrics.equal_opportunity_ratio >= 0.8
    }

What is measured follows from the task, which is inferred if need be. The
definitions are those of scikit-learn, Fairlearn and Aequitas.
  classes         accuracy balanced_accuracy mcc cohen_kappa, and precision, recall
                  and f1, each _macro _micro _weighted
  of two classes  precision recall f1, and with a score or probabilities roc_auc
                  average_precision log_loss brier ece
  of several      with probabilities roc_auc_ovr_macro log_loss brier ece
  numbers         mae mse rmse r2 mape median_ae max_error
  fairness        demographic_parity, equal_opportunity, equalized_odds and
                  equalized_odds (.._mean), each _difference and _ratio between the
                  groups, and compared with everybody (.._to_overall)

--sensitive can be given several times. With a,b both columns are compared by, and
their intersection. With more than one set of groups, metrics of fairness are named
after theirs: metrics.sex.equal_opportunity_ratio and, of an intersection,
metrics["sex,age"].equal_opportunity_ratio.

A figure that cannot be told is not written, and a gate that asks for it denies. So
it is with the fairness of groups that are too small: every rate of every group must
come from --min-group rows, tpr from so many positives, fpr from so many negatives.

    ` + example + `
    fairlead evaluate predictions.csv --label y --prediction p --score s --sensitive sex,age
    fairlead evaluate predictions.csv --label y --probabilities 'p_*' --out metrics.json

Exit codes: 0 it is measured, however good or bad, 1 error.`,
		Args: exactlyOne("the predictions", example),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := parseReferences(references, &o); err != nil {
				return err
			}
			return p.evaluate(args[0], &t, o, out)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Label, "label", "", "`COLUMN` with the truth")
	flags.StringVar(&o.Prediction, "prediction", "", "`COLUMN` with the prediction (default with --probabilities: the likeliest class)")
	flags.StringVar(&o.Score, "score", "", "`COLUMN` that is the greater the surer the positive class")
	flags.StringVar(&o.Probabilities, "probabilities", "", "`PATTERN` of the columns with the probability of each class, * is the class: p_*")
	flags.StringVar(&o.Positive, "positive", "", "the positive `CLASS` (default: 1 or true)")
	flags.StringVar((*string)(&o.Task), "task", string(evaluate.Auto), "`TASK`: auto, binary, multiclass or regression")
	flags.StringArrayVar(&o.Sensitive, "sensitive", nil, "`COLUMN` to compare groups by; with a,b both and their intersection")
	flags.StringArrayVar(&references, "reference", nil, "`COLUMN=GROUP` that the others are compared with (default: the largest)")
	flags.IntVar(&o.MinGroup, "min-group", evaluate.DefaultMinGroup, "rows that a rate of a group must come from")
	flags.IntVar(&o.Bins, "bins", evaluate.DefaultBins, "bins of the calibration error ece")
	flags.StringVar(&out, "out", "", "`FILE` to write the figures into, a JSON object of numbers")
	t.register(flags)
	return cmd
}

func parseReferences(references []string, o *evaluate.Options) error {
	o.Reference = map[string]string{}
	for _, r := range references {
		column, group, found := strings.Cut(r, "=")
		if !found {
			return fmt.Errorf("--reference is %q, and wants COLUMN=GROUP", r)
		}
		o.Reference[column] = group
	}
	if o.MinGroup < 1 || o.Bins < 1 {
		return fmt.Errorf("--min-group %d and --bins %d must be at least 1", o.MinGroup, o.Bins)
	}
	return nil
}

func (p *program) evaluate(path string, t *tableFlags, o evaluate.Options, out string) error {
	e := view.Evaluation{File: path, Out: out}
	_, err := t.table(path, func(r *tabular.Reader) error {
		predictions, err := evaluate.Read(r, o)
		if err != nil {
			return err
		}
		e.Report, err = predictions.Evaluate()
		return err
	})
	if err != nil {
		return err
	}
	if out != "" {
		figures, err := json.MarshalIndent(e.Figures(), "", "  ")
		if err != nil {
			return fmt.Errorf("write the figures: %w", err)
		}
		if err := os.WriteFile(out, append(figures, '\n'), 0o644); err != nil {
			return fmt.Errorf("write the figures: %w", err)
		}
	}
	return p.show(&e, func() error { return p.view.Evaluation(&e) })
}
