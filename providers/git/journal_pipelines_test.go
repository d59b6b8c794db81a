package git_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/reconcile/journal"
)

// ended is the end of the n-th run of a pipeline.
func ended(pipeline string, n int) journal.Entry {
	at := journalDay.Add(time.Duration(n) * time.Second)
	run := fmt.Sprintf("%s-%d", pipeline, n)
	return journal.Entry{
		At: at, Action: journal.ActionEnd, Pipeline: pipeline, Run: run, Reason: "succeeded", Actor: journal.Daemon,
		PipelineRecord: &journal.PipelineRecord{Number: n, Since: at, Last: &journal.RunEnded{Run: run, Outcome: "succeeded", Started: at, At: at}},
	}
}

func TestPipelinesStandBesideTheModels(t *testing.T) {
	r := newRepo(t)
	r.commit("start")
	o := git.JournalOptions{URL: r.dir, Dir: filepath.Join(t.TempDir(), "journal.git")}
	j := openJournal(t, o)
	mustAppend(t, j, decision("a", 1), ended("a", 2), ended("train", 3))
	mustDeliver(t, j)
	if got := r.git("ls-tree", "-r", "--name-only", journalBranch); got != "models/a.json\npipelines/a.json\npipelines/train.json" {
		t.Errorf("the files are %q", got)
	}
	if got := r.git("log", "-1", "--format=%s %(trailers:key=Fairlead-Run,valueonly,separator=)", journalBranch); got != "train: end train-3, succeeded train-3" {
		t.Errorf("git reads %q", got)
	}
	mustAppend(t, j, journal.Entry{At: journalDay.Add(time.Minute), Action: journal.ActionRemove, Pipeline: "train"})
	mustDeliver(t, j)
	if got := r.git("ls-tree", "-r", "--name-only", journalBranch); got != "models/a.json\npipelines/a.json" {
		t.Errorf("the files are %q", got)
	}
	r.git("fsck", "--full", "--strict")
}

func TestTwoWritersAboutPipelinesLoseNothing(t *testing.T) {
	r := newRepo(t)
	r.commit("start")
	first := openJournal(t, git.JournalOptions{URL: r.dir})
	second := openJournal(t, git.JournalOptions{URL: r.dir})
	mustAppend(t, first, decision("a", 1), ended("one", 2))
	mustDeliver(t, first)
	mustAppend(t, second, ended("a", 3), ended("two", 4)) // a is only a model to the other
	mustDeliver(t, second)
	records, err := second.Pipelines(t.Context())
	if err != nil || len(records) != 3 || records["one"].Number != 2 || records["a"].Number != 3 || records["two"].Number != 4 {
		t.Errorf("the records are %+v, %v", records, err)
	}
	mustAppend(t, first, ended("two", 5))
	err = first.Deliver(t.Context())
	if !errors.Is(err, journal.ErrDiverged) {
		t.Errorf("got %v; want that it diverged", err)
	}
	wantWords(t, err, "about two", "only one fairlead")
	if records, err := first.Pipelines(t.Context()); err != nil || len(records) != 3 || records["two"].Number != 5 {
		t.Errorf("the records are %+v, %v", records, err)
	}
	r.git("fsck", "--full", "--strict")
}

func TestRecordOfAPipelineThatCannotBeUsedIsRefused(t *testing.T) {
	r := newRepo(t)
	r.commit("start")
	o := git.JournalOptions{URL: r.dir, Dir: filepath.Join(t.TempDir(), "journal.git")}
	j := openJournal(t, o)
	mustAppend(t, j, ended("train", 1))
	mustDeliver(t, j)
	r.git("checkout", "-q", journalBranch)
	r.write("pipelines/train.json", `{"format_version": 99, "pipeline": "train"}`)
	r.commit("by hand")
	r.git("checkout", "-q", "main")
	for _, dir := range []string{o.Dir, filepath.Join(t.TempDir(), "elsewhere.git")} {
		_, err := newJournal(t, git.JournalOptions{URL: r.dir, Dir: dir}).Open(t.Context())
		wantWords(t, err, "pipelines/train.json", "upgrade fairlead")
	}
}

func TestPipelinesNeedAnOpenJournal(t *testing.T) {
	if _, err := newJournal(t, git.JournalOptions{}).Pipelines(t.Context()); err == nil {
		t.Error("a journal that is not open has records")
	}
}
