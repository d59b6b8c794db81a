package memory

import (
	"fmt"

	"github.com/fairlead/fairlead/reconcile"
)

// This file holds what people, the kernel and the engine do behind Fairlead's
// back. Each method returns an error for an id that does not exist, so that a
// test cannot alter nothing and pass.

// Kill is docker kill: the container exits with code 137 and the engine does not
// restart it.
func (e *Engine) Kill(id string) error { return e.Exit(id, 137) }

// Exit ends the process for good, as if the restart policy were exhausted.
func (e *Engine) Exit(id string, code int) error {
	return e.alter(id, func(c *container) { c.exit(code) })
}

// Crash ends the process, and the engine starts it again at once.
func (e *Engine) Crash(id string, code int) error {
	return e.alter(id, func(c *container) {
		c.exit(code)
		e.run(c)
		c.Restarts++
	})
}

// OOMKill ends the process as the kernel does when its memory is used up.
func (e *Engine) OOMKill(id string) error {
	return e.alter(id, func(c *container) {
		c.exit(137)
		c.OOMKilled = true
	})
}

// Pause freezes the container.
func (e *Engine) Pause(id string) error {
	return e.alter(id, func(c *container) { c.State = reconcile.StatePaused })
}

// SetLimits is docker update.
func (e *Engine) SetLimits(id string, limits reconcile.Limits) error {
	return e.alter(id, func(c *container) { c.Limits = limits })
}

// Disconnect is docker network disconnect.
func (e *Engine) Disconnect(id string) error {
	return e.alter(id, func(c *container) {
		c.connected = false
		c.Address = ""
	})
}

// RenameByHand is docker rename. The name must be free.
func (e *Engine) RenameByHand(id, name string) error {
	e.mu.Lock()
	_, taken := e.names[name]
	e.mu.Unlock()
	if taken {
		return fmt.Errorf("rename container: the name %s is taken", name)
	}
	return e.alter(id, func(c *container) { e.rename(c, name) })
}

// RemoveByHand is docker rm --force.
func (e *Engine) RemoveByHand(id string) error {
	return e.alter(id, e.remove)
}

// RemoveImage drops an image from the engine; its registry still has it.
func (e *Engine) RemoveImage(pin string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	img := e.images[pin]
	if img == nil {
		return fmt.Errorf("remove image: there is none with the pin %s", pin)
	}
	img.present = false
	return nil
}

// RemoveAllByHand is a cleaned engine: every container and network is gone.
func (e *Engine) RemoveAllByHand() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.containers {
		e.remove(c)
		e.notify(c.labels)
	}
	clear(e.networks)
}

// alter changes a container and wakes its watchers.
func (e *Engine) alter(id string, change func(*container)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.containers[id]
	if c == nil {
		return fmt.Errorf("alter container: there is none with the id %s", id)
	}
	change(c)
	e.notify(c.labels)
	return nil
}

// rename moves the container to another name. The caller holds the lock.
func (e *Engine) rename(c *container, name string) {
	delete(e.names, c.Name)
	e.names[name] = c.ID
	c.Name = name
}

// remove deletes the container. The caller holds the lock.
func (e *Engine) remove(c *container) {
	delete(e.names, c.Name)
	delete(e.containers, c.ID)
	c.halt()
}
