package cli

import (
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/app"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/lang"
)

// resolve fills flags that were not given from the environment and the
// configuration file, and returns the whole configuration.
func (p *program) resolve(cmd *cobra.Command, f *siteFlags) (app.Config, error) {
	if err := p.fromEnvironment(cmd.Flags()); err != nil {
		return app.Config{}, err
	}
	// What the file of a daemon names is for that daemon, who verifies its own journal.
	f.verifies = cmd.Flags().Changed(signersFlag)
	if err := fromFile(cmd, f.config); err != nil {
		return app.Config{}, err
	}
	variables, err := p.variables(f)
	if err != nil {
		return app.Config{}, err
	}
	f.Variables, f.Version = variables, version()
	return f.WithDefaults()
}

// EnvName is the environment variable that stands for a flag.
func EnvName(flag string) string {
	return "FAIRLEAD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func (p *program) fromEnvironment(flags *pflag.FlagSet) error {
	var failed error
	flags.VisitAll(func(f *pflag.Flag) {
		value := p.Getenv(EnvName(f.Name))
		if f.Changed || value == "" || f.Name == "help" || failed != nil {
			return
		}
		values := []string{value}
		if strings.HasSuffix(f.Value.Type(), "Array") {
			values = strings.Split(value, ",")
		}
		for _, v := range values {
			if flags.Set(f.Name, v) != nil {
				failed = fmt.Errorf("%s is %q, and %s", EnvName(f.Name), v, wants(f))
			}
		}
	})
	return failed
}

// wants says what values a flag takes, for those that do not take any text.
func wants(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "duration":
		return "takes a duration: 30s, 5m, 1h30m"
	case "bool":
		return "takes true or false"
	case "int", "int64":
		return "takes a whole number"
	case "float64":
		return "takes a number"
	}
	return "takes another value; see --help"
}

// fromFile sets what is still open from the configuration file, whose arguments
// are named as the flags are, with _ for -. One file serves all commands: a
// setting that only another command has is left to that one.
func fromFile(cmd *cobra.Command, path string) error {
	if path == "" {
		return nil
	}
	settings, diags := readSettings(path)
	flags := cmd.Flags()
	given := map[string]bool{}
	flags.Visit(func(f *pflag.Flag) { given[f.Name] = true })
	for _, s := range settings {
		name := strings.ReplaceAll(s.Name, "_", "-")
		flag := flags.Lookup(name)
		switch {
		case flag == nil && configurable(cmd.Root())[name], given[name] && name != "config":
		case flag == nil || name == "config" || name == "help":
			diags = append(diags, unknownSetting(cmd.Root(), &s))
		default:
			diags = append(diags, set(flags, flag, &s)...)
		}
	}
	return diags.Err()
}

// configurable are the flags of all commands that take a configuration file.
func configurable(cmd *cobra.Command) map[string]bool {
	names := map[string]bool{}
	for _, c := range cmd.Commands() {
		if c.Flags().Lookup("config") != nil {
			c.Flags().VisitAll(func(f *pflag.Flag) { names[f.Name] = f.Name != "config" && f.Name != "help" })
		}
		maps.Copy(names, configurable(c))
	}
	return names
}

func unknownSetting(root *cobra.Command, s *lang.Setting) diag.Diagnostic {
	detail := "Settings have the names of flags, with _ for -, and there is no flag --" + strings.ReplaceAll(s.Name, "_", "-") + "."
	var known []string
	for name := range configurable(root) {
		known = append(known, strings.ReplaceAll(name, "-", "_"))
	}
	if near := lang.Nearest(s.Name, known); near != "" {
		detail += " Did you mean " + near + "?"
	}
	return diag.Diagnostic{Severity: diag.Error, Summary: "Unknown setting", Detail: detail, Subject: s.Range}
}

func set(flags *pflag.FlagSet, flag *pflag.Flag, s *lang.Setting) diag.Diagnostics {
	invalid := diag.Diagnostic{Severity: diag.Error, Summary: "Invalid setting", Detail: s.Name + " " + wants(flag) + ".", Subject: s.Range}
	if list := strings.HasSuffix(flag.Value.Type(), "Array"); !list && len(s.Values) != 1 || list && len(s.Values) == 0 {
		invalid.Detail = s.Name + " takes one value, and no list."
		if list {
			invalid.Detail = s.Name + " takes a list: [\"a\", \"b\"]."
		}
		return diag.Diagnostics{invalid}
	}
	for _, v := range s.Values {
		if flags.Set(flag.Name, v) != nil {
			return diag.Diagnostics{invalid}
		}
	}
	return nil
}

func readSettings(path string) ([]lang.Setting, diag.Diagnostics) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, diag.Diagnostics{{Severity: diag.Error, Summary: "Cannot read the file of settings", Detail: err.Error()}}
	}
	return lang.Settings(data, path)
}

// variables are the values of variables, the weakest first: FAIRLEAD_VAR_NAME,
// --var-file, --var.
func (p *program) variables(f *siteFlags) ([]lang.VariableValue, error) {
	var values []lang.VariableValue
	for _, pair := range p.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		if v, ok := strings.CutPrefix(name, "FAIRLEAD_VAR_"); ok {
			values = append(values, lang.VariableValue{Name: v, Value: value, Source: name})
		}
	}
	if f.varFile != "" {
		settings, diags := readSettings(f.varFile)
		if diags.HasErrors() {
			return nil, diags.Err()
		}
		for _, s := range settings {
			values = append(values, lang.VariableValue{Name: s.Name, Value: s.Literal, Source: fmt.Sprintf("%s:%d", f.varFile, s.Range.Start.Line)})
		}
	}
	for _, pair := range f.vars {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("--var %q is not of the form NAME=VALUE", pair)
		}
		values = append(values, lang.VariableValue{Name: name, Value: value, Source: "--var " + name})
	}
	return values, nil
}
