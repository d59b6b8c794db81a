package runner_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/providers/oci"
	"github.com/fairlead/fairlead/providers/runstore"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/runner"
	"github.com/fairlead/fairlead/spec"
)

// A step that puts a link in the place of an output would have the daemon read
// whatever that points to, as root.
func TestAnOutputThatIsALinkIsRefused(t *testing.T) {
	s := newSite(t, digitsRepo)
	host := t.TempDir()
	if err := os.WriteFile(filepath.Join(host, "shadow"), []byte("root:secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.set("split", func(c reconcile.ContainerSpec) *memory.Process {
		p := good(c)
		delete(p.Files, "/out/train/t.csv")
		for _, b := range c.Binds {
			if b.Target == run.OutputsDir {
				if err := errors.Join(os.RemoveAll(b.Source+"/train"), os.Symlink(host, b.Source+"/train")); err != nil {
					t.Error(err)
				}
			}
		}
		return p
	})
	s.up()
	if r := s.run(nil); r.Outcome != run.Failed || !strings.Contains(r.Reason, "replaced by") {
		t.Errorf("%s %q", r.Outcome, r.Reason)
	}
}

func TestWhatAContainerWroteIsQuotedWithoutSecrets(t *testing.T) {
	text := strings.Replace(digitsRepo, "env     = { SHARE = param.share }", "env     = { SHARE = param.share, TOKEN = secret.token }", 1) +
		"secret \"token\" {\n  file = \"/etc/fairlead/secrets/token\"\n}\n"
	s := newSite(t, text)
	s.set("evaluate", func(c reconcile.ContainerSpec) *memory.Process {
		p := good(c)
		p.Files["/out/eval.json"] = `{"` + s.secret + `": "x"}`
		return p
	})
	s.up()
	if r := s.run(nil); r.Outcome != run.Failed || strings.Contains(r.Reason, "hunter2") {
		t.Errorf("%s %q", r.Outcome, r.Reason)
	}
}

func TestAQueuedRunThatIsCancelledBlocksNothing(t *testing.T) {
	s := newSite(t, digitsRepo)
	s.set("split", func(c reconcile.ContainerSpec) *memory.Process { p := good(c); p.Runs = memory.Forever; return p })
	s.up()
	first, second := s.start(nil), s.start(nil)
	s.await("the first runs", func() bool { return s.nodePhase(first, "split") == run.NodeRunning })
	for _, id := range []string{second, first} {
		if err := s.runner.Cancel(t.Context(), runner.CancelOrder{Run: id, Actor: "ann"}); err != nil {
			t.Fatal(err)
		}
		s.await("it has ended", func() bool { r, err := s.runner.Run(t.Context(), id); return err == nil && r.Phase == run.Done })
	}
	if r, _ := s.runner.Run(t.Context(), second); r.Outcome != run.Cancelled || r.Nodes["end"] != nil {
		t.Errorf("the queued one: %s", r.Outcome)
	}
	s.set("split", nil)
	if r := s.run(nil); r.Outcome != run.Succeeded {
		t.Errorf("%s %s", r.Outcome, r.Reason)
	}
}

// An override is about what was found, not about whatever a later run finds.
func TestAnOverrideCountsForWhatWasSeen(t *testing.T) {
	s := newSite(t, strings.Replace(digitsRepo, "LEVEL", "soft", 1))
	accuracy := func(text string) {
		s.set("evaluate", func(c reconcile.ContainerSpec) *memory.Process {
			p := good(c)
			p.Files["/out/eval.json"] = `{"accuracy": ` + text + `}`
			return p
		})
	}
	accuracy("0.79")
	s.pushed.refuse(errors.New("the branch is somebody else's"))
	s.up()
	denied := s.run(nil)
	next, err := s.runner.Override(t.Context(), runner.OverrideOrder{Run: denied.ID, Gate: "good", Actor: "ann", Reason: "near enough"})
	if err != nil {
		t.Fatal(err)
	}
	failed := s.ended(next.ID)
	if failed.Outcome != run.Failed {
		t.Fatalf("%s %s", failed.Outcome, failed.Reason)
	}
	s.pushed.refuse(nil)
	accuracy("0.01")
	worse, err := s.runner.Resume(t.Context(), runner.ResumeOrder{Run: failed.ID, Params: map[string]any{"share": 0.4}, Actor: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.ended(worse.ID); r.Outcome != run.Denied || len(s.pushed.all()) > 0 {
		t.Errorf("%s %s, published %d", r.Outcome, r.Reason, len(s.pushed.all()))
	}
}

func TestAVersionNumberIsGivenOnce(t *testing.T) {
	s := newSite(t, digitsRepo)
	s.up()
	s.run(nil)
	s.set("fit", func(c reconcile.ContainerSpec) *memory.Process {
		p := good(c)
		p.Files["/out/model/weights"] = "other " + c.EnvValues["HIDDEN"]
		return p
	})
	r, err := s.runner.Start(t.Context(), runner.StartOrder{Pipeline: "train", Fresh: true, Actor: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	s.ended(r.ID)
	versions := s.pushed.all()
	if len(versions) != 2 || versions[0].Version != "1.0.1" || versions[1].Version != "1.0.2" || versions[0].Content == versions[1].Content {
		t.Errorf("got %+v", versions)
	}
}

// What was proposed is journaled before the run goes on: else its artifact would be
// collected while people review it.
func TestAProposalIsJournaledBeforeItCounts(t *testing.T) {
	s := newSite(t, digitsRepo)
	s.up()
	s.set("evaluate", func(c reconcile.ContainerSpec) *memory.Process {
		s.journal.Fail(errors.New("no space left on device"))
		return good(c)
	})
	id := s.start(nil)
	s.await("it is proposed", func() bool { return len(s.pushed.all()) == 1 })
	s.await("the trouble is said", func() bool { return strings.Contains(s.runner.Status().Pipelines[0].Problem, "no space left") })
	s.journal.Fail(nil)
	r := s.ended(id)
	records, err := s.journal.Pipelines(t.Context())
	if err != nil || r.Outcome != run.Succeeded || len(records["train"].Published) != 1 || records["train"].Published[0].Version != "1.0.1" {
		t.Errorf("%s %s, %+v, %v", r.Outcome, r.Reason, records["train"].Published, err)
	}
}

// A policy about models is for the model that a run would publish, too.
func TestAPolicyAboutTheModelDenies(t *testing.T) {
	s := newSite(t, digitsRepo+`
policy "owned" {
  for     = model
  require = length(model.owners) > 0
  level   = hard
}
`)
	s.up()
	if r := s.run(nil); r.Outcome != run.Denied || !strings.Contains(r.Reason, "owned") || len(s.pushed.all()) > 0 {
		t.Errorf("%s %s", r.Outcome, r.Reason)
	}
}

// A definition in a version's entry is a file that anybody can write.
func TestAHostileDefinitionIsRefused(t *testing.T) {
	s := newSite(t, digitsRepo)
	s.up()
	for _, definition := range []string{
		`{"address":"pipeline.train","name":"train","steps":[null]}`,
		`{"address":"pipeline.train","name":"train","steps":[{"name":"../x","image":"steps:1"}]}`,
		`{"address":"pipeline.train","name":"train","steps":[{"name":"a","image":"steps:1","search":{"trials":100000000}}]}`,
		`{"address":"pipeline.train","name":"train","steps":[],"gates":[null]}`, `[]`,
	} {
		v := &spec.Version{Model: "digits", Version: "9.0.0", Pipeline: "train", Definition: definition}
		s.merge(v)
		if _, err := s.runner.Reproduce(context.Background(), runner.ReproduceOrder{Model: "digits", Version: "9.0.0", Actor: "ann"}); !errors.Is(err, runner.ErrRefused) {
			t.Errorf("%s: %v", definition, err)
		}
	}
}

// The data directory is lost, and with it the only copy of what a merged version is.
// Running its pipeline again brings back the same artifact.
func TestAnArtifactThatWasLostComesBack(t *testing.T) {
	s := newSite(t, digitsRepo)
	s.up()
	s.run(nil)
	v := s.pushed.all()[0]
	s.stop()
	if err := os.RemoveAll(s.dir); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.store, err = runstore.New(s.dir); err != nil {
		t.Fatal(err)
	}
	if s.blobs, err = oci.New(oci.Options{Dir: s.dir + "/artifacts"}); err != nil {
		t.Fatal(err)
	}
	s.wanted.Config.Versions = []*spec.Version{&v}
	s.up()
	if _, err := s.blobs.Fetch(t.Context(), v.Artifact); err == nil {
		t.Fatal("it is still there")
	}
	r := s.run(nil)
	if r.Outcome != run.Succeeded || !strings.Contains(r.Published.Unneeded, "is back") || len(s.pushed.all()) != 1 {
		t.Errorf("%s %s, %+v", r.Outcome, r.Reason, r.Published)
	}
	if _, err := s.blobs.Fetch(t.Context(), v.Artifact); err != nil {
		t.Error(err)
	}
}

// A commit brings new data and another definition at once: that is one run.
func TestOneCommitIsOneRun(t *testing.T) {
	text := strings.Replace(digitsRepo, "param \"share\"", "on = [change, dataset.digits]\n  param \"share\"", 1)
	s := newSite(t, text)
	s.up()
	if r := s.ended("train-1"); r.Outcome != run.Succeeded {
		t.Fatalf("%s %s", r.Outcome, r.Reason)
	}
	s.data = "a,label\n1,2\n3,4\n5,6\n7,8\n"
	s.load(strings.Replace(text, "0.2", "0.25", 1))
	if r := s.ended("train-2"); r.Outcome != run.Succeeded || r.Datasets["digits"].Rows != 4 {
		t.Fatalf("%s %s", r.Outcome, r.Reason)
	}
	// Another look at everything finds nothing more to do.
	s.load(strings.Replace(text, "0.2", "0.25", 1))
	if st := s.runner.Status().Pipelines[0]; st.Current != nil || st.Queued != nil {
		t.Errorf("there is another run: %+v", st)
	}
}

// The data of the repo moves on; a version is made again from what it was made from, as
// long as the store has that.
func TestAVersionIsMadeAgainFromItsOwnData(t *testing.T) {
	s := newSite(t, digitsRepo)
	s.up()
	s.run(nil)
	v := s.pushed.all()[0]
	s.data = "a,label\n1,2\n3,4\n5,6\n7,8\n"
	s.load(digitsRepo)
	s.merge(&v)
	again, err := s.runner.Reproduce(t.Context(), runner.ReproduceOrder{Model: "digits", Version: "1.0.1", Actor: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	r := s.ended(again.ID)
	if r.Outcome != run.Succeeded || r.Datasets["digits"].Digest != v.Data["digits"] {
		t.Errorf("%s %s, %+v", r.Outcome, r.Reason, r.Datasets)
	}
	made, err := r.Version(v.Created)
	if err != nil || made.Content != v.Content {
		t.Errorf("%v, %v", made, err)
	}
}

// A version that was published without a profile, which has no digest then, keeps nothing
// from being tidied up.
func TestWhatIsPublishedWithoutAProfileIsTidiedUpBeside(t *testing.T) {
	s := newSite(t, digitsRepo)
	s.up()
	r := s.run(nil)
	if r.Outcome != run.Succeeded || s.pushed.all()[0].Profile != "" {
		t.Fatalf("%s %s, %+v", r.Outcome, r.Reason, s.pushed.all())
	}
	s.stop()
	s.up() // looks what there is to remove
	s.run(nil)
	s.stop()
	if log := s.logged.String(); strings.Contains(log, "are not removed") {
		t.Errorf("the log says:\n%s", log)
	}
}
