package docker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec"
)

// secretFiles keeps the secret files of containers on the host, one directory for
// each revision of a model, which all replicas of that revision mount, and for
// each attempt at a step. The base
// has mode 0700, so on the host only its owner can pass; below it everything is
// readable, because the user in the container may be any.
//
// Each engine has its own root below the base. What one engine does not list may
// run on another, whose files must not pass for unused.
//
// A revision covers the versions of its secrets: another value is another
// directory, and files never change under a running container.
//
// Files that no container uses are deleted. Whether one uses them, only the
// engine knows, and its answer is old when it arrives; so each create announces
// itself first, and what was announced after the question is not deleted.
type secretFiles struct {
	base     string // "": there is none
	readOnly bool
	engine   atomic.Pointer[string] // name of the engine's root; nil until it was asked

	mu      sync.Mutex
	creates uint64            // announced so far
	last    map[string]uint64 // by directory, the number of the last one announced
	open    map[string]int    // by directory, those that are under way
}

// sweepGrace protects a directory that another process has just written for a
// container that is not there yet.
const sweepGrace = 10 * time.Minute

// partial starts the names of directories that are still being written.
const partial = ".partial-"

func newSecretFiles(base string, readOnly bool) (*secretFiles, error) {
	if base == "" {
		return &secretFiles{}, nil
	}
	base, err := filepath.Abs(base)
	if err != nil {
		return nil, fmt.Errorf("docker: secrets directory: %w", err)
	}
	return &secretFiles{base: base, readOnly: readOnly, last: make(map[string]uint64), open: make(map[string]int)}, nil
}

// settle makes the files those of one engine. Its id holds colons, which separate
// in too many places to be part of a path.
func (s *secretFiles) settle(engineID string) {
	name := "engine-" + strings.NewReplacer(":", "-", "/", "-").Replace(engineID)
	s.engine.Store(&name)
}

// settleSecrets asks the engine once who it is.
func (r *Runtime) settleSecrets(ctx context.Context) error {
	if r.secrets.base == "" || r.secrets.engine.Load() != nil {
		return nil
	}
	engine, err := r.Engine(ctx)
	if err != nil {
		return err
	}
	if engine.ID == "" {
		return errors.New("the engine does not tell its id, so its secret files cannot be told from those of other engines; deliver the secrets as env")
	}
	r.secrets.settle(engine.ID)
	return nil
}

// root is the directory of the engine. Until the engine has told who it is, it is
// the base: good enough to judge a mount by, which is all that is done then.
func (s *secretFiles) root() string {
	if name := s.engine.Load(); name != nil {
		return filepath.Join(s.base, *name)
	}
	return s.base
}

// dir is the directory of the container's files. That of a step is its own alone;
// the "+" is in no name, so no model's can be taken for it.
func (s *secretFiles) dir(labels map[string]string) string {
	parts := []string{labels[reconcile.LabelModel], labels[reconcile.LabelRevision]}
	switch {
	case labels[reconcile.LabelKind] == string(spec.KindStep):
		parts = []string{"step+" + labels[reconcile.LabelRun], labels[reconcile.LabelNode], labels[reconcile.LabelAttempt]}
	case parts[0] == "":
		parts[0] = labels[reconcile.LabelKind]
	}
	for i := range parts {
		parts[i] = filepath.Base(parts[i])
	}
	return filepath.Join(s.root(), strings.Join(parts, "."))
}

// announce says that a container is about to be created from the files, until the
// returned function is called.
func (s *secretFiles) announce(c reconcile.ContainerSpec) (done func()) {
	if len(c.SecretFiles) == 0 {
		return func() {}
	}
	dir := s.dir(c.Labels)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.creates++
	s.last[dir] = s.creates
	s.open[dir]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open[dir]--; s.open[dir] == 0 {
			delete(s.open, dir)
		}
	}
}

// now numbers the moment before the engine is asked who uses what.
func (s *secretFiles) now() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.creates
}

// deleteUnused deletes a directory that no container used at that moment, unless
// one was announced since.
func (s *secretFiles) deleteUnused(dir string, moment uint64) error {
	if s.readOnly {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[dir] > 0 || s.last[dir] > moment {
		return nil
	}
	delete(s.last, dir)
	// Out of the way first: half a directory must never pass for a complete one.
	rest := filepath.Join(filepath.Dir(dir), partial+strings.TrimPrefix(filepath.Base(dir), partial))
	if rest != dir {
		if err := errors.Join(os.RemoveAll(rest), os.Rename(dir, rest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.RemoveAll(rest)
}

// write makes sure that the container's files are there. They appear all at once:
// a directory that exists is complete.
func (s *secretFiles) write(c reconcile.ContainerSpec) error {
	if len(c.SecretFiles) == 0 {
		return nil
	}
	if s.readOnly {
		return errors.New("write secret files: this process only looks")
	}
	final := s.dir(c.Labels)
	if !s.lost(final) {
		// To another process the files look as new as they would be.
		now := time.Now()
		return os.Chtimes(final, now, now)
	}
	if err := s.makeRoot(); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(s.root(), partial)
	if err != nil {
		return fmt.Errorf("write secret files: %w", err)
	}
	err = fill(temporary, c.SecretFiles)
	if err == nil {
		err = os.Rename(temporary, final)
	}
	if err == nil {
		return nil
	}
	_ = os.RemoveAll(temporary)
	if !s.lost(final) { // another process was faster, with the same revision
		return nil
	}
	return fmt.Errorf("write secret files: %w", err)
}

// makeRoot creates the root, and refuses a base that others can look into.
func (s *secretFiles) makeRoot() error {
	if err := os.MkdirAll(s.root(), 0o700); err != nil {
		return fmt.Errorf("make the secrets directory: %w", err)
	}
	info, err := os.Stat(s.base)
	if err != nil {
		return fmt.Errorf("make the secrets directory: %w", err)
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return fmt.Errorf("the secrets directory %s has mode %#o and is open to others; run chmod 0700 on it",
			s.base, info.Mode().Perm())
	}
	return nil
}

// fill writes the files into a fresh directory.
func fill(dir string, files map[string]spec.Sensitive) error {
	for name, value := range files {
		if err := writeSynced(filepath.Join(dir, name), value); err != nil {
			return err
		}
	}
	return os.Chmod(dir, 0o755)
}

// writeSynced writes one file through to the disk, should the root be on one: the
// directory's new name must not survive a crash that its content did not.
func writeSynced(name string, value spec.Sensitive) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value.Reveal())
	// The umask may have taken bits that the container's user needs.
	return errors.Join(err, f.Chmod(0o444), f.Sync(), f.Close())
}

// lost tells whether a container that mounts source could not find its files.
func (s *secretFiles) lost(source string) bool {
	if source == "" {
		return false
	}
	_, err := os.Stat(source)
	return errors.Is(err, fs.ErrNotExist)
}

// has tells whether a directory that a container mounts is one of those kept here.
func (s *secretFiles) has(dir string) bool {
	return s.base != "" && filepath.Dir(filepath.Dir(dir)) == s.base
}

// sweepSecrets sweeps, if there is something to sweep. That an engine does not
// say who it is only means that it is done another time.
func (r *Runtime) sweepSecrets(ctx context.Context, rows []container.Summary, moment uint64) {
	if r.secrets.readOnly || r.secrets.lost(r.secrets.base) || r.settleSecrets(ctx) != nil {
		return
	}
	r.secrets.sweep(rows, moment)
}

// sweep deletes what no container of the whole scope used at that moment: left by
// a crash, or by containers that were removed by hand. What it cannot delete now,
// a later sweep will: a list must not fail for that.
func (s *secretFiles) sweep(rows []container.Summary, moment uint64) {
	if s.base == "" {
		return
	}
	root := s.root()
	entries, err := os.ReadDir(root)
	if err != nil || len(entries) == 0 {
		return
	}
	used := secretsUsed(rows)
	for _, entry := range entries {
		dir := filepath.Join(root, entry.Name())
		info, err := entry.Info()
		if err != nil || used[dir] || time.Since(info.ModTime()) < sweepGrace {
			continue
		}
		_ = s.deleteUnused(dir, moment)
	}
}

// secretsUsed returns the directories that containers mount at secretsTarget.
func secretsUsed(rows []container.Summary) map[string]bool {
	used := make(map[string]bool)
	for _, row := range rows {
		for _, m := range row.Mounts {
			if m.Destination == secretsTarget {
				used[m.Source] = true
			}
		}
	}
	return used
}

// validFileName tells whether a name stays within its directory.
func validFileName(name string) bool {
	return name != "" && filepath.IsLocal(name) && !strings.ContainsAny(name, `/\`) && !strings.HasPrefix(name, ".")
}
