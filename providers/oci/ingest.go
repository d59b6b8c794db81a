package oci

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ingest is a directory below work/ where blobs are written before they get their
// names. Its methods are safe for concurrent use, but for commit and close.
type ingest struct {
	store *Store
	dir   string
	lock  *os.File // of dir: whose lock can be had was left behind

	mu    sync.Mutex
	blobs map[digest.Digest]*written
	paths int // that were given out
}

// written is a complete blob of an ingest.
type written struct {
	path   string
	blob   ocispec.Descriptor
	synced bool
}

// begin makes a directory to write in. close must be called.
func (s *Store) begin(ctx context.Context) (*ingest, error) {
	unlock, err := s.share(ctx) // Collect must not find it before it is locked
	if err != nil {
		return nil, err
	}
	defer unlock()
	dir, err := os.MkdirTemp(s.work, "")
	if err != nil {
		return nil, fmt.Errorf("begin to store: %w", explainDisk(err))
	}
	lock, err := os.Open(dir)
	if err == nil {
		var locked bool
		if locked, err = tryLock(lock, syscall.LOCK_EX); err == nil && !locked {
			err = errors.New("somebody else locked a new directory")
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("begin to store in %s: %w", dir, err), os.Remove(dir))
	}
	return &ingest{store: s, dir: dir, lock: lock, blobs: map[digest.Digest]*written{}}, nil
}

// close removes what has got no name.
func (in *ingest) close() {
	removeAll(in.dir) // what is left the next Collect removes
	closeQuietly(in.lock)
}

// path returns a name in the directory that nobody has.
func (in *ingest) path() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.paths++
	return filepath.Join(in.dir, fmt.Sprint(in.paths))
}

// write stores what fill writes as a blob.
func (in *ingest) write(ctx context.Context, mediaType string, fill func(io.Writer) error) (ocispec.Descriptor, error) {
	path := in.path()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return ocispec.Descriptor{}, explainDisk(err)
	}
	defer closeQuietly(f) // the second time where all went well
	w := &hashing{to: f, sum: sha256.New()}
	if err := fill(w); err != nil {
		return ocispec.Descriptor{}, err
	}
	blob := ocispec.Descriptor{MediaType: mediaType, Digest: sumDigest(w.sum), Size: w.n}
	present := in.store.intact(ctx, blob) == nil
	if err := seal(f, !present); err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("store blob %s: %w", blob.Digest, explainDisk(err))
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.blobs[blob.Digest] = &written{path: path, blob: blob, synced: !present}
	return blob, nil
}

// writeBytes stores data as a blob.
func (in *ingest) writeBytes(ctx context.Context, mediaType string, data []byte) (ocispec.Descriptor, error) {
	return in.write(ctx, mediaType, func(w io.Writer) error {
		_, err := copyBytes(ctx, w, bytes.NewReader(data))
		return err
	})
}

// seal gives a complete file the mode and time of a blob. One whose content is in the
// store already will hardly be needed, so it need not reach the disk.
func seal(f *os.File, sync bool) error {
	if err := f.Chmod(blobMode); err != nil {
		return err
	}
	if err := os.Chtimes(f.Name(), epoch(), epoch()); err != nil {
		return err
	}
	if sync {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return f.Close()
}

// has tells whether the blob was written here, or is in the store.
func (in *ingest) has(ctx context.Context, blob ocispec.Descriptor) bool {
	in.mu.Lock()
	_, here := in.blobs[blob.Digest]
	in.mu.Unlock()
	return here || in.store.intact(ctx, blob) == nil
}

// errLost says that a blob that was in the store when it was looked for is not any
// more: a collection took it, since nothing needed it yet.
var errLost = unavailable("a collection took a part meanwhile")

// commit gives the blobs of root their names, calls also, which may be nil, and
// returns root pinned. When it returns the artifact is complete and on the disk.
// Nothing can be collected meanwhile.
func (in *ingest) commit(ctx context.Context, root ocispec.Descriptor, needed []ocispec.Descriptor, also func() error) (*pin, error) {
	unlock, err := in.store.share(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	moved := false
	for _, blob := range slices.Concat(needed, []ocispec.Descriptor{root}) { // root last: what has a name is complete
		if in.store.intact(ctx, blob) == nil {
			continue
		}
		w, here := in.blobs[blob.Digest]
		if !here {
			return nil, fmt.Errorf("blob %s: %w", blob.Digest, errLost)
		}
		if err := in.name(w); err != nil {
			return nil, fmt.Errorf("store blob %s: %w", blob.Digest, explainDisk(err))
		}
		moved = true
	}
	if moved {
		if err := syncPath(in.store.blobs); err != nil {
			return nil, explainDisk(err)
		}
	}
	if also != nil {
		if err := also(); err != nil {
			return nil, err
		}
	}
	return in.store.holdRoot(root.Digest)
}

// name moves a blob to its place. One that was tampered with there is replaced.
func (in *ingest) name(w *written) error {
	if !w.synced {
		if err := syncPath(w.path); err != nil {
			return err
		}
	}
	return os.Rename(w.path, in.store.blobPath(w.blob.Digest))
}

// hashing writes and takes the digest of what it writes.
type hashing struct {
	to  io.Writer
	sum hash.Hash
	n   int64
}

func (h *hashing) Write(p []byte) (int, error) {
	n, err := h.to.Write(p)
	h.sum.Write(p[:n])
	h.n += int64(n)
	if err != nil {
		err = explainDisk(err)
	}
	return n, err
}

// syncPath makes a rename in dir survive a power cut.
func syncPath(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// removeAll removes dir as far as it can.
func removeAll(dir string) { _ = os.RemoveAll(dir) }
