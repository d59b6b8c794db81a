package docker

import (
	"os"
	"path/filepath"
)

// localHost looks at the file system that the engine mounts from. A nil
// *localHost stands for an engine on another host: nothing can be looked at, so
// paths are judged as they are written.
type localHost struct {
	private []string // never to be mounted: sockets, secrets
}

// resolved follows the symbolic links of a path. One that does not exist stays as
// it is: the engine will refuse to mount it.
func (h *localHost) resolved(path string) string {
	if h == nil {
		return path
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path
	}
	return real
}

// reaches returns the private path that a mount of source would show, "" for
// none: by its name, through a directory above it or below it, or as another
// name of the same file.
func (h *localHost) reaches(source string) string {
	info, err := os.Stat(source)
	for _, private := range h.private {
		if private == "" {
			continue
		}
		real := h.resolved(private)
		if within(real, source) || within(source, real) || within(private, source) {
			return private
		}
		if err != nil {
			continue
		}
		if other, statErr := os.Stat(real); statErr == nil && os.SameFile(info, other) {
			return private
		}
	}
	return ""
}
