package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fairlead/fairlead/reconcile"
)

// Collect removes what nothing needs. An artifact stays if keep has its digest, if it
// was stored or used after before, if it is in use, or if it refers to one that
// stays. Of an artifact that stays every blob stays. Where the manifest of one that
// stays does not match its digest, nobody knows what it needs: then nothing is
// removed, and the error wraps reconcile.ErrTampered.
//
// Roots go first, then manifests, then all else: wherever it is broken off, an
// artifact is there in full or is not found.
func (s *Store) Collect(ctx context.Context, keep map[string]bool, before time.Time) (int64, error) {
	unlock, err := s.seize(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	c := &collection{store: s, before: before, artifacts: map[digest.Digest]bool{}, blobs: map[digest.Digest]bool{}}
	if err := c.mark(ctx, keep); err != nil {
		return 0, fmt.Errorf("collect: nothing was removed: %w", err)
	}
	if err := c.sweep(ctx); err != nil {
		return c.freed, fmt.Errorf("collect: %d bytes were freed: %w", c.freed, explainDisk(err))
	}
	return c.freed, nil
}

// collection is one call of Collect.
type collection struct {
	store     *Store
	before    time.Time
	artifacts map[digest.Digest]bool // that stay
	blobs     map[digest.Digest]bool // that stay
	manifests []digest.Digest        // that go
	freed     int64
}

// mark finds what stays.
func (c *collection) mark(ctx context.Context, keep map[string]bool) error {
	for text, wanted := range keep {
		d, err := parseDigest(text)
		if err != nil {
			return err
		}
		if wanted {
			if err := c.need(d); err != nil {
				return err
			}
		}
	}
	if err := c.markUsed(ctx); err != nil {
		return err
	}
	index, err := c.store.index()
	if err != nil {
		return err
	}
	for more := true; more; { // a referrer may have referrers
		more = false
		for _, d := range index {
			subject := digest.Digest(d.Annotations[annotationSubject])
			if c.artifacts[subject] && !c.artifacts[d.Digest] {
				more = true
				if err := c.need(d.Digest); err != nil {
					return err
				}
			}
		}
	}
	for _, d := range index {
		if !c.artifacts[d.Digest] {
			c.manifests = append(c.manifests, d.Digest)
		}
	}
	return nil
}

// markUsed marks what was used lately or is in use.
func (c *collection) markUsed(ctx context.Context) error {
	entries, err := os.ReadDir(c.store.roots)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		d := digest.NewDigestFromEncoded(digest.SHA256, e.Name())
		if d.Validate() != nil {
			continue // not ours
		}
		path := filepath.Join(c.store.roots, e.Name())
		used, err := inUse(path)
		if err != nil {
			return err
		}
		if !used && olderThan(path, c.before) {
			c.manifests = append(c.manifests, d)
			continue
		}
		if err := c.need(d); err != nil {
			return err
		}
	}
	c.manifests = slices.DeleteFunc(c.manifests, func(d digest.Digest) bool { return c.artifacts[d] })
	return nil
}

// inUse tells whether somebody holds a lock on the file or directory.
func inUse(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer closeQuietly(f)
	free, err := tryLock(f, syscall.LOCK_EX)
	return !free, err
}

// need marks an artifact and all its blobs. One that is not there needs nothing.
func (c *collection) need(d digest.Digest) error {
	if c.artifacts[d] {
		return nil
	}
	c.artifacts[d] = true
	c.blobs[d] = true
	m, err := c.store.manifest(d)
	if errors.Is(err, reconcile.ErrNoContent) || errors.Is(err, errNoManifest) {
		return nil // the digest of a file of a dataset, perhaps
	}
	if err != nil {
		return fmt.Errorf("what %s needs is not known: %w; store or fetch it again", d, err)
	}
	for _, blob := range m.parts() {
		c.blobs[blob.Digest] = true
	}
	return nil
}

// sweep removes what was not marked.
func (c *collection) sweep(ctx context.Context) error {
	err := c.store.updateIndex(ctx, func(all []ocispec.Descriptor) []ocispec.Descriptor {
		return slices.DeleteFunc(all, func(d ocispec.Descriptor) bool { return !c.artifacts[d.Digest] })
	})
	if err != nil {
		return err
	}
	for _, d := range c.manifests {
		if err := c.remove(filepath.Join(c.store.roots, d.Encoded())); err != nil {
			return err
		}
		if !c.blobs[d] {
			if err := c.remove(c.store.blobPath(d)); err != nil {
				return err
			}
		}
	}
	for _, step := range []func(context.Context) error{c.sweepCheckouts, c.sweepBlobs, c.sweepWork, c.sweepTampered} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// sweepCheckouts moves checkouts away before it removes them, so that none is ever
// there in part.
func (c *collection) sweepCheckouts(ctx context.Context) error {
	return c.each(ctx, c.store.checkouts, func(path string) error {
		d := digest.NewDigestFromEncoded(digest.SHA256, filepath.Base(path))
		if c.artifacts[d] {
			return nil
		}
		c.store.know(d, nil)
		away, err := os.MkdirTemp(c.store.work, "old-")
		if err != nil {
			return err
		}
		if err := os.Rename(path, filepath.Join(away, "files")); err != nil {
			return err
		}
		return c.removeTree(away)
	})
}

func (c *collection) sweepBlobs(ctx context.Context) error {
	return c.each(ctx, c.store.blobs, func(path string) error {
		if c.blobs[digest.NewDigestFromEncoded(digest.SHA256, filepath.Base(path))] {
			return nil
		}
		return c.remove(path)
	})
}

// sweepWork removes what dead processes left.
func (c *collection) sweepWork(ctx context.Context) error {
	return c.each(ctx, c.store.work, func(path string) error {
		used, err := inUse(path)
		if err != nil || used {
			return err
		}
		return c.removeTree(path)
	})
}

func (c *collection) sweepTampered(ctx context.Context) error {
	return c.each(ctx, c.store.tampered, func(path string) error {
		if !olderThan(path, c.before) {
			return nil
		}
		return c.removeTree(path)
	})
}

// each calls visit for what is in a directory.
func (c *collection) each(ctx context.Context, dir string, visit func(path string) error) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := visit(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// remove removes a file and counts what becomes free: nothing as long as it has
// other names.
func (c *collection) remove(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	switch err := os.Remove(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); info.Mode().IsRegular() && (!ok || stat.Nlink == 1) {
		c.freed += info.Size()
	}
	return nil
}

// removeTree removes a directory and counts what becomes free. Whoever made it may remove
// it at the same moment.
func (c *collection) removeTree(dir string) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil || d.IsDir():
			return err
		}
		return c.remove(path)
	})
	if err != nil {
		return err
	}
	return os.RemoveAll(dir)
}
