package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// cleanRoots refuses roots that would give away everything.
func cleanRoots(roots []string) ([]string, error) {
	clean := make([]string, 0, len(roots))
	for _, root := range roots {
		if !filepath.IsAbs(root) {
			return nil, fmt.Errorf("secrets cannot come from below %q: the directory needs an absolute path", root)
		}
		root = filepath.Clean(root)
		if root == "/" {
			return nil, errors.New("secrets cannot come from below /: that would give config repos every file of the host; name a directory that holds only what is meant for them")
		}
		clean = append(clean, root)
	}
	return clean, nil
}

// fromFile reads a secret below one of the roots. A final newline is dropped,
// because editors and echo write one and no secret is meant to have it.
func (r *Resolver) fromFile(path string) (string, *fault) {
	if !filepath.IsAbs(path) {
		return "", &fault{fmt.Sprintf("%s is not an absolute path", path), "write the whole path of the file on the daemon's host"}
	}
	root, rel, ok := r.below(filepath.Clean(path))
	if !ok {
		return "", &fault{
			fmt.Sprintf("%s is not in a directory that this host opens to secrets", path),
			fmt.Sprintf("move the file below %s, or ask the operator to allow its directory", orNone(r.fileRoots)),
		}
	}
	value, err := readBelow(root, rel)
	if err != nil {
		return "", &fault{fmt.Sprintf("%s: %s", path, plain(err)), remedyForFile(err)}
	}
	return strings.TrimSuffix(strings.TrimSuffix(value, "\n"), "\r"), nil
}

// below finds the root that a path lies in.
func (r *Resolver) below(path string) (root, rel string, ok bool) {
	for _, root := range r.fileRoots {
		if rel, ok := strings.CutPrefix(path, root+"/"); ok {
			return root, rel, true
		}
	}
	return "", "", false
}

// errUnfit marks files that are there and readable but are no place for a
// secret.
var errUnfit = errors.New("not fit for a secret")

// readBelow reads a regular file below root. os.Root refuses symlinks that lead
// out; O_NONBLOCK keeps a named pipe from blocking the open for ever.
func readBelow(root, rel string) (string, error) {
	dir, err := os.OpenRoot(root)
	if err != nil {
		return "", err
	}
	defer func() { _ = dir.Close() }() // read only
	f, err := dir.OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("it is no regular file: %w", errUnfit)
	case info.Mode().Perm()&0o002 != 0:
		return "", fmt.Errorf("everybody may write to it: %w", errUnfit)
	case info.Size() > maxValue:
		return "", fmt.Errorf("it is larger than 1 MiB: %w", errUnfit)
	}
	value, err := io.ReadAll(io.LimitReader(f, maxValue+1))
	if err != nil {
		return "", err
	}
	if len(value) > maxValue {
		return "", fmt.Errorf("it is larger than 1 MiB: %w", errUnfit)
	}
	return string(value), nil
}

// plain drops the path from an error of package os: the caller names the whole
// path already.
func plain(err error) string {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err.Error()
	}
	return err.Error()
}

func remedyForFile(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "create the file on the daemon's host"
	case errors.Is(err, fs.ErrPermission):
		return "let the user of the daemon read it"
	case errors.Is(err, errUnfit):
		return "use a regular file of at most 1 MiB that only its owner can write (chmod 600)"
	default:
		return "make it a regular file inside its directory; symlinks must not lead out of it"
	}
}

// fromEnv reads a secret from the daemon's environment.
func (r *Resolver) fromEnv(name string) (string, *fault) {
	if own := strings.HasPrefix(name, "FAIRLEAD_") && !strings.HasPrefix(name, DefaultEnvPrefix); own || !r.allowsEnv(name) {
		return "", &fault{
			fmt.Sprintf("this host does not open the environment variable %s to secrets", name),
			fmt.Sprintf("use a name that begins with %s, or ask the operator to allow another prefix (never FAIRLEAD_, which is the daemon's own)", orNone(r.envPrefixes)),
		}
	}
	value, set := os.LookupEnv(name)
	switch {
	case !set:
		return "", &fault{fmt.Sprintf("the environment variable %s is not set", name), "set it for the daemon and start it again"}
	case len(value) > maxValue:
		return "", &fault{fmt.Sprintf("the environment variable %s is larger than 1 MiB", name), "use a smaller value"}
	}
	return value, nil
}

func (r *Resolver) allowsEnv(name string) bool {
	for _, prefix := range r.envPrefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// orNone lists what the operator allows.
func orNone(allowed []string) string {
	if len(allowed) == 0 {
		return "(nothing is allowed on this host)"
	}
	return strings.Join(allowed, " or ")
}
