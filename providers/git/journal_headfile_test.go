package git

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/audit"
)

func headAt(t *testing.T, j *Journal) (file, journal string) {
	t.Helper()
	head, err := readHead(j.options.HeadFile)
	if err != nil {
		t.Fatal(err)
	}
	return head.Commit, j.Tip()
}

// withHead is a journal that is open and keeps its head in a file.
func withHead(t *testing.T, file string, adapt func(*headFile)) *Journal {
	t.Helper()
	j, err := NewJournal(JournalOptions{Dir: filepath.Join(t.TempDir(), "journal.git"), Branch: "fairlead/journal/prod", HeadFile: file})
	if err != nil {
		t.Fatal(err)
	}
	adapt(j.head)
	if _, err := j.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return j
}

func wantNote(t *testing.T, j *Journal, words string) {
	t.Helper()
	if notes := strings.Join(j.Delivery().Notes, "\n"); !strings.Contains(notes, words) {
		t.Errorf("the notes are %q; want %q", notes, words)
	}
}

func TestDecisionsDoNotWaitForADiskThatHangs(t *testing.T) {
	t.Parallel()
	hangs, answers := make(chan struct{}), make(chan struct{})
	writes := 0 // by one goroutine
	j := withHead(t, filepath.Join(t.TempDir(), "head"), func(f *headFile) {
		f.patience = 20 * time.Millisecond
		f.replace = func(path string, head audit.Head) error {
			if writes++; writes == 1 {
				close(hangs)
				<-answers
			}
			return writeHead(path, head)
		}
	})
	appendMany(t, j, 0, 1)
	<-hangs
	appendMany(t, j, 1, 20)
	j.settleHead(t.Context())
	wantNote(t, j, errHangs.Error())
	if _, err := os.Stat(j.options.HeadFile); err == nil {
		t.Error("it has written what hangs")
	}
	close(answers)
	j.head.patience = headPatience
	j.settleHead(t.Context())
	if file, tip := headAt(t, j); file != tip {
		t.Errorf("the file has %s, and the journal %s", file, tip)
	}
	j.Close()
	if writes != 2 {
		t.Errorf("%d heads were written; want the first and the newest", writes)
	}
}

func TestCloseWaitsForADiskThatHangsAWhile(t *testing.T) {
	t.Parallel()
	hangs, answers := make(chan struct{}), make(chan struct{})
	j := withHead(t, filepath.Join(t.TempDir(), "head"), func(f *headFile) {
		f.patience = 20 * time.Millisecond
		f.replace = func(string, audit.Head) error { close(hangs); <-answers; return nil }
	})
	appendMany(t, j, 0, 1)
	<-hangs
	j.Close()
	wantNote(t, j, errHangs.Error())
	close(answers)
	appendMany(t, j, 1, 2) // and after that nothing is written
	<-j.head.idle
}

func TestCloseKeepsTheNewestHead(t *testing.T) {
	t.Parallel()
	j := withHead(t, filepath.Join(t.TempDir(), "head"), func(*headFile) {})
	appendMany(t, j, 0, 30)
	j.Close()
	if file, tip := headAt(t, j); file != tip {
		t.Errorf("the file has %s, and the journal %s", file, tip)
	}
}

// What cannot be compared is kept, as it may be what tells of a loss.
func TestOpenDoesNotWaitForAHeadThatCannotBeRead(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "head")
	if err := syscall.Mkfifo(file, 0o600); err != nil { // who opens it waits for a writer
		t.Skipf("there are no pipes with a name here: %v", err)
	}
	j := withHead(t, file, func(f *headFile) { f.patience = 20 * time.Millisecond })
	defer j.Close()
	j.head.patience = headPatience
	wantNote(t, j, errHangs.Error())
	appendMany(t, j, 0, 1)
	j.settleHead(t.Context())
	if file, tip := headAt(t, j); file != tip {
		t.Errorf("the file has %s, and the journal %s", file, tip)
	}
	writer, err := os.OpenFile(j.head.lost(), os.O_WRONLY, 0) // the reader may end
	if err := errors.Join(err, writer.Close()); err != nil {
		t.Error(err)
	}
}

func TestHeadThatCannotBeSetAsideIsNotWrittenOver(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "head")
	const other = "no head"
	// A directory that is not empty stands in the way.
	if err := errors.Join(os.WriteFile(file, []byte(other), 0o600), os.MkdirAll(filepath.Join(file+".lost", "x"), 0o700)); err != nil {
		t.Fatal(err)
	}
	j := withHead(t, file, func(*headFile) {})
	defer j.Close()
	appendMany(t, j, 0, 3)
	j.settleHead(t.Context())
	wantNote(t, j, "not kept in "+file)
	if text, err := os.ReadFile(file); err != nil || string(text) != other {
		t.Errorf("the file has %q, %v", text, err)
	}
	if err := os.RemoveAll(file + ".lost"); err != nil {
		t.Fatal(err)
	}
	appendMany(t, j, 3, 4)
	j.settleHead(t.Context())
	if text, err := os.ReadFile(file + ".lost"); err != nil || string(text) != other {
		t.Errorf("what was set aside is %q, %v", text, err)
	}
	if file, tip := headAt(t, j); file != tip {
		t.Errorf("the file has %s, and the journal %s", file, tip)
	}
}
