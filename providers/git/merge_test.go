package git_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile"
)

// version is what one commit of a random history holds: modes and contents by path.
type version map[string][2]string

// histories makes random histories and writes them in one go, as git fast-import reads
// them.
type histories struct {
	*rand.Rand
	stream bytes.Buffer
	marks  int
	files  map[int]version
}

// commit writes a commit and returns its mark.
func (h *histories) commit(v version, parents ...int) int {
	h.marks++
	fmt.Fprintf(&h.stream, "commit refs/heads/c%d\nmark :%d\ncommitter Ann <ann@example.org> %d +0000\ndata 2\nc\n", h.marks, h.marks, 1_700_000_000+h.marks+h.IntN(3))
	for i, parent := range parents {
		fmt.Fprintf(&h.stream, "%s :%d\n", map[bool]string{true: "from", false: "merge"}[i == 0], parent)
	}
	h.stream.WriteString("deleteall\n")
	for _, path := range slices.Sorted(maps.Keys(v)) {
		fmt.Fprintf(&h.stream, "M %s inline %s\ndata %d\n%s\n", v[path][0], path, len(v[path][1]), v[path][1])
	}
	h.files[h.marks] = v
	return h.marks
}

func (h *histories) lines(n int) string {
	var text strings.Builder
	for range n {
		text.WriteString([]string{"}\n", "\n", "a\n", "b\n", "c\n", "model {\n", fmt.Sprintf("line %d\n", h.IntN(50))}[h.IntN(7)])
	}
	return text.String()
}

func (h *histories) path() string {
	return []string{"", "x/", "x/y/", "z/"}[h.IntN(4)] + string(rune('a'+h.IntN(5)))
}

// edit is a version with a few random changes.
func (h *histories) edit(v version, changes int) version {
	v = maps.Clone(v)
	for range changes {
		h.change(v)
	}
	// No file stands where a directory has to be.
	for _, path := range slices.Sorted(maps.Keys(v)) {
		for other := range v {
			if strings.HasPrefix(other, path+"/") {
				delete(v, path)
			}
		}
	}
	return v
}

func (h *histories) change(v version) {
	there := slices.Sorted(maps.Keys(v))
	if len(there) == 0 {
		there = []string{"a"}
	}
	path := there[h.IntN(len(there))]
	file := v[path]
	if file[0] == "" {
		file[0] = "100644"
	}
	switch h.IntN(24) {
	case 0:
		v[h.path()] = [2]string{"100644", h.lines(h.IntN(12))}
	case 1:
		delete(v, path)
	case 2: // a new name
		delete(v, path)
		v[h.path()] = file
	case 3: // a new directory
		for _, p := range there {
			if rest, ok := strings.CutPrefix(p, "x/"); ok && h.IntN(8) > 0 {
				v["w/"+rest] = v[p]
				delete(v, p)
			}
		}
	case 4:
		file[0] = "100755"
		v[path] = file
	case 5:
		v[path] = [2]string{"120000", "target"}
	case 6: // a directory in place of a file
		delete(v, path)
		v[path+"/in"] = file
	case 7:
		file[1] = strings.TrimSuffix(file[1], "\n")
		v[path] = file
	case 8:
		v[path] = [2]string{file[0], file[1] + "\x00"}
	default:
		lines := strings.SplitAfter(file[1], "\n")
		at := h.IntN(len(lines))
		end := min(len(lines), at+h.IntN(3))
		file[1] = strings.Join(lines[:at], "") + h.lines(h.IntN(3)) + strings.Join(lines[end:], "")
		v[path] = file
	}
}

// pair makes a history with two ends.
func (h *histories) pair() (ours, theirs int) {
	base := version{}
	for range 1 + h.IntN(6) {
		base[h.path()] = [2]string{"100644", h.lines(h.IntN(30))}
	}
	base = h.edit(base, 0)
	root := h.commit(base)
	ours = h.commit(h.edit(base, 1+h.IntN(4)), root)
	theirs = h.commit(h.edit(base, 1+h.IntN(4)), root)
	if h.IntN(6) == 0 { // they cross
		one := h.commit(h.edit(h.files[ours], h.IntN(2)), ours, theirs)
		theirs = h.commit(h.edit(h.files[theirs], h.IntN(2)), theirs, ours)
		ours = one
	}
	for range h.IntN(2) {
		ours = h.commit(h.edit(h.files[ours], h.IntN(3)), ours)
	}
	if h.IntN(10) == 0 {
		theirs = h.commit(h.edit(h.files[ours], 1), ours) // one leads to the other
	}
	return ours, theirs
}

func TestMergesAreThoseOfGit(t *testing.T) {
	const number = 300
	r := newRepo(t)
	if _, err := r.try("", "merge-tree", "--write-tree", "-h"); !strings.Contains(fmt.Sprint(err), "--write-tree") {
		t.Skip("this git has no merge-tree --write-tree (it came with 2.38)")
	}
	h := &histories{Rand: rand.New(rand.NewPCG(7, 11)), files: map[int]version{}}
	var pairs [][2]int
	for range number {
		ours, theirs := h.pair()
		pairs = append(pairs, [2]int{ours, theirs})
	}
	r.gitIn(h.stream.String(), "fast-import", "--quiet")
	var marks []string
	for _, pair := range pairs {
		marks = append(marks, fmt.Sprintf("c%d", pair[0]), fmt.Sprintf("c%d", pair[1]))
	}
	commits := strings.Fields(r.git(append([]string{"rev-parse"}, marks...)...))
	counts := map[string]int{}
	for i, pair := range pairs {
		ours, theirs := commits[2*i], commits[2*i+1]
		want, theirsClean := r.mergeTree(ours, theirs)
		got, err := git.MergedTree(t.Context(), r.dir, ours, theirs)
		conflict, isConflict := errors.AsType[*reconcile.MergeConflict](err)
		switch {
		case err != nil && !isConflict:
			t.Fatalf("merge %v: %v", pair, err)
		case err != nil && theirsClean:
			class := r.stricter(ours, theirs, conflict.Paths)
			counts["clean in git, a conflict here: "+class]++
			t.Logf("%v: %s: %v", pair, class, conflict.Paths)
		case err != nil:
			counts["conflict"]++
		case !theirsClean:
			t.Errorf("%v: clean here, a conflict in git", pair)
		case got != want:
			t.Errorf("%v: the tree is %s; git merges to %s\n%s", pair, got, want, r.git("diff", got, want))
		default:
			counts["clean and equal"]++
		}
	}
	for _, class := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%4d %s", counts[class], class)
	}
	if counts["clean and equal"] < number/5 {
		t.Errorf("only %d merges were clean; the histories prove little", counts["clean and equal"])
	}
	if n := counts["clean in git, a conflict here: none of these"]; n > 0 {
		t.Errorf("%d merges are conflicts here for no reason that is known", n)
	}
}

// mergeTree merges as git does, and tells whether there is no conflict.
func (r *repo) mergeTree(ours, theirs string, options ...string) (tree string, clean bool) {
	r.t.Helper()
	out, err := r.try("", append(options, "merge-tree", "--write-tree", "--no-messages", ours, theirs)...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 1 {
		return "", false
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return out, true
}

// stricter says for which of the stated reasons a merge of git is a conflict here.
func (r *repo) stricter(ours, theirs string, paths []string) string {
	r.t.Helper()
	if strings.Contains(r.git("merge-base", "--all", ours, theirs), "\n") {
		return "several merge bases"
	}
	if _, clean := r.mergeTree(ours, theirs, "-c", "merge.renames=false"); !clean {
		return "git follows a file to its new name"
	}
	base := r.git("merge-base", ours, theirs)
	for _, side := range []string{ours, theirs} {
		kinds := r.git("diff-tree", "-r", "--no-renames", "--name-status", base, side)
		if strings.Contains("\n"+kinds, "\nA\t") && strings.Contains("\n"+kinds, "\nD\t") {
			return "a file may have a new name"
		}
	}
	if r.repeats([]string{base, ours, theirs}, paths) {
		return "lines repeat"
	}
	return "none of these"
}

// repeats tells whether a line repeats in a file, so that it is unclear which one a
// change has added or taken away.
func (r *repo) repeats(commits []string, paths []string) bool {
	for _, commit := range commits {
		for _, path := range paths {
			seen := map[string]bool{}
			text, _ := r.try("", "show", commit+":"+path)    // one that is not there repeats nothing
			for line := range strings.SplitSeq(text, "\n") { // the newlines at its end are cut off
				if seen[line] || line == "" {
					return true
				}
				seen[line] = true
			}
		}
	}
	return false
}
