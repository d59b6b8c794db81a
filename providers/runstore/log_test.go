package runstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/runstore"
	"github.com/fairlead/fairlead/reconcile/run"
)

func create(t *testing.T, s *runstore.Store, limit int64) io.WriteCloser {
	t.Helper()
	w, err := s.CreateLog(t.Context(), "digits-1", "train.2", 1, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func follow(ctx context.Context, t *testing.T, s *runstore.Store) io.ReadCloser {
	t.Helper()
	r, err := s.OpenLog(ctx, "digits-1", "train.2", 1, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func write(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if n, err := io.WriteString(w, text); err != nil || n != len(text) {
		t.Fatalf("wrote %d of %d bytes: %v", n, len(text), err)
	}
}

func TestLogIsCutAndSaysSo(t *testing.T) {
	for _, c := range []struct {
		limit  int64
		writes []string
		want   string
	}{
		{10, []string{"short\n"}, "short\n"},
		{10, []string{"0123456789"}, "0123456789"},
		{10, []string{"01234", "56789ab", "c\n"}, "0123456789\nfairlead: log cut: 4 bytes were dropped\n"},
		{6, []string{"01234\n", "5\n"}, "01234\nfairlead: log cut: 2 bytes were dropped\n"},
		{0, []string{"x"}, "fairlead: log cut: 1 bytes were dropped\n"},
		{-1, nil, ""},
	} {
		s, _ := open(t)
		w := create(t, s, c.limit)
		for _, text := range c.writes {
			write(t, w, text)
		}
		if err := errors.Join(w.Close(), w.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("late")); !errors.Is(err, os.ErrClosed) {
			t.Errorf("a write after the end: %v", err)
		}
		for _, follow := range []bool{false, true} {
			r, err := s.OpenLog(t.Context(), "digits-1", "train.2", 1, follow)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != c.want {
				t.Errorf("limit %d, follow %t: got %q, %v; want %q", c.limit, follow, got, err, c.want)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestNoLogIsSaid(t *testing.T) {
	s, _ := open(t)
	if _, err := s.OpenLog(t.Context(), "digits-1", "train", 1, true); !errors.Is(err, run.ErrNoLog) {
		t.Errorf("got %v", err)
	}
}

// TestFollowersReadAsItIsWritten also has a follower in another store, which has to
// look: it knows nothing of the writer but the lock on the file.
func TestFollowersReadAsItIsWritten(t *testing.T) {
	s, dir := open(t)
	other, err := runstore.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	w := create(t, s, 1<<20)
	readers := map[string]io.Reader{"same": follow(t.Context(), t, s), "other": follow(t.Context(), t, other)}
	var all strings.Builder
	for i := range 5 {
		line := fmt.Sprint("line ", i, "\n")
		write(t, w, line)
		all.WriteString(line)
		for name, r := range readers {
			got := make([]byte, len(line))
			if _, err := io.ReadFull(r, got); err != nil || string(got) != line {
				t.Fatalf("%s process: got %q, %v", name, got, err)
			}
		}
	}
	rest := make(chan string, len(readers))
	for _, r := range readers {
		go func() {
			got, err := io.ReadAll(r)
			rest <- fmt.Sprint(string(got), err)
		}()
	}
	write(t, w, "last\n")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for range readers {
		if got := <-rest; got != "last\n<nil>" {
			t.Errorf("got %q", got)
		}
	}
}

func TestFollowingEndsWithItsContextAndWithClose(t *testing.T) {
	s, _ := open(t)
	w := create(t, s, 1<<20)
	ctx, cancel := context.WithCancel(t.Context())
	byContext, byClose := follow(ctx, t, s), follow(t.Context(), t, s)
	ended := make(chan error, 2)
	for _, r := range []io.Reader{byContext, byClose} {
		go func() {
			_, err := io.ReadAll(r)
			ended <- err
		}()
	}
	write(t, w, "x")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := byClose.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestALogThatIsBegunAnewEndsTheOldOne(t *testing.T) {
	s, dir := open(t)
	first := create(t, s, 1<<20)
	write(t, first, "old\n")
	old := follow(t.Context(), t, s)
	second := create(t, s, 1<<20) // as after a crash: nobody closed the first
	write(t, second, "new\n")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(old); err != nil || string(got) != "old\n" {
		t.Errorf("the old log: %q, %v", got, err)
	}
	now := follow(t.Context(), t, s)
	got := make([]byte, 4)
	if _, err := io.ReadFull(now, got); err != nil || string(got) != "new\n" {
		t.Errorf("the new log: %q, %v", got, err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(now); err != nil || len(rest) > 0 {
		t.Errorf("the rest of the new log: %q, %v", rest, err)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "runs", "digits-1", "logs")); err != nil || len(entries) != 1 || entries[0].Name() != "train.2.1.log" {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
}

func TestAGigabyteOfLogTakesNoMoreThanItsLimit(t *testing.T) {
	s, dir := open(t)
	w := create(t, s, 1<<20)
	chunk := strings.Repeat("0123456789abcde\n", 1<<16) // 1 MiB
	began := time.Now()
	for range 1024 {
		write(t, w, chunk)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "runs", "digits-1", "logs", "train.2.1.log"))
	if err != nil || info.Size() > 1<<20+100 {
		t.Errorf("the log has %d bytes, %v", info.Size(), err)
	}
	t.Logf("1 GiB in %s", time.Since(began))
}
