package cli

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/lang/edit"
)

func (p *program) pinCommand() *cobra.Command {
	var f siteFlags
	var check, strict bool
	cmd := &cobra.Command{
		Use:   "pin [DIR]",
		Short: "Write the digests of images beside their tags",
		Long: `Asks registries which digests the tags of images mean now, and writes them into the
specs below DIR (default: the current directory), at every place where an image is
written: in models, steps of pipelines and overlays of environments. Formatting and
comments stay. What runs is then what was reviewed, whoever moves the tag.

An image that is computed has to be pinned by hand, where its parts come from. One
that no registry knows, as it was built on this host, stays as it is. If a registry
does not answer, nothing is written.

    fairlead pin .
    fairlead pin --check .

Exit codes: 0 fine, 1 error, or with --strict an image is left without a digest,
3 with --check when one has none.`,
		Args: atMost(1, "fairlead pin ."),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := p.languageConfig(cmd, &f)
			if err != nil {
				return err
			}
			tree, err := readDirectory(cmd, args)
			if err != nil {
				return err
			}
			if v := validate(tree, o); v.diags.HasErrors() {
				return p.explainError(&diag.ListError{Diagnostics: v.diags}, tree)
			}
			pins, files, err := pinned(cmd.Context(), f.Config, tree, check)
			if err != nil {
				return err
			}
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			if err := writeFiles(dir, files); err != nil {
				return err
			}
			if err := p.show(pins, func() error { return p.view.Pins(pins) }); err != nil {
				return err
			}
			switch left := pins.Left(); {
			case check && left > 0:
				return &exit{code: exitFormat}
			case strict && left > 0:
				return &exit{code: exitError}
			}
			return nil
		},
	}
	f.registerLanguage(cmd.Flags())
	f.registerRegistries(cmd.Flags())
	cmd.Flags().BoolVar(&check, "check", false, "ask nobody and change nothing; exit with 3 when an image has no digest")
	cmd.Flags().BoolVar(&strict, "strict", false, "exit with 1 when an image is left without a digest")
	return cmd
}

// pinned finds out what is to change, and the files with it; none with check.
func pinned(ctx context.Context, c app.Config, tree spec.Tree, check bool) (*view.Pins, map[string][]byte, error) {
	pins := &view.Pins{FormatVersion: view.PinsFormat, Check: check, Changes: []view.Pin{}}
	loose := map[string]bool{}
	_, byHand, err := edit.Pin(tree, func(ref string) (string, bool) {
		if !strings.Contains(ref, "@") {
			loose[ref] = true
		}
		return "", false
	})
	if err != nil {
		return nil, nil, err
	}
	for _, b := range byHand {
		pins.ByHand = append(pins.ByHand, view.ByHand{Address: b.Address.String(), File: b.Pos.File, Line: b.Pos.Line, Expression: b.Expression, Remedy: b.Remedy})
	}
	refs := slices.Sorted(maps.Keys(loose))
	want := map[string]string{}
	if check { // any text in place of the digest shows the places
		for _, ref := range refs {
			want[ref] = ref + "@"
		}
	} else {
		found, err := app.PinImages(ctx, c, refs)
		if err != nil {
			return nil, nil, err
		}
		for _, ref := range refs {
			if found[ref].Ref == "" {
				pins.Unknown = append(pins.Unknown, view.UnknownAt{Image: ref, Reason: found[ref].Why, Unasked: found[ref].Unasked})
				continue
			}
			want[ref] = found[ref].Ref
		}
	}
	files, _, err := edit.Pin(tree, func(ref string) (string, bool) { return want[ref], want[ref] != "" })
	if err != nil {
		return nil, nil, err
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		before, err := tree.Read(path)
		if err != nil {
			return nil, nil, err
		}
		pins.Changes = append(pins.Changes, placesOf(path, string(before), string(files[path]), want, check)...)
	}
	if check {
		files = nil
	}
	return pins, files, nil
}

// placesOf finds the lines that differ. A digest adds none, so lines stay where they are.
func placesOf(path, before, after string, want map[string]string, check bool) []view.Pin {
	var places []view.Pin
	old := strings.Split(before, "\n")
	for i, line := range strings.Split(after, "\n") {
		if i >= len(old) || old[i] == line {
			continue
		}
		for _, ref := range slices.Sorted(maps.Keys(want)) {
			for range strings.Count(line, `"`+want[ref]+`"`) - strings.Count(old[i], `"`+want[ref]+`"`) {
				pin := view.Pin{File: path, Line: i + 1, From: ref, To: want[ref]}
				if check {
					pin.To = ""
				}
				places = append(places, pin)
			}
		}
	}
	return places
}

// writeFiles replaces files below a directory.
func writeFiles(dir string, files map[string][]byte) error {
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if err := replaceFile(filepath.Join(dir, filepath.FromSlash(path)), files[path]); err != nil {
			return err
		}
	}
	return nil
}
