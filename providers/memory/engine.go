package memory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// Engine is a container engine in memory. Several scopes may share one, as
// several daemons share one Docker Engine: [Engine.Runtime] is the view of one
// of them. Beside the views it has what a test does "by hand": kill, rename or
// alter a container behind Fairlead's back, take the engine away, lose an
// answer.
//
// Ids, addresses and the order of everything are deterministic.
type Engine struct {
	mu         sync.Mutex
	sequence   int // of ids and addresses
	containers map[string]*container
	names      map[string]string // name -> id
	images     map[string]*image // by pin
	refs       map[string]string // reference -> pin
	networks   map[string]reconcile.Scope
	volumes    map[string]reconcile.Scope
	watchers   map[chan struct{}]reconcile.Scope
	calls      map[string]int
	down       bool
	before     func(op string) error
	after      func(op string) error
	deny       func(reconcile.ContainerSpec) []reconcile.Denial
	program    func(reconcile.ContainerSpec) *Process

	cpus, gpus int
	memory     int64 // bytes
}

// container is one container and all that it was created from.
type container struct {
	reconcile.Container
	labels    map[string]string
	spec      reconcile.ContainerSpec
	connected bool // to its network; Address is empty while it does not run
	ip        string

	process *Process // nil while it does not run, or runs until it is stopped
	timers  []*time.Timer
	output  []byte
	said    int           // lines of the process
	changed chan struct{} // closed with the next output or end; nil: nobody waits
}

// image is one image that the engine or its registry knows.
type image struct {
	reconcile.Image
	present bool
	crash   *int // exit code of every container at once after its start
}

// SelfPin is the pin of the image that holds Fairlead's own binary.
const SelfPin = "sha256:5e1f000000000000000000000000000000000000000000000000000000000000"

// NewEngine returns an engine that holds nothing but the self image, which is
// not loaded yet.
func NewEngine() *Engine {
	return &Engine{
		containers: make(map[string]*container),
		names:      make(map[string]string),
		images: map[string]*image{
			SelfPin: {Image: reconcile.Image{Ref: "fairlead", Pin: SelfPin, LocalOnly: true, Self: true}},
		},
		refs:     make(map[string]string),
		networks: make(map[string]reconcile.Scope),
		volumes:  make(map[string]reconcile.Scope),
		watchers: make(map[chan struct{}]reconcile.Scope),
		calls:    make(map[string]int),
		deny:     denyPrivilege,
		cpus:     64,
		memory:   256 << 30,
	}
}

// Runtime returns the view of one scope.
func (e *Engine) Runtime(scope reconcile.Scope) *Runtime {
	return &Runtime{engine: e, scope: scope}
}

// AddImage makes the reference resolve to img. An image with LocalOnly is
// present already, any other has to be pulled. Calling it again for the same
// reference moves the tag.
func (e *Engine) AddImage(ref string, img reconcile.Image) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if img.Ref == "" {
		img.Ref = ref
	}
	e.refs[ref] = img.Pin
	if _, known := e.images[img.Pin]; !known {
		e.images[img.Pin] = &image{Image: img, present: img.LocalOnly}
	}
}

// AddTag is AddImage for a registry image whose digest does not matter: it is
// made from the reference and the content.
func (e *Engine) AddTag(ref, content string) reconcile.Image {
	img := reconcile.Image{Ref: ref, Pin: repository(ref) + "@sha256:" + digest(content)}
	e.AddImage(ref, img)
	return img
}

// CrashOnStart lets every container of that pin exit with the code as soon as
// it is started.
func (e *Engine) CrashOnStart(pin string, code int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	img, known := e.images[pin]
	if !known {
		img = &image{Image: reconcile.Image{Ref: pin, Pin: pin}}
		e.images[pin] = img
	}
	img.crash = &code
}

// SetDown takes the engine away, or brings it back. Containers run on meanwhile,
// as they do under a daemon that restarts with live-restore.
func (e *Engine) SetDown(down bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = down
}

// SetFault installs a hook that runs before each call, without any lock: it may
// block. Its error is what the call returns, and the call has no effect. op is
// one of the Op constants.
func (e *Engine) SetFault(before func(op string) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.before = before
}

// SetLostAnswer installs a hook that runs after each call took effect. Its error
// replaces the answer: what happened has happened, but the caller does not know.
func (e *Engine) SetLostAnswer(after func(op string) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.after = after
}

// SetPolicy replaces the operator's policy that Vet and Create ask. The default
// denies host paths, devices, capabilities, privileged mode and the host network.
func (e *Engine) SetPolicy(deny func(reconcile.ContainerSpec) []reconcile.Denial) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deny = deny
}

// SetSize changes what the engine says that it has. A new one has 64 CPUs, 256 GiB
// of memory, and does not tell of GPUs.
func (e *Engine) SetSize(cpus int, memory int64, gpus int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cpus, e.memory, e.gpus = cpus, memory, gpus
}

// Calls returns how often each operation was called, mutating or not, by Op
// constant. A call that a fault or the absent engine refused is counted too.
func (e *Engine) Calls() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.calls)
}

// Mutations returns the number of calls so far that may change the engine.
// EnsureImage and EnsureNetwork count only when there was something to do.
func (e *Engine) Mutations() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	sum := 0
	for op, n := range e.calls {
		if mutating(op) {
			sum += n
		}
	}
	return sum
}

// StateOf returns the state of a container, or "" if there is none with that id.
// A double of the router can take "running" for healthy.
func (e *Engine) StateOf(id string) reconcile.ContainerState {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.containers[id]; c != nil {
		return c.State
	}
	return ""
}

// SpecOf returns what a container was created from.
func (e *Engine) SpecOf(id string) (reconcile.ContainerSpec, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.containers[id]
	if c == nil {
		return reconcile.ContainerSpec{}, false
	}
	return c.spec, true
}

// All returns every container of every scope, sorted by name.
func (e *Engine) All() []reconcile.Container {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.list(func(*container) bool { return true })
}

// Networks returns the names of the networks, sorted.
func (e *Engine) Networks() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Sorted(maps.Keys(e.networks))
}

// list returns the containers that keep accepts, sorted by name.
func (e *Engine) list(keep func(*container) bool) []reconcile.Container {
	found := []reconcile.Container{}
	for _, c := range e.containers {
		if keep(c) {
			found = append(found, c.Container)
		}
	}
	slices.SortFunc(found, byName)
	return found
}

// byName orders containers as every List does.
func byName(a, b reconcile.Container) int {
	switch {
	case a.Name < b.Name:
		return -1
	case a.Name > b.Name:
		return 1
	}
	return 0
}

// notify wakes the watchers of the scope that the labels name.
func (e *Engine) notify(labels map[string]string) {
	for hint, scope := range e.watchers {
		if scope.Owns(labels) {
			wake(hint)
		}
	}
}

// wake sends a hint without blocking: one that is pending says all there is.
func wake(hint chan struct{}) {
	select {
	case hint <- struct{}{}:
	default:
	}
}

// watch registers a channel of hints that closes when ctx ends.
func (e *Engine) watch(ctx context.Context, scope reconcile.Scope) reconcile.Hints {
	hint := make(chan struct{}, 1)
	e.mu.Lock()
	e.watchers[hint] = scope
	e.mu.Unlock()
	context.AfterFunc(ctx, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.watchers, hint)
		close(hint)
	})
	return hint
}

// nextID returns a fresh id of the form that engines use, and an address.
func (e *Engine) nextID(name string) (id, ip string) {
	e.sequence++
	n := e.sequence
	return digest(fmt.Sprintf("%s #%d", name, n)), fmt.Sprintf("10.%d.%d.%d", n>>16&0xff, n>>8&0xff, n&0xff)
}

// digest is the hexadecimal SHA-256 of s.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// run puts a container into the running state, and its process on its way.
func (e *Engine) run(c *container) {
	c.State = reconcile.StateRunning
	c.Started = time.Now()
	c.Finished = time.Time{}
	c.ExitCode = 0
	c.OOMKilled = false
	c.Address = ""
	if c.connected {
		c.Address = c.ip
	}
	e.begin(c)
}

// exit puts a container into the exited state.
func (c *container) exit(code int) {
	c.State = reconcile.StateExited
	c.Finished = time.Now()
	c.ExitCode = code
	c.Address = ""
	c.halt()
}
