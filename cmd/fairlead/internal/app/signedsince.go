package app

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// fullID is the id of a commit, as a journal has it.
var fullID = regexp.MustCompile(`^[0-9a-f]{40}$`)

// takeSignedSince reads since when which journal is signed.
func (c *Config) takeSignedSince() error {
	if len(c.SignedSince) == 0 {
		return nil
	}
	c.JournalSignedSince = map[string]string{}
	for _, text := range c.SignedSince {
		name, id, named := strings.Cut(text, "=")
		if !named {
			name, id = c.Environment, text
		}
		switch before := c.JournalSignedSince[name]; {
		case !spec.ValidName(name) || !fullID.MatchString(id):
			return fmt.Errorf("--journal-signed-since %q is no full id of an entry; write ID, or ENVIRONMENT=ID for the journal of another environment", text)
		case before != "" && before != id:
			return fmt.Errorf("--journal-signed-since names two entries for the environment %s, %s and %s; name the newer one", name, before, id)
		}
		c.JournalSignedSince[name] = id
	}
	return nil
}
