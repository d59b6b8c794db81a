package git

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// store writes a received pack into the clone. It is written to a temporary
// file, vetted, indexed, and only then given its name: index first, because a
// pack without an index would make the clone unreadable.
//
// go-git could do this in one pass, but it would inflate whatever the server
// sends, and leave its temporary file behind on an error.
func (c *clone) store(ctx context.Context, pack io.Reader, limits Limits) error {
	_, err := c.storePack(ctx, pack, limits)
	return err
}

// storePack is store, and returns the path of the pack without its ending; "" if
// nothing was received.
func (c *clone) storePack(ctx context.Context, pack io.Reader, limits Limits) (string, error) {
	dir := filepath.Join(c.path, "objects", "pack")
	if err := removeUnfinished(dir); err != nil {
		return "", explainDisk(err)
	}
	temp, err := os.CreateTemp(dir, unfinished)
	if err != nil {
		return "", explainDisk(err)
	}
	defer func() {
		_ = temp.Close()
		_ = os.Remove(temp.Name()) // has another name by now if all went well
	}()
	received, err := io.Copy(temp, io.LimitReader(pack, limits.Transfer+1))
	switch {
	case err != nil:
		return "", explainDisk(fmt.Errorf("the transfer broke off after %d bytes: %w", received, err))
	case received > limits.Transfer:
		return "", fmt.Errorf("the remote sends more than %d bytes; a config repo should hold no large files", limits.Transfer)
	case received == 0:
		c.stores[0].Reindex() // somebody else may have stored it since it was looked for
		return "", nil        // the remote found that the clone has everything
	}
	if err := vet(ctx, temp, limits); err != nil {
		return "", err
	}
	checksum, index, err := indexOf(temp)
	if err != nil {
		return "", err
	}
	return c.install(temp, checksum, index)
}

// install gives a complete pack its name, durably. Somebody else may be at the same pack,
// so each file gets its name when it is whole, and only what has none is removed: an index
// that is left without its pack harms nobody.
func (c *clone) install(temp *os.File, checksum plumbing.Hash, index *idxfile.MemoryIndex) (string, error) {
	dir := filepath.Dir(temp.Name())
	base := filepath.Join(dir, "pack-"+checksum.String())
	defer c.stores[0].Reindex()
	if _, err := os.Stat(base + ".pack"); err == nil {
		return base, nil // the same objects are there already
	}
	// Both files are synced at one time, as each waits for the disk.
	synced := make(chan error, 1)
	go func() { synced <- temp.Sync() }()
	indexed, err := writeIndex(dir, index)
	err = errors.Join(err, <-synced)
	defer func() { _ = os.Remove(indexed) }() // has another name by now if all went well
	if err == nil && c.adopt != nil {
		err = errors.Join(c.adopt(temp.Name()), c.adopt(indexed))
	}
	if err == nil {
		err = os.Rename(indexed, base+".idx")
	}
	if err == nil {
		err = errors.Join(os.Rename(temp.Name(), base+".pack"), syncDir(dir))
	}
	if err != nil {
		return "", explainDisk(err)
	}
	return base, nil
}

// unfinished is the pattern of temporary packs and indexes.
const unfinished = "tmp_pack_*"

// removeUnfinished removes what a killed process left behind. What is young may
// belong to one that is alive.
func removeUnfinished(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(dir, unfinished))
	if err != nil {
		return err
	}
	for _, path := range found {
		if info, err := os.Stat(path); err != nil || time.Since(info.ModTime()) < time.Hour {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// vet looks at every object of a pack before anything takes one into memory. It
// inflates into nothing, and go-git holds each stream to the size that its
// header declares.
func vet(ctx context.Context, pack io.ReadSeeker, limits Limits) error {
	if _, err := pack.Seek(0, io.SeekStart); err != nil {
		return err
	}
	scanner := packfile.NewScanner(pack)
	_, objects, err := scanner.Header()
	if err != nil {
		return fmt.Errorf("the remote sent no pack: %w", err)
	}
	if int64(objects) > int64(limits.Objects) {
		return fmt.Errorf("the remote sends %d objects, more than the %d that are allowed", objects, limits.Objects)
	}
	var total int64
	for range objects {
		if err := ctx.Err(); err != nil {
			return err
		}
		size, err := nextSize(scanner, limits.ObjectSize)
		if err != nil {
			return err
		}
		if total += size; total > limits.Inflated {
			return fmt.Errorf("the remote sends objects that are larger than %d bytes together; a config repo should hold no large files", limits.Inflated)
		}
	}
	return nil
}

// nextSize is the size of the next object as a reader of the repository will see
// it. For a delta that stands at the beginning of its content.
func nextSize(scanner *packfile.Scanner, limit int64) (int64, error) {
	header, err := scanner.NextObjectHeader()
	if err != nil {
		return 0, fmt.Errorf("the pack is damaged: %w", err)
	}
	if header.Length > limit {
		return 0, fmt.Errorf("the repository holds an object of %d bytes, more than the %d that are allowed; a config repo should hold no large files", header.Length, limit)
	}
	var begin beginning
	if _, _, err := scanner.NextObject(&begin); err != nil {
		return 0, fmt.Errorf("the pack is damaged: %w", err)
	}
	size := header.Length
	if header.Type.IsDelta() {
		if size, err = begin.targetSize(); err != nil {
			return 0, err
		}
	}
	if size > limit {
		return 0, fmt.Errorf("the repository holds an object of %d bytes, more than the %d that are allowed; a config repo should hold no large files", size, limit)
	}
	return size, nil
}

// beginning keeps the first bytes written to it: enough for two sizes.
type beginning struct {
	bytes [2 * binary.MaxVarintLen64]byte
	n     int
}

func (b *beginning) Write(p []byte) (int, error) {
	b.n += copy(b.bytes[b.n:], p)
	return len(p), nil
}

// targetSize reads the second of the two sizes that a delta begins with: those
// of its base and of its result.
func (b *beginning) targetSize() (int64, error) {
	_, n := binary.Uvarint(b.bytes[:b.n])
	if n > 0 {
		if size, m := binary.Uvarint(b.bytes[n:b.n]); m > 0 && size <= 1<<62 {
			return int64(size), nil
		}
	}
	return 0, errors.New("the pack is damaged: a delta does not say how large its result is")
}

// indexOf builds the index of a pack, and with it checks every object.
func indexOf(pack io.ReadSeeker) (plumbing.Hash, *idxfile.MemoryIndex, error) {
	if _, err := pack.Seek(0, io.SeekStart); err != nil {
		return plumbing.ZeroHash, nil, err
	}
	writer := new(idxfile.Writer)
	parser, err := packfile.NewParser(packfile.NewScanner(pack), writer)
	if err != nil {
		return plumbing.ZeroHash, nil, fmt.Errorf("the pack is damaged: %w", err)
	}
	checksum, err := parser.Parse()
	if err != nil {
		return plumbing.ZeroHash, nil, fmt.Errorf("the pack is damaged: %w", err)
	}
	index, err := writer.Index()
	if err != nil {
		return plumbing.ZeroHash, nil, fmt.Errorf("the pack is damaged: %w", err)
	}
	return checksum, index, nil
}

// writeIndex writes an index to a temporary file, and returns its path.
func writeIndex(dir string, index *idxfile.MemoryIndex) (path string, err error) {
	f, err := os.CreateTemp(dir, unfinished)
	if err != nil {
		return "", err
	}
	_, err = idxfile.NewEncoder(f).Encode(index)
	return f.Name(), errors.Join(err, f.Sync(), f.Close())
}

// explainDisk says what a full disk means.
func explainDisk(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("the disk with the data directory is full: %w; free some space, nothing that runs is affected", err)
	}
	return err
}
