package durable_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/reconcile/durable"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func TestReplaceIsWholeOrNotAtAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "file")
	if err := durable.Replace(path, text("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := durable.Replace(path, func(w io.Writer) error { return errors.Join(text("half of the n")(w), broken) })
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v; want the cause and the path", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Errorf("the file holds %q, %v", got, err)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700, filepath.Dir(filepath.Dir(path)): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
	if err := durable.Replace(filepath.Join(path, "below"), text("x")); err == nil {
		t.Error("a file was made below a file")
	}
}

func TestSweepTakesOldLeftOversOnly(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-2 * time.Hour)
	for _, name := range []string{".fairlead-1.tmp", ".fairlead-2.tmp", "value.json", ".other.tmp"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if name == ".fairlead-2.tmp" {
			continue
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := durable.Sweep(dir, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(entries); strings.Contains(got, "-1.tmp") || len(entries) != 3 {
		t.Errorf("left: %s", got)
	}
}
