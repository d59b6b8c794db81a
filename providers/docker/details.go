package docker

import (
	"hash/fnv"
	"sync"
	"time"

	"github.com/fairlead/fairlead/reconcile"
)

// details is what the engine tells about a container by inspection only.
type details struct {
	started, finished time.Time
	exitCode          int
	restarts          int
	oomKilled         bool
	limits            reconcile.Limits
	// hostAddress is where a container on the host's network is reached from the
	// network of the scope; "" for all others.
	hostAddress string
}

// detailCache keeps the details of each container with the signature that its
// entry in the list had at that time. They are believed until the signature
// differs, an event drops them, or they are older than the audit interval.
type detailCache struct {
	audit time.Duration

	mu      sync.Mutex
	entries map[string]cachedDetails
	// drops counts the drops so far, per container and of everything: an answer
	// that was asked for before a drop may be older than what caused it.
	drops map[string]uint64
	epoch uint64
}

type cachedDetails struct {
	details
	signature string
	due       time.Time // for the audit
}

func newDetailCache(audit time.Duration) *detailCache {
	return &detailCache{
		audit:   audit,
		entries: make(map[string]cachedDetails),
		drops:   make(map[string]uint64),
	}
}

// ticket is the state of the cache when an inspection began.
type ticket struct{ epoch, drops uint64 }

// get returns the details of a container if they can be believed. Else the
// ticket admits the answer of an inspection that begins now.
func (c *detailCache) get(id, signature string, now time.Time) (details, ticket, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, known := c.entries[id]
	believed := known && entry.signature == signature && now.Before(entry.due)
	return entry.details, ticket{c.epoch, c.drops[id]}, believed
}

// put stores the answer of an inspection, unless the container was dropped since
// it began.
func (c *detailCache) put(id, signature string, d details, t ticket, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t != (ticket{c.epoch, c.drops[id]}) {
		return
	}
	c.entries[id] = cachedDetails{details: d, signature: signature, due: now.Add(spread(id, c.audit))}
}

// drop forgets one container.
func (c *detailCache) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, id)
	c.drops[id]++
}

// dropAll forgets everything.
func (c *detailCache) dropAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
	clear(c.drops)
	c.epoch++
}

// keep forgets all containers but those of a complete list.
func (c *detailCache) keep(present map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.entries {
		if !present[id] {
			delete(c.entries, id)
		}
	}
	for id := range c.drops {
		if !present[id] {
			delete(c.drops, id)
		}
	}
}

// spread shortens the audit interval by up to half, by a hash of the id: the
// containers that one List inspected are not all due again with one List.
func spread(id string, audit time.Duration) time.Duration {
	const parts = 1024
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return audit - audit/2*time.Duration(h.Sum32()%parts)/parts
}
