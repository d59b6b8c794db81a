package e2e

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile/gate"
	runs "github.com/fairlead/fairlead/reconcile/run"
)

// People end a run, go on with it, and let it pass a soft gate.
const ordered = `
model "digits" {
  version  = "1.0.0"
  image    = "SERVER"
  replicas = 0
}
dataset "digits" {
  source = "digits.csv"
}
pipeline "train" {
  param "word" {
    default = "bad"
  }
  param "wait" {
    default = "0s"
  }
  step "data" {
    image   = "STEPS"
    inputs  = { data = dataset.digits }
    command = ["make data"]
    outputs = ["data"]
  }
  step "word" {
    image   = "STEPS"
    env     = { XWORD = param.word }
    command = ["sleep ${param.wait}", "make word"]
    outputs = ["word"]
    stop_timeout = "1s"
  }
  step "fit" {
    image   = "STEPS"
    inputs  = { data = step.data.data, word = step.word.word }
    command = ["fail", "make model", "write metrics.json {\"accuracy\": 0.7}"]
    outputs = ["model"]
    metrics = "metrics.json"
  }
  step "last" {
    image = "STEPS"
    exit  = true
  }
  gate "accurate" {
    require = step.fit.metrics.accuracy >= 0.8
    level   = soft
  }
  publish {
    model    = model.digits
    artifact = step.fit.model
  }
}
`

func TestPeopleEndResumeAndOverrideRuns(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	w.write("digits.csv", digitsTable)
	w.open(ordered)

	id := w.begin("train", "-p", "wait=1h")
	w.until("the step that takes long runs, and the other has ended", func() bool {
		r, ok := w.look(id)
		return ok && r.Nodes["word"].Phase == runs.NodeRunning && r.Nodes["data"].Phase == runs.NodeSucceeded
	})
	if out, code := w.fairlead("pipeline", "cancel", id, "--actor", "ann", "--reason", "enough"); code != 0 {
		t.Fatalf("cancel ends with %d: %s", code, out)
	}
	r := w.ended(id)
	if r.Outcome != runs.Cancelled || !strings.Contains(r.Reason, "ann") || !strings.Contains(r.Reason, "enough") || r.Published != nil {
		t.Errorf("the run that ann ended %s: %s", r.Outcome, r.Reason)
	}
	if r.Nodes["word"].Phase != runs.NodeCancelled || r.Nodes["last"].Phase != runs.NodeSucceeded {
		t.Errorf("its steps: %s", nodesOf(r))
	}
	w.nothingLeft()

	// Resumed, it fails for another reason, and then with another word it does not.
	var failed runs.Run
	w.json(1, &failed, "pipeline", "resume", id, "-p", "wait=0s", "--json", "--actor", "ann")
	if fit := failed.Nodes["fit"]; failed.Outcome != runs.Failed || fit.ExitCode != 7 {
		t.Errorf("the run %s: %s; %+v", failed.Outcome, failed.Reason, fit)
	}
	if from := failed.Nodes["data"].From; from != id {
		t.Errorf("what had succeeded was taken from %q, want %s", from, id)
	}
	var denied runs.Run
	w.json(1, &denied, "pipeline", "resume", failed.ID, "-p", "word=good", "--json", "--actor", "ann")
	if got := ran(&denied); denied.Outcome != runs.Denied || !slices.Equal(got, []string{"fit", "last", "word"}) {
		t.Errorf("the run %s: %s; %v ran", denied.Outcome, denied.Reason, got)
	}

	if out, code := w.fairlead("pipeline", "override", denied.ID, "accurate", "--actor", "bob"); code == 0 || !strings.Contains(out, "--reason") {
		t.Errorf("an override without a reason ends with %d: %s", code, out)
	}
	var passed runs.Run
	w.json(0, &passed, "pipeline", "override", denied.ID, "accurate", "--actor", "bob", "--reason", "a small sample", "--json")
	if got := ran(&passed); !slices.Equal(got, []string{"last"}) || passed.Published == nil || passed.Published.Version != "1.0.1" {
		t.Errorf("the run %s: %s; %v ran; published %+v", passed.Outcome, passed.Reason, got, passed.Published)
	}
	if g := passed.Gates[0]; g.Outcome != gate.Failed || g.Override == nil || g.Override.Actor != "bob" {
		t.Errorf("the gate is %+v", g)
	}
	if message := w.git("log", "-1", "--format=%B", "fairlead/publish/digits"); !strings.Contains(message, "bob") || !strings.Contains(message, "a small sample") {
		t.Errorf("the proposal does not say who let it pass: %s", message)
	}
	out, _ := w.fairlead("history", "--json")
	for _, part := range []string{"override", "a small sample", "bob", denied.ID} {
		if !strings.Contains(out, part) {
			t.Errorf("the history does not have %q", part)
		}
	}
	w.nothingLeft()
}

// With the data directory gone, all that merged versions were made of is still told,
// and they are made again. What is not there any more is named.
func TestLineageOutlivesTheDataDirectory(t *testing.T) {
	t.Parallel()
	w := newTraining(t)
	w.open(strings.Replace(training, "replicas     = 1", "replicas     = 0", 1))
	first := w.done("train", "--actor", "ann")
	w.succeeded(first)
	w.git("merge", "-q", "--no-ff", "-m", "digits 1.0.1 goes live", "fairlead/publish/digits")
	w.converged(w.git("rev-parse", "HEAD"))
	before, code := w.fairlead("model", "lineage", "digits@1.0.1")
	if code != 0 {
		t.Fatalf("lineage ends with %d: %s", code, before)
	}
	w.until("the journal is delivered", func() bool { s, ok := w.status(); return ok && s.Journal.Pending == 0 && s.Journal.Error == "" })

	w.daemon.stop()
	if err := os.RemoveAll(w.data); err != nil {
		t.Fatal(err)
	}
	w.serve(w.dir)
	w.follows(w.git("rev-parse", "HEAD"))
	after, code := w.fairlead("model", "lineage", "digits@1.0.1")
	if code != 0 || after != before {
		t.Errorf("without the data directory lineage ends with %d and says\n%s\nwant\n%s", code, after, before)
	}
	for _, part := range []string{first.ID, first.Commit, "share", first.Datasets["digits"].Digest, first.Nodes["fit.1"].Outputs["model"].Digest, "fit.1", "gate good"} {
		if !strings.Contains(after, part) {
			t.Errorf("the lineage does not have %q:\n%s", part, after)
		}
	}
	if out, code := w.fairlead("reproduce", "digits@1.0.1", "--actor", "ann"); code != 0 {
		t.Errorf("reproduce ends with %d:\n%s", code, out)
	}
	if next := w.done("train"); next.ID == first.ID || next.Outcome != runs.Succeeded {
		t.Errorf("the next run is %s and %s: %s", next.ID, next.Outcome, next.Reason)
	}

	// The data of the repo moves on: the version is made again from its own.
	w.write("digits.csv", digitsTable+"7,8\n")
	w.git("commit", "-q", "-am", "more data")
	w.follows(w.git("rev-parse", "HEAD"))
	if out, code := w.fairlead("reproduce", "digits@1.0.1", "--actor", "ann"); code != 0 || !strings.Contains(out, "byte for byte") {
		t.Errorf("after the data has moved on reproduce ends with %d:\n%s", code, out)
	}

	// Its image is gone.
	var image struct{ ID string }
	w.engine.must(http.MethodGet, "/images/"+w.steps+"/json", nil, &image)
	w.rebuild(t)
	w.engine.must(http.MethodDelete, "/images/"+image.ID+"?force=1", nil, nil)
	if out, code := w.fairlead("reproduce", "digits@1.0.1", "--actor", "ann"); code == 0 || !strings.Contains(out, image.ID[:19]) {
		t.Errorf("without its image reproduce ends with %d and does not name it:\n%s", code, out)
	}
	w.nothingLeft()
}
