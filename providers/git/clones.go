package git

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// clones are the directories of a remote's clone, DATA/git/IDENTITY-NUMBER.git.
// The highest number is the current one. A replacement is made in a directory
// with the next number and .new at its end, and takes its place by losing that
// end: one atomic rename. Old ones are removed afterwards.
//
// The numbers keep an operation that was abandoned, and may wake up again, from
// writing into the clone of its successor.
type clones struct {
	dir      string
	identity string // of remote and revision: another one is another clone
	least    int    // numbers below are abandoned
}

func newClones(dataDir, url, wanted string) clones {
	sum := sha256.Sum256([]byte(url + "\n" + wanted))
	return clones{dir: filepath.Join(dataDir, "git"), identity: hex.EncodeToString(sum[:6])}
}

// numbers lists the complete clones that are not abandoned, in ascending order.
func (c clones) numbers() ([]int, error) {
	entries, err := os.ReadDir(c.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for the clone: %w", err)
	}
	var numbers []int
	for _, e := range entries { // sorted by name, and numbers have leading zeros
		if n, ok := c.number(e.Name()); ok && n >= c.least {
			numbers = append(numbers, n)
		}
	}
	return numbers, nil
}

// number reads the number out of the name of a complete clone.
func (c clones) number(name string) (int, bool) {
	rest, ours := strings.CutPrefix(name, c.identity+"-")
	digits, complete := strings.CutSuffix(rest, ".git")
	n, err := strconv.Atoi(digits)
	return n, ours && complete && err == nil
}

func (c clones) path(number int) string {
	return filepath.Join(c.dir, fmt.Sprintf("%s-%06d.git", c.identity, number))
}

// current opens the clone in use; nil if there is none.
func (c clones) current() (*clone, error) {
	numbers, err := c.numbers()
	if err != nil || len(numbers) == 0 {
		return nil, err
	}
	return openClone(c.path(numbers[len(numbers)-1])), nil
}

// create makes an empty clone, which is not the current one until adopt.
func (c clones) create() (*clone, error) {
	next := max(c.least, 1)
	numbers, err := c.numbers()
	if err != nil {
		return nil, err
	}
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	path := c.path(next) + ".new"
	if err := os.RemoveAll(path); err != nil {
		return nil, fmt.Errorf("remove an unfinished clone: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make room for a clone: %w; the data directory must be writable for this user", err)
	}
	made := openClone(path)
	if _, err := git.Init(made.stores[0], nil); err != nil {
		made.close()
		return nil, fmt.Errorf("make a clone in %s: %w", path, err)
	}
	return made, nil
}

// adopt makes a clone from create the current one.
func (c clones) adopt(made *clone) error {
	target := strings.TrimSuffix(made.path, ".new")
	if err := os.Rename(made.path, target); err != nil {
		return fmt.Errorf("put the new clone in place: %w", err)
	}
	made.path = target
	return syncDir(c.dir)
}

// sweep removes every directory but the clone that is kept: older ones,
// unfinished ones, those of another remote. What cannot be removed now is tried
// again after the next replacement.
func (c clones) sweep(kept *clone) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if path := filepath.Join(c.dir, e.Name()); path != kept.path {
			_ = os.RemoveAll(path)
		}
	}
}

// abandonCurrent returns the clones without those that exist now, complete or
// not.
func (c clones) abandonCurrent() clones {
	next := c
	numbers, err := c.numbers()
	if err == nil && len(numbers) > 0 {
		next.least = numbers[len(numbers)-1]
	}
	next.least = max(next.least, c.least) + 2 // the one after it may be in the making
	return next
}

// clone is the repository in one of these directories.
type clone struct{ repository }

func openClone(path string) *clone {
	store := newStorage(osfs.New(path, osfs.WithBoundOS()))
	return &clone{repository{path: path, stores: []*filesystem.Storage{store}}}
}

// packs counts the pack files: each fetch adds one.
func (c *clone) packs() int {
	found, err := filepath.Glob(filepath.Join(c.path, "objects", "pack", "*.pack"))
	if err != nil {
		return 0
	}
	return len(found)
}

// syncDir makes a rename in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
