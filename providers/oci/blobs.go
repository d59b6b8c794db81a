package oci

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fairlead/fairlead/reconcile"
)

// epoch is the modification time of every blob and of every file of a checkout. It
// is constant so that equal content is equal in a container too, and so that another
// time gives away a file that was written to. It is not 0, which zip files cannot
// hold.
func epoch() time.Time { return time.Unix(946684800, 0) } // 2000-01-01T00:00:00Z

// blobMode lets every user of a container read a file of a checkout, which is the
// blob itself. The directory above the store lets nobody but the daemon in.
const blobMode = 0o444

// blobPath is where the blob is. The digest must have been parsed by parseDigest.
func (s *Store) blobPath(d digest.Digest) string {
	return filepath.Join(s.blobs, d.Encoded())
}

// parseDigest takes sha256 only: the store has one name for one content.
func parseDigest(text string) (digest.Digest, error) {
	d, err := digest.Parse(text)
	if err != nil {
		return "", fmt.Errorf("%.80q is not a digest: %w; write sha256: and 64 hexadecimal digits", text, err)
	}
	if d.Algorithm() != digest.SHA256 {
		return "", fmt.Errorf("the digest %.80q is of %s; only sha256 is supported", text, d.Algorithm())
	}
	return d, nil
}

// intact tells whether the blob is there as it was stored: by its size and time, and
// where the time differs by reading it. The error wraps reconcile.ErrNoContent or
// reconcile.ErrTampered.
func (s *Store) intact(ctx context.Context, blob ocispec.Descriptor) error {
	path := s.blobPath(blob.Digest)
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("blob %s: %w", blob.Digest, reconcile.ErrNoContent)
	case err != nil:
		return explainDisk(err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("blob %s is not a file: %w", blob.Digest, reconcile.ErrTampered)
	case info.Size() != blob.Size:
		return fmt.Errorf("blob %s has %d bytes instead of %d: %w", blob.Digest, info.Size(), blob.Size, reconcile.ErrTampered)
	case info.ModTime().Equal(epoch()):
		return nil
	}
	return s.verify(ctx, blob)
}

// verify reads the whole blob and compares it with its digest.
func (s *Store) verify(ctx context.Context, blob ocispec.Descriptor) error {
	f, err := s.openBlob(blob)
	if err != nil {
		return err
	}
	defer closeQuietly(f)
	return s.verifyOpen(ctx, f, blob)
}

// verifyOpen reads the open blob from where it stands to its end.
func (s *Store) verifyOpen(ctx context.Context, f *os.File, blob ocispec.Descriptor) error {
	sum := sha256.New()
	n, err := copyBytes(ctx, sum, f)
	if err != nil {
		return fmt.Errorf("read blob %s: %w", blob.Digest, err)
	}
	if err := matches(blob, sum, n); err != nil {
		s.suspect(blob.Digest)
		return err
	}
	// It was only touched, by a backup for instance. Without this it would be read
	// again by every call; that is all that a failure costs.
	_ = os.Chtimes(s.blobPath(blob.Digest), epoch(), epoch())
	return nil
}

// suspect marks a blob that does not match, so that intact finds it without reading.
func (s *Store) suspect(d digest.Digest) {
	now := time.Now()
	_ = os.Chtimes(s.blobPath(d), now, now) // it is refused either way
}

// openBlob opens the blob for reading. A link in its place is not followed.
func (s *Store) openBlob(blob ocispec.Descriptor) (*os.File, error) {
	f, err := os.OpenFile(s.blobPath(blob.Digest), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob %s: %w", blob.Digest, reconcile.ErrNoContent)
	}
	if err != nil {
		return nil, explainDisk(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("blob %s is not a file: %w", blob.Digest, reconcile.ErrTampered)
	}
	if err != nil {
		closeQuietly(f)
		return nil, err
	}
	return f, nil
}

// matches compares what was read with what was promised.
func matches(want ocispec.Descriptor, sum hash.Hash, n int64) error {
	if got := sumDigest(sum); got != want.Digest || n != want.Size {
		return fmt.Errorf("blob %s, %d bytes, has the digest %s with %d bytes: %w", want.Digest, want.Size, got, n, reconcile.ErrTampered)
	}
	return nil
}

func sumDigest(sum hash.Hash) digest.Digest {
	return digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(sum.Sum(nil)))
}

// verifying reads a blob and ends with an error that wraps reconcile.ErrTampered
// instead of io.EOF where it does not match.
type verifying struct {
	from io.Reader
	want ocispec.Descriptor
	sum  hash.Hash
	n    int64
}

func newVerifying(from io.Reader, want ocispec.Descriptor) *verifying {
	return &verifying{from: from, want: want, sum: sha256.New()}
}

func (v *verifying) Read(p []byte) (int, error) {
	n, err := v.from.Read(p)
	v.sum.Write(p[:n])
	v.n += int64(n)
	if v.n > v.want.Size || errors.Is(err, io.EOF) {
		if bad := matches(v.want, v.sum, v.n); bad != nil {
			return 0, bad
		}
	}
	return n, err
}

// copyBytes is io.Copy that ends with ctx, and in large steps: the cost of a call to
// the kernel is what small ones would measure.
func copyBytes(ctx context.Context, to io.Writer, from io.Reader) (int64, error) {
	buffer := make([]byte, 256<<10)
	var total int64
	for {
		if ctx.Err() != nil {
			return total, context.Cause(ctx)
		}
		n, err := from.Read(buffer)
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return total, err
			}
			total += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// explainDisk says what a failure of the disk means and what to do about it.
func explainDisk(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w; what was stored before is untouched; free space on the disk of the artifact store", err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; the artifact store must be writable for the user of the daemon, uid %d", err, os.Getuid())
	default:
		return err
	}
}
