package git

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// clones are the directories of a remote's clone, DATA/git/IDENTITY-NUMBER.git.
// The highest number is the current one. A replacement is made in a directory of
// its own and takes its place by getting the next number: one atomic rename. Old
// ones are removed afterwards.
//
// The numbers keep an operation that was abandoned, and may wake up again, from
// writing into the clone of its successor. Another process with the same data
// directory, a plan beside the daemon, does no harm: it has an identity of its
// own, and packs are only ever added.
type clones struct {
	dir      string
	identity string // of remote and revision: another one is another clone
	least    int    // numbers below are abandoned
	// writing is set while the current clone is written to; nil: nobody asks.
	writing *atomic.Bool
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
	have := openClone(c.path(numbers[len(numbers)-1]))
	have.writing = c.writing
	return have, nil
}

// currentPath is the directory of the clone in use; "" if there is none.
func (c clones) currentPath() string {
	numbers, err := c.numbers()
	if err != nil || len(numbers) == 0 {
		return ""
	}
	return c.path(numbers[len(numbers)-1])
}

// create makes an empty clone, which is not the current one until adopt.
func (c clones) create() (*clone, error) {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make room for a clone: %w; the data directory must be writable for this user", err)
	}
	path, err := os.MkdirTemp(c.dir, c.identity+"-*.new")
	if err != nil {
		return nil, explainDisk(fmt.Errorf("make room for a clone: %w", err))
	}
	made := openClone(path)
	if _, err := git.Init(made.stores[0], nil); err != nil {
		made.close()
		return nil, explainDisk(fmt.Errorf("make a clone in %s: %w", path, err))
	}
	return made, nil
}

// adopt makes a clone from create the current one, unless its time is over: then
// it has a successor already.
func (c clones) adopt(ctx context.Context, made *clone) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	numbers, err := c.numbers()
	if err != nil {
		return err
	}
	next := max(c.least, 1)
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	if err := os.Rename(made.path, c.path(next)); err != nil {
		return fmt.Errorf("put the new clone in place: %w", err)
	}
	made.path = c.path(next)
	return syncDir(c.dir)
}

// forgotten is the age from which clones that nobody fetched into are removed:
// those of another remote or revision, and those that were never finished.
const forgotten = 7 * 24 * time.Hour

// sweep removes the clones that the kept one replaced, and forgotten ones. What
// cannot be removed now is tried again after the next replacement.
func (c clones) sweep(kept *clone) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(c.dir, e.Name())
		_, replaced := c.number(e.Name())
		if path != kept.path && (replaced || time.Since(lastFetch(path)) > forgotten) {
			_ = os.RemoveAll(path)
		}
	}
}

// lastFetch is when a clone was fetched into last, or made.
func lastFetch(path string) time.Time {
	for _, file := range []string{filepath.Join(path, filepath.FromSlash(string(fetchedRef))), path} {
		if info, err := os.Stat(file); err == nil {
			return info.ModTime()
		}
	}
	return time.Now()
}

// abandonCurrent returns the clones without those that exist now.
func (c clones) abandonCurrent() clones {
	next := c
	numbers, err := c.numbers()
	if err == nil && len(numbers) > 0 {
		next.least = numbers[len(numbers)-1]
	}
	next.least = max(next.least, c.least) + 1
	return next
}

// clone is the repository in one of these directories, or another one that is
// written to.
type clone struct {
	repository
	// adopt gives a new file to those who own the repository; nil where that is
	// us.
	adopt func(path string) error
	// writing is that of its clones; nil: nobody asks.
	writing *atomic.Bool
}

// beginWriting says that the clone is written to until done is called.
func (c *clone) beginWriting() (done func()) {
	if c.writing == nil {
		return func() {}
	}
	c.writing.Store(true)
	return func() { c.writing.Store(false) }
}

func openClone(path string) *clone {
	store := newStorage(osfs.New(path, osfs.WithBoundOS()))
	return &clone{repository: repository{path: path, stores: []*filesystem.Storage{store}}}
}

// note makes a ref of the clone name an object. It is replaced as a whole: go-git empties
// the file first, and who lists the refs meanwhile would take that for a damage.
func (c *clone) note(name plumbing.ReferenceName, id plumbing.Hash) error {
	if was, err := refOf(&c.repository, name); err == nil && was == id {
		return nil
	}
	return writeRef(c.path, name, id)
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
