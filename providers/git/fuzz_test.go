package git

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// FuzzParseTree: any bytes are a tree or an error, and a tree holds exactly the
// bytes that it was read from.
func FuzzParseTree(f *testing.F) {
	id := strings.Repeat("\x01", 20)
	for _, seed := range []string{"", "100644 a\x00" + id, "40000 d\x00" + id + "120000 l\x00" + id, "100644 a\x00short", "9 \x00" + id} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, err := parseTree(raw)
		if err != nil {
			return
		}
		size := 0
		for _, e := range entries {
			if !bytes.Contains(raw, []byte(" "+e.Name+"\x00"+string(e.Hash[:]))) {
				t.Errorf("%q is not in %q", e.Name, raw)
			}
			size += len(" ") + len(e.Name) + len("\x00") + len(e.Hash)
		}
		if size > len(raw) {
			t.Errorf("%d bytes of entries out of %d bytes", size, len(raw))
		}
	})
}

// FuzzParseTrailers: no message panics, and what comes out can be shown.
func FuzzParseTrailers(f *testing.F) {
	for _, seed := range []string{"", "subject", "s\n\nKey: value\n", "s\n\nKey: a\n b\nOther: c", "s\n\nprose: yes\nprose", "s\n\n b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, message string) {
		for key, values := range parseTrailers(message) {
			if key == "" || len(values) == 0 {
				t.Errorf("%q has the values %q", key, values)
			}
			for _, value := range values {
				if strings.ContainsAny(value, "\n\r\x1b\x00") {
					t.Errorf("%q is %q", key, value)
				}
			}
		}
	})
}

func TestTrailersAreTheLastParagraph(t *testing.T) {
	for message, want := range map[string]string{
		"subject":                                       "map[]",
		"Key: this is the subject":                      "map[]",
		"subject\n\nKey: value":                         "map[Key:[value]]",
		"subject\n\nKey: one\nKey: two\n":               "map[Key:[one two]]",
		"subject\n\nKey: one\n  goes on\nOther: x":      "map[Key:[one goes on] Other:[x]]",
		"subject\n\nKey: value\nand prose":              "map[]",
		"subject\n\nKey: early\n\nprose":                "map[]",
		"subject\r\n\r\nKey: value\r\n":                 "map[Key:[value]]",
		"subject\n\nKey: \x1b[31mred":                   "map[Key:[[31mred]]",
		"subject\n\nbody\n\nReviewed-by: A <a@b>\nX: y": "map[Reviewed-by:[A <a@b>] X:[y]]",
	} {
		if got := fmt.Sprint(parseTrailers(message)); got != want {
			t.Errorf("%q has %s; want %s", message, got, want)
		}
	}
}

// FuzzParseCommit looks for panics, and for commits that go-git reads in another way.
func FuzzParseCommit(f *testing.F) {
	f.Add([]byte("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nparent 4b825dc642cb6eb9a060e54bf8d69288fbee4905\n" +
		"author Ann <ann@example.org> 1760000000 +0000\ncommitter Ann <ann@example.org> 1760000000 +0100\ngpgsig a\n b\n\nWhat\n\nWhy\n"))
	f.Add([]byte("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor <> 0 +0000\ncommitter <> 0 +0000\n\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		facts, err := parseCommit(raw)
		if err != nil {
			return
		}
		encoded := new(plumbing.MemoryObject)
		encoded.SetType(plumbing.CommitObject)
		if _, err := encoded.Write(raw); err != nil {
			t.Fatal(err)
		}
		var commit object.Commit
		if err := commit.Decode(encoded); err != nil {
			return
		}
		if commit.TreeHash != facts.tree || !slices.Equal(commit.ParentHashes, facts.parents) {
			t.Errorf("tree %s and parents %v; go-git reads %s and %v", facts.tree, facts.parents, commit.TreeHash, commit.ParentHashes)
		}
	})
}

// FuzzMergeLines looks for panics, and for merges that lose what only one side changed.
func FuzzMergeLines(f *testing.F) {
	f.Add("a\nb\nc\n", "a\nb\nC\n", "A\nb\nc\n")
	f.Add("}\n}\n}\n", "}\n}\n", "}\n}\n}\n}\n")
	f.Fuzz(func(t *testing.T, base, ours, theirs string) {
		if strings.Contains(base+ours+theirs, "\x00") || len(base+ours+theirs) > 1<<16 {
			return
		}
		for _, c := range []struct{ ours, theirs, want string }{{ours, base, ours}, {base, theirs, theirs}} {
			if got, ok := mergeLines([]byte(base), []byte(c.ours), []byte(c.theirs)); ok && string(got) != c.want {
				t.Errorf("%q with %q and %q merges to %q", base, c.ours, c.theirs, got)
			}
		}
		one, clean := mergeLines([]byte(base), []byte(ours), []byte(theirs))
		other, also := mergeLines([]byte(base), []byte(theirs), []byte(ours))
		if clean != also || clean && string(one) != string(other) {
			t.Errorf("%q with %q and %q merges to %q, the other way round to %q", base, ours, theirs, one, other)
		}
	})
}
