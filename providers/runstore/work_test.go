package runstore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/runstore"
)

func work(t *testing.T, s *runstore.Store) string {
	t.Helper()
	out, err := s.Work(t.Context(), "digits-1", "train.2", 1, []string{"model", "report"})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestAnybodyMayWriteOutputsAndNobodyElseGetsThere(t *testing.T) {
	before := syscall.Umask(0o077)
	defer syscall.Umask(before)
	s, dir := open(t)
	out := work(t, s)
	if !filepath.IsAbs(out) || !strings.HasPrefix(out, dir) {
		t.Errorf("the directory is %s", out)
	}
	for path, want := range map[string]fs.FileMode{
		out: 0o777, filepath.Join(out, "model"): 0o777, filepath.Join(out, "report"): 0o777,
		filepath.Dir(out): 0o700, dir: 0o700, filepath.Dir(dir): 0o700,
	} {
		if got := mode(t, path); got != want {
			t.Errorf("%s has mode %v, want %v", path, got, want)
		}
	}
	if err := os.WriteFile(filepath.Join(out, "model", "weights"), []byte("w"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(out, 0o755); err != nil { // as if a crash had come before
		t.Fatal(err)
	}
	if again := work(t, s); again != out || mode(t, out) != 0o777 {
		t.Errorf("again it is %s with mode %v", again, mode(t, out))
	}
	if got, err := os.ReadFile(filepath.Join(out, "model", "weights")); err != nil || string(got) != "w" {
		t.Errorf("what was written is %q, %v", got, err)
	}
}

func TestALinkInPlaceOfAnOutputIsNotFollowed(t *testing.T) {
	s, _ := open(t)
	out := work(t, s)
	victim := filepath.Join(t.TempDir(), "victim")
	err := errors.Join(os.Mkdir(victim, 0o700), os.Remove(filepath.Join(out, "model")), os.Symlink(victim, filepath.Join(out, "model")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Work(t.Context(), "digits-1", "train.2", 1, []string{"model"}); err == nil {
		t.Error("a link was taken for an output")
	}
	if got := mode(t, victim); got != 0o700 {
		t.Errorf("a link was followed: %v", got)
	}
}

// hostile fills a directory with what is hard to remove.
func hostile(t *testing.T, out, victim string) {
	t.Helper()
	var errs []error
	deep := filepath.Join(out, "model")
	for range 300 {
		deep = filepath.Join(deep, "deeper")
		errs = append(errs, os.Mkdir(deep, 0o755))
	}
	closed := filepath.Join(out, "closed")
	errs = append(errs,
		os.Symlink(victim, filepath.Join(out, "link")), os.Symlink("/", filepath.Join(out, "model", "root")), os.Symlink("loop", filepath.Join(out, "loop")),
		os.MkdirAll(filepath.Join(closed, "closed", "closed"), 0o755), os.WriteFile(filepath.Join(closed, "closed", "file"), nil, 0o400),
		os.Chmod(filepath.Join(closed, "closed", "closed"), 0), os.Chmod(filepath.Join(closed, "closed"), 0), os.Chmod(closed, 0o500),
		syscall.Mkfifo(filepath.Join(out, "pipe"), 0o600), os.WriteFile(filepath.Join(out, " -rf *\n"), nil, 0o600),
	)
	for i := range 1100 {
		errs = append(errs, os.WriteFile(filepath.Join(out, "report", fmt.Sprint(i)), nil, 0o600))
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func victimOf(t *testing.T) (dir string, intact func()) {
	t.Helper()
	dir = t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "kept"), 0o711), os.WriteFile(filepath.Join(dir, "kept", "file"), nil, 0o444)); err != nil {
		t.Fatal(err)
	}
	return dir, func() {
		t.Helper()
		if got := mode(t, filepath.Join(dir, "kept")); got != 0o711 {
			t.Errorf("a link was followed: %v", got)
		}
		if got := mode(t, filepath.Join(dir, "kept", "file")); got != 0o444 {
			t.Errorf("a link was followed: %v", got)
		}
	}
}

func TestRemoveWorkRemovesWhatContainersLeave(t *testing.T) {
	s, dir := open(t)
	victim, intact := victimOf(t)
	hostile(t, work(t, s), victim)
	other, err := s.Work(t.Context(), "digits-1", "train.2", 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing
		if err := s.RemoveWork(t.Context(), "digits-1", "train.2", 1); err != nil {
			t.Fatal(err)
		}
	}
	intact()
	if entries, err := os.ReadDir(filepath.Join(dir, "work", "digits-1")); err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(other) {
		t.Errorf("left: %v, %v", entries, err)
	}
	if err := s.RemoveWork(t.Context(), "digits-1", "train.2", 2); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "work")); err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

func TestRemovalThatWasInterruptedIsGoneOnWith(t *testing.T) {
	s, dir := open(t)
	victim, intact := victimOf(t)
	hostile(t, work(t, s), victim)
	if err := s.RemoveWork(&endsAfter{Context: t.Context(), left: 40}, "digits-1", "train.2", 1); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "work", "digits-1", ".removed-*")); err != nil || len(left) != 1 {
		t.Fatalf("the removal was not interrupted half-way: %v, %v", left, err)
	}
	hostile(t, work(t, s), victim) // the attempt is made again
	if err := s.RemoveWork(t.Context(), "digits-1", "train.2", 1); err != nil {
		t.Fatal(err)
	}
	intact()
	if entries, err := os.ReadDir(filepath.Join(dir, "work")); err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// endsAfter ends when it has been asked that many times.
type endsAfter struct {
	context.Context
	left int
}

func (c *endsAfter) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestDeleteTakesLogsAndWork(t *testing.T) {
	s, dir := open(t)
	hostile(t, work(t, s), t.TempDir())
	if err := errors.Join(s.Save(t.Context(), runOf("digits", 1)), create(t, s, 10).Close()); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(&endsAfter{Context: t.Context(), left: 1}, "digits-1"); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if list, err := s.List(t.Context(), ""); err != nil || len(list) != 0 {
		t.Errorf("a run that is half deleted is listed: %v, %v", list, err)
	}
	if _, err := s.Forget(t.Context(), time.Now()); err != nil { // goes on where the crash was
		t.Fatal(err)
	}
	for _, of := range []string{"runs", "work"} {
		if entries, err := os.ReadDir(filepath.Join(dir, of)); err != nil || len(entries) > 0 {
			t.Errorf("left: %v, %v", entries, err)
		}
	}
}

// TestAnOrdinaryUserRemovesItsOwn does as nobody what root may do anyway.
func TestAnOrdinaryUserRemovesItsOwn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user; the other tests ran as one")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "runstore") // t.TempDir lets nobody in
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := filepath.Join(dir, "program")
	raw, err := os.ReadFile(os.Args[0])
	if err = errors.Join(err, os.WriteFile(program, raw, 0o755), os.Chmod(dir, 0o755), os.Mkdir(filepath.Join(dir, "data"), 0o700)); err != nil {
		t.Fatal(err)
	}
	s, err := runstore.New(filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	hostile(t, work(t, s), dir)
	foreign, err := s.Work(t.Context(), "digits-1", "foreign", 1, nil)
	if err = errors.Join(err, os.MkdirAll(filepath.Join(foreign, "closed", "file"), 0o755)); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if filepath.Base(path) == "closed" && filepath.Base(filepath.Dir(path)) == "foreign.1" {
			return fs.SkipDir // stays root's
		}
		return os.Lchown(path, nobody, nobody)
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), "RUNSTORE_TEST_REMOVE="+filepath.Join(dir, "data"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: true}}
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	own, other, _ := strings.Cut(string(out), "\n")
	if own != "own: <nil>" {
		t.Error(own)
	}
	if !strings.Contains(other, "sudo") {
		t.Errorf("%s; want what to do about files of another user", other)
	}
}

// removeAsNobody is what the test above runs.
func removeAsNobody(dir string) {
	s, err := runstore.New(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("own:", s.RemoveWork(context.Background(), "digits-1", "train.2", 1))
	fmt.Println("foreign:", s.RemoveWork(context.Background(), "digits-1", "foreign", 1))
}
