package git

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// somePack is a pack of a few blobs, and the id of one.
func somePack(t *testing.T, seed byte) ([]byte, plumbing.Hash) {
	t.Helper()
	var objects []plumbing.EncodedObject
	for i := range byte(50) {
		o, err := encoded(plumbing.BlobObject, []byte{seed, i})
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	r, err := packOf(objects)
	if err != nil {
		t.Fatal(err)
	}
	pack, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return pack, objects[0].Hash()
}

func emptyClone(t *testing.T) *clone {
	t.Helper()
	made, err := newClones(t.TempDir(), "url", "main").create()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(made.close)
	return made
}

func mustStore(t *testing.T, into *clone, pack []byte) {
	t.Helper()
	if err := into.store(t.Context(), bytes.NewReader(pack), Limits{}.withDefaults()); err != nil {
		t.Error(err)
	}
}

func TestPackThatSomebodyElseStoredIsSeen(t *testing.T) {
	pack, id := somePack(t, 1)
	into := emptyClone(t)
	if into.has(id) {
		t.Error("it has what nobody has stored")
	}
	other := openClone(into.path)
	defer other.close()
	mustStore(t, other, pack)
	mustStore(t, into, pack)
	if !into.has(id) {
		t.Error("who has stored it does not have it")
	}
}

func TestWriterThatFailsLeavesThePackOfAnother(t *testing.T) {
	pack, id := somePack(t, 1)
	into := emptyClone(t)
	broken := errors.New("no owner")
	into.adopt = func(string) error {
		other := openClone(into.path)
		defer other.close()
		mustStore(t, other, pack)
		return broken
	}
	if err := into.store(t.Context(), bytes.NewReader(pack), Limits{}.withDefaults()); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	after := openClone(into.path)
	defer after.close()
	if !after.has(id) {
		t.Error("the pack of the other one has gone")
	}
	files, err := filepath.Glob(filepath.Join(into.path, "objects", "pack", "*"))
	if err != nil || len(files) != 2 {
		t.Errorf("there are %q, %v", files, err)
	}
}

func TestWritersOfOnePackAndItsReaders(t *testing.T) {
	for round := range byte(40) {
		pack, id := somePack(t, round)
		into := emptyClone(t)
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				mine := openClone(into.path)
				defer mine.close()
				mustStore(t, mine, pack)
				if !mine.has(id) {
					t.Error("who has stored it does not have it")
				}
			})
		}
		all.Go(func() {
			for len(packNames(into.path)) == 0 && !t.Failed() {
				continue
			}
			for range 20 {
				reader := openClone(into.path)
				if _, err := reader.read(plumbing.BlobObject, id, 10); err != nil {
					t.Error(err)
				}
				reader.close()
			}
		})
		all.Wait()
		if t.Failed() {
			return
		}
	}
}

func TestRefOfACloneIsReplacedAsAWhole(t *testing.T) {
	const name = plumbing.ReferenceName("refs/fairlead/ref/pull/7/head")
	into := emptyClone(t)
	file := filepath.Join(into.path, string(name))
	ids := []plumbing.Hash{plumbing.NewHash("aa00000000000000000000000000000000000000"), plumbing.NewHash("bb00000000000000000000000000000000000000")}
	var before os.FileInfo
	for i, id := range []plumbing.Hash{ids[0], ids[0], ids[1]} {
		held, opened := os.Open(file)
		if err := into.note(name, id); err != nil {
			t.Fatal(err)
		}
		if got, err := refOf(&into.repository, name); err != nil || got != id {
			t.Errorf("it is %s, %v", got, err)
		}
		after, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			text, err := io.ReadAll(held)
			if err := errors.Join(opened, err, held.Close()); err != nil || string(text) != ids[0].String()+"\n" {
				t.Errorf("a reader gets %q, %v", text, err)
			}
			if same := os.SameFile(before, after); same != (i == 1) {
				t.Errorf("write %d keeps the file: %t", i, same)
			}
		}
		before = after
	}
	left, err := os.ReadDir(into.path)
	if err != nil || slices.ContainsFunc(left, func(e os.DirEntry) bool { return filepath.Ext(e.Name()) == ".tmp" }) {
		t.Errorf("there are %v, %v", left, err)
	}
}

func TestPackHoldsObjectsOfAnySize(t *testing.T) {
	var objects []plumbing.EncodedObject
	sizes := []int{0, 1, 15, 16, 127, 128, 1<<11 - 1, 1 << 11, 1<<18 - 1, 1 << 18, 1 << 20}
	for _, size := range append(sizes, 16) { // one of them twice
		o, err := encoded(plumbing.BlobObject, bytes.Repeat([]byte{'x'}, size))
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	pack, err := packOf(objects)
	if err != nil {
		t.Fatal(err)
	}
	into := emptyClone(t)
	if err := into.store(t.Context(), pack, Limits{}.withDefaults()); err != nil {
		t.Fatal(err)
	}
	for i, size := range sizes {
		if data, err := into.read(plumbing.BlobObject, objects[i].Hash(), 1<<20); err != nil || len(data) != size {
			t.Errorf("of %d bytes it has %d, %v", size, len(data), err)
		}
	}
	fsck(t, into.path)
}
