package footprint

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// ReleaseProgram hands the resident pages of the program's file back to the page
// cache, where other work can have their place. A start touches most of the file, and
// what goes on afterwards a third of it. Pages that are needed again are mapped again
// from the cache, which is a matter of microseconds, and read from disk only if the
// kernel needed the room meanwhile.
//
// It follows madvise(2), MADV_DONTNEED on a private mapping of a file. A mapping with
// pages of its own, which are no longer those of the file (a debugger's or an eBPF
// probe's breakpoints), stays as it is.
func ReleaseProgram() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("find the program's file: %w", err)
	}
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return fmt.Errorf("find what is mapped of the program's file: %w", err)
	}
	defer func() { _ = smaps.Close() }() // it was only read
	parts, err := unwritten(smaps, program)
	if err != nil {
		return fmt.Errorf("find what is mapped of the program's file: %w", err)
	}
	for _, p := range parts {
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, p.from, p.to-p.from, syscall.MADV_DONTNEED); errno != 0 {
			err = errors.Join(err, fmt.Errorf("release %d bytes of the program's file: %w", p.to-p.from, errno))
		}
	}
	return err
}

// mapping is a range of addresses.
type mapping struct{ from, to uintptr }

// unwritten are the mappings of a file that cannot be written and never were. The
// format is that of proc_pid_smaps(5).
func unwritten(smaps io.Reader, file string) ([]mapping, error) {
	var found []mapping
	candidate := false // the last of found is the mapping at hand
	for lines := bufio.NewScanner(smaps); ; {
		if !lines.Scan() {
			return found, lines.Err()
		}
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		if from, to, ok := addresses(fields[0]); ok {
			candidate = len(fields) >= 6 && !strings.Contains(fields[1], "w") && strings.HasSuffix(fields[1], "p") &&
				strings.Join(fields[5:], " ") == file
			if candidate {
				found = append(found, mapping{from, to})
			}
			continue
		}
		if candidate && fields[0] == "Anonymous:" && (len(fields) < 2 || fields[1] != "0") {
			found, candidate = found[:len(found)-1], false
		}
	}
}

// addresses reads "00400000-01e78000".
func addresses(s string) (from, to uintptr, ok bool) {
	low, high, dash := strings.Cut(s, "-")
	if !dash {
		return 0, 0, false
	}
	first, err := strconv.ParseUint(low, 16, strconv.IntSize)
	if err != nil {
		return 0, 0, false
	}
	last, err := strconv.ParseUint(high, 16, strconv.IntSize)
	return uintptr(first), uintptr(last), err == nil && first < last
}
