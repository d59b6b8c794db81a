package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/providers/git"
	"github.com/fairlead/fairlead/providers/memory"
	"github.com/fairlead/fairlead/providers/oip"
	"github.com/fairlead/fairlead/providers/secret"
	"github.com/fairlead/fairlead/providers/statefile"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/spec/lang"
)

// memorySite is a Site as OpenSite makes it of a Git repository, but for the
// engine and the gateway: these are in memory.
func memorySite(repo, data, env string) (*Site, *memory.Engine, error) {
	c, err := Config{Repo: repo, Branch: "main", Environment: env, Data: data, SecretsDir: filepath.Join(data, "run"), Gateway: "127.0.0.1:8080"}.WithDefaults()
	if err != nil {
		return nil, nil, err
	}
	c.Limits.MaxDestroy = 0.5
	snapshots := statefile.NewSnapshots(filepath.Join(data, "last-good"))
	source, err := git.New(git.Options{URL: repo, Branch: "main"})
	if err != nil {
		return nil, nil, err
	}
	secrets, err := secret.New(c.Secrets)
	if err != nil {
		return nil, nil, err
	}
	store := statefile.NewStore(filepath.Join(data, "state"))
	engine := memory.NewEngine()
	engine.SetSize(20_000, 1<<44, 0) // room for ten thousand models, and a second revision of each
	runtime := engine.Runtime(c.scope())
	running := func(id string) bool { return engine.StateOf(id) == reconcile.StateRunning }
	s := &Site{
		Config: c, Source: source, Runtime: runtime, Snapshots: snapshots, loader: lang.NewLoader(),
		accepting: newMailbox(), log: slog.New(slog.DiscardHandler), environments: map[string]*environment{},
		Router:  &patientRouter{memory.NewRouter(running, time.Now)},
		Journal: memory.NewJournal(), Metrics: noMetrics{}, Inspector: oip.Inspector{},
		Binder: &controller.Binder{
			Scope: c.scope(), Runtime: runtime, Secrets: secrets, Store: store, Key: []byte("key"), GatewayHost: "127.0.0.1", GatewayPort: 8080,
		},
	}
	s.own = &repository{site: s, options: git.Options{URL: repo, Branch: "main"}, source: source}
	return s, engine, s.openActing(store)
}

// noMetrics is a store that never has any data.
type noMetrics struct{}

func (noMetrics) Query(context.Context, string, time.Time) ([]reconcile.Sample, error) {
	return nil, nil
}

// patientRouter is the gateway in memory with long questions that cost nothing
// while they wait, as those over a network do: its own looks at every replica
// 500 times a second.
type patientRouter struct{ *memory.Router }

// Report implements reconcile.Router.
func (r *patientRouter) Report(ctx context.Context, endpoint string, since uint64, wait time.Duration) (reconcile.Report, error) {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for over := since == 0; ; {
		report, err := r.Router.Report(ctx, endpoint, 0, 0)
		if err != nil || over || report.Sequence != since {
			return report, err
		}
		select {
		case <-deadline.C:
			over = true
		case <-time.After(min(wait, time.Second)):
		case <-ctx.Done():
			return reconcile.Report{}, ctx.Err()
		}
	}
}

// configRepo is a config repo on this machine with many models.
type configRepo struct {
	tb  testing.TB
	dir string
}

// newConfigRepo commits n models, one per file, a hundred to a directory, with
// what such repos have in common: a registry variable, locals, overlays.
func newConfigRepo(tb testing.TB, n int) *configRepo {
	tb.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		tb.Skip("the git program is not installed; it makes the config repo of this measurement")
	}
	r := &configRepo{tb: tb, dir: filepath.Join(tb.TempDir(), "repo")}
	r.write("common.hcl", `
variable "registry" { default = "localhost:5000" }
locals { team = "@vision" }
environment "prod" {
  model "m00007" { replicas = 2 }
}
`)
	for i := range n {
		r.write(modelPath(i), modelFile(i, "1"))
	}
	r.git("init", "-q", "-b", "main")
	r.git("add", ".")
	r.git("commit", "-q", "-m", "all models")
	r.git("gc", "-q") // what is old is packed, as in every clone; what is new is loose
	return r
}

func modelPath(i int) string { return fmt.Sprintf("models/%03d/m%05d.hcl", i/100, i) }

// modelFile is the spec of model i, which has needed new containers with every
// other value of threads.
func modelFile(i int, threads string) string {
	return fmt.Sprintf(`# Model %[1]d of the benchmark.
model "m%05[1]d" {
  description = "Scores transactions of segment %[1]d."
  owners      = [local.team]
  version     = "1.4.%[2]d"
  image       = "${var.registry}/m%05[1]d@sha256:%[3]s"
  protocol    = open_inference
  env         = { THREADS = "%[4]s", ENVIRONMENT = env.name }

  resources {
    cpus   = 1
    memory = "256MiB"
  }
  health {
    interval    = "1s"
    min_healthy = "0s"
  }
  route {
    path    = "/segments/%[1]d"
    timeout = "2s"
  }
  rollout {
    strategy = canary
    step {
      weight = 5
      hold   = "2m"
    }
    step {
      weight   = 50
      approval = true
    }
    check "errors" {
      metric = error_ratio
      max    = 0.01
    }
  }
}
`, i, i%10, strings.Repeat("6c3c624b", 8), threads)
}

func (r *configRepo) write(path, content string) {
	r.tb.Helper()
	full := filepath.Join(r.dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		r.tb.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		r.tb.Fatal(err)
	}
}

func (r *configRepo) git(args ...string) {
	r.tb.Helper()
	cmd := exec.CommandContext(r.tb.Context(), "git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=gc.auto", "GIT_CONFIG_VALUE_0=0", // no git that goes on in the background
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.org",
		"GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.org",
	)
	if out, err := cmd.CombinedOutput(); err != nil {
		r.tb.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// change commits other content of one model.
func (r *configRepo) change(i int, threads string) {
	r.tb.Helper()
	r.write(modelPath(i), modelFile(i, threads))
	r.git("commit", "-q", "-m", "change a model", "--", modelPath(i))
}
