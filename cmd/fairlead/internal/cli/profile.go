package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/reconcile/profile"
	"github.com/fairlead/fairlead/reconcile/tabular"
)

func (p *program) profileCommand() *cobra.Command {
	var t tableFlags
	var o profile.Options
	var out string
	const example = "fairlead profile train.csv --out profile.json"
	cmd := &cobra.Command{
		Use:   "profile FILE",
		Short: "Make the reference profile of a dataset, which monitors compare live traffic with",
		Long: `Makes the reference profile of a csv, tsv or jsonl file (.gz too): of each column
its kind, bins at quantiles or categories with their counts, missing values, mean and
spread. It is a text file to be kept beside the version of a model that was trained
on the data; monitors compare live traffic with it, without the data.

It needs neither specs nor engine nor network, so it can be the command of a step. A
file of any size is read once. Above 100,000 values of a column its bins are those of
a random sample of so many, always the same one.

    ` + example + `
    fairlead profile train.csv --columns age,income --categorical zip --bins 20

Exit codes: 0 it is made, 1 error.`,
		Args: exactlyOne("the rows", example),
		RunE: func(_ *cobra.Command, args []string) error { return p.profile(args[0], &t, o, out) },
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.Columns, "columns", nil, "`COLUMNS` that are features of the model (default: all)")
	flags.StringSliceVar(&o.Categorical, "categorical", nil, "`COLUMNS` whose numbers are names, such as zip codes")
	flags.IntVar(&o.Bins, "bins", profile.DefaultBins, "bins of a column with numbers, at most")
	flags.StringVar(&out, "out", "", "`FILE` to write the profile into")
	t.register(flags)
	return cmd
}

func (p *program) profile(path string, t *tableFlags, o profile.Options, out string) error {
	if o.Bins < 1 {
		return fmt.Errorf("--bins %d is out of range; use 1 to %d", o.Bins, profile.MaxBins)
	}
	v := view.Profile{File: path, Out: out}
	digest, err := t.table(path, func(r *tabular.Reader) (err error) {
		v.Profile, err = profile.Build(r, o)
		return err
	})
	if err != nil {
		return err
	}
	v.Data = digest
	if out != "" {
		text, err := v.Encode()
		if err != nil {
			return err
		}
		if err := os.WriteFile(out, text, 0o644); err != nil {
			return fmt.Errorf("write the profile: %w", err)
		}
	}
	return p.show(v.Profile, func() error { return p.view.Profile(&v) })
}
