package rest

import (
	"sync"
	"time"
)

// Permissions remembers for a while who may write, by what a forge knows an account by.
// It is safe for concurrent use.
type Permissions[Account comparable] struct {
	Now func() time.Time

	mu    sync.Mutex
	known map[Account]permission
}

type permission struct {
	write bool
	until time.Time
}

const (
	permissionLife = 5 * time.Minute
	maxPermissions = 1000
)

// Get returns what was put, while it counts.
func (p *Permissions[Account]) Get(who Account) (write, found bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, found := p.known[who]
	return known.write, found && p.Now().Before(known.until)
}

// Put remembers whether an account may write.
func (p *Permissions[Account]) Put(who Account, write bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil || len(p.known) >= maxPermissions {
		p.known = map[Account]permission{}
	}
	p.known[who] = permission{write: write, until: p.Now().Add(permissionLife)}
}
