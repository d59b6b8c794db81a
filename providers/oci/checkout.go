package oci

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/fairlead/fairlead/reconcile"
)

// listing is what is known of the files of a checkout without reading them.
type listing map[string]stamp

// stamp changes when a file is written to. A write that also sets the time back is
// found when the next process compares everything.
type stamp struct {
	inode uint64
	size  int64
	mode  fs.FileMode
	time  int64 // nanoseconds
}

// Checkout returns the directory with the files of the artifact. The first call of a
// process for an artifact compares everything with the digests; the others compare
// sizes, modes and times. A checkout that does not match is moved away and the call
// fails; the next one makes it again, if the blobs are good.
func (s *Store) Checkout(ctx context.Context, text string) (string, error) {
	d, err := parseDigest(text)
	if err != nil {
		return "", err
	}
	p, m, err := s.hold(ctx, d)
	if err != nil {
		return "", err
	}
	defer p.release()
	dir := filepath.Join(s.checkouts, d.Encoded())
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		err = s.makeCheckout(ctx, m, dir)
		if err != nil {
			return "", fmt.Errorf("check out %s: %w", d, err)
		}
	}
	if err := s.checkCheckout(ctx, m, dir); err != nil {
		return "", fmt.Errorf("check out %s: %w", d, err)
	}
	return dir, nil
}

// checkCheckout compares the checkout with the artifact.
func (s *Store) checkCheckout(ctx context.Context, m *manifest, dir string) error {
	now, err := listCheckout(ctx, dir)
	s.mu.Lock()
	known, isKnown := s.verified[m.digest]
	s.mu.Unlock()
	if err == nil && isKnown && maps.Equal(now, known) {
		return nil
	}
	if err == nil {
		err = s.compare(ctx, m, dir, now)
	}
	if errors.Is(err, reconcile.ErrTampered) {
		return s.quarantine(m.digest, dir, err)
	}
	if err != nil {
		return err
	}
	s.know(m.digest, now)
	return nil
}

// know remembers a checkout that matches; nil forgets it.
func (s *Store) know(d digest.Digest, l listing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l == nil {
		delete(s.verified, d)
		return
	}
	s.verified[d] = l
}

// quarantine moves a checkout that does not match away. Containers that have it
// mounted keep it.
func (s *Store) quarantine(d digest.Digest, dir string, why error) error {
	s.know(d, nil)
	to, err := os.MkdirTemp(s.tampered, d.Encoded()+"-")
	if err == nil {
		err = os.Rename(dir, filepath.Join(to, "files"))
	}
	if err != nil {
		return errors.Join(why, fmt.Errorf("move the checkout away: %w", explainDisk(err)))
	}
	return fmt.Errorf("%w; the checkout is now in %s, and the next one is made from the blobs", why, to)
}

// makeCheckout builds the checkout beside its place and moves it there. Where another
// process was faster, its checkout stays.
func (s *Store) makeCheckout(ctx context.Context, m *manifest, dir string) error {
	in, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer in.close()
	b := &builder{store: s, dir: in.path(), linked: map[digest.Digest]bool{}}
	if err := os.Mkdir(b.dir, 0o755); err != nil {
		return explainDisk(err)
	}
	if err := s.walk(ctx, m, func(f file) error { return b.add(ctx, f) }); err != nil {
		return err
	}
	if err := b.finish(ctx); err != nil {
		return explainDisk(err)
	}
	found, err := listCheckout(ctx, b.dir)
	if err != nil {
		return err
	}
	if err := os.Rename(b.dir, dir); err != nil {
		if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) {
			return nil
		}
		return explainDisk(err)
	}
	s.know(m.digest, found) // each file was verified as it was added
	return syncPath(s.checkouts)
}

// builder makes a checkout.
type builder struct {
	store  *Store
	dir    string
	linked map[digest.Digest]bool // verified
	dirs   []string
	copies []string // files that are no hard links
}

func (b *builder) add(ctx context.Context, f file) error {
	path := filepath.Join(b.dir, filepath.FromSlash(f.path))
	if err := b.makeParents(f.path); err != nil {
		return explainDisk(err)
	}
	if f.body != nil {
		b.copies = append(b.copies, path)
		return explainDisk(writeFile(ctx, path, f, f.body))
	}
	if !f.exec {
		if err := b.verifyOnce(ctx, f); err != nil {
			return err
		}
		err := os.Link(b.store.blobPath(f.blob.Digest), path)
		if err == nil {
			return nil
		}
		if !cannotLink(err) {
			return explainDisk(err)
		}
	}
	// A hard link shares its mode with the blob, so what may be executed is a copy.
	blob, err := b.store.openBlob(f.blob)
	if err != nil {
		return err
	}
	defer closeQuietly(blob)
	b.copies = append(b.copies, path)
	return explainDisk(writeFile(ctx, path, f, newVerifying(blob, f.blob)))
}

// verifyOnce reads the blob of the file, if that was not done for this checkout.
func (b *builder) verifyOnce(ctx context.Context, f file) error {
	if b.linked[f.blob.Digest] {
		return nil
	}
	if err := b.store.verify(ctx, f.blob); err != nil {
		return err
	}
	b.linked[f.blob.Digest] = true
	return nil
}

// cannotLink tells whether a copy must do: the file system knows no links, knows no
// more links to this file, is another one, or the blob belongs to another user.
func cannotLink(err error) bool {
	for _, e := range []syscall.Errno{syscall.EXDEV, syscall.EPERM, syscall.EMLINK, syscall.EOPNOTSUPP, syscall.ENOSYS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// makeParents makes the directories above a file, whatever the umask.
func (b *builder) makeParents(path string) error {
	for i, c := range path {
		if c != '/' {
			continue
		}
		dir := filepath.Join(b.dir, filepath.FromSlash(path[:i]))
		switch err := os.Mkdir(dir, 0o755); {
		case errors.Is(err, fs.ErrExist):
		case err != nil:
			return err
		default:
			b.dirs = append(b.dirs, dir)
		}
	}
	return nil
}

// finish gives directories their modes and brings everything to the disk. Without
// that a power cut would leave files that look tampered with.
func (b *builder) finish(ctx context.Context) error {
	dirs := append(b.dirs, b.dir)
	for _, dir := range dirs {
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelFiles)
	for _, path := range slices.Concat(b.copies, dirs) {
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return syncPath(path)
		})
	}
	return group.Wait()
}

// writeFile writes a file of a checkout that is not a hard link.
func writeFile(ctx context.Context, path string, f file, from io.Reader) error {
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer closeQuietly(to) // the second time where all went well
	n, err := copyBytes(ctx, to, from)
	if err != nil {
		return err
	}
	if n != f.size {
		return fmt.Errorf("%q has %d bytes instead of %d: %w", f.path, n, f.size, reconcile.ErrTampered)
	}
	if err := to.Chmod(fileMode(f)); err != nil {
		return err
	}
	if err := os.Chtimes(path, epoch(), epoch()); err != nil {
		return err
	}
	return to.Close()
}

func fileMode(f file) fs.FileMode {
	if f.exec {
		return 0o555
	}
	return blobMode
}

// listCheckout lists the files of a checkout. What is neither a file nor a directory
// was put there by somebody else.
func listCheckout(ctx context.Context, dir string) (listing, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, reconcile.ErrTampered)
	}
	defer func() { _ = root.Close() }() // was only read
	found := listing{}
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		info, err := root.Lstat(path)
		if err != nil {
			return err
		}
		if info.IsDir() {
			if info.Mode().Perm() != 0o755 {
				return fmt.Errorf("the directory %q has the mode %#o: %w", path, info.Mode().Perm(), reconcile.ErrTampered)
			}
			return nil
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%q is %s: %w", path, kindOf(info.Mode()), reconcile.ErrTampered)
		}
		st := stamp{size: info.Size(), mode: info.Mode(), time: info.ModTime().UnixNano()}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			st.inode = stat.Ino
		}
		found[path] = st
		return nil
	})
	return found, err
}

// compare reads the whole checkout.
func (s *Store) compare(ctx context.Context, m *manifest, dir string, found listing) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // was only read
	seen := 0
	err = s.walk(ctx, m, func(f file) error {
		seen++
		st, there := found[f.path]
		if !there || st.size != f.size || st.mode != fileMode(f) {
			return fmt.Errorf("%q of the checkout is missing, or has another size or mode: %w", f.path, reconcile.ErrTampered)
		}
		if err := compareFile(ctx, root, f); err != nil {
			return err
		}
		if st.time != epoch().UnixNano() {
			// As with blobs, a time alone tells nothing; without this it would be read
			// again by every process.
			_ = root.Chtimes(f.path, epoch(), epoch())
			st.time = epoch().UnixNano()
			found[f.path] = st
		}
		return nil
	})
	if err == nil && seen != len(found) {
		err = fmt.Errorf("the checkout has %d files more than the artifact: %w", len(found)-seen, reconcile.ErrTampered)
	}
	return err
}

// compareFile reads a file of a checkout.
func compareFile(ctx context.Context, root *os.Root, f file) error {
	got, err := root.Open(f.path)
	if err != nil {
		return err
	}
	defer closeQuietly(got)
	if f.body == nil {
		sum := sha256.New()
		n, err := copyBytes(ctx, sum, got)
		if err != nil {
			return err
		}
		if err := matches(ocispec.Descriptor{Digest: f.blob.Digest, Size: f.size}, sum, n); err != nil {
			return fmt.Errorf("%q of the checkout: %w", f.path, err)
		}
		return nil
	}
	if _, err := copyBytes(ctx, &comparing{got}, f.body); err != nil {
		if errors.Is(err, errDiffers) {
			return fmt.Errorf("%q of the checkout: %w", f.path, err)
		}
		return err
	}
	return nil
}

var errDiffers = fmt.Errorf("it differs from the archive: %w", reconcile.ErrTampered)

// comparing is a writer that fails where what is written differs from a file.
type comparing struct{ file *os.File }

func (c *comparing) Write(p []byte) (int, error) {
	got := make([]byte, len(p))
	if _, err := io.ReadFull(c.file, got); err != nil || !bytes.Equal(got, p) {
		return 0, errDiffers
	}
	return len(p), nil
}

// olderThan tells whether nothing happened to the path since then.
func olderThan(path string, then time.Time) bool {
	info, err := os.Lstat(path)
	return err == nil && !info.ModTime().After(then)
}
