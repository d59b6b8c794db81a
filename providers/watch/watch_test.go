package watch_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/providers/watch"
	"github.com/fairlead/fairlead/reconcile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon is how long a hint may take on a busy machine.
const soon = time.Minute

// still is how long no hint must come. It is longer than a burst is collected.
const still = 300 * time.Millisecond

func wantHint(t *testing.T, hints reconcile.Hints, why string) {
	t.Helper()
	select {
	case _, open := <-hints:
		if !open {
			t.Fatalf("%s: the channel is closed", why)
		}
	case <-time.After(soon):
		t.Fatalf("%s: no hint", why)
	}
}

func wantNoHint(t *testing.T, hints reconcile.Hints, why string) {
	t.Helper()
	select {
	case <-hints:
		t.Errorf("%s: there is a hint", why)
	case <-time.After(still):
	}
}

// drain waits until the hints of what was done before are over.
func drain(hints reconcile.Hints) {
	for {
		select {
		case <-hints:
		case <-time.After(still):
			return
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDirectoryWakesOnEveryKindOfChange(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "old/a.hcl"), "1")
	write(t, filepath.Join(dir, ".git/HEAD"), "1")
	hints, err := watch.Directory(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	wantNoHint(t, hints, "nothing happened")
	for _, step := range []struct {
		why string
		do  func() error
	}{
		{"a file is written", func() error { return os.WriteFile(filepath.Join(dir, "old/a.hcl"), []byte("2"), 0o600) }},
		{"a file is made", func() error { return os.WriteFile(filepath.Join(dir, "b.hcl"), nil, 0o600) }},
		{"a file is renamed", func() error { return os.Rename(filepath.Join(dir, "b.hcl"), filepath.Join(dir, "c.hcl")) }},
		{"a file is removed", func() error { return os.Remove(filepath.Join(dir, "c.hcl")) }},
		{"directories are made", func() error { return os.MkdirAll(filepath.Join(dir, "new/er"), 0o700) }},
		{"a file is made in a new directory", func() error { return os.WriteFile(filepath.Join(dir, "new/er/d.hcl"), nil, 0o600) }},
		{"a directory is removed", func() error { return os.RemoveAll(filepath.Join(dir, "new")) }},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		wantHint(t, hints, step.why)
		drain(hints)
	}
	fresh, err := watch.Directory(t.Context(), dir) // no hint of before can be late for it
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, ".git/HEAD"), "2")
	wantNoHint(t, fresh, "something hidden is written")
}

func TestBurstBecomesFewHintsAndNobodyBlocks(t *testing.T) {
	dir := t.TempDir()
	hints, err := watch.Directory(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for i := range 1000 { // nobody takes a hint meanwhile
		write(t, filepath.Join(dir, fmt.Sprint(i)), "x")
	}
	count, last := 0, begin
	wantHint(t, hints, "the burst")
	for {
		count, last = count+1, time.Now()
		select {
		case <-hints:
			continue
		case <-time.After(still):
		}
		break
	}
	if most := int(last.Sub(begin)/(50*time.Millisecond)) + 3; count > most {
		t.Errorf("1,000 changes are %d hints", count)
	}
}

func TestChannelClosesWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hints, err := watch.Directory(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case _, open := <-hints:
		if open {
			t.Error("there is a hint")
		}
	case <-time.After(soon):
		t.Error("the channel stays open")
	}
}

func TestGitWakesOnRefsOnly(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("the git program is not installed; it is only needed by this test")
	}
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	git("init", "-q", "-b", "main")
	git("commit", "-q", "--allow-empty", "-m", "first")
	linked := filepath.Join(t.TempDir(), "linked")
	git("worktree", "add", "-q", "-b", "side", linked)
	hints, err := watch.Git(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	inLinked, err := watch.Git(t.Context(), linked)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range [][]string{
		{"commit", "-q", "--allow-empty", "-m", "second"},
		{"branch", "team/feature"},
		{"branch", "team/other"},
		{"pack-refs", "--all"},
		{"update-ref", "refs/heads/main", "HEAD~1"},
		{"tag", "v1"},
	} {
		git(step...)
		why := strings.Join(step, " ")
		wantHint(t, hints, why)
		wantHint(t, inLinked, why+", in a linked worktree")
		drain(hints)
		drain(inLinked)
	}
	fresh, err := watch.Git(t.Context(), dir) // no hint of before can be late for it
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "file"), "x")
	git("add", "file") // writes the index and an object
	wantNoHint(t, fresh, "nothing is committed")
}

func TestWhatCannotBeWatchedIsExplained(t *testing.T) {
	if _, err := watch.Directory(t.Context(), "/no/such/directory"); err == nil || !strings.Contains(err.Error(), "polling") {
		t.Errorf("got %v", err)
	}
	if _, err := watch.Git(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "repository") {
		t.Errorf("got %v", err)
	}
}
