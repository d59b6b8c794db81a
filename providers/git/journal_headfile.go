package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile/audit"
)

// headFile keeps the newest head of a journal, beside the decisions: it is best on another
// disk, and that may hang. A goroutine writes while there is something to write.
type headFile struct {
	path     string
	patience time.Duration // how long anybody waits for the disk
	replace  func(path string, head audit.Head) error
	tell     func(failed error) // what became of a write; nil: it is there

	mu     sync.Mutex
	next   *audit.Head   // to be written; a newer one takes its place
	aside  bool          // what the file says is set aside before that
	idle   chan struct{} // closed when nothing is left to do; nil: nothing was yet
	since  time.Time     // when what is under way began; zero: nothing is
	closed bool
}

// errHangs: the disk with the head does not answer.
var errHangs = errors.New("its disk does not answer")

// headPatience is that of a journal.
const headPatience = 3 * time.Second

// lost is where a head is set aside that is not part of the journal any more.
func (f *headFile) lost() string { return f.path + ".lost" }

// read reads what the file says.
func (f *headFile) read(ctx context.Context) (audit.Head, error) {
	ctx, cancel := context.WithTimeout(ctx, f.patience)
	defer cancel()
	head, err := bounded(ctx, func() (audit.Head, error) { return readHead(f.path) })
	if errors.Is(err, errOutlived) {
		err = fmt.Errorf("%s cannot be read: %w", f.path, errHangs)
	}
	return head, err
}

// put has a head written, unless a newer one comes before its turn.
func (f *headFile) put(head audit.Head) { f.change(func() { f.next = &head }) }

// setAside has what the file says kept beside it.
func (f *headFile) setAside() { f.change(func() { f.aside = true }) }

func (f *headFile) change(what func()) {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return
	}
	what()
	if f.since.IsZero() {
		f.since, f.idle = time.Now(), make(chan struct{})
		go f.work(f.idle)
	}
	late := time.Since(f.since) > f.patience
	f.mu.Unlock()
	if late {
		f.tell(errHangs)
	}
}

// work writes until nothing is left to do.
func (f *headFile) work(idle chan struct{}) {
	defer close(idle)
	for failed := false; ; {
		f.mu.Lock()
		head, aside := f.next, f.aside
		if head == nil && (!aside || failed) {
			f.since = time.Time{}
			f.mu.Unlock()
			return
		}
		f.next, f.aside, f.since = nil, false, time.Now()
		f.mu.Unlock()
		err := f.write(head, aside)
		failed = err != nil
		f.tell(err)
	}
}

// write does one piece of work. What could not be set aside is not written over.
func (f *headFile) write(head *audit.Head, aside bool) error {
	if aside {
		if err := os.Rename(f.path, f.lost()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.aside = true // it is tried again with the next one
			return err
		}
	}
	if head == nil {
		return nil
	}
	return f.replace(f.path, *head)
}

// settle waits until the newest head is written, while the disk may be expected to answer.
func (f *headFile) settle(ctx context.Context) {
	f.mu.Lock()
	idle, since := f.idle, f.since
	f.mu.Unlock()
	if since.IsZero() {
		return
	}
	timer := time.NewTimer(f.patience - time.Since(since))
	defer timer.Stop()
	select {
	case <-idle:
	case <-ctx.Done():
	case <-timer.C:
		f.mu.Lock()
		same := f.since.Equal(since)
		f.mu.Unlock()
		if same {
			f.tell(errHangs)
		}
	}
}

// close is settle, and nothing is written any more that comes after it.
func (f *headFile) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.settle(context.Background())
}

// readHead reads a file with a head.
func readHead(path string) (audit.Head, error) {
	text, err := readSmall(path)
	if err != nil {
		return audit.Head{}, err
	}
	return audit.ParseHead([]byte(text), path)
}

// writeHead replaces the file: whole or not at all. That the newest one is durable does
// not matter, as an older one is a part of the journal, too.
func writeHead(path string, head audit.Head) (err error) {
	text, err := head.Encode()
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*.tmp")
	if err != nil {
		return explainDisk(err)
	}
	defer func() {
		if err != nil {
			_ = temp.Close()           // the error that counts is err
			_ = os.Remove(temp.Name()) // or it lies there, which does no harm
			err = explainDisk(err)
		}
	}()
	if _, err := temp.Write(text); err != nil {
		return err
	}
	if err := errors.Join(temp.Chmod(0o644), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
