package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fairlead/fairlead/cmd/fairlead/internal/cli"
	"github.com/fairlead/fairlead/providers/docker"
	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/providers/oip/oiptest"
	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/journal"
	"github.com/fairlead/fairlead/spec"
)

// The scripts below testdata/script run the program as a person does, with the
// output that the person sees. go test -run Script -update writes what it prints
// now into the scripts; the diff is then the review.
var update = flag.Bool("update", false, "write the output of the program into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"fairlead": func() { os.Exit(cli.Main(os.Args[1:], cli.System())) },
	})
}

func TestScripts(t *testing.T) {
	gateway := buildGateway(t)
	conforming, careless := modelServers(t)
	registry := imageRegistry(t)
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, scripts(t, "testdata/script", func(e *testscript.Env) error {
		e.Setenv("FAIRLEAD_GATEWAY_BINARY", gateway) // a test's own program is no static one
		e.Setenv("MODEL_SERVER", conforming)
		e.Setenv("CARELESS_SERVER", careless)
		e.Setenv("REGISTRY", registry)
		e.Setenv("EXAMPLES", examples)
		return nil
	}))
}

// modelServers are the URLs of a server that conforms to the Open Inference
// Protocol and of one that loses the ids of requests.
func modelServers(t *testing.T) (conforming, careless string) {
	model := oiptest.Sample("fraud")
	good := httptest.NewServer(model)
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(strings.NewReader(strings.Replace(string(body), `"id":`, `"no_id":`, 1)))
		model.ServeHTTP(w, r)
	}))
	t.Cleanup(good.Close)
	t.Cleanup(bad.Close)
	return good.URL, bad.URL
}

// TestScriptsWithEngine runs those that need one. Each script has an owner and a
// port of its own, and is taken down when it ends.
func TestScriptsWithEngine(t *testing.T) {
	socket := providertest.EngineSocket(t)
	gateway := buildGateway(t)
	image := providertest.ReplicaImage(t, socket)
	t.Cleanup(func() { removeGatewayImage(t, socket, gateway) })
	testscript.Run(t, scripts(t, "testdata/script/engine", func(e *testscript.Env) error {
		address, err := freeAddress(t.Context())
		if err != nil {
			return err
		}
		e.Setenv("IMAGE", image)
		e.Setenv("FAIRLEAD_ENGINE", "unix://"+socket)
		e.Setenv("FAIRLEAD_GATEWAY", address)
		e.Setenv("FAIRLEAD_GATEWAY_BINARY", gateway)
		e.Defer(func() { takeDown(t, e.Vars) })
		return nil
	}))
}

// scriptDeadline is for all scripts of a test together: half of the time that is left,
// since a busy machine needs minutes for them.
func scriptDeadline(t *testing.T) time.Time {
	t.Helper()
	end, bounded := t.Deadline()
	if !bounded {
		end = time.Now().Add(20 * time.Minute)
	}
	return time.Now().Add(time.Until(end) / 2)
}

func scripts(t *testing.T, dir string, setup func(*testscript.Env) error) testscript.Params {
	t.Helper()
	return testscript.Params{
		Dir: dir, RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		// One that hangs, such as a daemon that starts where it should refuse to, is
		// shown with its goroutines.
		Deadline: scriptDeadline(t),
		Cmds:     map[string]func(*testscript.TestScript, bool, []string){"mask": mask, "await": await, "mode": mode, "journal": writeJournal, "audited": writeAudited, "masktoken": maskToken},
		Setup: func(e *testscript.Env) error {
			owner := "script-" + strings.ToLower(filepath.Base(e.WorkDir)) + fmt.Sprint(os.Getpid())
			owner = strings.NewReplacer("_", "-", ".", "-").Replace(owner)
			for name, value := range map[string]string{
				"FAIRLEAD_OWNER": owner, "FAIRLEAD_DATA": filepath.Join(e.WorkDir, ".data"),
				"FAIRLEAD_SECRETS_DIR": filepath.Join(e.WorkDir, ".run"), "XDG_RUNTIME_DIR": filepath.Join(e.WorkDir, ".run"),
				"GIT_AUTHOR_NAME": "ann", "GIT_AUTHOR_EMAIL": "ann@example.com", "GIT_COMMITTER_NAME": "ann", "GIT_COMMITTER_EMAIL": "ann@example.com",
				"GIT_CONFIG_NOSYSTEM": "1", "DOCKER_HOST": "unix://" + filepath.Join(e.WorkDir, "no-engine.sock"),
			} {
				e.Setenv(name, value)
			}
			e.Defer(func() { removeLocks(t, owner) })
			return setup(e)
		},
	}
}

// masks hide what differs from run to run, in this order.
var masks = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`script-[a-z0-9-]+`), "OWNER"},
	{regexp.MustCompile(`fairlead-test/replica:[0-9a-f]+`), "IMAGE"},
	{regexp.MustCompile(`sha256:[0-9a-f]{64}`), "DIGEST"},
	{regexp.MustCompile(`SHA256:[A-Za-z0-9+/]{43}`), "KEY"},
	{regexp.MustCompile(`\b[0-9a-f]{40}\b`), "COMMIT"},
	{regexp.MustCompile(`\b[0-9a-f]{12}\b`), "REVISION"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`), "TIME"},
	{regexp.MustCompile(` *\b[0-9.]+m?s\b`), " TIME"},
}

// mask FILE writes FILE, stdout or stderr to the file masked, without what
// differs from run to run. Paths of the script's directory become $WORK.
func mask(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: mask FILE")
	}
	text := strings.ReplaceAll(ts.ReadFile(args[0]), ts.Getenv("WORK"), "$WORK")
	for _, m := range masks {
		text = m.pattern.ReplaceAllString(text, m.with)
	}
	ts.Check(os.WriteFile(ts.MkAbs("masked"), []byte(text), 0o600))
}

// await PATTERN PROGRAM ARGS... runs the program until its output matches, for
// half a minute at the most.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await PATTERN PROGRAM ARGS...")
	}
	pattern := regexp.MustCompile(args[0])
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(2 * time.Minute); ; <-ticker.C {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no output matches %s: %v", args[0], err)
		}
	}
}

// journal DIR REPO writes a journal into a data directory and delivers it to a
// repository, as a daemon does: on 3 March 2026 digits 1.0.0 is deployed, 1.1.0 is
// introduced from 13:00, which ann pauses, and is rolled back at 14:00.
func writeJournal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: journal DIR REPO")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	j, err := git.NewJournal(git.JournalOptions{Dir: filepath.Join(ts.MkAbs(args[0]), "journal"), URL: ts.MkAbs(args[1]), Branch: journal.Branch("prod")})
	ts.Check(err)
	_, err = j.Open(ctx)
	ts.Check(err)
	for _, e := range decisions() {
		ts.Check(j.Append(ctx, e))
	}
	ts.Check(j.Deliver(ctx))
}

func decisions() []journal.Entry {
	start := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	one := journal.Release{Revision: "aaaaaaaaaaaa", Version: "1.0.0", Commit: strings.Repeat("1", 40), Image: "digits:1.0.0"}
	two := journal.Release{Revision: "bbbbbbbbbbbb", Version: "1.1.0", Commit: strings.Repeat("2", 40), Image: "digits:1.1.0"}
	policy := spec.Rollout{Strategy: spec.Canary, Steps: []spec.RolloutStep{{Weight: 5}, {Weight: 50}}}
	var all []journal.Entry
	add := func(after time.Duration, action journal.Action, from, to, reason, actor string, r journal.Record) {
		e := journal.Entry{At: start.Add(after), Action: action, Model: "digits", From: from, To: to, Commit: one.Commit, Reason: reason, Actor: actor, Record: &r}
		if r.Since = e.At; r.Rollout != nil {
			e.Weight = r.Rollout.Weight
		}
		all = append(all, e)
	}
	deployed := &journal.Ended{Outcome: journal.Promoted, Revision: one.Revision, Version: "1.0.0", Reason: "first deployment: its replicas are ready", At: start}
	rolling := func(step, weight int) journal.Record {
		return journal.Record{Stable: &one, Last: deployed, Rollout: &journal.Rollout{Candidate: two, Policy: policy, Started: start.Add(time.Hour), Step: step, Weight: weight}}
	}
	add(0, journal.ActionPromote, "", one.Revision, deployed.Reason, journal.Daemon, journal.Record{Stable: &one, Last: deployed})
	add(time.Hour, journal.ActionStart, one.Revision, two.Revision, "Git wants revision bbbbbbbbbbbb", journal.Daemon, rolling(-1, 0))
	add(61*time.Minute, journal.ActionStep, one.Revision, two.Revision, "its replicas are ready: step 1 of 2, weight 5 %", journal.Daemon, rolling(0, 5))
	add(90*time.Minute, journal.ActionPause, one.Revision, two.Revision, "lunch", "ann@host", rolling(0, 5))
	why := "errors: 5 % of 1,200 requests failed"
	add(2*time.Hour, journal.ActionRollback, two.Revision, one.Revision, why, journal.Daemon, journal.Record{
		Stable: &one, Last: &journal.Ended{Outcome: journal.RolledBack, Revision: two.Revision, Reason: why, At: start.Add(2 * time.Hour)},
		Rejected: []journal.Rejection{{Release: two, Cause: journal.CauseFailed, Reason: why, At: start.Add(2 * time.Hour)}},
	})
	return all
}

// mode PERMISSIONS FILE compares the mode of a file.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode PERMISSIONS FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// buildGateway builds the program as it is shipped. A version of its own gives
// it an image of its own, which can be removed without harm to anybody.
func buildGateway(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "fairlead")
	version := fmt.Sprintf("-s -w -X github.com/fairlead/fairlead/cmd/fairlead/internal/cli.buildVersion=0.0.0-script%d", os.Getpid())
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", version, "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the gateway: %v\n%s", err, out)
	}
	return program
}

func removeGatewayImage(t *testing.T, socket, program string) {
	ctx := context.WithoutCancel(t.Context())
	runtime, err := docker.New(docker.Options{Host: "unix://" + socket, Scope: reconcile.Scope{Owner: "script", Environment: "none"}, SelfBinary: program, SecretsDir: t.TempDir()})
	if err != nil {
		t.Error(err)
		return
	}
	image, err := runtime.SelfImage(ctx)
	if err = errors.Join(err, runtime.Close()); err != nil {
		t.Error(err)
		return
	}
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodDelete, "http://engine/images/"+image.Ref, nil)
	if err != nil {
		t.Error(err)
		return
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Error(err)
		return
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusNotFound {
		t.Errorf("remove image %s: %s", image.Ref, answer.Status)
	}
}

// takeDown removes what a script has left on the engine.
func takeDown(t *testing.T, vars []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		t.Error(err)
		return
	}
	// Called by the name of the command, the test's program is that command.
	destroy := exec.CommandContext(ctx, self)
	destroy.Args = []string{"fairlead", "destroy", "--yes"}
	destroy.Env = vars
	if out, err := destroy.CombinedOutput(); err != nil {
		t.Errorf("take down: %v\n%s", err, out)
	}
}

// removeLocks removes the lock files of an owner, which lie where all processes
// of the host look.
func removeLocks(t *testing.T, owner string) {
	var files []string
	for _, dir := range []string{"/run/fairlead", filepath.Join(os.TempDir(), fmt.Sprintf("fairlead-%d", os.Geteuid()))} {
		found, err := filepath.Glob(filepath.Join(dir, owner+".*.lock"))
		if err != nil {
			t.Error(err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	}
}

func freeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
