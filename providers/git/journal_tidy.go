package git

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/memory"
	"github.com/go-git/go-git/v5/utils/sync"
)

// Packs are joined when there are many of one size, so that n entries need
// in the order of log n packs and each object is rewritten that often. The
// smallest ones are packed anew, which keeps only what differs from one record,
// and one list of records, to the next; larger ones are put one behind the other
// as they are, which needs no memory to speak of.
const (
	defaultFan = 64 // packs of one size that are joined, and the step from one size to the next
	sizes      = 4
	packWindow = 10 // objects that are looked at for a likeness
)

// pack is a pack file of the store.
type pack struct {
	base    string // path without .pack and .idx
	objects int
}

// size is the class of a pack by its objects: below 64, below 4,096, ...
func (s *store) size(p pack) int {
	class := 0
	for n := p.objects; n >= s.fan && class < sizes-1; n /= s.fan {
		class++
	}
	return class
}

// packs lists the packs of the store by size.
func (s *store) packs() ([sizes][]pack, error) {
	var bySize [sizes][]pack
	files, err := filepath.Glob(filepath.Join(s.dir, "objects", "pack", "pack-*.pack"))
	if err != nil {
		return bySize, err
	}
	for _, file := range files {
		p := pack{base: strings.TrimSuffix(file, ".pack")}
		if p.objects, err = countObjects(p.base + ".idx"); err != nil {
			return bySize, err
		}
		class := s.size(p)
		bySize[class] = append(bySize[class], p)
	}
	return bySize, nil
}

// countObjects reads the last number of an index's first table, which is the
// number of all objects.
func countObjects(index string) (int, error) {
	f, err := os.Open(index)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // read only
	var number [4]byte
	const header, table = 8, 256 * 4
	if _, err := f.ReadAt(number[:], header+table-4); err != nil {
		return 0, fmt.Errorf("%w: %s is cut short: %w", errUnreadable, index, err)
	}
	return int(binary.BigEndian.Uint32(number[:])), nil
}

// tidy joins packs where there are too many of one size. What it joins stays
// until the new pack is durable.
func (s *store) tidy(ctx context.Context) error {
	for class := range sizes {
		bySize, err := s.packs()
		if err != nil {
			return err
		}
		for group := range slices.Chunk(bySize[class], s.fan) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if len(group) == s.fan {
				if err := s.join(ctx, group, class); err != nil {
					return fmt.Errorf("join %d packs of the journal: %w", len(group), err)
				}
			}
		}
	}
	return nil
}

// join makes one pack of several and removes them.
func (s *store) join(ctx context.Context, group []pack, class int) error {
	all := map[plumbing.Hash]bool{}
	parts := make([]part, len(group))
	for i, p := range group {
		var err error
		if parts[i], err = readPart(p, all); err != nil {
			return err
		}
	}
	obsolete := slices.Clone(group)
	var joined string
	var err error
	if class == 0 {
		joined, err = s.packAnew(ctx, group, slices.Collect(maps.Keys(all)))
	} else {
		var made []pack
		if parts, made, err = s.distinct(ctx, parts); err != nil {
			return err
		}
		obsolete = append(obsolete, made...)
		joined, err = s.concatenate(ctx, parts)
	}
	if err != nil {
		return err
	}
	if n, err := countObjects(joined + ".idx"); err != nil || n != len(all) {
		return errors.Join(err, fmt.Errorf("the new pack %s holds %d objects and should hold %d", joined, n, len(all)))
	}
	return s.removePacks(obsolete, joined)
}

// part is a pack that is joined with others.
type part struct {
	pack
	index *idxfile.MemoryIndex
	fresh []plumbing.Hash // its objects that no part before it has
}

// readPart reads the index of a pack, and adds its objects to those that are known.
func readPart(p pack, known map[plumbing.Hash]bool) (part, error) {
	index, err := readIndex(p.base + ".idx")
	if err != nil {
		return part{}, err
	}
	read := part{pack: p, index: index}
	err = eachEntry(index, func(e *idxfile.Entry) {
		if !known[e.Hash] {
			known[e.Hash] = true
			read.fresh = append(read.fresh, e.Hash)
		}
	})
	return read, err
}

// distinct makes packs anew that have an object which one before them has, too: a pack
// must not hold it twice, which putting them one behind the other would bring about.
func (s *store) distinct(ctx context.Context, parts []part) (distinct []part, made []pack, err error) {
	for _, p := range parts {
		switch {
		case len(p.fresh) == 0:
			continue
		case len(p.fresh) < p.objects:
			if ctx.Err() != nil {
				return nil, nil, context.Cause(ctx)
			}
			base, err := s.packAnew(ctx, []pack{p.pack}, p.fresh)
			if err != nil {
				return nil, nil, err
			}
			again := pack{base: base, objects: len(p.fresh)}
			if p, err = readPart(again, map[plumbing.Hash]bool{}); err != nil {
				return nil, nil, err
			}
			made = append(made, again)
		}
		distinct = append(distinct, p)
	}
	return distinct, made, nil
}

func (s *store) removePacks(group []pack, except string) error {
	s.gate.Lock()
	defer s.gate.Unlock()
	gone := map[string]bool{except: true}
	for _, p := range group {
		if gone[p.base] {
			continue
		}
		gone[p.base] = true
		// A pack without an index would make the store unreadable; an index
		// without a pack is swept.
		if err := errors.Join(os.Remove(p.base+".pack"), os.Remove(p.base+".idx")); err != nil {
			return err
		}
	}
	return nil
}

// packAnew encodes objects of some packs into one, as differences where that is shorter. It
// reads no others: what it takes must not grow with the journal.
func (s *store) packAnew(ctx context.Context, from []pack, ids []plumbing.Hash) (string, error) {
	all := memory.NewStorage()
	for _, p := range from {
		if err := unpack(all, p.base+".pack"); err != nil {
			return "", err
		}
	}
	slices.SortFunc(ids, func(a, b plumbing.Hash) int { return slices.Compare(a[:], b[:]) })
	packed, err := encodePack(all, ids, packWindow)
	if err != nil {
		return "", err
	}
	into := openClone(s.dir)
	defer into.close()
	return into.storePack(ctx, packed, s.limits)
}

// unpack reads the objects of a pack, each by its own bytes.
func unpack(to *memory.Storage, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	if err := packfile.UpdateObjectStorage(to, f); err != nil {
		return fmt.Errorf("%w: %s: %w", errUnreadable, path, err)
	}
	return nil
}

// concatenate puts packs one behind the other. Differences within a pack name
// their base by its distance, or by its id, so they stay right.
func (s *store) concatenate(ctx context.Context, parts []part) (string, error) {
	total := 0
	for _, p := range parts {
		total += p.objects
	}
	into := openClone(s.dir)
	defer into.close()
	dir := filepath.Join(s.dir, "objects", "pack")
	temp, err := os.CreateTemp(dir, unfinished)
	if err != nil {
		return "", explainDisk(err)
	}
	defer func() {
		_ = temp.Close()
		_ = os.Remove(temp.Name()) // has another name by now if all went well
	}()
	out := &packWriter{to: bufio.NewWriterSize(temp, 1<<16), sum: sha1.New()} // Git's own hash
	index := new(idxfile.Writer)
	if err := errors.Join(out.header(total), index.OnHeader(uint32(total))); err != nil {
		return "", explainDisk(err)
	}
	for _, p := range parts {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		shift := out.written - packHeader
		if err := eachEntry(p.index, func(e *idxfile.Entry) { index.Add(e.Hash, e.Offset+uint64(shift), e.CRC32) }); err != nil {
			return "", err
		}
		if err := out.body(p.base + ".pack"); err != nil {
			return "", explainDisk(err)
		}
	}
	checksum, err := out.end()
	if err != nil {
		return "", explainDisk(err)
	}
	if err := index.OnFooter(checksum); err != nil {
		return "", err
	}
	made, err := index.Index()
	if err != nil {
		return "", err
	}
	return into.install(temp, checksum, made)
}

const (
	packHeader  = 12
	packTrailer = sha1.Size
)

// packWriter writes a pack and sums it up.
type packWriter struct {
	to      *bufio.Writer
	sum     hash.Hash
	written int64
}

func (w *packWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	_, _ = w.sum.Write(p[:n]) // a hash takes everything
	w.written += int64(n)
	return n, err
}

func (w *packWriter) header(objects int) error {
	head := append([]byte("PACK"), 0, 0, 0, 2) // version 2
	_, err := w.Write(binary.BigEndian.AppendUint32(head, uint32(objects)))
	return err
}

// object adds an object as it is: its type and size, four bits of that in the first byte
// and seven in each that follows, and its content, compressed (gitformat-pack).
func (w *packWriter) object(o plumbing.EncodedObject) error {
	size := uint64(o.Size())
	head := []byte{byte(o.Type())<<4 | byte(size&0x0f)}
	for size >>= 4; size > 0; size >>= 7 {
		head[len(head)-1] |= 0x80
		head = append(head, byte(size&0x7f))
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	content, err := o.Reader()
	if err != nil {
		return err
	}
	compress := sync.GetZlibWriter(w) // of a pool
	defer sync.PutZlibWriter(compress)
	_, err = io.Copy(compress, content)
	return errors.Join(err, compress.Close(), content.Close())
}

// body copies the objects of a pack, and checks them against its checksum.
func (w *packWriter) body(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	if err != nil {
		return err
	}
	sum := sha1.New()
	from := bufio.NewReaderSize(f, 1<<16)
	if _, err := io.CopyN(sum, from, packHeader); err != nil {
		return fmt.Errorf("%w: %s is cut short: %w", errUnreadable, path, err)
	}
	if _, err := io.CopyN(io.MultiWriter(w, sum), from, info.Size()-packHeader-packTrailer); err != nil {
		return fmt.Errorf("copy %s: %w", path, err)
	}
	trailer, err := io.ReadAll(from)
	if err != nil || !slices.Equal(trailer, sum.Sum(nil)) {
		return errors.Join(err, fmt.Errorf("%w: %s is not what its checksum says", errUnreadable, path))
	}
	return nil
}

func (w *packWriter) end() (plumbing.Hash, error) {
	var checksum plumbing.Hash
	copy(checksum[:], w.sum.Sum(nil))
	_, err := w.to.Write(checksum[:])
	return checksum, errors.Join(err, w.to.Flush())
}

func readIndex(path string) (*idxfile.MemoryIndex, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	index := idxfile.NewMemoryIndex()
	if err := idxfile.NewDecoder(bufio.NewReader(f)).Decode(index); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errUnreadable, path, err)
	}
	return index, nil
}

func eachEntry(index *idxfile.MemoryIndex, visit func(*idxfile.Entry)) error {
	entries, err := index.Entries()
	if err != nil {
		return err
	}
	for {
		e, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return entries.Close()
		}
		if err != nil {
			return err
		}
		visit(e)
	}
}
