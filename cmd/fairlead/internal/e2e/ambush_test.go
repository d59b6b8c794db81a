package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"github.com/fairlead/fairlead/providers/providertest"
)

// ambush kills a daemon at one of its boundaries: between two of the things that
// it does to the world. It sees them from outside: calls to the engine in the
// proxy, before and after; a decision on its way into the journal as a file, and
// when it is there in the log; tables, talks with replicas and measurements in
// the log. Each of them is one boundary, of measurements only the first.
type ambush struct {
	e      *environment
	daemon *process
	at     int // the boundary to kill at, from 1; 0 lets it live

	mu     sync.Mutex
	seen   []string // boundaries so far
	died   string   // the one it died at
	beyond bool     // disarmed: what happens is not counted
	once   map[string]bool
	files  *os.File // the stream of inotify
}

// ambush lies in wait for the running daemon.
func (e *environment) ambush(at int) *ambush {
	e.t.Helper()
	a := &ambush{e: e, daemon: e.daemon, at: at, once: map[string]bool{}}
	a.watchJournal()
	e.proxy.OnCall(func(call providertest.EngineCall) providertest.EngineFault {
		if call.Mutation > 0 && a.boundary("before "+generic(call)) {
			return providertest.Reset
		}
		return providertest.Forward
	})
	e.proxy.OnAnswer(func(call providertest.EngineCall) {
		if call.Mutation > 0 {
			a.boundary("after " + generic(call))
		}
	})
	a.daemon.log.onLine(a.line)
	return a
}

// generic is a call without the names in it.
func generic(call providertest.EngineCall) string {
	parts := strings.Split(call.Path, "/")
	if len(parts) > 2 && parts[2] != "create" {
		parts[2] = "*"
	}
	return call.Method + " " + strings.Join(parts, "/")
}

// boundary counts one, and kills at the one that was ordered.
func (a *ambush) boundary(name string) (dead bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.died != "" {
		return true
	}
	if a.beyond {
		return false
	}
	a.seen = append(a.seen, name)
	if len(a.seen) != a.at {
		return false
	}
	a.died = fmt.Sprintf("%d, %s", a.at, name)
	_ = a.daemon.cmd.Process.Kill() // not waited for: the caller may be who reads its log
	return true
}

// line is a line of the daemon's log.
func (a *ambush) line(text string) {
	var said struct{ Event, Action, Decision string }
	if json.Unmarshal([]byte(text), &said) != nil {
		return
	}
	switch said.Event {
	case "decided":
		a.boundary("after the journal has taken: " + said.Decision)
	case "table_pushed":
		a.boundary("after a table")
	case "action_started", "action_done":
		if said.Action == "verify" || said.Action == "warm up" {
			a.boundary(strings.TrimPrefix(said.Event, "action_") + " to " + said.Action)
		}
	case "measured":
		a.mu.Lock()
		again := a.once[said.Event]
		a.once[said.Event] = true
		a.mu.Unlock()
		if !again {
			a.boundary("after a measurement")
		}
	}
}

// watchJournal sees the objects of an entry appear, after which only the ref is
// to be moved: an entry that does not count yet.
func (a *ambush) watchJournal() {
	t := a.e.t
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	a.files = os.NewFile(uintptr(fd), "inotify")
	if _, err := syscall.InotifyAddWatch(fd, filepath.Join(a.e.data, "journal", "objects", "pack"), syscall.IN_MOVED_TO); err != nil {
		t.Fatal(err)
	}
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := a.files.Read(buffer)
			if err != nil {
				if !errors.Is(err, os.ErrClosed) {
					t.Errorf("watch the journal: %v", err)
				}
				return
			}
			for rest := buffer[:n]; len(rest) >= syscall.SizeofInotifyEvent; {
				event := (*syscall.InotifyEvent)(unsafe.Pointer(&rest[0]))
				end := syscall.SizeofInotifyEvent + int(event.Len)
				if strings.Contains(string(rest[syscall.SizeofInotifyEvent:end]), ".pack") {
					a.boundary("before the journal takes an entry")
				}
				rest = rest[end:]
			}
		}
	}()
}

// over tells whether the daemon was killed.
func (a *ambush) over() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.died != ""
}

// end lets the daemon pass from now on, and returns where it died; empty if it
// has not.
func (a *ambush) end() (died string, seen []string) {
	a.mu.Lock()
	a.beyond = true
	a.mu.Unlock()
	a.e.disarm()
	a.daemon.log.onLine(nil)
	_ = a.files.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.died, a.seen
}
