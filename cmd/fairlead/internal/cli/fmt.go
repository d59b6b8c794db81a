package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/spec/diag"
	"github.com/fairlead/fairlead/spec/lang"
)

func (p *program) fmtCommand() *cobra.Command {
	f := formatter{changed: []string{}}
	cmd := &cobra.Command{
		Use:   "fmt [FILE | DIR | -]...",
		Short: "Bring specs into the common layout",
		Long: `Rewrites .hcl files in the one common layout and lists those that changed. Only
white space changes. A file that does not parse is never touched. "-" reads from
standard input and writes to standard output. Without arguments the current
directory is formatted, with all below it.

Exit codes: 0 fine, 1 error, 3 with --check when a file would change.`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			f.program = p
			for _, arg := range args {
				if err := f.argument(arg); err != nil {
					return err
				}
			}
			return f.end()
		},
	}
	cmd.Flags().BoolVar(&f.check, "check", false, "change nothing; exit with 3 when a file would change")
	cmd.Flags().BoolVar(&f.diff, "diff", false, "show what changes")
	return cmd
}

// formatter is one run of fmt.
type formatter struct {
	program     *program
	check, diff bool
	changed     []string
	diags       diag.Diagnostics
	sources     map[string][]byte
}

func (f *formatter) argument(arg string) error {
	if arg == "-" {
		return f.stdin()
	}
	info, err := os.Stat(arg)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no file or directory %s", arg)
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return f.file(arg)
	}
	return filepath.WalkDir(arg, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != arg:
			return fs.SkipDir
		case entry.Type().IsRegular() && strings.HasSuffix(path, ".hcl"):
			return f.file(path)
		}
		return nil
	})
}

func (f *formatter) stdin() error {
	src, err := io.ReadAll(io.LimitReader(f.program.Stdin, 4<<20))
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	out, ok := f.format("<stdin>", src)
	if !ok {
		return nil
	}
	if f.check || f.diff {
		return f.report("<stdin>", src, out)
	}
	_, err = f.program.Stdout.Write(out)
	return err
}

func (f *formatter) file(path string) error {
	src, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	out, ok := f.format(path, src)
	if !ok || bytes.Equal(src, out) {
		return nil
	}
	if !f.check {
		if err := replaceFile(path, out); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	return f.report(path, src, out)
}

func (f *formatter) format(name string, src []byte) ([]byte, bool) {
	out, diags := lang.Format(src, name)
	f.diags = append(f.diags, diags...)
	if diags.HasErrors() {
		if f.sources == nil {
			f.sources = map[string][]byte{}
		}
		f.sources[name] = src
		return nil, false
	}
	return out, true
}

func (f *formatter) report(name string, src, out []byte) error {
	if bytes.Equal(src, out) {
		return nil
	}
	f.changed = append(f.changed, name)
	if f.program.json {
		return nil
	}
	if f.diff {
		return f.program.view.Line(strings.TrimSuffix(string(diff.Diff(name, src, name+" (formatted)", out)), "\n"))
	}
	return f.program.view.Line(name)
}

func (f *formatter) end() error {
	sources := func(name string) []byte { return f.sources[name] }
	if f.program.json {
		report := struct {
			Changed []string `json:"changed"`
			diag.JSON
		}{f.changed, diag.Report(f.diags, sources)}
		if err := f.program.view.JSON(report); err != nil {
			return err
		}
	} else {
		f.program.view.Diagnostics(f.diags, sources)
	}
	switch {
	case f.diags.HasErrors():
		return &exit{code: exitError}
	case f.check && len(f.changed) > 0:
		return &exit{code: exitFormat}
	}
	return nil
}

// replaceFile writes beside the file and renames, so that a crash leaves the old
// or the new content. Mode and owner of the directory entry stay those of a file
// that the user made.
func replaceFile(path string, data []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".fairlead-fmt-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(data)
	if err := errors.Join(err, temp.Chmod(info.Mode()), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
