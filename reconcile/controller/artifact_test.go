package controller_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/providers/providertest"
	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/capacity"
	"github.com/fairlead/fairlead/reconcile/controller"
	"github.com/fairlead/fairlead/spec"
)

// shelf is a store of artifacts whose registry can be made to fail, or to hang.
type shelf struct {
	reconcile.Artifacts // what the controller has no use for
	dir                 string

	mu      sync.Mutex
	here    map[string]bool // by digest
	spoiled bool            // what is here, until it is fetched anew
	fail    map[string]error
	hang    chan struct{} // a Fetch waits until it is closed; nil: none does
	fetched []string
}

func newShelf(t *testing.T) *shelf {
	return &shelf{dir: t.TempDir(), here: map[string]bool{}, fail: map[string]error{}}
}

func (s *shelf) set(f func(*shelf)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *shelf) fetches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.fetched)
}

func (s *shelf) path(digest string) string {
	return filepath.Join(s.dir, strings.TrimPrefix(digest, "sha256:"))
}

func (s *shelf) Checkout(_ context.Context, digest string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.here[digest] {
		return "", reconcile.ErrNoContent
	}
	if s.spoiled {
		return "", reconcile.ErrTampered
	}
	return s.path(digest), os.MkdirAll(s.path(digest), 0o755)
}

func (s *shelf) Fetch(ctx context.Context, ref string) (reconcile.Content, error) {
	s.mu.Lock()
	s.fetched = append(s.fetched, ref)
	hang := s.hang
	s.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return reconcile.Content{}, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, digest, _ := strings.Cut(ref, "@")
	if err := s.fail[digest]; err != nil {
		return reconcile.Content{}, err
	}
	s.here[digest], s.spoiled = true, false
	return reconcile.Content{Digest: digest}, nil
}

// stocked lets a controller take artifacts from the shelf.
func stocked(s *shelf) func(*controller.Options) {
	return func(o *controller.Options) { o.Artifacts = s }
}

func digestOf(n int) string { return fmt.Sprintf("sha256:%064d", n) }

func weights(n int) func(*spec.Model) {
	return func(m *spec.Model) {
		m.Artifact = &spec.Artifact{Ref: "oci://registry.example/digits@" + digestOf(n), Digest: digestOf(n), Target: "/model"}
	}
}

// mounts are the directories that the running replicas of a model read.
func (w *world) mounts(model string) []string {
	var found []string
	for _, c := range w.running(model) {
		s, _ := w.engine.SpecOf(c.ID)
		for _, b := range s.Binds {
			found = append(found, fmt.Sprintf("%s at %s read-only %t", filepath.Base(b.Source), b.Target, b.ReadOnly))
		}
	}
	return found
}

func mounted(n int) string {
	return fmt.Sprintf("%s at /model read-only true", strings.TrimPrefix(digestOf(n), "sha256:"))
}

var errTampered = fmt.Errorf("layer sha256:12ab of registry.example/digits: %w", reconcile.ErrTampered)

func TestReplicasReadTheirArtifact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), newShelf(t)
		w.repo.commit(model("digits", weights(1)), model("plain"))
		w.during(func(c *controller.Controller) {
			if got, want := w.mounts("digits"), []string{mounted(1), mounted(1)}; !slices.Equal(got, want) {
				t.Errorf("the replicas mount %q, want %q", got, want)
			}
			if got := w.mounts("plain"); got != nil || s.fetches() != 1 {
				t.Errorf("the other model mounts %q; %d fetches", got, s.fetches())
			}
			old := w.names()
			w.repo.commit(model("digits", weights(2)), model("plain"))
			c.Sync()
			w.await(c, "the new artifact", func(st *controller.Status) bool { return st.Converged && w.mounts("digits")[0] == mounted(2) })
			if got := w.mounts("digits"); !slices.Equal(got, []string{mounted(2), mounted(2)}) {
				t.Errorf("the replicas mount %q", got)
			}
			if slices.Equal(old, w.names()) {
				t.Error("the containers are the old ones")
			}
			if p := c.Plan(time.Now()); !p.Empty() {
				t.Errorf("the plan is not empty: %+v", p.Changes)
			}
		}, stocked(s))
	})
}

func TestSameBytesFromElsewhereChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), newShelf(t)
		w.repo.commit(model("digits", weights(1)))
		w.during(func(c *controller.Controller) {
			before := w.engine.Mutations()
			w.repo.commit(model("digits", weights(1), func(m *spec.Model) { m.Artifact.Ref = "oci://mirror.example/digits@" + digestOf(1) }))
			c.Sync()
			w.await(c, "the commit", func(st *controller.Status) bool { return st.Converged && st.Commit.ID == w.repo.head() })
			if n := w.engine.Mutations() - before; n != 0 {
				t.Errorf("%d mutating calls", n)
			}
		}, stocked(s))
	})
}

func TestNothingStartsWithoutItsArtifact(t *testing.T) {
	for name, tc := range map[string]struct {
		artifact *spec.Artifact
		err      error
		says     string
	}{
		"a registry that is away":      {nil, fmt.Errorf("registry.example: connection refused: %w", reconcile.ErrUnavailable), "connection refused"},
		"an artifact that is missing":  {nil, fmt.Errorf("registry.example has no %s: %w", digestOf(1), reconcile.ErrNoContent), "registry.example has no"},
		"bytes that were altered":      {nil, errTampered, "does not match its digest"},
		"a reference of other content": {&spec.Artifact{Ref: "oci://registry.example/digits@" + digestOf(2), Digest: digestOf(1), Target: "/model"}, nil, "its digest is not " + digestOf(1)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, s := newWorld(t), newShelf(t)
				s.fail[digestOf(1)] = tc.err
				w.repo.commit(model("plain"))
				w.during(func(c *controller.Controller) {
					broken := model("digits", weights(1))
					if tc.artifact != nil {
						broken.Artifact = tc.artifact
					}
					w.repo.commit(broken, model("plain", replicas(3)))
					c.Sync()
					w.await(c, "the error, and the other model", func(st *controller.Status) bool {
						text := modelOf(st, "digits").Error
						return strings.Contains(text, tc.says) && strings.Contains(text, "oci://registry.example/digits@") && len(w.running("plain")) == 3
					})
					time.Sleep(2 * time.Minute) // virtual
					if names := w.names(); len(names) != 3 {
						t.Errorf("containers are %q", names)
					}
					if n := s.fetches(); n > 12 {
						t.Errorf("%d tries within two minutes", n)
					}
					s.set(func(s *shelf) { clear(s.fail) })
					w.repo.commit(model("digits", weights(1)), model("plain", replicas(3)))
					c.Sync()
					w.await(c, "the replicas", func(st *controller.Status) bool { return st.Converged && len(w.running("digits")) == 2 })
				}, stocked(s))
			})
		})
	}
}

func TestRegistryThatComesBackIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), newShelf(t)
		w.repo.commit(model("plain"))
		w.during(func(c *controller.Controller) {
			s.set(func(s *shelf) { s.fail[digestOf(1)] = reconcile.ErrUnavailable })
			w.repo.commit(model("digits", weights(1)), model("plain"))
			c.Sync()
			w.await(c, "the error", func(st *controller.Status) bool { return modelOf(st, "digits").Error != "" })
			s.set(func(s *shelf) { clear(s.fail) })
			w.await(c, "the replicas", func(st *controller.Status) bool { return st.Converged && len(w.running("digits")) == 2 })
		}, stocked(s))
	})
}

// While the next release waits for its artifact, stable is looked after, and takes
// its own from the store.
func TestStableIsHealedWhileTheNextArtifactIsNotHere(t *testing.T) {
	recreate := func(m *spec.Model) {
		m.Rollout = &spec.Rollout{Strategy: spec.Recreate, ProgressDeadline: time.Hour, OnFailure: spec.ActionRollback, OnDeadline: spec.ActionRollback, Velocity: spec.VelocityRestart}
	}
	for name, trouble := range map[string]func(*shelf){
		"the registry hangs":   func(s *shelf) { s.hang = make(chan struct{}) },
		"the registry is away": func(s *shelf) { s.fail[digestOf(2)] = reconcile.ErrUnavailable },
		"it was altered":       func(s *shelf) { s.fail[digestOf(2)] = errTampered },
	} {
		for strategy, change := range map[string]func(*spec.Model){"in place": func(*spec.Model) {}, "recreate": recreate} {
			t.Run(name+", "+strategy, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, s := newWorld(t), newShelf(t)
					w.repo.commit(model("digits", weights(1), change))
					w.during(func(c *controller.Controller) {
						s.set(trouble)
						w.repo.commit(model("digits", weights(2), change))
						c.Sync()
						w.await(c, "the next artifact to be asked for", func(st *controller.Status) bool {
							return s.fetches() > 1 && strings.Contains(modelOf(st, "digits").Reason, "its artifact")
						})
						before, asked := w.names(), s.fetches()
						if err := w.engine.RemoveByHand(w.running("digits")[0].ID); err != nil {
							t.Fatal(err)
						}
						start := time.Now()
						w.await(c, "stable to be whole again", func(*controller.Status) bool { return len(w.running("digits")) == 2 })
						if took := time.Since(start); took > 5*time.Second {
							t.Errorf("healing took %s", took)
						}
						if got := w.mounts("digits"); !slices.Equal(got, []string{mounted(1), mounted(1)}) || !slices.Equal(before, w.names()) {
							t.Errorf("%q mount %q", w.names(), got)
						}
						for _, ref := range s.fetched[asked:] {
							if strings.HasSuffix(ref, digestOf(1)) {
								t.Error("the artifact of stable was fetched once more")
							}
						}
						w.repo.commit(model("digits", weights(1), change))
						c.Sync()
						w.await(c, "the way back", func(st *controller.Status) bool { return st.Converged && st.Commit.ID == w.repo.head() })
					}, stocked(s))
				})
			})
		}
	}
}

func TestArtifactThatWasSpoiledHereIsFetchedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), newShelf(t)
		w.repo.commit(model("digits", weights(1)))
		w.during(func(c *controller.Controller) {
			s.set(func(s *shelf) { s.spoiled, s.fail[digestOf(1)] = true, reconcile.ErrUnavailable })
			if err := w.engine.RemoveByHand(w.running("digits")[0].ID); err != nil {
				t.Fatal(err)
			}
			w.await(c, "the error", func(st *controller.Status) bool { return modelOf(st, "digits").Error != "" })
			if n := len(w.running("digits")); n != 1 {
				t.Errorf("%d replicas run", n)
			}
			s.set(func(s *shelf) { clear(s.fail) })
			w.await(c, "the replica", func(st *controller.Status) bool { return st.Converged && len(w.running("digits")) == 2 })
		}, stocked(s))
	})
}

func TestWithoutAStoreAnArtifactIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo.commit(model("plain"))
		w.during(func(c *controller.Controller) {
			w.repo.commit(model("digits", weights(1)), model("plain"))
			c.Sync()
			w.await(c, "the error", func(st *controller.Status) bool {
				return strings.Contains(modelOf(st, "digits").Error, "without a store")
			})
			if len(w.running("digits")) != 0 {
				t.Error("it runs without its artifact")
			}
		})
	})
}

// steps of pipelines are on the engine beside models, and somebody else's.
func TestStepsOfPipelinesAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.engine.SetSize(64, 3<<28, 0) // three replicas of 256 MiB
		w.repo.commit(model("digits"))
		host := func(o *controller.Options) {
			o.Host = func(e reconcile.Engine) capacity.Host { return capacity.Host{Engine: e} }
		}
		w.during(func(c *controller.Controller) {
			runtime := w.engine.Runtime(w.scope)
			image, err := runtime.Resolve(t.Context(), "digits:1")
			if err != nil {
				t.Fatal(err)
			}
			step := providertest.TestStep(w.scope, image, "train-1", "fit")
			step.Resources.Memory = 1 << 28
			id, err := runtime.Create(t.Context(), step)
			if err := errors.Join(err, runtime.Start(t.Context(), id)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute) // of the bubble: the daemon lists what is there now
			synctest.Wait()
			w.repo.commit(model("digits", replicas(3)))
			c.Sync()
			w.await(c, "the refusal", func(st *controller.Status) bool {
				return strings.Contains(modelOf(st, "digits").Reason, "256 MiB are taken by steps of pipelines")
			})
			if w.engine.StateOf(id) != reconcile.StateRunning || len(c.Status().Models) != 1 {
				t.Errorf("the step is %q, the models are %+v", w.engine.StateOf(id), c.Status().Models)
			}
			if p := c.Plan(time.Now()); len(p.Changes) != 1 || p.Running != 1 {
				t.Errorf("the plan has %+v, %d running", p.Changes, p.Running)
			}
			if err := w.engine.Exit(id, 0); err != nil {
				t.Fatal(err)
			}
			w.await(c, "the third replica, now that there is room", func(st *controller.Status) bool {
				return st.Converged && len(w.running("digits")) == 3
			})
			if w.engine.StateOf(id) != reconcile.StateExited {
				t.Error("the step is gone")
			}
		}, host)
	})
}
