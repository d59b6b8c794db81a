package oci

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// annotationSubject says in index.json what a referrer refers to, so that finding
// referrers reads no other file.
const annotationSubject = "io.fairlead.subject"

// openLayout makes the two files that make a directory an OCI image layout.
func (s *Store) openLayout() error {
	unlock, err := s.share(context.Background()) // which waits for a bounded time
	if err != nil {
		return err
	}
	defer unlock()
	version, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return err
	}
	index, err := encodeIndex(nil)
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{ocispec.ImageLayoutFile: version, ocispec.ImageIndexFile: index} {
		path := filepath.Join(s.layout, name)
		if _, err := os.Lstat(path); err == nil {
			continue
		}
		if err := s.replace(path, data, true); err != nil {
			return fmt.Errorf("write %s: %w", path, explainDisk(err))
		}
	}
	return nil
}

// index reads what index.json lists.
func (s *Store) index() ([]ocispec.Descriptor, error) {
	path := filepath.Join(s.layout, ocispec.ImageIndexFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, explainDisk(err)
	}
	var index ocispec.Index
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("read %s: %w; put the file of a backup there, or remove it: what is published to registries stays there, and what is not listed stays by its digest", path, err)
	}
	for _, d := range index.Manifests {
		if _, err := parseDigest(d.Digest.String()); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	return index.Manifests, nil
}

// updateIndex changes what index.json lists. The store's lock must be held.
func (s *Store) updateIndex(ctx context.Context, change func([]ocispec.Descriptor) []ocispec.Descriptor) error {
	lock, err := lockFile(ctx, filepath.Join(s.dir, "index.lock"), syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer closeQuietly(lock)
	before, err := s.index()
	if err != nil {
		return err
	}
	after := change(slices.Clone(before))
	slices.SortStableFunc(after, func(a, b ocispec.Descriptor) int {
		return cmp.Or(cmp.Compare(a.Annotations[ocispec.AnnotationRefName], b.Annotations[ocispec.AnnotationRefName]), cmp.Compare(a.Digest, b.Digest))
	})
	was, err := encodeIndex(before)
	if err != nil {
		return err
	}
	is, err := encodeIndex(after)
	if err != nil || string(was) == string(is) {
		return err
	}
	path := filepath.Join(s.layout, ocispec.ImageIndexFile)
	if err := s.replace(path, is, false); err != nil {
		return fmt.Errorf("write %s: %w", path, explainDisk(err))
	}
	return nil
}

func encodeIndex(manifests []ocispec.Descriptor) ([]byte, error) {
	if manifests == nil {
		manifests = []ocispec.Descriptor{}
	}
	return json.Marshal(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: manifests})
}

// replace writes a file so that it has its old content or the new one, whatever
// happens. With fresh a file that is there by now stays.
func (s *Store) replace(path string, data []byte, fresh bool) error {
	temp, err := os.CreateTemp(s.work, "file-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }() // gone where all went well
	_, err = temp.Write(data)
	if err = errors.Join(err, temp.Chmod(0o644), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if !fresh {
		err = os.Rename(temp.Name(), path)
	} else if err = os.Link(temp.Name(), path); errors.Is(err, fs.ErrExist) {
		err = nil
	}
	return errors.Join(err, syncPath(filepath.Dir(path)))
}

// tagged returns the digest that the name has in index.json, "" for none.
func tagged(manifests []ocispec.Descriptor, name string) digest.Digest {
	for _, d := range manifests {
		if d.Annotations[ocispec.AnnotationRefName] == name {
			return d.Digest
		}
	}
	return ""
}
