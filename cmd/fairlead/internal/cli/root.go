package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/view"
	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/lang"
)

// Exit codes. Each command's help lists those that it uses.
const (
	exitOK        = 0
	exitError     = 1
	exitChanges   = 2 // plan --detailed-exitcode: there are changes
	exitUnchecked = 2 // audit verify: nothing could be checked
	exitFormat    = 3 // fmt --check, pin --check: a file would change
	exitPerson    = 4 // status --detailed-exitcode: a person is needed
)

// Env is what the program may touch of its surroundings.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Environ        func() []string
	// Terminal tells whether output goes to a person who watches, and Size how
	// many columns and lines that person sees.
	Terminal bool
	Size     func() (columns, lines int)
}

// System is the Env of the real process.
func System() Env {
	return Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Environ: os.Environ,
		Terminal: term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("TERM") != "dumb", Size: terminalSize,
	}
}

func terminalSize() (columns, lines int) {
	columns, lines, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil || columns < 1 || lines < 1 {
		return 80, 24
	}
	return columns, lines
}

// program is one run of the command line.
type program struct {
	Env
	view *view.View
	json bool
}

// exit ends a command with a code of its own; err is nil where nothing needs to
// be said any more.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// Main runs the command line and returns the exit code.
func Main(args []string, env Env) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &program{Env: env}
	p.view = &view.View{Out: env.Stdout, Err: env.Stderr, Color: env.Terminal && env.Getenv("NO_COLOR") == ""}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code := exitError
	if e, ok := errors.AsType[*exit](err); ok {
		code = e.code
		if e.err == nil {
			return code
		}
	}
	if list, ok := errors.AsType[*diag.ListError](err); ok {
		p.view.Diagnostics(list.Diagnostics, nil)
		return code
	}
	p.view.Error(err)
	return code
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "fairlead",
		Short: "Keeps the models that serve on a Docker host equal to a Git repository",
		Long: `Fairlead keeps the models that serve on a Docker host equal to a Git repository.

Declare models in HCL, commit, and let "fairlead serve" follow the repository:
it starts what is missing, replaces what changed once the new version is
healthy, heals what was altered by hand, and removes what left Git.

First steps:
    fairlead validate DIR     check the specs
    fairlead plan DIR         show what would change, and why
    fairlead apply DIR        make it so, once
    fairlead serve --repo DIR make it so, and keep it so

While it runs:
    fairlead status --watch        what serves, and how rollouts get on
    fairlead rollout show MODEL    the evidence for and against a new version
    fairlead history               what was decided, by whom and why
    fairlead who-approved MODEL@VERSION   who let a version in, and by what evidence
    fairlead audit verify          that nobody has changed the record
    fairlead pipeline run NAME     make a model: steps, gates, and a proposal of the version
    fairlead model lineage MODEL   what serves, and all that it was made from`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().BoolVar(&p.json, "json", false, "print JSON for programs instead of text")
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCommand(root))
	root.AddCommand(
		p.validateCommand(), p.fmtCommand(), p.pinCommand(), p.planCommand(), p.applyCommand(), p.destroyCommand(), p.serveCommand(),
		p.statusCommand(), p.rolloutCommand(), p.pipelineCommand(), p.modelCommand(), p.reproduceCommand(), p.historyCommand(), p.liveCommand(), p.whoApprovedCommand(), p.auditCommand(), p.explainCommand(), p.schemaCommand(), p.gatewayCommand(), p.oipCommand(), p.versionCommand(),
		p.evaluateCommand(), p.profileCommand(), p.copyCommand(),
		p.policyCommand(), p.scoreCommand(),
	)
	return root
}

// flagError says what is wrong with a flag, and for one that does not exist
// which one was perhaps meant.
func flagError(cmd *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
		if near := lang.Nearest(unknown.GetSpecifiedName(), known); near != "" {
			return fmt.Errorf("%w; did you mean --%s?", err, near)
		}
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return fmt.Errorf("--%s is %q, and %s", invalid.GetFlag().Name, invalid.GetValue(), wants(invalid.GetFlag()))
	}
	return fmt.Errorf("%w; see: %s --help", err, cmd.CommandPath())
}

// helpCommand is cobra's own, except that help for what does not exist is an
// error.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about a command",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return unexpected(rest[0], "fairlead help plan")
			}
			return cmd.Help()
		},
	}
}

// buildVersion is set by the linker for releases.
var buildVersion = ""

// version is the release, or the commit that the binary was built from.
func version() string {
	if buildVersion != "" {
		return buildVersion
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "0.0.0-unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "0.0.0-" + s.Value[:12]
		}
	}
	return "0.0.0-dev"
}
