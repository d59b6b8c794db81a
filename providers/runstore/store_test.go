package runstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/providers/runstore"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/spec"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("RUNSTORE_TEST_REMOVE"); dir != "" {
		removeAsNobody(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB) (*runstore.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data", "pipelines")
	s, err := runstore.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func start() time.Time { return time.Date(2026, 11, 16, 3, 0, 0, 0, time.UTC) }

// runOf is a run with something in most fields.
func runOf(pipeline string, number int) *run.Run {
	return &run.Run{
		FormatVersion: run.Format, ID: fmt.Sprintf("%s-%d", pipeline, number), Pipeline: pipeline, Environment: "prod",
		Trigger: run.Cause{Kind: spec.TriggerSchedule, Scheduled: start()},
		Commit:  strings.Repeat("ab", 20), Params: map[string]any{"share": 0.2, "name": "x", "fast": true},
		Definition: spec.Pipeline{
			Address: spec.Address{Kind: spec.KindPipeline, Name: "digits"}, Name: pipeline,
			Steps: []*spec.Step{{
				Name: "train", Image: "img", Outputs: []string{"model"},
				Inputs: map[string]spec.Input{"data": {Kind: spec.InputDataset, Name: "digits"}},
			}},
		},
		Datasets: map[string]run.Dataset{"digits": {Digest: "sha256:00", Content: "sha256:01", Rows: 1797}},
		Phase:    run.Running,
		Nodes: map[string]*run.Node{"train": {
			ID: "train", Step: "train", Phase: run.NodeSucceeded, Key: "k", KeyOf: &run.KeyParts{Format: 1, Image: "sha256:02"}, From: "earlier-1",
			Outputs: map[string]reconcile.Content{"model": {Digest: "sha256:03", Files: 1, Size: 9}}, Metrics: map[string]float64{"accuracy": 0.98},
		}},
		Created: start().Add(time.Duration(number) * time.Minute),
	}
}

func TestRunsComeBackAsTheyWereSaved(t *testing.T) {
	s, dir := open(t)
	if _, err := s.Load(t.Context(), "digits-1"); !errors.Is(err, run.ErrNoRun) {
		t.Errorf("before anything was saved: %v", err)
	}
	if list, err := s.List(t.Context(), ""); err != nil || len(list) != 0 {
		t.Errorf("before anything was saved: %v, %v", list, err)
	}
	if _, err := os.Lstat(dir); err == nil {
		t.Error("looking made a directory")
	}
	want := runOf("digits", 1)
	if err := s.Save(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	got, err := s.Load(t.Context(), want.ID)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	want.Phase, want.Outcome = run.Done, run.Succeeded
	if err := s.Save(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	again, err := runstore.New(dir) // another daemon
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Load(t.Context(), want.ID); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if list, err := again.List(t.Context(), ""); err != nil || len(list) != 1 || !reflect.DeepEqual(list[0], want.Summary()) {
		t.Errorf("got %+v, %v; want %+v", list, err, want.Summary())
	}
}

func TestListIsNewestFirstAndOfOnePipeline(t *testing.T) {
	s, _ := open(t)
	same := runOf("digits", 11)
	same.Created = runOf("digits", 9).Created
	for _, r := range []*run.Run{runOf("digits", 2), same, runOf("digits", 9), runOf("digits-eu", 3)} {
		if err := s.Save(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	ids := func(pipeline string) string {
		list, err := s.List(t.Context(), pipeline)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, one := range list {
			ids = append(ids, one.ID+" "+string(one.Phase))
		}
		return strings.Join(ids, ", ")
	}
	if got, want := ids("digits"), "digits-11 running, digits-9 running, digits-2 running"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	later := runOf("digits", 2)
	later.Phase = run.Judging // as long a word, and in the same moment
	if err := errors.Join(s.Save(t.Context(), later), s.Delete(t.Context(), "digits-11"), s.Delete(t.Context(), "digits-11")); err != nil {
		t.Fatal(err)
	}
	if got, want := ids(""), "digits-9 running, digits-eu-3 running, digits-2 judging"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDamagedRunsAreNamedAndPassedOver(t *testing.T) {
	s, dir := open(t)
	for i := range 10 {
		if err := s.Save(t.Context(), runOf("digits", i)); err != nil {
			t.Fatal(err)
		}
	}
	file := func(i int) string { return filepath.Join(dir, "runs", fmt.Sprint("digits-", i), "run.json") }
	raw, err := os.ReadFile(file(1))
	if err != nil {
		t.Fatal(err)
	}
	for i, content := range [][]byte{raw[:len(raw)/2], nil, []byte("null"), raw, []byte(`{"run":{}}`), []byte("{} {}"), append(slices.Clone(raw), "x"...)} {
		if i == 1 {
			continue // that one is whole
		}
		if err := os.WriteFile(file(i), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(t.Context(), fmt.Sprint("digits-", i)); err == nil || errors.Is(err, run.ErrNoRun) || !strings.Contains(err.Error(), file(i)) {
			t.Errorf("%.20q: got %v; want an error that names the file", content, err)
		}
	}
	list, err := s.List(t.Context(), "")
	if err == nil || !strings.Contains(err.Error(), file(2)) {
		t.Errorf("got %v; want an error that names %s", err, file(2))
	}
	if len(list) < 4 { // a run whose summary is whole is listed
		t.Errorf("only %d runs are listed", len(list))
	}
	later := strings.Replace(string(raw), `"format_version":1`, `"format_version":2,"steps":1`, 1)
	if err := os.WriteFile(file(1), []byte(later), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), "digits-1"); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("got %v; want that a later version wrote it", err)
	}
}

func TestNamesCannotLeaveTheDirectory(t *testing.T) {
	s, dir := open(t)
	for _, name := range []string{"", ".", "..", "../x", "a/b", "/etc/passwd", ".hidden", "a\x00b", "ä", "a b", `a\b`, strings.Repeat("x", 201)} {
		_, load := s.Load(t.Context(), name)
		_, result := s.Result(t.Context(), name)
		_, create := s.CreateLog(t.Context(), "digits-1", name, 1, 10)
		_, log := s.OpenLog(t.Context(), name, "train", 1, false)
		_, work := s.Work(t.Context(), name, "train", 1, nil)
		_, output := s.Work(t.Context(), "digits-1", "train", 1, []string{name})
		for i, err := range []error{
			load, result, create, log, work, output, s.Save(t.Context(), &run.Run{ID: name}), s.Delete(t.Context(), name),
			s.Remember(t.Context(), run.Result{Key: name}), s.RemoveWork(t.Context(), "digits-1", name, 1),
		} {
			if err == nil || errors.Is(err, run.ErrNoRun) || errors.Is(err, run.ErrNoLog) || errors.Is(err, run.ErrNoResult) {
				t.Errorf("%q, call %d: got %v", name, i, err)
			}
		}
	}
	if _, err := os.Lstat(dir); err == nil {
		t.Error("something was made")
	}
}

func TestCacheKeepsWhatIsTaken(t *testing.T) {
	s, dir := open(t)
	if _, err := s.Result(t.Context(), "absent"); !errors.Is(err, run.ErrNoResult) {
		t.Errorf("got %v", err)
	}
	if left, err := s.Forget(t.Context(), time.Now()); err != nil || len(left) != 0 {
		t.Errorf("got %v, %v", left, err)
	}
	old := time.Now().Add(-48 * time.Hour)
	for _, key := range []string{"old", "taken", "new", "bad", "recent-bad", "other"} {
		r := run.Result{Key: key, Run: "digits-1", Node: "train", At: old.UTC(), Took: time.Second, Metrics: map[string]float64{"accuracy": 1}}
		if key == "new" {
			r.At = time.Now().UTC()
		}
		if err := s.Remember(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "cache", key+".json")
		if strings.HasSuffix(key, "bad") {
			if err := os.WriteFile(path, []byte(`{"key":"ba`), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if key == "other" {
			if err := os.WriteFile(path, []byte(`{"key":"another"}`), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if key != "recent-bad" {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
		got, err := run.Result{}, error(nil)
		if key == "taken" {
			var one *run.Result
			if one, err = s.Result(t.Context(), key); err == nil {
				got = *one
			}
			if err != nil || !reflect.DeepEqual(got, r) {
				t.Errorf("got %+v, %v; want %+v", got, err, r)
			}
		}
	}
	for _, key := range []string{"bad", "recent-bad", "other"} {
		if _, err := s.Result(t.Context(), key); !errors.Is(err, run.ErrNoResult) {
			t.Errorf("%s: got %v; a damaged result is none", key, err)
		}
	}
	left, err := s.Forget(t.Context(), time.Now().Add(-24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, r := range left {
		keys = append(keys, r.Key)
	}
	if slices.Sort(keys); !slices.Equal(keys, []string{"new", "taken"}) {
		t.Errorf("left: %v", keys)
	}
	var files []string
	entries, err := os.ReadDir(filepath.Join(dir, "cache"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		files = append(files, e.Name())
	}
	if want := []string{"new.json", "recent-bad.json", "taken.json"}; !slices.Equal(files, want) {
		t.Errorf("the directory holds %v, want %v", files, want)
	}
}

func TestFullDiskSaysSoAndTearsNothing(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("a small file system cannot be mounted here, only root may: %v", err)
	}
	defer func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }()
	s, err := runstore.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := runOf("digits", 1)
	log, err := s.CreateLog(t.Context(), r.ID, "train", 1, 1<<30)
	if err = errors.Join(err, s.Save(t.Context(), r), s.Remember(t.Context(), run.Result{Key: "k", Run: "old"})); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	large := *r
	large.Reason = strings.Repeat("x", 64<<10)
	_, logged := log.Write(make([]byte, 64<<10))
	for i, err := range []error{s.Save(t.Context(), &large), s.Remember(t.Context(), run.Result{Key: "k", Run: large.Reason}), logged} {
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "free space") {
			t.Errorf("call %d: got %v; want that the disk is full", i, err)
		}
	}
	if got, err := s.Load(t.Context(), r.ID); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("the run is %+v, %v", got, err)
	}
	if got, err := s.Result(t.Context(), "k"); err != nil || got.Run != "old" {
		t.Errorf("the result is %+v, %v", got, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	_, logged = log.Write([]byte("again\n"))
	if err := errors.Join(s.Save(t.Context(), &large), logged, log.Close()); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	s, _ := open(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				r := runOf("digits", j)
				r.Reason = fmt.Sprint(i)
				_, work := s.Work(t.Context(), r.ID, "train", i, []string{"model"})
				err := errors.Join(s.Save(t.Context(), r), s.Remember(t.Context(), run.Result{Key: fmt.Sprint(j)}), work, s.RemoveWork(t.Context(), r.ID, "train", i))
				if err != nil {
					t.Error(err)
				}
				if _, err := s.List(t.Context(), ""); err != nil {
					t.Error(err)
				}
				if _, err := s.Load(t.Context(), r.ID); err != nil {
					t.Error(err)
				}
				if _, err := s.Forget(t.Context(), time.Now().Add(-time.Hour)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkList(b *testing.B) {
	const runs = 10_000
	s, dir := open(b)
	if err := s.Save(b.Context(), runOf("digits", 0)); err != nil {
		b.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "runs", "digits-0", "run.json"))
	if err != nil {
		b.Fatal(err)
	}
	// A run of many nodes has some hundred kB; without a sync each, for speed.
	filling := strings.Repeat(" ", 50<<10)
	for i := 1; i < runs; i++ {
		id := fmt.Sprint("digits-", i)
		path := filepath.Join(dir, "runs", id)
		if err := os.Mkdir(path, 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, "run.json"), []byte(strings.ReplaceAll(string(raw), `"digits-0"`, `"`+id+`"`)+filling), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	list := func(b *testing.B, s *runstore.Store) {
		if list, err := s.List(b.Context(), "digits"); err != nil || len(list) != runs {
			b.Fatalf("%d runs, %v", len(list), err)
		}
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			fresh, err := runstore.New(dir)
			if err != nil {
				b.Fatal(err)
			}
			list(b, fresh)
		}
	})
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			list(b, s)
		}
	})
}

func BenchmarkSave(b *testing.B) {
	s, _ := open(b)
	r := runOf("digits", 1)
	for b.Loop() {
		if err := s.Save(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
