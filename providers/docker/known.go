package docker

import (
	"sync"

	"github.com/docker/docker/api/types/container"

	"github.com/fairlead/fairlead/reconcile"
)

// identity is what never changes about a container of the scope.
type identity struct {
	name          string // when last seen; for messages
	model         string
	run           string // of a step
	secretsSource string // host directory of its secret files, "" for none
}

// knownContainers remembers which ids belong to the scope, so that acting on one
// that a List returned needs no further question. Labels cannot change and ids do
// not come back, so an entry is never wrong.
type knownContainers struct {
	mu   sync.RWMutex
	byID map[string]identity
}

func newKnownContainers() *knownContainers {
	return &knownContainers{byID: make(map[string]identity)}
}

func (k *knownContainers) get(id string) (identity, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	who, known := k.byID[id]
	return who, known
}

func (k *knownContainers) put(id string, who identity) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.byID[id] = who
}

func (k *knownContainers) forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.byID, id)
}

// keep forgets all containers but those of a complete list.
func (k *knownContainers) keep(present map[string]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id := range k.byID {
		if !present[id] {
			delete(k.byID, id)
		}
	}
}

// identify reads the identity of a container of the scope.
func identify(name string, labels map[string]string, mounts []container.MountPoint) identity {
	who := identity{
		name:  name,
		model: labels[reconcile.LabelModel],
		run:   labels[reconcile.LabelRun],
	}
	for _, m := range mounts {
		if m.Destination == secretsTarget {
			who.secretsSource = m.Source
		}
	}
	return who
}
