package spec

import (
	"slices"
	"strings"
)

// DefaultEnvironment is the name of the environment of a repo that declares
// none.
const DefaultEnvironment = "default"

// Config is all that a commit declares for one environment: overlays applied,
// for_each expanded, disabled blocks left out, defaults filled in, references
// checked.
type Config struct {
	Environment  string
	Environments []string // every environment that the repo declares, sorted
	Models       []*Model // sorted by Name
	Secrets      map[string]*Secret
	Simulations  []*Simulation // sorted by served name
	Datasets     []*Dataset    // sorted by Name
	Pipelines    []*Pipeline   // sorted by Name
	Policies     []*Policy     // sorted by Name
	Versions     []*Version    // sorted by model, then by version, oldest first
	Trust        *Trust        // by which the next commit is judged; nil: as the operator says
	Approvals    []*Approval   // sorted by Model
	Promotions   []*Promotion  // into this environment, sorted by Name
	Notifiers    []*Notifier   // sorted by Name
	Includes     []*Include    // sorted by Name
	Moved        []Moved
	Removed      []Removed
}

// Model returns the model with that served name, or nil.
func (c *Config) Model(name string) *Model {
	i, found := slices.BinarySearchFunc(c.Models, name, func(m *Model, name string) int {
		switch {
		case m.Name < name:
			return -1
		case m.Name > name:
			return 1
		}
		return 0
	})
	if !found {
		return nil
	}
	return c.Models[i]
}

// IncludeOf returns the include whose repo declares what has that name, or nil: names
// that begin with an include's prefix belong to it.
func (c *Config) IncludeOf(name string) *Include {
	for _, i := range c.Includes {
		if strings.HasPrefix(name, i.Prefix) {
			return i
		}
	}
	return nil
}

// Moved says that what was From is now To, so that a rename keeps the running
// containers. It works as long as the block stands in Git.
type Moved struct {
	From, To Address
	Pos      Pos
}

// Removed says what becomes of the containers of a model that left Git. Without
// such a block they are destroyed.
type Removed struct {
	From    Address
	Destroy bool // false: leave the containers alone
	Pos     Pos
}
