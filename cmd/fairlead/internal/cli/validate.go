package cli

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/providers/directory"
	"github.com/fairlead/fairlead/spec"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/lang"
)

func (p *program) validateCommand() *cobra.Command {
	var f siteFlags
	var trustFile string
	cmd := &cobra.Command{
		Use:   "validate [DIR]",
		Short: "Check specs and show every mistake",
		Long: `Reads all specs below DIR (default: the current directory) and shows every mistake
with file, line and what to do. Needs neither engine nor network. Without
--environment every environment that the specs declare is checked.

With --trust the operator's file for "fairlead serve --trust" is checked instead.

Exit codes: 0 valid, warnings at most; 1 not valid.`,
		Args: atMost(1, "fairlead validate ."),
		RunE: func(cmd *cobra.Command, args []string) error {
			trust := cmd.Flags().Changed("trust") // one in the environment is for serve
			c, err := p.languageConfig(cmd, &f)
			if err != nil {
				return err
			}
			if trust {
				return p.validateTrust(trustFile, args)
			}
			tree, err := readDirectory(cmd, args)
			if err != nil {
				return err
			}
			result := validate(tree, c)
			if p.json {
				if err := p.view.JSON(diag.Report(result.diags, lang.Sources(tree))); err != nil {
					return err
				}
			} else {
				p.view.Diagnostics(result.diags, lang.Sources(tree))
			}
			if result.diags.HasErrors() {
				if !p.json {
					p.view.Invalid(result.diags)
				}
				return &exit{code: exitError}
			}
			if p.json {
				return nil
			}
			return p.view.Validated(result.environments, result.models)
		},
	}
	f.registerLanguage(cmd.Flags())
	cmd.Flags().StringVar(&f.Environment, "environment", "", "`NAME` of the environment to check (default: all)")
	cmd.Flags().StringVar(&trustFile, "trust", "", "HCL `FILE` with the operator's trust block, to be checked in place of specs")
	return cmd
}

// validateTrust checks the operator's rules, which stand by themselves.
func (p *program) validateTrust(path string, args []string) error {
	if len(args) > 0 {
		return unexpected(args[0], "fairlead validate --trust trust.hcl")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the rules of --trust: %w; name the HCL file with the trust block, as in fairlead serve --trust", err)
	}
	rules, diags := lang.ParseTrust(data, path)
	sources := func(name string) []byte {
		if name == path {
			return data
		}
		return nil
	}
	switch {
	case p.json:
		err = p.view.JSON(diag.Report(diags, sources))
	case diags.HasErrors():
		p.view.Diagnostics(diags, sources)
		p.view.Invalid(diags)
	default:
		p.view.Diagnostics(diags, sources)
		err = p.view.ValidTrust(rules)
	}
	if err == nil && diags.HasErrors() {
		err = &exit{code: exitError}
	}
	return err
}

// languageConfig resolves flags that only say what specs mean.
func (p *program) languageConfig(cmd *cobra.Command, f *siteFlags) (lang.Options, error) {
	if err := p.fromEnvironment(cmd.Flags()); err != nil {
		return lang.Options{}, err
	}
	variables, err := p.variables(f)
	return lang.Options{Environment: f.Environment, Variables: variables, Version: version()}, err
}

// readDirectory reads the directory that the last argument names, or this one.
func readDirectory(cmd *cobra.Command, args []string) (spec.Tree, error) {
	dir := "."
	if len(args) > 0 {
		dir = args[len(args)-1]
	}
	source, err := directory.New(directory.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	snapshot, err := source.Latest(cmd.Context())
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(snapshot.Tree.Files(), func(f spec.File) bool { return isSpec(f.Path) }) {
		return nil, errors.New("there is no .hcl or .hcl.json file in " + dir + " or below it; name the directory that holds the specs")
	}
	return snapshot.Tree, nil
}

func isSpec(path string) bool {
	return strings.HasSuffix(path, ".hcl") || strings.HasSuffix(path, ".hcl.json")
}

// validated is what validate found in all environments together.
type validated struct {
	diags        diag.Diagnostics
	environments []string
	models       map[string]int // by environment
}

// validate loads each environment. A mistake that shows in several is told once.
func validate(tree spec.Tree, o lang.Options) validated {
	v := validated{models: map[string]int{}}
	loader := lang.NewLoader()
	environments := []string{o.Environment}
	if o.Environment == "" {
		// What is wrong with the files by themselves, each load tells too.
		if declared, _ := loader.Environments(tree, o); len(declared) > 0 {
			environments = declared
		}
	}
	for _, name := range environments {
		o.Environment = name
		cfg, diags := loader.Load(tree, o)
		for _, d := range diags {
			if !slices.ContainsFunc(v.diags, func(old diag.Diagnostic) bool { return reflect.DeepEqual(old, d) }) {
				v.diags = append(v.diags, d)
			}
		}
		v.environments = append(v.environments, name)
		if cfg != nil {
			v.models[name] = len(cfg.Models)
		}
	}
	return v
}
