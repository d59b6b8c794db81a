package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// copyCommand is what a container of Fairlead's own image does to read a volume.
func (p *program) copyCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "copy FROM TO",
		Short:  "Copy the regular files of a directory (the daemon reads volumes with it)",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE:   func(_ *cobra.Command, args []string) error { return copyFiles(args[0], args[1]) },
	}
}

// copyFiles copies a tree. Neither side is left by a link.
func copyFiles(from, to string) error {
	source, err := os.OpenRoot(from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }() // it was only read
	target, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer func() { _ = target.Close() }() // its files are closed one by one
	return fs.WalkDir(source.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == ".":
			return nil
		case d.IsDir():
			return target.Mkdir(filepath.FromSlash(path), 0o755)
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is no regular file, so it cannot be data: %s", path, d.Type())
		default:
			return copyFile(source, target, filepath.FromSlash(path))
		}
	})
}

func copyFile(source, target *os.Root, path string) (err error) {
	in, err := source.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was only read
	out, err := target.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}
