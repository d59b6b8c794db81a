package footprint

import (
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestOnlyMappingsThatWereNeverWrittenAreReleased(t *testing.T) {
	const smaps = `00400000-01e78000 r-xp 00000000 fe:00 12214339                           /opt/fair lead
Size:              27104 kB
Rss:               20512 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
01e78000-03b16000 r--p 01a78000 fe:00 12214339                           /opt/fair lead
Anonymous:             4 kB
03b16000-03c19000 rw-p 03716000 fe:00 12214339                           /opt/fair lead
Anonymous:             0 kB
03d00000-03e00000 r--s 03716000 fe:00 12214339                           /opt/fair lead
Anonymous:             0 kB
03f00000-04000000 r--p 03716000 fe:00 12214339                           /opt/fair lead (deleted)
Anonymous:             0 kB
3d511000000-3d518400000 rw-p 00000000 00:00 0
Anonymous:         73620 kB
7f8777f4e000-7f87780a4000 r-xp 00026000 fe:00 326269                     /usr/lib/libc.so.6
Anonymous:             0 kB

`
	got, err := unwritten(strings.NewReader(smaps), "/opt/fair lead")
	if want := []mapping{{0x400000, 0x1e78000}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %x, %v, want %x", got, err, want)
	}
}

func TestReleaseProgram(t *testing.T) {
	before := mapped(t)
	if err := ReleaseProgram(); err != nil {
		t.Fatal(err)
	}
	if after := mapped(t); after >= before {
		t.Errorf("%d kB of files were resident, and %d kB afterwards", before, after)
	}
}

// mapped is how much of files this process has resident, in kB.
func mapped(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	field := regexp.MustCompile(`RssFile:\s+(\d+) kB`).FindSubmatch(status)
	if field == nil {
		t.Skip("this kernel does not tell RssFile")
	}
	n, err := strconv.Atoi(string(field[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
